"""From a detector to the same one in 8 bits, and what that changed.

A quantised network is another network: it is calibrated on training recordings, its threshold and rules are
fitted again on validation ones, and it has no certificate. One that is made for it later looks at a
network that stood on no ladder beforehand: it is *exploratory*, and the file says so.

ONNX Runtime's static quantisation writes it: pairs of quantise and dequantise around each layer, activations
unsigned, weights signed, one scale for each kernel.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secateur.detectors.benching import measure_latency
from secateur.detectors.choosing import Choice, choose_rules
from secateur.detectors.detector import Detector
from secateur.detectors.evaluation import (
    Report,
    WindowTable,
    events_of,
    score_table,
    window_probability,
)
from secateur.detectors.file import DetectorInfo, pack, read_verified
from secateur.detectors.network.model import Graph, parse
from secateur.errors import CohortError, DetectorError, MissingExtraError, SettingsError
from secateur.events import Event, Events
from secateur.recordings import Cohort, Entry, Problem
from secateur.scoring import best_threshold, moved_threshold
from secateur.settings import names_in
from secateur.windows import Cache, WindowSet, prepare

CALIBRATION_WINDOWS = 512
_BATCH = 64
_SAME = 1e-6
_METRICS = ("auroc", "macro_f1")

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Sides:
    """Who does what, by subject. `judged_on`: unseen or validation. `notes`: who of them is missing."""

    calibration: tuple[str, ...]
    validation: tuple[str, ...]
    judged: tuple[str, ...]
    judged_on: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class EightBits:
    """`content`: the new detector's file. `report`: numbers of both. `problems`: recordings left out."""

    content: bytes
    report: Report
    notes: tuple[str, ...]
    problems: tuple[Problem, ...]


def sides_of(
    info: DetectorInfo,
    cohort: Cohort,
    calibrate_on: Sequence[str] = (),
    validate_on: Sequence[str] = (),
) -> Sides:
    """Who calibrates, validates and judges, of the subjects in `cohort`.

    Those who trained and validated the detector, unless others are named (by label or in full). Raises
    `SettingsError` where there is none of them, or the same subject would do two things.
    """
    origin, trained = info.provenance, ("trained", "--calibrate-on")
    validated = "validated", "--validate-on"
    notes: list[str] = []
    calibration = _named(names_in(calibrate_on, "calibrate_on"), trained[1], cohort)
    calibration = calibration or _present(origin.subjects, trained, cohort, notes)
    validation = _named(names_in(validate_on, "validate_on"), validated[1], cohort)
    validation = validation or _present(origin.validation_subjects, validated, cohort, notes)
    both = set(calibration) & set(validation)
    learned = set(origin.subjects) & set(validation)
    if both:
        raise SettingsError(
            f"{_names(both)} can't both calibrate and validate: a threshold needs subjects of its own"
        )
    if learned:
        raise SettingsError(
            f"{_names(learned)} trained the network, so no threshold can be taken from them; name others "
            "with --validate-on"
        )
    seen = {*origin.subjects, *origin.validation_subjects, *calibration, *validation}
    unseen = tuple(sorted(set(cohort.subjects) - seen))
    judged_on = "unseen subjects" if unseen else "validation subjects"
    return Sides(calibration, validation, unseen or validation, judged_on, tuple(notes))


def _named(names: Sequence[str], flag: str, cohort: Cohort) -> tuple[str, ...]:
    subjects = set()
    for name in names:
        matches = [who for who in cohort.subjects if name in (who, who.rpartition("/")[2])]
        if len(matches) != 1:
            known = ", ".join(who.rpartition("/")[2] for who in cohort.subjects)
            raise SettingsError(
                f"{flag} {name}: no such subject in {cohort.folder}; it has {known}"
            )
        subjects.add(matches[0])
    return tuple(sorted(subjects))


def _present(
    subjects: Sequence[str], role: tuple[str, str], cohort: Cohort, notes: list[str]
) -> tuple[str, ...]:
    """Those of `subjects` who are in `cohort`. `role`: what they did for the detector, and its flag."""
    did, flag = role
    present = tuple(sorted(set(subjects) & set(cohort.subjects)))
    if not present:
        who = _names(subjects) if subjects else "its file names nobody"
        raise SettingsError(
            f"{cohort.folder}: holds nobody who {did} the detector ({who}); give the folder that it was "
            f"trained on, or name subjects with {flag}"
        )
    if len(present) < len(set(subjects)):
        notes.append(f"of {len(set(subjects))} subjects who {did} it, {len(present)} are here")
    return present


def _names(subjects: Collection[str]) -> str:
    ordered = sorted(subjects)
    more = f" and {len(ordered) - 4} more" if len(ordered) > 4 else ""
    return ", ".join(ordered[:4]) + more


def in_eight_bits(
    detector: Path,
    cohort: Cohort,
    sides: Sides,
    *,
    choose: bool = True,
    progress: Progress | None = None,
) -> EightBits:
    """Quantise the detector in a file. `choose`: the rules too, not the threshold alone.

    Raises `DetectorError` where it is quantised already, `MissingExtraError` where the package onnx is
    missing, `CohortError` and `SplitError` where recordings don't do.
    """
    tool()  # before hours of recordings are read
    content = read_verified(detector)
    graph, original = parse(content, detector), Detector(content, detector)
    refuse_quantised(graph, detector)
    subjects = {*sides.calibration, *sides.validation, *sides.judged}
    entries = [entry for entry in cohort if entry.subject in subjects]
    info = original.info
    prepared, problems = prepare(entries, info.chain, Cache(), progress=progress)

    def side(subjects: Sequence[str], what: str) -> WindowSet:
        own = [recording for recording in prepared if recording.entry.subject in subjects]
        if not own:
            reason = problems[0].reason if problems else "there is none"
            raise CohortError(f"{cohort.folder}: no {what} recording can be used; {reason}")
        return WindowSet(own, info.chain, info.windows, info.scale)

    calibration = side(sides.calibration, "calibration")
    validation = side(sides.validation, "validation")
    validation.require_both_classes("validation")
    generator = np.random.default_rng([info.provenance.seed, 7])
    order = calibration.of_both_classes(CALIBRATION_WINDOWS, generator)
    starts = range(0, len(order), _BATCH)
    batches = [calibration.batch(order[start : start + _BATCH]) for start in starts]
    model = quantise(graph.to_bytes(), batches)
    choice, packed = _fitted(model, original, _renamed(info, sides), validation, choose)
    small = Detector(packed, "int8")
    judged = side(sides.judged, "judged")
    report = {
        "detector": detector.name,
        "calibrated_on": list(sides.calibration),
        "validated_on": list(sides.validation),
        "judged_on": {"what": sides.judged_on, "subjects": list(sides.judged)},
        "post_processing": choice.as_dict(),
        **_compared({"float": original, "int8": small}, judged),
    }
    return EightBits(packed, report, _notes(info, sides, choose), tuple(problems))


def refuse_quantised(graph: Graph, path: Path) -> None:
    """Raise `DetectorError` where the network is in 8 bits already."""
    if any(node.kind in ("QuantizeLinear", "DequantizeLinear") for node in graph.nodes):
        raise DetectorError(
            f"{path}: is quantised already; give the detector that it was made from"
        )


def _renamed(info: DetectorInfo, sides: Sides) -> DetectorInfo:
    """The info of what is made, before its threshold: without certificate, with all who took part."""
    origin = info.provenance
    provenance = origin.model_copy(
        update={
            "model": f"{origin.model}-int8",
            "quantised": True,
            "subjects": tuple(sorted({*origin.subjects, *sides.calibration})),
            "validation_subjects": tuple(sorted({*origin.validation_subjects, *sides.validation})),
        }
    )
    return info.model_copy(update={"provenance": provenance, "certificate": None})


def _fitted(
    model: bytes, original: Detector, info: DetectorInfo, validation: WindowSet, choose: bool
) -> tuple[Choice, bytes]:
    """Threshold and rules of the quantised network, and its file.

    The float network's threshold, moved by half of what the best one on validation moved: it was chosen for
    the share of ictal windows that was expected, which the file doesn't tell.
    """
    probability = window_probability(Detector(pack(model, info)), validation)
    before = best_threshold(validation.labels, window_probability(original, validation))
    after = best_threshold(validation.labels, probability)
    threshold = moved_threshold(original.threshold, before, after)
    choice = Choice(info.post_processing.moved_to(threshold))
    if choose:
        entries = [recording.entry for recording in validation.prepared]
        hop = validation.hop / validation.rate
        table = WindowTable.of(validation)
        choice = choose_rules(entries, table, probability, hop, choice.rules)
    return choice, pack(model, info.model_copy(update={"post_processing": choice.rules}))


def _notes(info: DetectorInfo, sides: Sides, choose: bool) -> tuple[str, ...]:
    notes = list(sides.notes)
    if info.certificate is not None:
        notes.append(
            "the certificate was left out: it speaks of the network before; one that is made for this "
            "file afterwards is exploratory"
        )
    if sides.judged_on == "validation subjects":
        notes.append(
            "nobody here is unseen: scores are on those who chose the threshold, and flatter it"
        )
    return tuple(notes)


def _compared(detectors: dict[str, Detector], judged: WindowSet) -> Report:
    """Size, time and scores of both on the same windows, and which events changed."""
    table = WindowTable.of(judged)
    entries = [recording.entry for recording in judged.prepared]
    latency = measure_latency(detectors)
    models: Report = {}
    events = []
    for name, detector in detectors.items():
        probability = window_probability(detector, judged)
        scores, _ = score_table(table, probability, detector.threshold, None)
        rules = detector.info.post_processing
        called = events_of(entries, table, probability, judged.hop / judged.rate, rules)
        events.append(called)
        models[name] = {
            "file_bytes": detector.file_bytes,
            "latency_ms": latency[name],
            "threshold": detector.threshold,
            **{name: scores[name] for name in _METRICS},
            "by_subject": {name: scores["by_subject"][name] for name in _METRICS},
            "events": sum(map(len, called.values())),
        }
    return {"models": models, "events": _changes(entries, *events)}


def _changes(
    entries: Sequence[Entry], original: dict[str, Events], small: dict[str, Events]
) -> Report:
    """Events of both: the same, moved (they still overlap), lost, and new ones."""
    counts = {"same": 0, "moved": 0, "lost": 0, "new": 0}
    for entry in entries:
        before, after = original[entry.key], small[entry.key]
        for event in before:
            if any(_alike(event, other) for other in after):
                counts["same"] += 1
            else:
                counts["moved" if _met(event, after) else "lost"] += 1
        counts["new"] += sum(not _met(event, before) for event in after)
    return counts


def _alike(event: Event, other: Event) -> bool:
    return abs(event.onset - other.onset) < _SAME and abs(event.end - other.end) < _SAME


def _met(event: Event, others: Events) -> bool:
    return any(other.onset < event.end and event.onset < other.end for other in others)


def reduces_range() -> bool:
    """Whether this processor adds products of 8 bits in 16: then weights get 7 bits, or sums overflow."""
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return True
    return not any(name in flags for name in ("avx512_vnni", "avx_vnni", "asimddp"))


def tool() -> Any:
    """ONNX Runtime's quantisation. Raises `MissingExtraError` where the package onnx is missing."""
    try:
        from onnxruntime import quantization
    except ImportError:
        raise MissingExtraError("onnx", "train", "quantising") from None
    return quantization


def quantise(model: bytes, batches: Sequence[NDArray[np.float32]]) -> bytes:
    """`model` in 8 bits, calibrated on `batches`, each windows × channels × samples, scaled.

    Raises `MissingExtraError` where the package onnx is missing.
    """
    quantization = tool()
    settings = {
        "quant_format": quantization.QuantFormat.QDQ,
        "activation_type": quantization.QuantType.QUInt8,
        "weight_type": quantization.QuantType.QInt8,
        "per_channel": True,
        "reduce_range": reduces_range(),
    }
    (name,) = parse(model).inputs
    root = logging.getLogger()
    level = root.level
    with tempfile.TemporaryDirectory(prefix="secateur-") as folder:
        before, after = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        before.write_bytes(model)
        root.setLevel(logging.ERROR)  # it advises on models that are as they are on purpose
        try:
            quantization.quantize_static(before, after, _Reader(name, batches), **settings)
        finally:
            root.setLevel(level)
        return after.read_bytes()


class _Reader:
    """Batches one by one, as the calibration asks for them."""

    def __init__(self, name: str, batches: Sequence[NDArray[np.float32]]) -> None:
        self._batches: Iterator[dict[str, Any]] = iter([{name: batch} for batch in batches])

    def get_next(self) -> dict[str, Any] | None:
        """The next batch by the input's name; None when all are read."""
        return next(self._batches, None)

    def set_range(self, start_index: int, end_index: int) -> None:
        """Asked of readers of data too large for one go; these are not."""
