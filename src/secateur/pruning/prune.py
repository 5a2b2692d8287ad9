"""Pruning in one step: rank, choose, cut, prove.

Comes in: a trained network, settings, calibration. Goes out: a `Pruned`: the smaller network with what was
asked, what was done, and the proof. Next: `retraining` trains it by the hyperparameters that trained the
original.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secateur.errors import SurgeryError
from secateur.networks import Network, kernels_of
from secateur.pruning.allocation import Decision, decide, kept_by_score, meet
from secateur.pruning.calibration import CalibrationData
from secateur.pruning.costs import macs_of, microseconds, size
from secateur.pruning.equivalence import (
    largest_difference,
    require_equal,
    with_random_weights,
)
from secateur.pruning.groups import Held, Structure
from secateur.pruning.settings import PruningSettings
from secateur.pruning.surgery import cut
from secateur.pruning.tracing import trace


@dataclass(frozen=True)
class Pruned:
    """A network after surgery. `kept`, `scores`: by group; scores are those of all its units.

    `ratio_requested`: as told, or as found for a target. `ratio_achieved`: of the kernels that could go;
    `ratio_of_all`: of all, with those that are `held`. Tied ones are counted once for each convolution that
    has them. `left`: units of each group after each step.
    """

    network: Network
    ratio_requested: float
    ratio_achieved: float
    kept: dict[str, tuple[int, ...]]
    scores: dict[str, tuple[float, ...]]
    equivalence_max_abs_error: float
    ratio_of_all: float
    held: tuple[Held, ...]
    left: tuple[dict[str, int], ...]


def prune(
    network: Network,
    settings: PruningSettings,
    calibration: CalibrationData,
    removed: Mapping[str, int] | None = None,
) -> Pruned:
    """Cut `settings.ratio` of the kernels, or what a target asks for, out of a copy of `network`.

    `removed`: how many units each group gives up, where that is decided already (a control takes another
    criterion's allocation). Equality is proved in float64 on `calibration.proof`. Raises `SurgeryError`
    where the network can't be followed, or the proof fails, `SettingsError` where a target is out of reach.
    """
    structure = trace(network, network.channels, network.samples)
    scores = calibration.scores(network, structure, settings.importance)
    ratio = settings.ratio
    if removed is None:
        ratio, decision = decided(network, structure, scores, settings, calibration)
        removed = decision.removed
    kept = {name: kept_by_score(score, removed[name]) for name, score in scores.items()}
    smaller = cut(network, structure, kept)
    asked = sum(removed[group.name] * group.kernels_each for group in structure.groups)
    gone = sum(kernels_of(network).values()) - sum(kernels_of(smaller).values())
    if gone != asked:
        raise SurgeryError(
            f"{asked} kernels should go and {gone} did: this is a defect of Secateur, please report it"
        )
    difference = largest_difference(network, smaller, structure, kept, calibration.proof)
    require_equal(difference)
    shaken = with_random_weights(network)
    by_chance = largest_difference(
        shaken, cut(shaken, structure, kept), structure, kept, calibration.proof
    )
    if not math.isnan(by_chance):  # weights by chance may give no numbers where trained ones do
        require_equal(by_chance)
    return Pruned(
        network=smaller,
        ratio_requested=ratio,
        ratio_achieved=gone / structure.kernels,
        kept=kept,
        scores={name: tuple(score.tolist()) for name, score in scores.items()},
        equivalence_max_abs_error=difference,
        ratio_of_all=gone / structure.all_kernels,
        held=structure.held,
        left=({name: len(own) for name, own in kept.items()},),
    )


def decided(
    network: Network,
    structure: Structure,
    scores: Mapping[str, NDArray[np.float64]],
    settings: PruningSettings,
    calibration: CalibrationData,
) -> tuple[float, Decision]:
    """The ratio, found where a target is told, and how many units of each group go at it."""
    curves = cost = None
    if settings.allocation == "sensitivity":
        curves = calibration.curves(network, structure, scores)
    if settings.allocation == "cost":
        cost = macs_of(network, structure, network.channels, network.samples)
        if settings.cost_in == "us":
            cost = cost.priced(microseconds(network))

    def at(ratio: float) -> Decision:
        chosen = settings.model_copy(update={"ratio": ratio})
        return decide(scores, structure, chosen, curves, cost)

    target = settings.target
    if target is None:
        return settings.ratio, at(settings.ratio)

    def size_of(removed: Mapping[str, int]) -> float:
        kept = {name: kept_by_score(score, removed[name]) for name, score in scores.items()}
        return size(cut(network, structure, kept), target.what)

    return meet(target, at, size_of)
