"""`secateur quantise`: the same detector in 8 bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from secateur.cli.flags import with_flags
from secateur.counts import plural
from secateur.recordings.recording import ReadingSettings
from secateur.settings import checked


@with_flags(ReadingSettings)
def quantise(
    overrides: dict[str, Any],
    detector: Path = typer.Argument(..., help="A detector's file (.onnx), not quantised."),
    data: Path = typer.Option(
        ..., help="Folder of recordings with those who trained and validated the detector."
    ),
    out: Path = typer.Option(..., help="The new detector's file (.onnx)."),
    calibrate_on: str | None = typer.Option(
        None, help="Subjects to calibrate on, such as chb01,chb02. [default: who trained it]"
    ),
    validate_on: str | None = typer.Option(
        None, help="Subjects to fit threshold and rules on. [default: who validated it]"
    ),
    post_processing: str = typer.Option(
        "chosen", help="Rules from probabilities to events: chosen (on validation) or fixed."
    ),
) -> None:
    """Write a detector in 8 bits: weights in a quarter of the bytes. Print what that changed.

    Calibrated on training recordings, threshold and rules fitted again on validation ones. The new file
    has no certificate: a quantised network is another network. To have one certified, make it stand in
    the ladder: `secateur prune --int8`.

    Example: `secateur quantise runs/first/pruned.onnx --data recordings --out small.onnx`
    """
    from secateur.cli.progress import progress_display
    from secateur.detectors import load_detector
    from secateur.detectors.eight_bits import in_eight_bits, sides_of
    from secateur.errors import SettingsError
    from secateur.files import write_whole
    from secateur.recordings import load_cohort

    if out.suffix.lower() != ".onnx" or out.is_dir():
        raise SettingsError(f"--out {out}: wanted a file that ends in .onnx")
    if out.resolve() == detector.resolve():
        raise SettingsError(
            f"--out {out}: is the detector itself; give the new one a name of its own"
        )
    if post_processing not in ("chosen", "fixed"):
        raise SettingsError(f"--post-processing {post_processing}: wanted chosen or fixed")
    reading = checked(ReadingSettings, overrides, None)
    info = load_detector(detector).info
    with progress_display() as progress:
        progress.begin("quantise", None)
        cohort = load_cohort(data, reading=reading)
        sides = sides_of(info, cohort, _words(calibrate_on), _words(validate_on))
        quantised = in_eight_bits(
            detector,
            cohort,
            sides,
            choose=post_processing == "chosen",
            progress=lambda done, of: progress.step("quantise", done, of, ""),
        )
        progress.end("quantise", f"{plural(len(sides.calibration), 'subject')} calibrated")
    write_whole(out, quantised.content)
    _show(quantised.report)
    for note in quantised.notes:
        print(f"note: {note}")
    for problem in quantised.problems:
        print(f"left out: {problem.key}: {problem.reason}")
    print(f"written: {out}")


def _words(text: str | None) -> list[str]:
    return [] if text is None else [word.strip() for word in text.split(",") if word.strip()]


def _show(report: dict[str, Any]) -> None:
    """Both side by side, and the events that changed."""
    from secateur.cli.tables import number, print_table

    models = report["models"].values()
    judged = report["judged_on"]
    rows = [
        ["bytes", *(f"{model['file_bytes']:,}" for model in models)],
        ["ms a window", *(number(model["latency_ms"]["median"]) for model in models)],
        ["threshold", *(number(model["threshold"]) for model in models)],
        ["AUROC", *(number(model["auroc"], 4) for model in models)],
        ["AUROC, mean of subjects", *(number(model["by_subject"]["auroc"], 4) for model in models)],
        ["macro-F1", *(number(model["macro_f1"], 4) for model in models)],
        [
            "macro-F1, mean of subjects",
            *(number(model["by_subject"]["macro_f1"], 4) for model in models),
        ],
        ["events", *(str(model["events"]) for model in models)],
    ]
    count = len(judged["subjects"])
    what = judged["what"] if count > 1 else judged["what"].removesuffix("s")
    print_table(
        f"{report['detector']} on {count} {what}",
        ["", "float", "8 bits"],
        rows,
    )
    before, after = (model["file_bytes"] for model in models)
    if after >= before:
        print(
            "the file is no smaller: of so small a network the tables of scales take more than its weights "
            "save; on a chip (secateur export --to c) weights and memory are smaller all the same"
        )
    changed = report["events"]
    print(
        f"events: {changed['same']} the same, {changed['moved']} moved, {changed['lost']} lost, "
        f"{changed['new']} new"
    )
