"""The stages of a study, each finished by its files.

Comes in: a stage, its material, settings and folder. Goes out: for each network a checkpoint, a detector's
file, and a record with its training, its threshold (from validation) and its probabilities on every side
that it did not learn from. Next: `workers` calls them in order or several at a time, `result` and `ladder`
read what they left.

A stage takes nothing from memory that another made: whatever it needs it reads from the folder. So it
makes no difference whether stages run in one process, in several, or on different days.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import secateur
from secateur.detectors import Detector, DetectorInfo, Provenance, pack
from secateur.detectors.choosing import Choice, choose_rules, rules_of
from secateur.detectors.eight_bits import quantise
from secateur.detectors.evaluation import WindowTable, window_probability
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
)
from secateur.pruning.prune import prune
from secateur.runs.data import Material
from secateur.runs.folder import RunFolder
from secateur.runs.network_check import check_network
from secateur.runs.plan import Stage
from secateur.runs.random_forest import fit_forest, forest_probability
from secateur.runs.settings import RunSettings
from secateur.scoring import best_threshold, trusted_threshold
from secateur.training import (
    Epoch,
    Fit,
    TrainingHooks,
    TrainingPlan,
    load_network,
    load_weights,
    save_network,
    train,
)

EARLY = "baseline-early"

EpochProgress = Callable[[Epoch, int], None]


@dataclass(frozen=True)
class StageContext:
    """What a stage works with. `weights`: of the baseline, where it is trained already. `whole`: where the
    baseline is, if not in `folder`.
    """

    material: Material
    settings: RunSettings
    folder: RunFolder
    progress: EpochProgress | None = None
    weights: Path | None = None
    whole: RunFolder | None = None

    def baseline(self, name: str = "baseline") -> Network:
        """The network before pruning, or its early weights, from its checkpoint."""
        return load_network((self.whole or self.folder).network(name))

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

    def calibration(self) -> CalibrationData:
        """What kernels are judged by: training windows, and what the stage "evidence" has found."""
        made = CalibrationData.of(self.material.sides["training"], self.settings.seed)
        if self.folder.finished("evidence") is None:
            return made
        return dataclasses.replace(made, known=self.folder.arrays("evidence"))


def run_stage(stage: Stage, context: StageContext) -> None:
    """Do one stage and leave its files; nothing is done where they are there already."""
    if context.folder.finished(stage.name) is None:
        _DO[stage.kind](stage, context)


def _baseline(stage: Stage, context: StageContext) -> None:
    training, settings = context.material.sides["training"], context.settings
    check_network(settings, context.material.chain, pruned=False)
    network = build_network(settings.network, training.channels, training.length, settings.seed)

    if context.weights is not None:
        load_weights(network, context.weights)
        _leave(stage, network.eval(), Fit((), 0, False), None, context)
        return

    def keep_early(epoch: int, learning: Any) -> None:
        if epoch <= settings.pruning.rewind_to:  # or the last, where training ends before
            save_network(learning, context.folder.network(EARLY))

    rewinds = settings.pruning.retrain == "rewind"
    hooks = TrainingHooks(context.progress, between=keep_early if rewinds else None)
    sides = context.material.sides
    fit = train(network, training, sides["validation"], settings.training, settings.seed, hooks)
    _leave(stage, network, fit, None, context)


def _pruned(stage: Stage, context: StageContext) -> None:
    assert stage.pruning is not None
    baseline = context.baseline()
    early = None
    if stage.pruning.retrain == "rewind":
        early = context.baseline(EARLY)
    pruned, fit = prune_and_retrain(
        baseline, stage.pruning, context.calibration(), context.plan, early
    )
    _leave(stage, pruned.network, fit, pruned, context)


def _random(stage: Stage, context: StageContext) -> None:
    """Other kernels than the pruned network's, as many of each group, trained again alike."""
    assert stage.pruning is not None
    told = _pruning_of(stage.of, context.folder)
    gone = {name: told["units"][name] - len(kept) for name, kept in told["kept"].items()}
    chosen = stage.pruning.model_copy(
        update={"importance": "random", "retrain": "finetune", "target": None}
    )
    baseline = context.baseline()
    pruned = prune(baseline, chosen, context.calibration(), gone)
    fit = context.plan.repeat(pruned.network, stage.pruning.steps)
    _leave(stage, pruned.network, fit, pruned, context)


def _scratch(stage: Stage, context: StageContext) -> None:
    """As large as the pruned network, with new weights; other ones than the baseline began with."""
    pruned = load_network(context.folder.network(stage.of))
    network = reinitialised(pruned, context.settings.seed + 1)
    fit = context.plan.repeat(network, _steps(stage))
    _leave(stage, network, fit, None, context)


def _retrained(stage: Stage, context: StageContext) -> None:
    network = context.baseline()
    fit = context.plan.repeat(network, _steps(stage))
    _leave(stage, network, fit, None, context)


def _unstructured(stage: Stage, context: StageContext) -> None:
    """The baseline with as many weights of each layer set to zero as surgery took: a mask, no speed."""
    pruned = load_network(context.folder.network(stage.of))
    network = context.baseline()
    fit, zeros = retrain_masked(network, pruned, context.plan, _steps(stage))
    _leave(stage, network, fit, None, context, {"zero_weights": zeros})


def _calibrated(stage: Stage, context: StageContext) -> None:
    """What several rungs ask of the same baseline, once."""
    baseline = context.baseline()
    calibration = CalibrationData.of(context.material.sides["training"], context.settings.seed)
    found = measure_calibration(baseline, context.settings.pruning.importance, calibration)
    context.folder.finish(stage.name, {}, found)


def _int8(stage: Stage, context: StageContext) -> None:
    """The pruned network quantised, with a threshold of its own."""
    whole = Detector(context.folder.detector(stage.of).read_bytes(), stage.of).info
    batches = CalibrationData.of(context.material.sides["training"], context.settings.seed).batches
    assert batches is not None
    record = context.folder.finished(stage.of) or {}
    model = to_onnx(load_network(context.folder.network(stage.of)))
    model = quantise(model, [windows for windows, _ in batches()])
    provenance = whole.provenance.model_copy(update={"model": stage.name})
    info = whole.model_copy(update={"provenance": provenance})
    kept = {k: v for k, v in record.items() if k not in ("run", "files", "epochs", "scores")}
    _deploy(stage, model, info, {**kept, "int8": True}, context)


def _trivial(stage: Stage, context: StageContext) -> None:
    material, settings = context.material, context.settings
    forest = fit_forest(material.sides["training"], settings.seed)
    found = {
        side: forest_probability(forest, windows)
        for side, windows in material.sides.items()
        if side != "training"
    }
    context.folder.finish(stage.name, _decided(context, found["validation"]), found)


_DO: Mapping[str, Callable[[Stage, StageContext], None]] = {
    "baseline": _baseline,
    "trivial": _trivial,
    "evidence": _calibrated,
    "pruned": _pruned,
    "int8": _int8,
    "scratch": _scratch,
    "random": _random,
    "unstructured": _unstructured,
    "retrained": _retrained,
}


def _steps(stage: Stage) -> int:
    return stage.pruning.steps if stage.pruning is not None else 1


def _pruning_of(name: str, folder: RunFolder) -> dict[str, Any]:
    told: dict[str, Any] = (folder.finished(name) or {})["pruning"]
    return told


def _leave(
    stage: Stage,
    network: Network,
    fit: Fit,
    pruned: Pruned | None,
    context: StageContext,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Write checkpoint, detector, its probabilities on all sides it has not learned from, and the record."""
    save_network(network, context.folder.network(stage.name))
    info = _info(stage, network, pruned, context)
    record: dict[str, Any] = {
        "parameters": count_parameters(network),
        "macs": info.provenance.macs,
        "kernels": list(kernels_of(network).values()),
        "best_epoch": fit.best,
        "stopped_early": fit.stopped_early,
        "epochs": [epoch.as_row() for epoch in fit.epochs],
        "pruning": info.provenance.pruning,
        **(more or {}),
    }
    if pruned is not None:
        record["scores"] = pruned.scores
    _deploy(stage, to_onnx(network), info, record, context)


def _deploy(
    stage: Stage, model: bytes, info: DetectorInfo, record: dict[str, Any], context: StageContext
) -> None:
    """Choose threshold and rules on validation, write the detector's file, judge by that file."""
    sides, folder = context.material.sides, context.folder
    draft = Detector(pack(model, info), stage.name)
    on_validation = window_probability(draft, sides["validation"])
    decided = _decided(context, on_validation)
    rules = rules_of(decided["post_processing"])
    content = pack(model, info.model_copy(update={"post_processing": rules}))
    write_whole(folder.detector(stage.name), content)
    final = Detector(content, stage.name)
    found = {"validation": on_validation}
    for side in ("certification", "test"):
        if side in sides:
            found[side] = window_probability(final, sides[side])
    told = {**record, **decided, "file_bytes": len(content)}
    files = [folder.detector(stage.name)]
    if stage.kind != "int8":
        files.append(folder.network(stage.name))
    folder.finish(stage.name, told, found, files)


def _decided(context: StageContext, on_validation: NDArray[np.float64]) -> dict[str, Any]:
    """What validation decides, for the record: the threshold on windows, then the rules."""
    side, settings = context.material.sides["validation"], context.settings
    best = best_threshold(side.labels, on_validation)
    threshold = trusted_threshold(best, settings.threshold.trust)
    choice = Choice(settings.post_processing.moved_to(threshold))
    # windows that were drawn one by one don't follow each other, so no rule can be tried on them
    drawn = context.material.split.unit == "window" or settings.split.max_windows is not None
    if settings.post_processing.choose and not drawn:
        entries = [one.entry for one in side.prepared]
        hop = side.hop / side.rate
        choice = choose_rules(entries, WindowTable.of(side), on_validation, hop, choice.rules)
    return {"threshold": threshold, "post_processing": choice.as_dict()}


def _info(
    stage: Stage, network: Network, pruned: Pruned | None, context: StageContext
) -> DetectorInfo:
    material, settings = context.material, context.settings
    pruning = None
    if pruned is not None:
        assert stage.pruning is not None
        pruning = _told(pruned, stage.pruning, "random" if stage.kind == "random" else None)
    return DetectorInfo(
        secateur=secateur.__version__,
        chain=material.chain,
        scale=material.scale,
        windows=settings.windows,
        post_processing=settings.post_processing.moved_to(0.5),
        provenance=Provenance(
            model=stage.name,
            network=network.settings.model_dump(mode="json"),
            data=material.cohort.name,
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


def _told(pruned: Pruned, settings: PruningSettings, importance: str | None) -> dict[str, Any]:
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
