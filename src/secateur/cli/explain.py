"""`secateur explain`: why a detector called what it called."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import typer

from secateur.cli.flags import with_flags
from secateur.explaining.settings import ExplainingSettings
from secateur.recordings.recording import ReadingSettings
from secateur.settings import Settings, checked, put_over


class ExplainOptions(Settings):
    """How events are explained, and how recordings are read."""

    explaining: ExplainingSettings = ExplainingSettings()
    reading: ReadingSettings = ReadingSettings()


@with_flags(ExplainOptions)
def explain(
    overrides: dict[str, Any],
    recordings: list[Path] | None = typer.Argument(
        None, help="Recordings, or folders of them: EDF, BDF, BrainVision, text files of Bonn's."
    ),
    detector: Path = typer.Option(..., help="A detector's file, such as pruned.onnx."),
    out: Path = typer.Option(..., help="A folder, which mirrors what is read."),
    events: Path | None = typer.Option(
        None,
        help="A TSV of the recording's events, or the folder that `secateur detect` wrote of the same "
        "recordings. [default: what the detector itself calls]",
    ),
    at: list[float] | None = typer.Option(
        None, help="A time in seconds, whose window is explained. Any number of times."
    ),
    workers: int = typer.Option(min(2, os.cpu_count() or 1), min=1, help="Processes at once."),
    redo: bool = typer.Option(False, help="Also what is explained already."),
) -> None:
    """Say which seconds, channels and bands made a detector call its events.

    For each recording a page that opens offline, and for each event a JSON and a table of seconds by
    channels, in logits. An attribution tells what the network added up, and nothing of where a seizure
    begins.
    Interrupted, what is finished is kept; the same command does what is missing.

    Example: `secateur explain night.edf --detector D.onnx --events night_events.tsv --out why`

    Example: `secateur explain night.edf --detector D.onnx --at 812 --method shap --samples 512 --out why`
    """
    from secateur.cli.arguments import folder
    from secateur.cli.progress import progress_display
    from secateur.errors import RunError, SettingsError
    from secateur.marking.explained import ExplainTask, explain_recordings
    from secateur.marking.worker import FAILED, THERE

    tables: dict[str, Any] = {}
    put_over(tables, overrides, None)
    options = checked(ExplainOptions, tables, None)
    if not recordings:
        raise SettingsError("wanted recordings or folders of them")
    if events is not None and at:
        raise SettingsError("--events and --at: one or the other says what is explained")
    out = folder(out)
    task = ExplainTask(detector, options.explaining, options.reading, events, tuple(at or ()), redo)
    step = "explain"
    with progress_display() as progress:
        progress.begin(step, None)
        results = explain_recordings(
            recordings, out, task, workers, lambda done, total: progress.step(step, done, total, "")
        )
        progress.end(step, f"{len(results)} recordings")
    outcomes = [outcome for _, outcome in results]
    count = sum(outcome.events or 0 for outcome in outcomes)
    there = sum(outcome.status == THERE for outcome in outcomes)
    failed = [(item, outcome) for item, outcome in results if outcome.status == FAILED]
    for outcome in outcomes:
        for note in outcome.notes:
            print(f"note: {note}")
    plural, more = "" if count == 1 else "s", f", {there} already there" if there else ""
    print(
        f"{count} event{plural} of {len(results) - len(failed)} recordings explained{more}; written: {out}"
    )
    if failed:
        item, outcome = failed[0]
        raise RunError(
            f"{item.name}: {outcome.reason}"
            + (f"; {len(failed)} of {len(results)} failed" if len(results) > 1 else "")
        )
