"""A network pruned in one step or several, and trained again after each, by the hyperparameters that trained
the original.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from secateur.errors import SettingsError
from secateur.networks import Network, reinitialised
from secateur.pruning.allocation import Decision, decide
from secateur.pruning.calibration import CalibrationData
from secateur.pruning.costs import size
from secateur.pruning.groups import Structure
from secateur.pruning.prune import Pruned, Ranking, cut_and_check, described
from secateur.pruning.readers import zeroed_where_read
from secateur.pruning.settings import Importance, PruningSettings, Target
from secateur.pruning.surgery import cut, gone
from secateur.training import Fit, TrainingPlan, TrainingSettings


def prune_and_retrain(
    baseline: Network,
    settings: PruningSettings,
    calibration: CalibrationData,
    plan: TrainingPlan,
    early: Network | None = None,
    step_sizes: Sequence[Mapping[str, int]] | None = None,
) -> tuple[Pruned, tuple[Fit, ...]]:
    """Cut and retrain as `settings` say; returns the network and how each training of `trainings_of` went.

    In N steps the share of kernels that stays shrinks by the same factor in each, and kernels are judged
    anew before each. `early`: the baseline in an early epoch, to be rewound to. `step_sizes`: sets of each
    group after each step, where that is decided already (a control takes another criterion's). `plan.watch`
    is called with what each cut leaves, as epoch 0. Raises `SurgeryError` where the network can't be cut.
    """
    if settings.retrain == "rewind" and early is None:
        raise SettingsError("to rewind, the weights of an early epoch are needed")
    original = Ranking.of(baseline, settings.importance, calibration)
    anew = replace(calibration, known={})
    steps = _Steps.of(original, settings, calibration, step_sizes)
    *soft, full = trainings_of(settings.model_copy(update={"steps": 1}), plan.settings)
    network, ranking = baseline, original
    kept = {group.name: tuple(range(group.size)) for group in original.structure.groups}
    differences: list[float] = []
    fits: list[Fit] = []
    after: list[dict[str, int]] = []
    for step in range(1, settings.steps + 1):
        if step > 1:
            ranking = Ranking.of(network, settings.importance, anew)
        goes = partial(steps.removed, step)
        if soft:
            shortened = replace(plan, settings=soft[0], watch=None)
            ranking, chosen, fit = _softened(ranking, settings.importance, goes, anew, shortened)
            fits.append(fit)
        else:
            chosen = ranking.kept(goes(ranking, calibration if step == 1 else anew))
        network, difference = cut_and_check(ranking, chosen, calibration)
        differences.append(difference)
        kept = {name: tuple(kept[name][k] for k in own) for name, own in chosen.items()}
        after.append({name: len(own) for name, own in kept.items()})
        if plan.watch:
            plan.watch(0, network)
        if settings.retrain == "rewind" and early is not None:
            network = cut(early, original.structure, kept)
        elif settings.retrain == "scratch":
            network = reinitialised(network, plan.seed + 1)
        teacher = baseline if settings.retrain == "distil" else None
        fits.append(replace(plan, settings=full).run(network, teacher))
    worst = max(differences)
    return described(original, network, steps.ratio, kept, worst, tuple(after)), tuple(fits)


def trainings_of(pruning: PruningSettings, training: TrainingSettings) -> list[TrainingSettings]:
    """How a network is trained while it is pruned, in order; a control that isn't cut is trained by the same.

    One training after each cut, and with "dynamic" before it half as many epochs, in which kernels return.
    """
    halved = training.model_copy(update={"epochs": max(2, math.ceil(training.epochs / 2))})
    each = [halved, training] if pruning.allocation == "dynamic" else [training]
    return each * pruning.steps


@dataclass(frozen=True)
class _Steps:
    """What goes in each of several steps, so that all together remove what one would.

    `ratio`, `final`: what goes from the `original` in the end; None where `step_sizes` says what stays.
    `target`: the size to reach, in its own unit: what is decided anew must meet it, whatever ratio it takes.
    """

    settings: PruningSettings
    original: Ranking
    ratio: float
    final: Decision | None
    step_sizes: Sequence[Mapping[str, int]] | None
    target: Target | None

    @classmethod
    def of(
        cls,
        original: Ranking,
        settings: PruningSettings,
        calibration: CalibrationData,
        step_sizes: Sequence[Mapping[str, int]] | None,
    ) -> _Steps:
        ratio, final = settings.ratio, None
        if step_sizes is None:
            ratio, final = original.decision(settings, calibration)
        chosen = settings.model_copy(update={"ratio": ratio, "target": None})
        target = settings.target
        if target is not None and target.share:
            limit = target.limit * size(original.network, target.what)
            target = target.model_copy(update={"limit": limit, "share": False})
        return cls(chosen, original, ratio, final, step_sizes, target)

    def removed(
        self, step: int, ranking: Ranking, calibration: CalibrationData
    ) -> Mapping[str, int]:
        """How many sets each group of `ranking`, what is left before `step`, gives up in it."""
        sizes = {group.name: group.size for group in ranking.structure.groups}
        if self.final is None:
            assert self.step_sizes is not None
            return {
                name: number - self.step_sizes[step - 1][name] for name, number in sizes.items()
            }
        settings, of = self.settings, self.original.structure
        if settings.steps == 1 and ranking is self.original:
            return self.final.removed
        share, last = 1 - (1 - self.ratio) ** (step / settings.steps), step == settings.steps
        if settings.allocation == "uniform":
            asked = settings.model_copy(update={"ratio": share})
            goal = self.final if last else decide(self.original.scores, of, asked)
            return {
                name: goal.removed[name] - (of[name].size - number)
                for name, number in sizes.items()
            }
        if last and self.target is not None:
            asked = settings.model_copy(update={"target": self.target})
            return ranking.decision(asked, calibration)[1].removed
        if settings.allocation == "cost":  # there the ratio is one of cost, not of kernels
            ratio = 1 - (1 - self.ratio) ** (1 / settings.steps)
        else:
            kernels = self.final.kernels if last else round(share * of.kernels)
            ratio = max(0.0, 1 - (of.kernels - kernels) / ranking.structure.kernels)
        asked = settings.model_copy(update={"ratio": ratio})
        return ranking.decision(asked, calibration)[1].removed


def _softened(
    ranking: Ranking,
    importance: Importance,
    removed: Callable[[Ranking, CalibrationData], Mapping[str, int]],
    calibration: CalibrationData,
    plan: TrainingPlan,
) -> tuple[Ranking, dict[str, tuple[int, ...]], Fit]:
    """Train a copy in which after each epoch the least important kernels are set to zero, and may return.

    Which, and how many of each group, is decided anew each time, and they are read as zero while the epoch is
    validated: the best epoch is the best without them. Returns the copy, what stays of it then, and how
    training went. Source: Y. He et al., Soft Filter Pruning for Accelerating Deep Convolutional Neural
    Networks, IJCAI 2018; there each layer's number is fixed.
    """
    learning, structure = copy.deepcopy(ranking.network), ranking.structure
    kept: dict[int, dict[str, tuple[int, ...]]] = {}

    def masked(epoch: int, now: nn.Module, validated: nn.Module) -> AbstractContextManager[None]:
        assert isinstance(now, Network)
        current = Ranking(now, structure, calibration.scores(now, structure, importance))
        kept[epoch] = current.kept(removed(current, calibration))
        sets = gone(structure, kept[epoch])
        _zero(now, structure, sets)
        return zeroed_where_read(validated, structure, sets)

    fit = plan.run(learning, masked=masked)
    return Ranking(learning, structure, ranking.scores), kept[fit.best], fit


def _zero(network: nn.Module, structure: Structure, gone: Mapping[str, list[int]]) -> None:
    """Set the weights of the kernels that are `gone` to zero; norms are left alone, or no gradient would
    bring a kernel back.
    """
    for name, sets in gone.items():
        for slot in structure[name].convolutions:
            convolution = network.get_submodule(slot.layer)
            assert isinstance(convolution, _ConvNd)
            with torch.no_grad():
                convolution.weight[slot.places[sets].ravel()] = 0


def retrain_masked(
    network: nn.Module,
    pruned: nn.Module,
    plan: TrainingPlan,
    trainings: Sequence[TrainingSettings],
) -> tuple[tuple[Fit, ...], int]:
    """Set the smallest weights of each layer to zero, until as many are left as `pruned` has there.

    Unstructured magnitude pruning (S. Han et al., Learning both Weights and Connections, NIPS 2015), then
    training of the others: a mask, so nothing gets smaller or faster. `pruned`: `network` after surgery;
    `trainings`: see `trainings_of`. Returns how each training went and how many weights are zero.
    """
    handles, zeros = [], 0
    for name, module in network.named_modules():
        weight = module.weight if isinstance(module, _ConvNd | nn.Linear) else None
        if weight is None:
            continue
        size = pruned.get_parameter(f"{name}.weight").numel()
        stays = torch.ones(weight.numel(), dtype=weight.dtype)
        order = torch.argsort(weight.detach().abs().flatten(), stable=True)
        stays[order[: weight.numel() - size]] = 0
        zeros += weight.numel() - size
        stays = stays.view_as(weight)
        with torch.no_grad():
            weight.mul_(stays)
        # without a gradient neither Adam's step nor weight decay moves a weight that is zero
        handles.append(weight.register_hook(_keeping(stays)))  # type: ignore[no-untyped-call]
    try:
        fits = plan.follow(network, trainings)
    finally:
        for handle in handles:
            handle.remove()
    return fits, zeros


def _keeping(stays: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda gradient: gradient * stays
