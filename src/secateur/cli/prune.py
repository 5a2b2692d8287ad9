"""`secateur prune`: the smallest detector that provably holds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from secateur.certifying.settings import LadderSettings
from secateur.cli.arguments import Background, Data
from secateur.cli.flags import with_flags
from secateur.counts import plural
from secateur.errors import SettingsError
from secateur.scoring.statements import LEAST_FOR_MEAN

if TYPE_CHECKING:
    from secateur.results import LadderResult, ModelResult, Rung


@with_flags(LadderSettings)
def prune(
    overrides: dict[str, Any],
    data: Data = None,
    background: Background = None,
    out: Path | None = typer.Option(None, help="Folder for everything that comes out."),
    plan: bool = typer.Option(
        False,
        "--plan",
        help="Train nothing; tell how likely a certificate would be, by subjects and repeats.",
    ),
    subjects: str | None = typer.Option(
        None,
        metavar="N,N,…",
        help="With --plan: numbers of subjects. [default: those of --data, else 8,12,16,24,60]",
    ),
    weights: Path | None = typer.Option(
        None, help="Weights of the network, already trained (safetensors)."
    ),
    test_data: Path | None = typer.Option(None, help="Another folder to test on."),
    config: Path | None = typer.Option(None, help="TOML file of settings; flags go before it."),
    strict: bool = typer.Option(
        False, "--strict", help="End at the first recording that can't be used."
    ),
    workers: int = typer.Option(
        min(2, os.cpu_count() or 1), min=1, help="Processes that train at once."
    ),
) -> None:
    """Find how far the network can be cut, and certify on unseen subjects that the margin holds.

    Trains a baseline, cuts and retrains it at each rung, and goes down the ladder until a rung is not
    shown to hold. Leaves in --out: pruned.onnx (the last rung that held, with its certificate),
    baseline.onnx, every rung, report.html, result.json. Where no rung holds, the baseline comes back as
    pruned.onnx, the exit code is 2, with how many subjects would have been needed. A certificate needs
    8 subjects with seizures at the very least.

    `secateur prune --plan --margin auroc=0.01 --subjects 16` tells before how likely that is; with
    `--data recordings` in place of `--subjects`, for as many as there are.

    Example: `secateur prune --data recordings --out runs/small --margin auroc=0.01 --confidence 0.95`
    """
    if plan:
        _plan(overrides, config, subjects, data or [])
        return
    import secateur
    from secateur.cli.arguments import command_line, folder
    from secateur.cli.progress import progress_display

    if not data or out is None:
        raise SettingsError("--data and --out are needed; only --plan goes without")
    job = secateur.prune  # says in one line what to install where training's packages are missing
    from secateur.runs import Execution, Source

    with progress_display() as progress:
        outcome = job(
            Source.of(data, background or (), test_data, strict, weights),
            folder(out),
            config=config,
            settings=overrides,
            execution=Execution(workers, progress=progress, command=command_line()),
        )
    _show(outcome.result)
    print(f"report: {out / 'report.html'}")
    if not outcome.certified:
        raise typer.Exit(2)


def _plan(
    overrides: dict[str, Any], config: Path | None, subjects: str | None, data: list[str]
) -> None:
    """The chance of a certificate by subjects, repeats and luck of training, for each margin."""
    from secateur.certifying.settings import resolve_ladder
    from secateur.cli.tables import print_table
    from secateur.scoring.calibration import Design, calibration, level_of, spent
    from secateur.scoring.planning import deviation_of, plan_power

    if subjects and data:
        raise SettingsError(
            "--plan: --data counts the subjects that --subjects names; give one of both"
        )
    settings = resolve_ladder(config, overrides)
    rule, folds = settings.constraint, settings.certify.folds
    try:
        sizes = [int(word) for word in subjects.split(",")] if subjects else calibration()["sizes"]
    except ValueError:
        raise SettingsError(f"--subjects {subjects}: wanted whole numbers, such as 16,24") from None
    if data:
        sizes = [_judged(data, settings)]
    repeats = sorted({1, 3, 5, settings.ladder.repeats})
    ways = [(None, 1)] if settings.certify.by == "holdout" else [(folds, r) for r in repeats]
    designs = [Design(n, *way) for n in sizes for way in ways]
    powers_of = {metric: plan_power(rule, metric, designs) for metric in rule.margins}
    for metric, margin in rule.margins.items():
        powers = powers_of[metric]
        rows = []
        for design in designs:
            own = [power for power in powers if power.design == design]
            chances = [f"{100 * p.nothing_lost:.0f} / {100 * p.half_lost:.0f}" for p in own]
            rows.append([str(design.subjects), str(design.repeats), *chances])
        lucks = list(dict.fromkeys(power.luck for power in powers))
        alpha = spent(1 - rule.confidence, 1)
        judged = "one file" if ways[0][0] is None else f"{folds} folds"
        print_table(
            f"certificates in %, {metric}={margin:g}, {judged}, {100 * rule.confidence:g} % confidence",
            ["subjects", "repeats", *(f"luck {100 * luck:g} %" for luck in lucks)],
            rows,
        )
        print(
            f"Of networks that lose nothing / half the margin, with losses spread as measured on the clips "
            f"(standard deviation {deviation_of(metric):.3g}) and that share of their variance luck of "
            f"training; a first certification of the recordings, which may spend {100 * alpha:.3g} % and "
            f"is judged by the table for {100 * (level_of(alpha) or 0):g} %."
        )


def _judged(data: list[str], settings: LadderSettings) -> int:
    """How many subjects of the folders a certificate would be about; says how they were counted."""
    from secateur.recordings import DataSet, load_data_sets

    sets = list(map(DataSet.parse, data))
    cohort = load_data_sets(sets, reading=settings.reading, labels=settings.labels)
    seized = len({entry.subject for entry in cohort if entry.events})
    print(
        f"{cohort.name}: {seized} of {plural(len(cohort.subjects), 'subject')} have seizures and count"
    )
    if settings.certify.by != "holdout":
        return seized
    kept = max(LEAST_FOR_MEAN, round(settings.certify.share * seized))
    print(f"--certify holdout keeps {kept} of them for the certificate")
    return kept


def _show(result: LadderResult) -> None:
    """The ladder, and what came of it."""
    from secateur.cli.tables import number, print_table, print_warnings
    from secateur.reporting.methods import kernels_of
    from secateur.scoring import in_words

    margins = result.certificate.constraint.margins
    rows = [["baseline", "", *([""] * 3 * len(margins)), *_sizes(result.models["baseline"])]]
    for rung in result.ladder:
        label = rung.name.removeprefix("rung-")
        cells = [f"{label} *" if rung.name == result.chosen else label, rung.verdict]
        for statement in rung.statements:
            cells += [number(statement.mean, 4), number(statement.bound, 4)]
            cells.append(f"{statement.harm.harmed} of {statement.harm.n}")
        rows.append([*cells, *_sizes(rung)])
    heads = [
        word
        for metric, margin in margins.items()
        for word in (f"{metric} loss", f"at most (margin {margin:g})", "harmed")
    ]
    simulated = " (simulated EEG)" if result.data.simulated else ""
    print_table(
        f"{result.data.name}{simulated}",
        ["rung", "verdict", *heads, "parameters", "MACs", "kB", "ms"],
        rows,
    )
    print(in_words(result.certificate)[0])
    for needed in result.needed:
        print(needed.words)
    chosen = [rung for rung in result.ladder if rung.name == result.chosen]
    if chosen:
        label, ratio = chosen[0].name.removeprefix("rung-"), chosen[0].ratio_achieved
        print(
            f"chosen: rung {label}, {100 * ratio:.3g} % of the {kernels_of(result.pruning)} removed"
        )
    else:
        print("no rung is certified; pruned.onnx is the baseline")
    print_warnings(result.warnings)


def _sizes(model: ModelResult | Rung) -> list[str]:
    from secateur.cli.tables import number

    return [
        number(model.parameters, 0),
        number(model.macs, 0),
        number(None if model.file_bytes is None else model.file_bytes / 1000, 1),
        number(model.latency_ms.median if model.latency_ms else None),
    ]
