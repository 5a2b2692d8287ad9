"""Pruning in one step, as a straight line: trace, score, decide, cut, check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secateur.networks import Network
from secateur.pruning.allocation import Decision, decide, kept_by_score, meet
from secateur.pruning.calibration import CalibrationData
from secateur.pruning.costs import macs_of, microseconds, size
from secateur.pruning.equivalence import check
from secateur.pruning.groups import Held, Structure
from secateur.pruning.settings import Importance, PruningSettings
from secateur.pruning.surgery import Kept, cut
from secateur.pruning.tracing import trace


@dataclass(frozen=True)
class Ranking:
    """A network, its groups, and the score of each set of coupled channels: small ones go first."""

    network: Network
    structure: Structure
    scores: dict[str, NDArray[np.float64]]

    @classmethod
    def of(cls, network: Network, importance: Importance, calibration: CalibrationData) -> Ranking:
        """Trace and score. Raises `SurgeryError` where the network can't be followed."""
        structure = trace(network, network.channels, network.samples)
        return cls(network, structure, calibration.scores(network, structure, importance))

    def kept(self, removed: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
        """What stays when the `removed` smallest of each group go."""
        return {name: kept_by_score(score, removed[name]) for name, score in self.scores.items()}

    def decision(
        self, settings: PruningSettings, calibration: CalibrationData
    ) -> tuple[float, Decision]:
        """The ratio, sought where there is a target, and how many sets of each group go at it.

        Raises `SettingsError` where a target is out of reach.
        """
        network, structure, scores = self.network, self.structure, self.scores
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
            return size(cut(network, structure, self.kept(removed)), target.what)

        return meet(target, at, size_of)


@dataclass(frozen=True)
class Pruned:
    """A network after surgery. `kept`, `scores`: by group; scores are those of all its sets of channels.

    `ratio_requested`: as set, or as sought for a target. `ratio_achieved`: of the kernels that could go;
    `ratio_of_all`: of all, with those that are `held`. Coupled ones are counted once for each convolution
    that has them. `step_sizes`: sets of each group after each step.
    """

    network: Network
    ratio_requested: float
    ratio_achieved: float
    kept: dict[str, tuple[int, ...]]
    scores: dict[str, tuple[float, ...]]
    equivalence_max_abs_error: float
    ratio_of_all: float
    held: tuple[Held, ...]
    step_sizes: tuple[dict[str, int], ...]


def prune(
    network: Network,
    settings: PruningSettings,
    calibration: CalibrationData,
    removed: Mapping[str, int] | None = None,
) -> Pruned:
    """Cut `settings.ratio` of the kernels, or what a target asks for, out of a copy of `network`.

    `removed`: how many sets each group gives up, where that is decided already. Equality is checked in
    float64 on `calibration.proof`. Raises `SurgeryError` where the network can't be followed or the check
    fails, `SettingsError` where a target is out of reach.
    """
    ranking = Ranking.of(network, settings.importance, calibration)
    ratio = settings.ratio
    if removed is None:
        ratio, decision = ranking.decision(settings, calibration)
        removed = decision.removed
    kept = ranking.kept(removed)
    smaller, difference = cut_and_check(ranking, kept, calibration)
    step_sizes = ({name: len(own) for name, own in kept.items()},)
    return described(ranking, smaller, ratio, kept, difference, step_sizes)


def cut_and_check(
    ranking: Ranking, kept: Kept, calibration: CalibrationData
) -> tuple[Network, float]:
    """The network with what is `kept` alone, and the largest difference that the check found."""
    smaller = cut(ranking.network, ranking.structure, kept)
    difference = check(ranking.network, smaller, ranking.structure, kept, calibration.proof)
    return smaller, difference


def described(
    original: Ranking,
    network: Network,
    ratio: float,
    kept: dict[str, tuple[int, ...]],
    difference: float,
    step_sizes: tuple[dict[str, int], ...],
) -> Pruned:
    """What became of the `original`, of which `kept` stays in `network`."""
    structure = original.structure
    gone = structure.kernels - sum(
        len(kept[group.name]) * group.kernels_each for group in structure.groups
    )
    return Pruned(
        network=network,
        ratio_requested=ratio,
        ratio_achieved=gone / structure.kernels,
        kept=kept,
        scores={name: tuple(score.tolist()) for name, score in original.scores.items()},
        equivalence_max_abs_error=difference,
        ratio_of_all=gone / structure.all_kernels,
        held=structure.held,
        step_sizes=step_sizes,
    )
