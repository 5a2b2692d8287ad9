"""`secateur detect`: mark the seizures in recordings."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer

from secateur.cli.flags import with_flags
from secateur.counts import plural
from secateur.recordings.recording import ReadingSettings
from secateur.settings import checked

if TYPE_CHECKING:
    from secateur.marking import ExecutionOptions
    from secateur.marking.batch import Summary
    from secateur.marking.watching import Watching
    from secateur.runs import Progress

_FORMATS = ("tsv", "edf")
_SECONDS = "seconds of EEG"


@with_flags(ReadingSettings)
def detect(
    overrides: dict[str, Any],
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
    probabilities: bool = typer.Option(
        False, "--probabilities", help="Also a probability for each second."
    ),
    explain: bool = typer.Option(
        False, "--explain", help="Also the channels and bands that raised each call."
    ),
    runtime: Literal["onnxruntime", "openvino"] = typer.Option(
        "onnxruntime", help="What runs the network; openvino is an extra."
    ),
    monitor: Path | None = typer.Option(
        None, help="A monitor's state, to which each recording is added in the same pass."
    ),
    redo: bool = typer.Option(
        False, "--redo", help="Also what is there already, whichever detector made it."
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

    With --monitor each patient's faults and drift are judged on the way (see `secateur monitor`).

    Files that `secateur detect` did not write, or that somebody has changed since, are never overwritten.

    Example: `secateur detect ward-7 --detector runs/first/pruned.onnx --out found --format tsv,edf`

    Example: `secateur detect night.edf --detector runs/first/pruned.onnx --out night_events.tsv`
    """
    from secateur.cli.progress import progress_display
    from secateur.errors import SettingsError
    from secateur.marking import ExecutionOptions, Outputs

    kinds = {kind.strip().lower() for kind in formats.split(",")}
    if not kinds <= set(_FORMATS):
        raise SettingsError(f"--format {formats}: wanted tsv, or tsv,edf")
    outputs = Outputs(annotated="edf" in kinds, probabilities=probabilities, explained=explain)
    recordings, out, single = _sides(recordings, out, data_root, output_root)
    several = data_root is None and (len(recordings) > 1 or recordings[0].is_dir())
    if single and (several or outputs != Outputs()):
        raise SettingsError(f"--out {out}: holds one recording's events; wanted a folder")
    with progress_display() as progress:
        reading = checked(ReadingSettings, overrides, None)
        watch = None if monitor is None else _watch(monitor)
        options = ExecutionOptions(
            outputs, reading, runtime, workers, redo, sketch=watch is not None
        )
        mark = _mark_file if single else _mark_folder
        report = mark(recordings, out, detector, options, progress, watch)
    if watch is not None:
        _show_patients(watch)
    report()


def _sides(
    recordings: list[Path] | None,
    out: Path | None,
    data_root: Path | None,
    output_root: Path | None,
) -> tuple[list[Path], Path, bool]:
    """What is read, where it goes, and whether that is one recording's TSV."""
    from secateur.cli.arguments import FILES, file_in, folder
    from secateur.errors import SettingsError

    if data_root is not None or output_root is not None:
        if recordings or out is not None or data_root is None or output_root is None:
            raise SettingsError(
                "--data-root and --output-root go together, with $INPUT and $OUTPUT in place of "
                "recordings and --out"
            )
        return [_below(data_root, "INPUT")], _below(output_root, "OUTPUT"), True
    if not recordings or out is None:
        raise SettingsError("wanted recordings or folders, and --out")
    single = out.suffix.lower() in FILES
    return recordings, file_in(out, ".tsv", "") if single else folder(out), single


def _watch(state: Path) -> Watching:
    """What takes the sketches, into the file `state`."""
    from secateur.cli.monitor import check_state
    from secateur.marking.watching import Watching

    check_state("--monitor", state)
    return Watching(state)


def _show_patients(watch: Watching) -> None:
    from secateur.monitoring.wording import patient_line

    for patient in watch.patients:
        print(patient_line(patient))


def _failures(summary: Summary) -> str:
    """How many failed, and the commonest reason; where no two have the same, the first one's."""
    failed = summary.failed
    (reason, count), *_ = Counter(outcome.reason for _, outcome in failed).most_common(1)
    if count == len(failed) > 1:
        why = f": {reason}"
    elif count > 1:
        why = f", {count} of them: {reason}"
    else:
        why = f", {'' if len(failed) == 1 else 'the first '}{failed[0][0].name}: {reason}"
    return f"{len(failed)} of {len(summary.items)} failed{why}; all reasons: {summary.path}"


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


def _mark_file(
    recordings: list[Path],
    target: Path,
    detector: Path,
    options: ExecutionOptions,
    progress: Progress,
    watch: Watching | None,
) -> Callable[[], None]:
    """Mark the one recording; returns what prints the outcome."""
    from secateur.marking import THERE, mark_file

    def step(done: float, total: float) -> None:
        if done == 0:
            progress.begin(_SECONDS, round(total))
        else:
            progress.step(_SECONDS, round(done), round(total), "")

    outcome = mark_file(recordings[0], target, detector, options, step, watch)
    progress.end(_SECONDS, f"{outcome.seconds:.0f} s of EEG")

    def report() -> None:
        for note in outcome.notes:
            print(f"note: {note}")
        what = "already there" if outcome.status == THERE else "written"
        print(
            f"{plural(outcome.events or 0, 'event')}, {outcome.ictal:g} s in all; {what}: {target}"
        )

    return report


def _mark_folder(
    recordings: list[Path],
    out: Path,
    detector: Path,
    options: ExecutionOptions,
    progress: Progress,
    watch: Watching | None,
) -> Callable[[], None]:
    """Mark all recordings; returns what prints the outcome and raises `RunError` where some failed."""
    from secateur.errors import RunError
    from secateur.marking import THERE, mark_folder

    def step(done: float, total: float) -> None:
        if total == 0:
            progress.begin(_SECONDS, None)
        else:
            progress.step(_SECONDS, round(done), round(total), "")

    summary = mark_folder(recordings, out, detector, options, step, watch)
    events, ictal, seconds = summary.totals
    progress.end(_SECONDS, f"{seconds:.0f} s of EEG")

    def report() -> None:
        for note in summary.notes:
            print(f"note: {note}")
        print(
            f"{summary.done} of {len(summary.items)} recordings done, {summary.count(THERE)} already "
            f"there: {plural(events, 'event')}, {ictal:g} s in {seconds / 3600:.2f} h; written: {out}"
        )
        if summary.failed:
            raise RunError(_failures(summary))

    return report
