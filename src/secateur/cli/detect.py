"""`secateur detect`: mark the seizures in recordings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

if TYPE_CHECKING:
    from secateur.detectors import Detector
    from secateur.marking.batch import BatchSettings

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
    runtime: Literal["onnxruntime", "openvino"] = typer.Option(
        "onnxruntime", help="What runs the network; openvino is an extra."
    ),
    redo: bool = typer.Option(False, help="Also what is there already, whoever found it."),
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

    Example: `secateur detect ward-7 --detector runs/first/pruned.onnx --out found --format tsv,edf`

    Example: `secateur detect night.edf --detector runs/first/pruned.onnx --out night_events.tsv`
    """
    from secateur.cli.places import FILES, file_in
    from secateur.detectors import load_detector
    from secateur.errors import SettingsError

    asked = {one.strip().lower() for one in formats.split(",")}
    if not asked <= set(_FORMATS):
        raise SettingsError(f"--format {formats}: wanted tsv, or tsv,edf")
    if data_root is not None or output_root is not None:
        if recordings or out is not None or data_root is None or output_root is None:
            raise SettingsError(
                "--data-root and --output-root go together, with $INPUT and $OUTPUT in place of "
                "recordings and --out"
            )
        source, target = _in_container(data_root, output_root)
        _one(source, load_detector(detector, runtime), target)
        return
    if not recordings or out is None:
        raise SettingsError("wanted recordings or folders, and --out")
    if out.suffix.lower() in FILES:
        target = file_in(out, ".tsv", "")
        if len(recordings) > 1 or recordings[0].is_dir() or asked != {"tsv"} or probabilities:
            raise SettingsError(f"--out {out}: holds one recording's events; wanted a folder")
        _one(recordings[0], load_detector(detector, runtime), target)
        return
    from secateur.marking.batch import BatchSettings
    from secateur.marking.mark import Wanted

    wanted = Wanted(annotated="edf" in asked, probabilities=probabilities)
    _many(recordings, detector, out, BatchSettings(wanted, runtime, workers, redo))


def _in_container(data: Path, output: Path) -> tuple[Path, Path]:
    """What $INPUT and $OUTPUT name, below their roots."""
    from secateur.errors import SettingsError

    found = []
    for name, root in (("INPUT", data), ("OUTPUT", output)):
        told = os.environ.get(name, "")
        if not told:
            raise SettingsError(f"${name} is not set: wanted a file's path below {root}")
        path = root / told
        if Path(told).is_absolute() or not path.resolve().is_relative_to(root.resolve()):
            raise SettingsError(f"${name} {told}: wanted a file's path below {root}")
        found.append(path)
    return found[0], found[1]


def _one(recording: Path, detector: Detector, target: Path) -> None:
    from secateur.cli.progress import shown
    from secateur.files import write_over
    from secateur.processes import keep_memory
    from secateur.recordings import duration_of, open_recording

    keep_memory()
    signal = open_recording(recording)
    length = round(duration_of(signal))
    with shown() as progress:
        progress.begin("detect", length)
        probabilities = detector.window_probabilities(
            signal, lambda done: progress.step("detect", min(round(done), length), length, "")
        )
        progress.end("detect", f"{length} s of EEG")
    events = detector.events(probabilities)
    write_over(target, events.tsv())
    for note in probabilities.notes:
        print(f"note: {note}")
    if len(probabilities.begin) == 0:
        print(
            f"note: shorter than a window of {detector.info.windows.length:g} s: nothing was judged"
        )
    plural = "" if len(events) == 1 else "s"
    print(f"{len(events)} event{plural}, {events.seconds:g} s in all; written: {target}")


def _many(recordings: list[Path], detector: Path, out: Path, settings: BatchSettings) -> None:
    from secateur.cli.places import folder
    from secateur.cli.progress import shown
    from secateur.errors import RunError
    from secateur.marking.batch import detect_in
    from secateur.marking.mark import THERE

    with shown() as progress:
        progress.begin(_SECONDS, None)
        summary = detect_in(
            recordings,
            detector,
            folder(out),
            settings,
            lambda done, whole: progress.step(_SECONDS, round(done), round(whole), ""),
        )
        events, ictal, seconds = summary.totals
        progress.end(_SECONDS, f"{seconds:.0f} s of EEG")
    there = summary.count(THERE)
    plural = "" if events == 1 else "s"
    print(
        f"{summary.done} of {len(summary.targets)} recordings done, {there} already there: "
        f"{events} event{plural}, {ictal:g} s in {seconds / 3600:.2f} h; written: {out}"
    )
    if summary.failed:
        failed, whole = len(summary.failed), len(summary.targets)
        target, outcome = summary.failed[0]
        why = f"{target.name}: {outcome.reason}; " if failed == 1 else ""
        raise RunError(f"{why}{failed} of {whole} failed, see {summary.path}")
