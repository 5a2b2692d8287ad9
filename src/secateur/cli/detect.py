"""`secateur detect`: mark the seizures in recordings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from secateur.cli.arguments import Force, Gaps, Rename, reading_settings

if TYPE_CHECKING:
    from secateur.marking import ExecutionOptions

_FORMATS = ("tsv", "edf")
_SECONDS = "detect, s"


def detect(
    recordings: list[Path] | None = typer.Argument(
        None, help="Recordings, or folders of them: EDF, BDF, BrainVision, text files of Bonn's."
    ),
    detector: Path = typer.Option(..., help="A detector's file, such as pruned.onnx."),
    out: Path | None = typer.Option(
        None, help="A folder, which mirrors what is read; or, for one recording, a .tsv file."
    ),
    workers: int = typer.Option(min(2, os.cpu_count() or 1), min=1, help="Processes at once."),
    formats: str = typer.Option(
        "tsv", "--format", help="tsv, or tsv,edf: also a copy of each EDF with annotations."
    ),
    probabilities: bool = typer.Option(False, help="Also a probability for each second."),
    rename: Rename = None,
    gaps: Gaps = None,
    force: Force = False,
    runtime: Literal["onnxruntime", "openvino"] = typer.Option(
        "onnxruntime", help="What runs the network; openvino is an extra."
    ),
    redo: bool = typer.Option(
        False, help="Also what is there already, whichever detector made it."
    ),
    data_root: Path | None = typer.Option(
        None, help="In a container: the folder that holds the recording that $INPUT names."
    ),
    output_root: Path | None = typer.Option(
        None, help="In a container: the folder for the TSV that $OUTPUT names."
    ),
) -> None:
    """Write the seizures that a detector finds, as SzCORE's TSV.

    Into a folder: BIDS derivatives that mirror what is read, and summary.csv with a row for each
    recording and a reason for each that failed; the others are done all the same, and the exit code is 1.
    Interrupted, what is finished is kept; the same command does what is missing.

    Files that `secateur detect` did not write, or that somebody has changed since, are never overwritten.

    Example: `secateur detect ward-7 --detector runs/first/pruned.onnx --out found --format tsv,edf`

    Example: `secateur detect night.edf --detector runs/first/pruned.onnx --out night_events.tsv`
    """
    from secateur.cli.arguments import FILES, file_in
    from secateur.errors import SettingsError
    from secateur.marking import ExecutionOptions, Outputs

    kinds = {kind.strip().lower() for kind in formats.split(",")}
    if not kinds <= set(_FORMATS):
        raise SettingsError(f"--format {formats}: wanted tsv, or tsv,edf")
    options = ExecutionOptions(
        Outputs(annotated="edf" in kinds, probabilities=probabilities),
        reading_settings(rename, gaps, force),
        runtime,
        workers,
        redo,
    )
    if data_root is not None or output_root is not None:
        if recordings or out is not None or data_root is None or output_root is None:
            raise SettingsError(
                "--data-root and --output-root go together, with $INPUT and $OUTPUT in place of "
                "recordings and --out"
            )
        _file(_below(data_root, "INPUT"), detector, _below(output_root, "OUTPUT"), options)
        return
    if not recordings or out is None:
        raise SettingsError("wanted recordings or folders, and --out")
    if out.suffix.lower() in FILES:
        target = file_in(out, ".tsv", "")
        if len(recordings) > 1 or recordings[0].is_dir() or options.outputs != Outputs():
            raise SettingsError(f"--out {out}: holds one recording's events; wanted a folder")
        _file(recordings[0], detector, target, options)
        return
    _folder(recordings, detector, out, options)


def _below(root: Path, variable: str) -> Path:
    """What $INPUT or $OUTPUT names, below its root."""
    from secateur.errors import SettingsError

    name = os.environ.get(variable, "")
    if not name:
        raise SettingsError(f"${variable} is not set: wanted a file's path below {root}")
    path = root / name
    if Path(name).is_absolute() or not path.resolve().is_relative_to(root.resolve()):
        raise SettingsError(f"${variable} {name}: wanted a file's path below {root}")
    return path


def _file(recording: Path, detector: Path, target: Path, options: ExecutionOptions) -> None:
    from secateur.cli.progress import shown
    from secateur.marking import THERE, mark_file

    with shown() as progress:

        def step(done: float, total: float) -> None:
            if done == 0:
                progress.begin(_SECONDS, round(total))
            else:
                progress.step(_SECONDS, round(done), round(total), "")

        outcome = mark_file(recording, target, detector, options, step)
        progress.end(_SECONDS, f"{outcome.seconds:.0f} s of EEG")
    for note in outcome.notes:
        print(f"note: {note}")
    plural = "" if outcome.events == 1 else "s"
    what = "already there" if outcome.status == THERE else "written"
    print(f"{outcome.events} event{plural}, {outcome.ictal:g} s in all; {what}: {target}")


def _folder(recordings: list[Path], detector: Path, out: Path, options: ExecutionOptions) -> None:
    from secateur.cli.arguments import folder
    from secateur.cli.progress import shown
    from secateur.errors import RunError
    from secateur.marking import THERE, mark_folder

    with shown() as progress:
        progress.begin(_SECONDS, None)
        summary = mark_folder(
            recordings,
            folder(out),
            detector,
            options,
            lambda done, total: progress.step(_SECONDS, round(done), round(total), ""),
        )
        events, ictal, seconds = summary.totals
        progress.end(_SECONDS, f"{seconds:.0f} s of EEG")
    plural = "" if events == 1 else "s"
    print(
        f"{summary.done} of {len(summary.items)} recordings done, {summary.count(THERE)} already there: "
        f"{events} event{plural}, {ictal:g} s in {seconds / 3600:.2f} h; written: {out}"
    )
    if summary.failed:
        failed, total = len(summary.failed), len(summary.items)
        item, outcome = summary.failed[0]
        reason = f"{item.name}: {outcome.reason}; " if failed == 1 else ""
        raise RunError(f"{reason}{failed} of {total} failed, see {summary.path}")
