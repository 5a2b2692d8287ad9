"""`secateur evaluate`: a detector against recordings with known seizures, or with none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from secateur.cli.flags import with_flags
from secateur.counts import plural
from secateur.recordings.labels import LabelSettings
from secateur.recordings.recording import ReadingSettings
from secateur.settings import Settings, checked, put_over

if TYPE_CHECKING:
    from secateur.detectors import Detector
    from secateur.detectors.evaluation import Evaluation
    from secateur.recordings import DataSet


class EvaluateOptions(Settings):
    """How recordings are read, and whose word on seizures counts."""

    reading: ReadingSettings = ReadingSettings()
    labels: LabelSettings = LabelSettings()


@with_flags(EvaluateOptions)
def evaluate(
    overrides: dict[str, Any],
    detector: Path = typer.Option(..., help="A detector's file, such as pruned.onnx."),
    data: str | None = typer.Option(
        None, metavar="[NAME=]FOLDER", help="Folder of EDF recordings with events."
    ),
    background: list[str] | None = typer.Option(
        None,
        metavar="[NAME=]FOLDER",
        help="Folder of recordings in which there is no seizure, as you declare: false alarms are counted. "
        "Any number of times.",
    ),
    out: Path | None = typer.Option(
        None, help="Where the numbers go: a .json file, or a folder for evaluation.json."
    ),
    page: Path | None = typer.Option(
        None,
        metavar="FILE.html",
        help="A page with tables and the FROC figure, which opens offline.",
    ),
    strict: bool = typer.Option(
        False, "--strict", help="End at the first recording that can't be used."
    ),
) -> None:
    """Score a detector by window, by subject and by event. Its threshold is its own.

    Examples: `secateur evaluate --detector runs/first/pruned.onnx --data recordings`;
    `secateur evaluate --detector runs/first/pruned.onnx --background controls --out fa.json`
    """
    import json

    import secateur
    from secateur.cli.arguments import file_in
    from secateur.detectors import load_detector
    from secateur.detectors.evaluation import evaluation_froc
    from secateur.files import sha256_of_file, write_whole
    from secateur.reporting import write_evaluation_page
    from secateur.scoring import TIMESCORING_VERSION

    tables: dict[str, Any] = {}
    put_over(tables, overrides, None)
    options = checked(EvaluateOptions, tables, None)
    target = None if out is None else file_in(out, ".json", "evaluation.json")
    _check_page(page)
    sets = _data_sets(data, background or [])
    opened = load_detector(detector)
    evaluations = _evaluated(opened, sets, options, strict)
    reports = [each.report for each in evaluations]
    report = {
        "schema": 2,
        "secateur": secateur.__version__,
        "timescoring": TIMESCORING_VERSION,
        "detector": {"name": detector.name, "sha256": sha256_of_file(detector)},
        **(reports.pop(0) if data is not None else {}),
        "background": reports,
        "froc": evaluation_froc(opened, evaluations),
    }
    if target is not None:
        write_whole(target, json.dumps(report, indent=1, allow_nan=False) + "\n")
    _show(report)
    if page is not None:
        write_evaluation_page(report, page)
    for path in (target, page):
        if path is not None:
            print(f"written: {path}")


def _check_page(page: Path | None) -> None:
    from secateur.errors import SettingsError

    if page is not None and (page.suffix.lower() != ".html" or page.is_dir()):
        raise SettingsError(f"--page {page}: wanted a file's name that ends in .html")


def _evaluated(
    detector: Detector, sets: Sequence[DataSet], options: EvaluateOptions, strict: bool
) -> list[Evaluation]:
    """The detector on each data set."""
    from secateur.cli.progress import progress_display
    from secateur.detectors import evaluate as score
    from secateur.detectors.evaluation import require_channels
    from secateur.recordings import load_data_sets

    evaluations = []
    reading, labels = options.reading, options.labels
    cohorts = [load_data_sets([s], strict=strict, reading=reading, labels=labels) for s in sets]
    for cohort in cohorts:  # before the first of them takes its hours
        require_channels(detector, cohort)
    with progress_display() as progress:
        for cohort in cohorts:
            progress.begin(cohort.name, None)
            tell = partial(progress.step, cohort.name, note="")
            evaluation = score(detector, cohort, strict=strict, progress=tell)
            progress.end(cohort.name, plural(len(evaluation.table.label), "window"))
            evaluations.append(evaluation)
    return evaluations


def _data_sets(data: str | None, background: Sequence[str]) -> list[DataSet]:
    from secateur.errors import SettingsError
    from secateur.recordings import DataSet, check_data_sets

    sets = [] if data is None else [DataSet.parse(data)]
    sets += [DataSet.parse(text, seizure_free=True) for text in background]
    if not sets:
        raise SettingsError(
            "nothing to evaluate on: wanted --data FOLDER, --background FOLDER or both"
        )
    check_data_sets(sets)
    return sets


def _show(report: dict[str, Any]) -> None:
    """The tables, and what must be said beside them."""
    reports = [report] if "test" in report else []
    for each in reports:
        _show_scores(report["detector"]["name"], report["timescoring"], each)
    _show_false_alarms(report["detector"]["name"], [*reports, *report["background"]])
    for each in [*reports, *report["background"]]:
        _show_notes(each)


def _show_false_alarms(detector: str, reports: Sequence[Mapping[str, Any]]) -> None:
    from secateur.cli.tables import number, print_table
    from secateur.scoring.false_alarms import FalseAlarms, worst_subjects

    rows, worst = [], []
    for report in reports:
        simulated = " (simulated EEG)" if report["data"]["simulated"] else ""
        for counted in report["test"]["false_alarms"]:
            lower, upper = counted["interval"] or (None, None)
            rows.append(
                [
                    counted["data"] + simulated,
                    number(counted["hours"], 2),
                    str(counted["alarms"]),
                    number(counted["per_day"], 1),
                    f"{number(lower, 1)} to {number(upper, 1)}",
                    number(counted["limit"], 1),
                    number(counted["window_share"], 4),
                ]
            )
            people = {name: FalseAlarms(**own) for name, own in counted["subjects"].items()}
            most = worst_subjects(people).items()
            if most:
                each = ", ".join(f"{name} {own.alarms} in {own.hours:.2f} h" for name, own in most)
                worst.append(f"most alarms on {counted['data']}: {each}")
    print_table(
        f"{detector}: alarms where there is no seizure",
        [
            "data",
            "hours",
            "alarms",
            "a day",
            "95 % interval",
            "at most (one-sided 95 %)",
            "windows called",
        ],
        rows,
    )
    for line in worst:
        print(line)


def _show_scores(name: str, version: str, report: Mapping[str, Any]) -> None:
    from secateur.cli.tables import number, print_table
    from secateur.scoring import beaten_by_always
    from secateur.scoring.metrics import METRICS, window_metrics

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
    f1, blind = events["f1"], events["always_firing"]["f1"]
    if beaten_by_always(f1, blind):
        print(
            f"note: by event this detector is no better than one that always fires: F1 {number(f1)} "
            f"against {number(blind)}"
        )
    if events["note"]:
        print(f"note: {events['note']}")


def _show_notes(report: Mapping[str, Any]) -> None:
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
