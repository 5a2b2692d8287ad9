"""The stages of a run, each finished by its files: for each network a checkpoint, a detector's file, and a
record with its training, its threshold (from validation) and its probabilities on every side that it did not
learn from.

A stage takes nothing from memory that another left there: whatever it needs it reads from the folder. So it
makes no difference whether stages run in one process, in several, or on different days.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import secateur
from secateur.detectors import Detector, DetectorInfo, Provenance, pack
from secateur.detectors.budget import within_budget
from secateur.detectors.choosing import Choice, choose_by_froc, choose_rules, froc_curves, rules_of
from secateur.detectors.eight_bits import quantise
from secateur.detectors.evaluation import WindowTable, window_probability
from secateur.detectors.sweeping import recording_windows
from secateur.files import write_whole
from secateur.networks import (
    Network,
    build_network,
    count_macs,
    count_parameters,
    kernels_of,
    reinitialised,
    to_onnx,
)
from secateur.pruning import (
    CalibrationData,
    Pruned,
    PruningSettings,
    measure_calibration,
    prune_and_retrain,
    retrain_masked,
    trainings_of,
)
from secateur.runs.after_epochs import AfterEpochs
from secateur.runs.data import RunData
from secateur.runs.folder import RunFolder
from secateur.runs.plan import Stage
from secateur.runs.random_forest import FOREST_PRIOR, fit_forest, forest_probability
from secateur.runs.settings import RunSettings
from secateur.training import (
    Epoch,
    Fit,
    TrainingHooks,
    TrainingPlan,
    TrainingSettings,
    load_network,
    load_weights,
    save_network,
    train,
)
from secateur.training.draw import EpochDraw

EARLY = "baseline-early"
AT_RANDOM = ", labels at random"
"""Behind the name of the data in files of networks that learned from such labels."""

EpochProgress = Callable[[Epoch, int], None]
JudgingProgress = Callable[[str, int, int], None]
"""Told of a side how many of its windows are judged, and of how many."""


@dataclass(frozen=True)
class StageContext:
    """What a stage works with. `weights`: of the baseline, where it is trained already.
    `baseline_folder`: where the baseline is, if not in `folder`.
    """

    material: RunData
    settings: RunSettings
    folder: RunFolder
    progress: EpochProgress | None = None
    weights: Path | None = None
    baseline_folder: RunFolder | None = None
    judging: JudgingProgress | None = None

    def baseline(self, name: str = "baseline") -> Network:
        """The network before pruning, or its early weights, from its checkpoint."""
        return load_network((self.baseline_folder or self.folder).network(name))

    @property
    def plan(self) -> TrainingPlan:
        """How networks are trained here."""
        sides = self.material.sides
        return TrainingPlan(
            sides["training"],
            sides["validation"],
            self.settings.training,
            self.settings.seed,
            self.progress,
        )

    @property
    def prior(self) -> float:
        """Share of ictal windows that networks learn from here."""
        training, settings = self.material.sides["training"], self.settings
        return EpochDraw(training, settings.training, settings.seed).prior

    def calibration(self) -> CalibrationData:
        """What kernels are judged by: training windows, and what the stage "evidence" has found."""
        calibration = CalibrationData.of(self.material.sides["training"], self.settings.seed)
        if self.folder.finished("evidence") is None:
            return calibration
        return dataclasses.replace(calibration, known=self.folder.arrays("evidence"))


def run_stage(stage: Stage, context: StageContext) -> None:
    """Do one stage and leave its files; nothing is done where they are there already.

    A network that was trained before the process was ended is not trained again, and of its judging goes on
    what was left.
    """
    folder = context.folder
    if folder.finished(stage.name) is not None:
        return
    trained = folder.trained(stage.name)
    if trained is None:
        _DO[stage.kind](stage, context)
    else:
        model = to_onnx(load_network(folder.network(stage.name)))
        info = DetectorInfo.model_validate(trained["info"])
        _deploy(stage, model, info, trained["record"], context)


def _baseline(stage: Stage, context: StageContext) -> None:
    training, settings = context.material.sides["training"], context.settings
    network = build_network(settings.network, training.channels, training.length, settings.seed)

    if context.weights is not None:
        load_weights(network, context.weights)
        _leave(stage, network.eval(), [Fit((), 0, False)], None, context)
        return

    def keep_early(epoch: int, learning: Any) -> None:
        if epoch <= settings.pruning.rewind_to:  # or the last, where training ends before
            save_network(learning, context.folder.network(EARLY))

    rewinds = settings.pruning.retrain == "rewind"
    hooks = TrainingHooks(context.progress, between=keep_early if rewinds else None)
    sides = context.material.sides
    fit = train(network, training, sides["validation"], settings.training, settings.seed, hooks)
    _leave(stage, network, [fit], None, context)


def _pruned(stage: Stage, context: StageContext) -> None:
    assert stage.pruning is not None
    _cut(stage, context, stage.pruning)


def _random(stage: Stage, context: StageContext) -> None:
    """Other kernels than the pruned network's, as many of each group after each step, trained alike."""
    assert stage.pruning is not None
    record = context.folder.finished(stage.of) or {}
    ratio = record["pruning"]["ratio_requested"]
    changes = {"importance": "random", "target": None, "ratio": ratio}
    _cut(stage, context, stage.pruning.model_copy(update=changes), record["left"])


def _cut(
    stage: Stage,
    context: StageContext,
    settings: PruningSettings,
    step_sizes: Sequence[Mapping[str, int]] | None = None,
) -> None:
    early = context.baseline(EARLY) if settings.retrain == "rewind" else None
    watch = None
    if "test" in context.material.sides:
        watch = AfterEpochs(
            context.material.sides, context.settings.threshold, context.prior, context.settings.seed
        )
    plan = dataclasses.replace(context.plan, watch=watch)
    pruned, fits = prune_and_retrain(
        context.baseline(), settings, context.calibration(), plan, early, step_sizes
    )
    more = {} if watch is None else {"after_epochs": watch.scores}
    _leave(stage, pruned.network, fits, pruned, context, more)


def _scratch(stage: Stage, context: StageContext) -> None:
    """As large as the pruned network, with new weights; other ones than the baseline began with."""
    _from_scratch(stage, context, _trainings(stage, context))


def _scratch_long(stage: Stage, context: StageContext) -> None:
    """The same, trained for as many epochs as the baseline and the pruned network altogether.

    Scratch-B beside scratch-E of Z. Liu et al., Rethinking the Value of Network Pruning, ICLR 2019.
    """
    training = context.settings.training
    before = (context.baseline_folder or context.folder).finished("baseline") or {}
    after = context.folder.finished(stage.of) or {}
    # a baseline whose weights came from a file has no epochs on record
    epochs = (before["epochs_trained"] or training.epochs) + after["epochs_trained"]
    longer = training.model_copy(update={"epochs": epochs, "patience": epochs})
    _from_scratch(stage, context, [longer])


def _from_scratch(
    stage: Stage, context: StageContext, trainings: Sequence[TrainingSettings]
) -> None:
    pruned = load_network(context.folder.network(stage.of))
    network = reinitialised(pruned, context.settings.seed + 1)
    _leave(stage, network, context.plan.follow(network, trainings), None, context)


def _retrained(stage: Stage, context: StageContext) -> None:
    network = context.baseline()
    fits = context.plan.follow(network, _trainings(stage, context))
    _leave(stage, network, fits, None, context)


def _unstructured(stage: Stage, context: StageContext) -> None:
    """The baseline with as many weights of each layer set to zero as surgery took: a mask, no speed."""
    pruned = load_network(context.folder.network(stage.of))
    network = context.baseline()
    fits, zeros = retrain_masked(network, pruned, context.plan, _trainings(stage, context))
    _leave(stage, network, fits, None, context, {"zero_weights": zeros})


def _calibrated(stage: Stage, context: StageContext) -> None:
    """What several rungs ask of the same baseline, once."""
    baseline = context.baseline()
    calibration = CalibrationData.of(context.material.sides["training"], context.settings.seed)
    measures = measure_calibration(baseline, context.settings.pruning.importance, calibration)
    context.folder.finish(stage.name, {}, measures)


def _int8(stage: Stage, context: StageContext) -> None:
    """The pruned network quantised, with a threshold of its own."""
    original = Detector(context.folder.detector(stage.of).read_bytes(), stage.of).info
    batches = CalibrationData.of(context.material.sides["training"], context.settings.seed).batches
    assert batches is not None
    record = context.folder.finished(stage.of) or {}
    model = to_onnx(load_network(context.folder.network(stage.of)))
    model = quantise(model, [windows for windows, _ in batches()])
    provenance = original.provenance.model_copy(update={"model": stage.name})
    info = original.model_copy(update={"provenance": provenance})
    kept = {
        k: v
        for k, v in record.items()
        if k not in ("run", "files", "epochs", "scores", "left", "after_epochs")
    }
    _deploy(stage, model, info, {**kept, "int8": True}, context)


def _random_forest(stage: Stage, context: StageContext) -> None:
    material, settings = context.material, context.settings
    forest = fit_forest(material.sides["training"], settings.seed)
    probabilities = {
        side: forest_probability(forest, windows)
        for side, windows in material.sides.items()
        if side != "training"
    }
    context.folder.finish(
        stage.name, decide(context, probabilities["validation"], FOREST_PRIOR), probabilities
    )


_DO: Mapping[str, Callable[[Stage, StageContext], None]] = {
    "baseline": _baseline,
    "random_forest": _random_forest,
    "evidence": _calibrated,
    "pruned": _pruned,
    "int8": _int8,
    "scratch": _scratch,
    "scratch-long": _scratch_long,
    "random": _random,
    "unstructured": _unstructured,
    "retrained": _retrained,
}


def _trainings(stage: Stage, context: StageContext) -> list[TrainingSettings]:
    """How the pruned network is trained while it is pruned, for those that stand beside it."""
    assert stage.pruning is not None
    return trainings_of(stage.pruning, context.settings.training)


def _leave(
    stage: Stage,
    network: Network,
    fits: Sequence[Fit],
    pruned: Pruned | None,
    context: StageContext,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Write checkpoint, detector, its probabilities on all sides it has not learned from, and the record."""
    fit = fits[-1]
    save_network(network, context.folder.network(stage.name))
    info = _info(stage, network, pruned, context)
    record: dict[str, Any] = {
        "parameters": count_parameters(network),
        "macs": info.provenance.macs,
        "kernels": list(kernels_of(network).values()),
        "best_epoch": fit.best,
        "stopped_early": fit.stopped_early,
        "epochs": [epoch.as_row() for epoch in fit.epochs],
        "epochs_trained": sum(len(each.epochs) for each in fits),
        "pruning": info.provenance.pruning,
        **(more or {}),
    }
    if pruned is not None:
        record |= {"scores": pruned.scores, "left": pruned.step_sizes}
    trained = {"record": record, "info": info.model_dump(mode="json", by_alias=True)}
    context.folder.note_trained(stage.name, trained)
    _deploy(stage, to_onnx(network), info, record, context)


def _deploy(
    stage: Stage, model: bytes, info: DetectorInfo, record: dict[str, Any], context: StageContext
) -> None:
    """Choose threshold and rules on validation, write the detector's file, judge by that file."""
    sides, folder = context.material.sides, context.folder
    draft = Detector(pack(model, info), stage.name)
    on_validation = _judged(stage, draft, "validation", context)
    decided = decide(context, on_validation, context.prior)
    rules = rules_of(decided["post_processing"])
    content = pack(model, info.model_copy(update={"post_processing": rules}))
    write_whole(folder.detector(stage.name), content)
    final = Detector(content, stage.name)
    probabilities = {"validation": on_validation}
    for side in ("certification", "test"):
        if side in sides:
            probabilities[side] = _judged(stage, final, side, context)
    complete = {**record, **decided, "file_bytes": len(content)}
    files = [folder.detector(stage.name)]
    if stage.kind != "int8":
        files.append(folder.network(stage.name))
    folder.finish(stage.name, complete, probabilities, files)


def _judged(
    stage: Stage, detector: Detector, side: str, context: StageContext
) -> NDArray[np.float64]:
    """The detector's probability for every window of a side; a process that is ended leaves what it knew."""
    windows, judging = context.material.sides[side], context.judging
    known = context.folder.unfinished(stage.name, side, detector.fingerprint, len(windows))
    progress = None if judging is None else partial(judging, side)
    return window_probability(detector, windows, known, progress)


def decide(
    context: StageContext, on_validation: NDArray[np.float64], prior: float
) -> dict[str, Any]:
    """What validation decides, for the record: the threshold on windows, then the rules."""
    side, settings = context.material.sides["validation"], context.settings
    threshold = settings.threshold.choose(side.labels, on_validation, prior)
    choice = Choice(settings.post_processing.moved_to(threshold))
    # windows that were drawn one by one don't follow each other, so no rule can be tried on them
    drawn = context.material.split.unit == "window" or settings.split.max_windows is not None
    if settings.post_processing.choose and not drawn:
        entries = [recording.entry for recording in side.prepared]
        windows = (entries, WindowTable.of(side), on_validation, side.hop / side.rate)
        if settings.post_processing.choose == "froc":
            curves = froc_curves(recording_windows(*windows), choice.rules)
            choice = choose_by_froc(curves, choice.rules)
        else:
            choice = choose_rules(*windows, choice.rules)
    if settings.threshold.false_alarms is None:
        return {"threshold": choice.rules.threshold, "post_processing": choice.as_dict()}
    budget = within_budget(
        [part.entry for part in side.prepared],
        WindowTable.of(side),
        on_validation,
        side.hop / side.rate,
        choice.rules,
        settings.threshold.false_alarms,
    )
    choice = replace(choice, rules=choice.rules.moved_to(budget.threshold))
    return {
        "threshold": budget.threshold,
        "post_processing": choice.as_dict(),
        "budget": budget.as_dict(),
    }


def _info(
    stage: Stage, network: Network, pruned: Pruned | None, context: StageContext
) -> DetectorInfo:
    material, settings = context.material, context.settings
    pruning = None
    if pruned is not None:
        assert stage.pruning is not None
        pruning = _pruning_record(
            pruned, stage.pruning, "random" if stage.kind == "random" else None
        )
    return DetectorInfo(
        secateur=secateur.__version__,
        chain=material.chain,
        scale=material.scale,
        windows=settings.windows,
        post_processing=settings.post_processing.moved_to(0.5),
        provenance=Provenance(
            model=stage.name,
            network=network.settings.model_dump(mode="json"),
            data=material.cohort.name + AT_RANDOM * settings.training.labels_at_random,
            simulated=material.cohort.simulated,
            subjects=material.sides["training"].subjects,
            validation_subjects=material.sides["validation"].subjects,
            seed=settings.seed,
            run=context.folder.name,
            pruning=pruning,
            parameters=count_parameters(network),
            macs=count_macs(network, network.channels, network.samples),
        ),
    )


def _pruning_record(
    pruned: Pruned, settings: PruningSettings, importance: str | None
) -> dict[str, Any]:
    """What is noted of a pruning, in the detector's file and in result.json."""
    return {
        "importance": importance or settings.importance,
        "allocation": settings.allocation,
        "steps": settings.steps,
        "retrain": settings.retrain,
        "ratio_requested": pruned.ratio_requested,
        "ratio_achieved": pruned.ratio_achieved,
        "ratio_of_all": pruned.ratio_of_all,
        "held": [dataclasses.asdict(held) for held in pruned.held],
        "kept": {name: list(kept) for name, kept in pruned.kept.items()},
        "units": {name: len(scores) for name, scores in pruned.scores.items()},
        "equivalence_max_abs_error": pruned.equivalence_max_abs_error,
    }
