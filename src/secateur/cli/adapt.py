"""`secateur adapt`: a detector fitted to recordings of today."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from secateur.cli.flags import with_flags
from secateur.counts import plural
from secateur.detectors.adapting import AdaptingSettings
from secateur.recordings.labels import LabelSettings
from secateur.recordings.recording import ReadingSettings
from secateur.scoring import Constraint
from secateur.settings import Settings, checked, put_over

if TYPE_CHECKING:
    from secateur.detectors import Detector
    from secateur.detectors.adapting import Adapted
    from secateur.recordings import Cohort
    from secateur.runs import Progress
    from secateur.runs.adapting import CheckpointLearner


class AdaptOptions(Settings):
    """How a detector is adapted, what a certificate asks, and how recordings are read."""

    adapting: AdaptingSettings = AdaptingSettings()
    constraint: Constraint = Constraint()
    reading: ReadingSettings = ReadingSettings()
    labels: LabelSettings = LabelSettings()


@with_flags(AdaptOptions)
def adapt(
    overrides: dict[str, Any],
    detector: Path = typer.Argument(..., help="A detector's file (.onnx)."),
    data: Path = typer.Option(..., help="Folder of recordings to adapt to, such as a patient's."),
    out: Path = typer.Option(..., help="The adapted detector's file (.onnx)."),
    checkpoint: Path | None = typer.Option(
        None,
        help="For bn, head and full: the checkpoint from which the detector was made. [default: the "
        ".safetensors of its name beside it]",
    ),
    forgetting: Path | None = typer.Option(
        None, help="Folder with those who trained the detector: what it forgets of them is printed."
    ),
    certify: Path | None = typer.Option(
        None,
        help="Folder of eight or more people whom the detector has not seen: a certificate against the "
        "detector before, by --margin. Without it the file has none.",
    ),
) -> None:
    """Fit a detector to some minutes of recordings: its threshold, BatchNorm's statistics, last layer or all.

    `threshold` needs the detector's file alone, the others the checkpoint beside it and PyTorch; all but `bn`
    need a seizure. What comes after the minutes is scored before and after. The certificate is never
    inherited. Exit code 2: --certify was given and the margin was not shown to hold.

    Example: `secateur adapt D.onnx --data recent --minutes 30 --method threshold --out D2.onnx`

    Example: `secateur adapt D.onnx --data recent --method full --forgetting cohort --out D2.onnx`
    """
    from secateur.cli.progress import progress_display
    from secateur.detectors import load_detector
    from secateur.errors import SettingsError
    from secateur.files import write_whole
    from secateur.recordings import load_cohort

    options = _options(overrides, certify)
    if out.suffix.lower() != ".onnx" or out.is_dir():
        raise SettingsError(f"--out {out}: wanted a file that ends in .onnx")
    if out.resolve() == detector.resolve():
        raise SettingsError(f"--out {out}: is the detector itself; give the new one its own name")
    parent = load_detector(detector)
    learner = _learner(parent, checkpoint, options.adapting)
    folders = {"adapt": data, "forgetting": forgetting, "certify": certify}
    cohorts = {
        stage: load_cohort(folder, reading=options.reading, labels=options.labels)
        for stage, folder in folders.items()
        if folder is not None
    }
    with progress_display() as progress:
        adapted = _adapted(parent, cohorts, options, learner, progress)
    if learner is not None:
        learner.save(out.with_suffix(".safetensors"))
    write_whole(out, adapted.content)
    _show(detector.name, adapted.report)
    for note in adapted.notes:
        print(f"note: {note}")
    for problem in adapted.problems:
        print(f"left out: {problem.key}: {problem.reason}")
    if not _certificate_holds(adapted.content, out):
        raise typer.Exit(2)


def _options(overrides: dict[str, Any], certify: Path | None) -> AdaptOptions:
    from secateur.errors import SettingsError

    tables: dict[str, Any] = {}
    put_over(tables, overrides, None)
    options = checked(AdaptOptions, tables, None)
    if certify is None and any(name.startswith("constraint.") for name in overrides):
        raise SettingsError(
            "--margin, --confidence and --harmed-share go with --certify: without it there is no certificate"
        )
    if options.adapting.method not in ("head", "full") and "adapting.epochs" in overrides:
        raise SettingsError("--epochs goes with --method head or full")
    return options


def _learner(
    parent: Detector, checkpoint: Path | None, settings: AdaptingSettings
) -> CheckpointLearner | None:
    """What relearns the network; None where the threshold alone is fitted."""
    from secateur.errors import MissingExtraError, SettingsError

    if settings.method == "threshold":
        if checkpoint is not None:
            raise SettingsError("--checkpoint goes with --method bn, head or full")
        return None
    try:
        from secateur.runs.adapting import CheckpointLearner
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("secateur"):
            raise
        raise MissingExtraError(error.name, "train", f"--method {settings.method}") from None
    return CheckpointLearner(parent, checkpoint, settings)


def _adapted(
    parent: Detector,
    cohorts: Mapping[str, Cohort],
    options: AdaptOptions,
    learner: CheckpointLearner | None,
    progress: Progress,
) -> Adapted:
    """The adapted detector with all that was asked about it."""
    from secateur.detectors import Detector
    from secateur.detectors import adapting as adaptation

    def begin(stage: str) -> Callable[[int, int], None]:
        progress.begin(stage, None)
        return lambda done, of: progress.step(stage, done, of, "")

    adapted = adaptation.adapt(parent, cohorts["adapt"], options.adapting, learner, begin("adapt"))
    progress.end("adapt", f"{adapted.report['adaptation']['minutes']:.1f} minutes")
    if "forgetting" in cohorts:
        after = Detector(adapted.content, "adapted")
        known = adaptation.forgetting(parent, after, cohorts["forgetting"], begin("forgetting"))
        adapted.report["forgetting"] = known
        progress.end("forgetting", plural(known["subjects"], "subject"))
    if "certify" in cohorts:
        from secateur.certifying.adapted import certified

        content = certified(
            parent, adapted.content, cohorts["certify"], options.constraint, begin("certify")
        )
        progress.end("certify", "")
        adapted = replace(adapted, content=content)
    return adapted


def _certificate_holds(content: bytes, out: Path) -> bool:
    """Say what is written and what is claimed of it; False where a certificate says that nothing is."""
    from secateur.detectors import Detector
    from secateur.scoring import in_words

    certificate = Detector(content, out).info.certificate
    if certificate is None:
        print("it has no certificate: what it loses on other people is not known (--certify)")
    else:
        print(in_words(certificate)[0])
    print(f"written: {out}")
    return certificate is None or certificate.certified


def _show(name: str, report: Mapping[str, Any]) -> None:
    """What it learned from, and scores before and after."""
    from secateur.cli.tables import number, print_table
    from secateur.detectors.adapting import METRICS as COMPARED
    from secateur.scoring.metrics import METRICS

    record = report["adaptation"]
    print(
        f"{name}: {record['method']}, {record['minutes']:.1f} minutes of {record['data']} "
        f"({report['ictal_windows']} of {report['windows']} windows ictal), "
        f"{report['processor_seconds']:.2g} processor seconds, {report['macs']:.2g} multiply-accumulates"
    )
    threshold = report["threshold"]
    if threshold["before"] != threshold["after"]:
        print(f"threshold: {threshold['before']:.4f} before, {threshold['after']:.4f} now")
    titles = {"later": "what comes after these minutes", "forgetting": "who trained the detector"}
    for part, title in titles.items():
        if part not in report:
            continue
        scores = report[part]
        print_table(
            f"{title}: {_subjects(scores['subjects'])}, {scores['hours']:.2f} h",
            ["score", "before", "now"],
            [
                [METRICS[key].phrase, *(number(scores[key][when]) for when in ("before", "after"))]
                for key in COMPARED
            ],
        )


def _subjects(count: int) -> str:
    return "1 subject" if count == 1 else f"{count} subjects, means of them"
