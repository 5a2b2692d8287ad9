"""`secateur prune`: the smallest detector that provably holds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import typer

from secateur.cli.arguments import Gaps, Rename


def prune(
    data: Path = typer.Option(..., help="Folder of recordings of at least eight subjects."),
    out: Path = typer.Option(..., help="Folder for everything that comes out."),
    margin: str | None = typer.Option(
        None,
        help="What may be lost, mean over patients, in the metric's own unit, such as "
        "auroc=0.01,macro_f1=0.02. Also accuracy, auprc, sensitivity, specificity, event_sensitivity, "
        "event_f1, fp_per_day. [default: auroc=0.01]",
    ),
    confidence: float | None = typer.Option(
        None, help="How sure it must be that the margin holds. [default: 0.95]"
    ),
    harmed_share: float | None = typer.Option(
        None, help="Certify too that at most this share of patients lose more than the margin."
    ),
    rungs: str | None = typer.Option(
        None,
        help="Shares of the kernels to try, mild to severe. [default: 0.25,0.5,0.75,0.85,0.9,0.95]",
    ),
    target: str | None = typer.Option(
        None,
        help="One rung instead, that reaches a size: params=, macs=, latency_ms= or "
        "bytes= (of the network, without metadata), such as macs=10% "
        "of the baseline or latency_ms=0.3.",
    ),
    certify: str | None = typer.Option(
        None,
        help="holdout (subjects kept for nothing else; certifies the file) or folds:K (each subject "
        "judged once; certifies the recipe). [default: holdout where 12 can be kept, else folds:5]",
    ),
    controls: str | None = typer.Option(
        None, help="all (from scratch, random kernels, single weights, retrained, forest) or none."
    ),
    importance: str | None = typer.Option(
        None,
        help="l1, l2, random, geometric-median, batchnorm, activation, zeros, taylor, "
        "taylor-by-class or fisher. [default: l1]",
    ),
    allocation: str | None = typer.Option(
        None, help="uniform, global, sensitivity, cost or dynamic. [default: uniform]"
    ),
    cost_in: str | None = typer.Option(None, help="What allocation cost pays in: macs or us."),
    schedule: str | None = typer.Option(None, help="one-shot or iterative:N. [default: one-shot]"),
    retrain: str | None = typer.Option(
        None, help="finetune, rewind, scratch or distil. [default: finetune]"
    ),
    round_to: int | None = typer.Option(None, help="Kernels that stay are a multiple of this."),
    int8: bool = typer.Option(False, help="Deploy and judge each rung quantised to 8 bits."),
    network: str | None = typer.Option(
        None,
        help="valid, paper, eegnet, shallow, deep4, tcn, separable, or your own as module:function. "
        "[default: valid]",
    ),
    widths: str | None = typer.Option(
        None, help="Kernels of each convolution, such as 16,32,64. [default: the network's own]"
    ),
    weights: Path | None = typer.Option(
        None, help="Weights of the network, already trained (safetensors)."
    ),
    test_data: Path | None = typer.Option(None, help="Another folder to test on."),
    seed: int | None = typer.Option(None, help="Weights, order and dropout. [default: 0]"),
    split_seed: int | None = typer.Option(None, help="Who stands where. [default: as --seed]"),
    montage: str | None = typer.Option(None, help="bipolar-18, unipolar-19, as-recorded or each."),
    epochs: int | None = typer.Option(None, help="Epochs at most; training stops early."),
    patience: int | None = typer.Option(
        None, help="Epochs without an improvement before training stops. [default: 5]"
    ),
    least_epochs: int | None = typer.Option(
        None, help="Epochs before the first is looked at for stopping. [default: 6]"
    ),
    post_processing: str | None = typer.Option(
        None,
        help="Rules from probabilities to events: chosen (on validation) or fixed. [default: chosen]",
    ),
    force: bool = typer.Option(
        False, help="Allow margins on events with under an hour of background a subject."
    ),
    rename: Rename = None,
    gaps: Gaps = None,
    config: Path | None = typer.Option(None, help="TOML file of settings; flags go before it."),
    strict: bool = typer.Option(False, help="End at the first recording that can't be used."),
    workers: int = typer.Option(
        min(2, os.cpu_count() or 1), min=1, help="Processes that train at once."
    ),
) -> None:
    """Find how far the network can be cut, and certify on unseen subjects that the margin holds.

    Trains a baseline, cuts and retrains it at each rung, and goes down the ladder until a rung is not
    shown to hold. Leaves in --out: pruned.onnx (the last rung that held, with its certificate),
    baseline.onnx, every rung, report.html, result.json. Where no rung holds, the baseline comes back as
    pruned.onnx, the exit code is 2, and it is said how many subjects would have been needed.

    Example: `secateur prune --data recordings --out runs/small --margin auroc=0.01 --confidence 0.95`
    """
    flags = {name.replace("_", "-"): value for name, value in locals().items()}
    import secateur
    from secateur.cli.arguments import folder
    from secateur.cli.command import command_line
    from secateur.cli.progress import shown

    job = secateur.prune  # says in one line what to install where training's packages are missing
    from secateur.runs import Execution, Source
    from secateur.studies.flags import prune_settings

    with shown() as progress:
        command = command_line()
        outcome = job(
            Source(data, test_data, strict, weights),
            folder(out),
            config=config,
            settings=prune_settings(flags),
            execution=Execution(workers, progress=progress, command=command),
        )
    _show(outcome.result)
    print(f"report: {out / 'report.html'}")
    if not outcome.certified:
        raise typer.Exit(2)


def _show(result: dict[str, Any]) -> None:
    """The ladder, and what came of it."""
    from secateur.cli.tables import number, print_table, print_warnings
    from secateur.scoring import Certificate, Statement, in_words

    margins = result["certificate"]["constraint"]["margins"]
    base = result["models"]["baseline"]
    rows = [["baseline", "", *([""] * 3 * len(margins)), *_sizes(base)]]
    for rung in result["ladder"]:
        name = rung["name"].removeprefix("rung-")
        cells = [f"{name} *" if rung["name"] == result["chosen"] else name, rung["verdict"]]
        for one in map(Statement.model_validate, rung["statements"]):
            cells += [number(one.mean, 4), number(one.bound, 4)]
            cells.append(f"{one.harm.harmed} of {one.harm.n}")
        rows.append([*cells, *_sizes(rung)])
    heads = [
        word
        for metric, margin in margins.items()
        for word in (f"{metric} loss", f"at most (margin {margin:g})", "harmed")
    ]
    simulated = " (simulated EEG)" if result["data"]["simulated"] else ""
    print_table(
        f"{result['data']['name']}{simulated}",
        ["rung", "verdict", *heads, "parameters", "MACs", "kB", "ms"],
        rows,
    )
    print(in_words(Certificate.model_validate(result["certificate"]))[0])
    for needed in result["needed"]:
        print(needed["words"])
    chosen = [rung for rung in result["ladder"] if rung["name"] == result["chosen"]]
    if chosen:
        name, ratio = chosen[0]["name"].removeprefix("rung-"), chosen[0]["ratio_achieved"]
        print(f"chosen: rung {name}, {100 * ratio:.3g} % of the kernels removed")
    else:
        print("no rung is certified; pruned.onnx is the baseline")
    print_warnings(result["warnings"])


def _sizes(model: dict[str, Any]) -> list[str]:
    from secateur.cli.tables import number

    return [
        f"{model['parameters']:,}",
        f"{model['macs']:,}",
        number(model["file_bytes"] / 1000, 1),
        number(model["latency_ms"]["median"]),
    ]
