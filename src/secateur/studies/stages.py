"""The stages of a run, each finished by its files.

Comes in: a run's source, settings and folder. Goes out: for each model a checkpoint, a detector's file,
and a record with its training, its threshold (from validation) and its probabilities on the test side.
Next: `run` calls them in order or two at a time, `result` reads what they left.

A stage takes nothing from memory that another made: whatever it needs it reads from the folder. So it
makes no difference whether stages run in one process, in several, or on different days.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import secateur
from secateur.detectors import Detector, DetectorInfo, Provenance, pack
from secateur.files import write_whole
from secateur.networks import BlockNetwork, build_network, count_macs, count_parameters, to_onnx
from secateur.pruning import Pruned, prune
from secateur.scoring import best_threshold, trusted_threshold
from secateur.studies.folder import RunFolder
from secateur.studies.material import Material
from secateur.studies.settings import RunSettings
from secateur.studies.trivial import fit_forest, forest_probability
from secateur.training import Epoch, Fit, load_network, save_network, train
from secateur.windows import WindowSet

_PROOF_WINDOWS = 32
_BATCH = 64

EpochProgress = Callable[[Epoch, int], None]


def run_stage(
    stage: str,
    material: Material,
    settings: RunSettings,
    folder: RunFolder,
    progress: EpochProgress | None = None,
) -> None:
    """Do one stage and leave its files; nothing is done where they are there already."""
    if folder.finished(stage) is not None:
        return
    if stage == "trivial":
        _trivial(material, settings, folder)
        return
    network, pruned = _starting_point(stage, material, settings, folder)
    fit = train(
        network,
        material.sides["training"],
        material.sides["validation"],
        settings.training,
        settings.seed,
        progress,
    )
    save_network(network, folder.network(stage))
    _leave(stage, network, fit, pruned, (material, settings, folder))


def _starting_point(
    stage: str, material: Material, settings: RunSettings, folder: RunFolder
) -> tuple[BlockNetwork, Pruned[BlockNetwork] | None]:
    """The network that a stage trains, and how it was pruned if it was."""
    training = material.sides["training"]
    shape = training.channels, training.length
    if stage == "baseline":
        return build_network(settings.network, *shape, seed=settings.seed), None
    baseline = load_network(folder.network("baseline"))
    if stage == "retrained":
        return copy.deepcopy(baseline), None
    proof = _proof_windows(training)
    pruned = prune(baseline, settings.pruning, proof, settings.seed)
    if stage == "random":  # other kernels, and as many of each layer
        chosen = settings.pruning.model_copy(update={"importance": "random"})
        gone = {
            name: len(scores) - len(pruned.kept[name]) for name, scores in pruned.scores.items()
        }
        pruned = prune(baseline, chosen, proof, settings.seed, gone)
    if stage == "scratch":
        # another draw of weights than the baseline's, or kernels would coincide
        return build_network(pruned.network.settings, *shape, seed=settings.seed + 1), None
    return pruned.network, pruned


def _proof_windows(windows: WindowSet) -> NDArray[np.float32]:
    chosen = np.linspace(0, len(windows) - 1, min(_PROOF_WINDOWS, len(windows))).astype(np.int64)
    return windows.batch(chosen)


def _leave(
    stage: str,
    network: BlockNetwork,
    fit: Fit,
    pruned: Pruned[BlockNetwork] | None,
    context: tuple[Material, RunSettings, RunFolder],
) -> None:
    """Write the detector, its probabilities on validation and test, and the record."""
    material, settings, folder = context
    model = to_onnx(network)
    info = _info(stage, network, pruned, context)
    draft = Detector(pack(model, info), stage)
    on_validation = detector_probability(draft, material.sides["validation"])
    threshold = _threshold(material, settings, on_validation)
    rules = settings.post_processing.model_copy(update={"threshold": threshold})
    content = pack(model, info.model_copy(update={"post_processing": rules}))
    write_whole(folder.detector(stage), content)
    record: dict[str, Any] = {
        "threshold": threshold,
        "parameters": count_parameters(network),
        "macs": info.provenance.macs,
        "file_bytes": len(content),
        "kernels": list(network.settings.widths),
        "best_epoch": fit.best,
        "stopped_early": fit.stopped_early,
        "epochs": [epoch.as_row() for epoch in fit.epochs],
        "pruning": info.provenance.pruning,
    }
    if pruned is not None:
        record["scores"] = pruned.scores
    test = detector_probability(Detector(content, stage), material.sides["test"])
    folder.finish(stage, record, {"validation": on_validation, "test": test})


def _threshold(
    material: Material, settings: RunSettings, on_validation: NDArray[np.float64]
) -> float:
    best = best_threshold(material.sides["validation"].labels, on_validation)
    return trusted_threshold(best, settings.threshold.trust)


def detector_probability(detector: Detector, windows: WindowSet) -> NDArray[np.float64]:
    """Probabilities by the detector's own network for every window of a set, shape (n,)."""
    indices = np.arange(len(windows))
    parts = [
        detector.probability(windows.batch(indices[start : start + _BATCH]))
        for start in range(0, len(indices), _BATCH)
    ]
    return np.concatenate(parts)


def _info(
    stage: str,
    network: BlockNetwork,
    pruned: Pruned[BlockNetwork] | None,
    context: tuple[Material, RunSettings, RunFolder],
) -> DetectorInfo:
    material, settings, folder = context
    pruning = None
    if pruned is not None:
        pruning = {
            "importance": "random" if stage == "random" else settings.pruning.importance,
            "allocation": settings.pruning.allocation,
            "ratio_requested": pruned.ratio_requested,
            "ratio_achieved": pruned.ratio_achieved,
            "kept": {name: list(kept) for name, kept in pruned.kept.items()},
            "equivalence_max_abs_error": pruned.equivalence_max_abs_error,
        }
    return DetectorInfo(
        secateur=secateur.__version__,
        chain=material.chain,
        scale=material.scale,
        windows=settings.windows,
        post_processing=settings.post_processing,
        provenance=Provenance(
            model=stage,
            network=network.settings.model_dump(mode="json"),
            data=material.cohort.name,
            simulated=material.cohort.simulated,
            subjects=material.sides["training"].subjects,
            validation_subjects=material.sides["validation"].subjects,
            seed=settings.seed,
            run=folder.name,
            pruning=pruning,
            parameters=count_parameters(network),
            macs=count_macs(network, network.channels, network.samples),
        ),
    )


def _trivial(material: Material, settings: RunSettings, folder: RunFolder) -> None:
    forest = fit_forest(material.sides["training"], settings.seed)
    validation = forest_probability(forest, material.sides["validation"])
    record = {"threshold": _threshold(material, settings, validation)}
    test = forest_probability(forest, material.sides["test"])
    folder.finish("trivial", record, {"validation": validation, "test": test})
