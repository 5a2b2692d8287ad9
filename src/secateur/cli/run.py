"""`secateur run`: the main job."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import typer

from secateur.cli.arguments import Background, Data, TestBackground
from secateur.cli.flags import with_flags
from secateur.counts import plural
from secateur.runs.settings import RunSettings


@with_flags(RunSettings)
def run(
    overrides: dict[str, Any],
    data: Data,
    background: Background = None,
    test_background: TestBackground = None,
    out: Path = typer.Option(..., help="Folder for everything that comes out."),
    test_data: Path | None = typer.Option(
        None, help="Another folder to test on; then no subject of --data is kept for testing."
    ),
    config: Path | None = typer.Option(None, help="TOML file of settings; flags go before it."),
    strict: bool = typer.Option(
        False, "--strict", help="End at the first recording that can't be used."
    ),
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
    import secateur
    from secateur.cli.arguments import command_line, folder
    from secateur.cli.progress import progress_display
    from secateur.cli.tables import print_models, print_warnings

    job = secateur.run  # says in one line what to install where training's packages are missing
    from secateur.runs import Execution, Source

    with progress_display() as progress:
        outcome = job(
            Source.of(
                data or (),
                background or (),
                test_data,
                strict,
                test_background=test_background or (),
            ),
            folder(out),
            config=config,
            settings=overrides,
            execution=Execution(workers, progress=progress, command=command_line()),
        )
    print_models(outcome.result)
    print_warnings(outcome.result.warnings)
    left_out = len(outcome.result.problems)
    if left_out:
        print(f"{plural(left_out, 'recording')} left out; the report says why")
    print(f"report: {out / 'report.html'}")
