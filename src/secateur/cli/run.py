"""`secateur run`: the main job."""

from __future__ import annotations

import os
from pathlib import Path

import typer

from secateur.cli.arguments import Force, Gaps, Rename


def run(
    data: Path = typer.Option(
        ...,
        help="Folder of recordings: CHB-MIT, Siena or Bonn as handed out, BIDS-EEG, "
        "or plain with TSVs beside the EDFs.",
    ),
    out: Path = typer.Option(..., help="Folder for everything that comes out."),
    test_data: Path | None = typer.Option(
        None, help="Another folder to test on; then no subject of --data is kept for testing."
    ),
    network: str | None = typer.Option(
        None,
        help="valid, paper, eegnet, shallow, deep4, tcn, separable, or your own as module:function. "
        "[default: valid]",
    ),
    widths: str | None = typer.Option(
        None, help="Kernels of each convolution, such as 16,32,64. [default: the network's own]"
    ),
    ratio: float | None = typer.Option(
        None, help="Share of the kernels to remove, 0 to below 1. [default: 0.5]"
    ),
    importance: str | None = typer.Option(
        None,
        help="l1, l2, random, geometric-median, batchnorm, activation, zeros, taylor, "
        "taylor-by-class or fisher. [default: l1]",
    ),
    allocation: str | None = typer.Option(
        None,
        help="The ratio of each layer (uniform) or of all kernels together (global, sensitivity, "
        "dynamic), or of the MACs (cost). [default: uniform]",
    ),
    cost_in: str | None = typer.Option(None, help="What allocation cost pays in: macs or us."),
    schedule: str | None = typer.Option(None, help="one-shot or iterative:N. [default: one-shot]"),
    retrain: str | None = typer.Option(
        None, help="finetune, rewind, scratch or distil. [default: finetune]"
    ),
    round_to: int | None = typer.Option(None, help="Kernels that stay are a multiple of this."),
    seed: int | None = typer.Option(None, help="Weights, order and dropout. [default: 0]"),
    split: str | None = typer.Option(
        None,
        help="What keeps the sides apart: subject, leave-one-subject-out, folds:5, recording or "
        "random (by window, as published accuracies often are). [default: subject]",
    ),
    fold: int | None = typer.Option(None, help="Which fold tests, from 1; one run a fold."),
    folds_file: Path | None = typer.Option(
        None, help="A published split by subject: JSON lists, or a CSV of subject and fold."
    ),
    split_seed: int | None = typer.Option(
        None, help="Who trains, validates and tests. [default: as --seed]"
    ),
    prevalence: float | None = typer.Option(
        None,
        help="Thin windows to this share of ictal ones: all sides under --split random, "
        "training alone otherwise.",
    ),
    at_most: int | None = typer.Option(
        None,
        help="Learn from, and validate on, no more windows than this, drawn at random.",
    ),
    montage: str | None = typer.Option(
        None,
        help="bipolar-18, unipolar-19, as-recorded or each (every channel by itself). "
        "[default: bipolar-18]",
    ),
    epochs: int | None = typer.Option(None, help="Epochs at most; training stops early."),
    patience: int | None = typer.Option(
        None, help="Epochs without an improvement before training stops. [default: 5]"
    ),
    least_epochs: int | None = typer.Option(
        None, help="Epochs before the first is looked at for stopping. [default: 6]"
    ),
    scaling: str | None = typer.Option(None, help="training-set or running."),
    notch: float | None = typer.Option(None, help="Mains frequency to notch out: 50 or 60 Hz."),
    missing: str | None = typer.Option(
        None,
        help="Where a channel is missing: error, zero (fill) or skip (leave out). [default: error]",
    ),
    post_processing: str | None = typer.Option(
        None,
        help="Rules from probabilities to events: chosen (on validation) or fixed. [default: chosen]",
    ),
    background_per_epoch: int | None = typer.Option(
        None, help="All ictal windows and a fresh draw of so many background ones each epoch."
    ),
    rename: Rename = None,
    gaps: Gaps = None,
    force: Force = False,
    config: Path | None = typer.Option(None, help="TOML file of settings; flags go before it."),
    strict: bool = typer.Option(False, help="End at the first recording that can't be used."),
    workers: int = typer.Option(
        min(2, os.cpu_count() or 1), min=1, help="Processes that train at once."
    ),
) -> None:
    """Train a baseline, cut half of its kernels, retrain, and compare with controls.

    Leaves in --out: baseline.onnx and pruned.onnx (each a whole detector), report.html,
    model-card.md, result.json, history.csv, predictions.parquet, config.toml. Interrupted, the same
    command takes up from the last finished stage.

    Example: `secateur run --data recordings --out runs/first --ratio 0.5 --seed 1`
    """
    flags = {name.replace("_", "-"): value for name, value in locals().items()}
    import secateur
    from secateur.cli.arguments import folder
    from secateur.cli.command import command_line
    from secateur.cli.progress import shown
    from secateur.cli.tables import print_models, print_warnings

    job = secateur.run  # says in one line what to install where training's packages are missing
    from secateur.runs import Execution, Source
    from secateur.studies.flags import run_settings

    with shown() as progress:
        command = command_line()
        outcome = job(
            Source(data, test_data, strict),
            folder(out),
            config=config,
            settings=run_settings(flags),
            execution=Execution(workers, progress=progress, command=command),
        )
    print_models(outcome.result)
    print_warnings(outcome.result["warnings"])
    left_out = len(outcome.result["problems"])
    if left_out:
        print(f"{left_out} recordings were left out; the report says why")
    print(f"report: {out / 'report.html'}")
