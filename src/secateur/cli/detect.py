"""`secateur detect`: mark the seizures in a recording."""

from __future__ import annotations

from pathlib import Path

import typer


def detect(
    recording: Path = typer.Argument(
        ..., help="A recording: EDF, BDF, BrainVision, or a text file of Bonn's."
    ),
    detector: Path = typer.Option(..., help="A detector's file, such as pruned.onnx."),
    out: Path = typer.Option(
        ..., help="Where the events go: a .tsv file, or a folder for RECORDING_events.tsv."
    ),
) -> None:
    """Write the seizures that a detector finds, as SzCORE's TSV.

    Example: `secateur detect night.edf --detector runs/first/pruned.onnx --out night_events.tsv`
    """
    from secateur.cli.places import file_in
    from secateur.cli.progress import shown
    from secateur.detectors import load_detector
    from secateur.recordings import duration_of, open_recording

    stem = recording.stem.removesuffix("_eeg")
    target = file_in(out, ".tsv", f"{stem}_events.tsv")
    opened = load_detector(detector)
    signal = open_recording(recording)
    length = round(duration_of(signal))
    with shown() as progress:
        progress.begin("detect", length)
        verdicts = opened.verdicts(
            signal, lambda done: progress.step("detect", min(round(done), length), length, "")
        )
        progress.end("detect", f"{length} s of EEG")
    events = opened.events(verdicts)
    events.write_tsv(target)
    for note in verdicts.notes:
        print(f"note: {note}")
    if len(verdicts.begin) == 0:
        print(
            f"note: shorter than a window of {opened.info.windows.length:g} s: nothing was judged"
        )
    plural = "" if len(events) == 1 else "s"
    print(f"{len(events)} event{plural}, {events.seconds:g} s in all; written: {target}")
