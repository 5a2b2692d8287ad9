"""`secateur evaluate`: a detector against recordings with known seizures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from secateur.cli.flags import with_flags
from secateur.recordings.recording import ReadingSettings
from secateur.settings import checked


@with_flags(ReadingSettings)
def evaluate(
    overrides: dict[str, Any],
    detector: Path = typer.Option(..., help="A detector's file, such as pruned.onnx."),
    data: Path = typer.Option(..., help="Folder of EDF recordings with events."),
    out: Path | None = typer.Option(
        None, help="Where the numbers go: a .json file, or a folder for evaluation.json."
    ),
    strict: bool = typer.Option(False, help="End at the first recording that can't be used."),
) -> None:
    """Score a detector by window, by subject and by event. Its threshold is its own.

    Example: `secateur evaluate --detector runs/first/pruned.onnx --data recordings`
    """
    import json

    import secateur
    from secateur.cli.arguments import file_in
    from secateur.cli.progress import shown
    from secateur.detectors import evaluate as score
    from secateur.detectors import load_detector
    from secateur.files import sha256_of_file, write_whole
    from secateur.recordings import load_cohort
    from secateur.scoring import TIMESCORING_VERSION

    reading = checked(ReadingSettings, overrides, None)
    target = None if out is None else file_in(out, ".json", "evaluation.json")
    opened = load_detector(detector)
    with shown() as progress:
        progress.begin("evaluate", None)
        cohort = load_cohort(data, strict=strict, reading=reading)
        found = score(
            opened,
            cohort,
            strict=strict,
            progress=lambda done, of: progress.step("evaluate", done, of, ""),
        )
        progress.end("evaluate", f"{len(found.table.label)} windows")
    report = {
        "schema": 1,
        "secateur": secateur.__version__,
        "timescoring": TIMESCORING_VERSION,
        "detector": {"name": detector.name, "sha256": sha256_of_file(detector)},
        **found.report,
    }
    if target is not None:
        write_whole(target, json.dumps(report, indent=1, allow_nan=False) + "\n")
    _show(report)
    if target is not None:
        print(f"written: {target}")


def _show(report: dict[str, Any]) -> None:
    """The table, and what must be said beside it."""
    from secateur.cli.tables import number, print_table
    from secateur.scoring.metrics import METRICS, window_metrics

    name, version = report["detector"]["name"], report["timescoring"]
    test = report["test"]
    rows = [
        [METRICS[key].phrase, number(test[key]), number(test["by_subject"][key])]
        for key in window_metrics()
    ]
    events = test["events"]
    rows += [
        [f"event {what} (timescoring {version})", number(events[key]), ""]
        for what, key in (("sensitivity", "sensitivity"), ("precision", "precision"), ("F1", "f1"))
    ]
    rows.append(["false alarms a day", number(events["fp_per_day"], 1), ""])
    rows.append(
        ["event F1 of a detector that always fires", number(events["always_firing"]["f1"]), ""]
    )
    simulated = " (simulated EEG)" if report["data"]["simulated"] else ""
    print_table(
        f"{name} on {report['data']['name']}{simulated}",
        ["score", "all windows", "mean of subjects"],
        rows,
    )
    if events["note"]:
        print(f"note: {events['note']}")
    if report["known_subjects"]:
        known = ", ".join(report["known_subjects"])
        print(f"warning: the detector was made with subjects that it is tested on here: {known}")
    noted: dict[str, list[str]] = {}
    for item in report["notes"]:
        noted.setdefault(item["note"], []).append(item["recording"])
    for note, keys in noted.items():
        print(f"note on {keys[0] if len(keys) == 1 else f'{len(keys)} recordings'}: {note}")
    for problem in report["problems"]:
        print(f"left out: {problem['recording']}: {problem['reason']}")
