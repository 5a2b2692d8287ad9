"""`secateur monitor`: does a detector still fit each patient?"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import typer

from secateur.cli.flags import with_flags
from secateur.counts import plural
from secateur.recordings.recording import ReadingSettings
from secateur.settings import checked

CALLED = 3
"""The exit code where a fault or drift was called."""


@with_flags(ReadingSettings)
def monitor(
    overrides: dict[str, Any],
    recordings: list[Path] = typer.Argument(
        ..., help="Folders of recordings, a folder for each patient in them, or recordings."
    ),
    detector: Path = typer.Option(..., help="A detector's file, such as pruned.onnx."),
    state: Path = typer.Option(
        ..., help="The file that holds what is known of the patients; made where it is not there."
    ),
    out: Path | None = typer.Option(None, help="The page to write, such as monitor.html."),
    workers: int = typer.Option(min(2, os.cpu_count() or 1), min=1, help="Processes at once."),
    runtime: Literal["onnxruntime", "openvino"] = typer.Option(
        "onnxruntime", help="What runs the network; openvino is an extra."
    ),
) -> None:
    """Say of each patient and day whether the detector still fits: fits, fault, drift, not enough known.

    Patients are told by BIDS subjects (sub-07), or by the first folder below the one that is named. What the
    state knows already is not read again; interrupted, what is finished is kept.

    Exit codes: 0 nothing was called, 1 something could not be read, 3 a fault or drift was called.

    Example: `secateur monitor ward-7 --detector D.onnx --state ward-7.monitor --out monitor.html`
    """
    from secateur.cli.arguments import file_in
    from secateur.cli.progress import progress_display
    from secateur.cli.tables import print_by_text
    from secateur.errors import RunError
    from secateur.files import write_whole
    from secateur.marking import ExecutionOptions
    from secateur.marking.watching import monitor_folder
    from secateur.monitoring.page import page
    from secateur.monitoring.wording import any_called, patient_line

    check_state("--state", state)
    target = None if out is None else file_in(out, ".html", "monitor.html")
    with progress_display() as progress:
        stage = "monitor, s"

        def step(done: float, total: float) -> None:
            if total == 0:
                progress.begin(stage, None)
            else:
                progress.step(stage, round(done), round(total), "")

        reading = checked(ReadingSettings, overrides, None)
        options = ExecutionOptions(reading=reading, runtime=runtime, workers=workers)
        result = monitor_folder(recordings, state, detector, options, step)
        progress.end(stage, plural(len(result.outcomes), "recording"))
    for passed_over in result.notes:
        print(f"note: {passed_over}")
    notes = [(note, item.name) for item, outcome in result.outcomes for note in outcome.notes]
    print_by_text("note", notes)
    print_by_text("failed", [(outcome.reason, item.name) for item, outcome in result.failed])
    for patient in result.patients:
        print(patient_line(patient))
    if target is not None:
        write_whole(target, page(detector.name, result.patients))
        print(f"written: {target}")
    if any_called(result.patients):
        raise typer.Exit(CALLED)
    if result.failed:
        raise RunError(f"{len(result.failed)} of {len(result.outcomes)} recordings failed")


def check_state(flag: str, state: Path) -> None:
    """Raise `SettingsError` where the name of a state's file is that of something else."""
    from secateur.cli.arguments import FILES
    from secateur.errors import SettingsError

    if state.is_dir() or state.suffix.lower() in FILES:
        raise SettingsError(f"{flag} {state}: wanted a file of its own, such as ward-7.monitor")
