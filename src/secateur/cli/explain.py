"""`secateur explain`: why a detector called what it called."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from secateur.cli.flags import with_flags
from secateur.counts import plural
from secateur.explaining.settings import ExplainingSettings
from secateur.recordings.recording import ReadingSettings
from secateur.settings import Settings, checked, put_over

if TYPE_CHECKING:
    from collections.abc import Callable

    from secateur.explaining import Explanation
    from secateur.explaining.checking import Check
    from secateur.marking.explained import ExplainTask


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
    detector: Path | None = typer.Option(None, help="A detector's file, such as pruned.onnx."),
    out: Path | None = typer.Option(None, help="A folder, which mirrors what is read."),
    events: Path | None = typer.Option(
        None,
        help="A TSV of the recording's events, or the folder that `secateur detect` wrote of the same "
        "recordings. [default: what the detector itself calls]",
    ),
    float_: Path | None = typer.Option(
        None, "--float", help="For gradients of a detector in 8 bits: the one it was made from."
    ),
    at: list[float] | None = typer.Option(
        None, help="A time in seconds, whose window is explained; may be given again."
    ),
    checked_: Path | None = typer.Option(
        None,
        "--checked",
        help="What --check wrote of the same detector and method: pages then say what it said.",
    ),
    figures: bool = typer.Option(False, "--figures", help="Also a PNG of each event's page."),
    workers: int = typer.Option(min(2, os.cpu_count() or 1), min=1, help="Processes at once."),
    redo: bool = typer.Option(False, "--redo", help="Also what is explained already."),
    check: Path | None = typer.Option(
        None,
        help="A detector's file: how far can its explanations be believed, on seizures in --data?",
    ),
    data: Path | None = typer.Option(None, help="For --check: a folder of recordings with events."),
) -> None:
    """Say which seconds, channels and bands made a detector call its events.

    For each recording a page that opens offline, and for each event a JSON and a table of seconds by
    channels, in logits. An attribution tells what the network added up, and nothing of where a seizure
    begins.
    Interrupted, what is finished is kept; the same command does what is missing.

    Example: `secateur explain night.edf --detector D.onnx --events night_events.tsv --out why`

    Example: `secateur explain night.edf --detector D.onnx --at 812 --method shap --samples 512 --out why`

    With --check: how far attributions can be believed, each measure beside a control, in words.

    Example: `secateur explain --check D.onnx --data recordings --out believed`
    """
    from secateur.errors import SettingsError

    tables: dict[str, Any] = {}
    put_over(tables, overrides, None)
    options = checked(ExplainOptions, tables, None)
    if check is not None or data is not None:
        others = any((recordings, at, detector, events, float_, checked_, figures))
        _check(check, data, out, options, alone=not others)
        return
    if not recordings or detector is None or out is None:
        raise SettingsError("wanted recordings or folders of them, --detector and --out")
    if events is not None and at:
        raise SettingsError("--events and --at: one or the other says what is explained")
    from secateur.marking.explained import ExplainTask

    task = ExplainTask(
        *(detector, options.explaining, options.reading),
        events=events,
        at=tuple(at or ()),
        float_detector=float_,
        believed=None if checked_ is None else _believed(checked_),
        figure=_figures() if figures else None,
        redo=redo,
    )
    _explain(recordings, out, task, workers)


def _believed(path: Path) -> Check:
    from secateur.explaining.writing import check_of

    return check_of(path / "check.json" if path.is_dir() else path)


def _figures() -> Callable[[Explanation, str], bytes]:
    """What draws an explained event. Raises `MissingExtraError` where matplotlib is missing."""
    from secateur.errors import MissingExtraError

    try:
        from secateur.reporting.explanation import explanation_png
    except ModuleNotFoundError as error:
        raise MissingExtraError(str(error.name), "train", "--figures") from None
    return explanation_png


def _check(
    detector: Path | None,
    data: Path | None,
    out: Path | None,
    options: ExplainOptions,
    *,
    alone: bool,
) -> None:
    """Put the explanations to the test; print what passed, and write a page and a JSON.

    `alone`: nothing else was asked for.
    """
    from secateur.cli.arguments import folder
    from secateur.cli.progress import progress_display
    from secateur.detectors import load_detector
    from secateur.errors import SettingsError
    from secateur.explaining.checking import check
    from secateur.explaining.page import check_page, mean_words
    from secateur.explaining.writing import check_json
    from secateur.files import write_json, write_whole
    from secateur.recordings import load_cohort

    if detector is None or data is None:
        raise SettingsError(
            "--check and --data go together: a detector, and a folder with seizures"
        )
    if not alone:
        raise SettingsError(
            "--check takes --data, --out, and how to explain and read; no recordings, --detector, --events, "
            "--at, --float, --checked or --figures"
        )
    target = None if out is None else folder(out)
    opened = load_detector(detector)
    with progress_display() as progress:
        progress.begin("check", None)
        cohort = load_cohort(data, reading=options.reading)
        result = check(
            opened,
            cohort,
            options.explaining,
            lambda done, total: progress.step("check", done, total, ""),
        )
        progress.end("check", plural(result.events, "event"))
    for finding in result.findings:
        mark = {True: "passed", False: "not passed", None: "open"}[finding.passed]
        print(
            f"{mark:10} {finding.name}: {mean_words(finding.value)}; {finding.control_name}: "
            f"{mean_words(finding.control)}. {finding.words}"
        )
    for note in result.notes:
        print(f"note: {note}")
    print(result.verdict)
    if target is not None:
        target.mkdir(parents=True, exist_ok=True)
        write_json(target / "check.json", check_json(result))
        write_whole(target / "check.html", check_page(detector.name, data.name, result))
        print(f"written: {target}")


def _explain(recordings: list[Path], out: Path, task: ExplainTask, workers: int) -> None:
    """Explain, print what came of it, and raise `RunError` where a recording failed."""
    from secateur.cli.arguments import folder
    from secateur.cli.progress import progress_display
    from secateur.cli.tables import print_by_text
    from secateur.errors import RunError
    from secateur.marking.explained import explain_recordings
    from secateur.marking.worker import FAILED, THERE

    out, step = folder(out), "explain"
    with progress_display() as progress:
        progress.begin(step, None)
        results, passed_over = explain_recordings(
            recordings,
            out,
            task,
            workers,
            lambda done, total: progress.step(step, done, total, ""),
        )
        progress.end(step, plural(len(results), "recording"))
    outcomes = [outcome for _, outcome in results]
    count = sum(outcome.events or 0 for outcome in outcomes)
    there = sum(outcome.status == THERE for outcome in outcomes)
    failed = [(item, outcome) for item, outcome in results if outcome.status == FAILED]
    for note in passed_over:
        print(f"note: {note}")
    print_by_text("note", [(note, item.name) for item, each in results for note in each.notes])
    explained = len(results) - len(failed)
    if explained:
        events, of = plural(count, "event"), plural(explained, "recording")
        more = f", {there} already there" if there else ""
        print(f"{events} of {of} explained{more}; written: {out}")
    if failed and len(results) == 1:
        raise RunError(f"{failed[0][0].name}: {failed[0][1].reason}")
    if failed:
        print_by_text("failed", [(outcome.reason, item.name) for item, outcome in failed])
        raise RunError(f"{len(failed)} of {len(results)} recordings failed")
