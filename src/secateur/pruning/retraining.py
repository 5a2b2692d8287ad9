"""A network pruned in one step or several, and trained again after each.

Comes in: a trained network, how it is to be cut, what kernels are judged by, and what it is trained on.
Goes out: a `Pruned` that counts kernels of the original, and how the last training went. Next: `studies`
writes what came of it.

Whatever the way, training goes by the hyperparameters that trained the original.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from secateur.errors import SettingsError
from secateur.networks import Network, reinitialised
from secateur.pruning.allocation import Decision, decide, kept_by_score
from secateur.pruning.calibration import CalibrationData
from secateur.pruning.groups import Structure
from secateur.pruning.prune import Pruned, decided, prune
from secateur.pruning.settings import PruningSettings
from secateur.pruning.surgery import cut
from secateur.pruning.tracing import trace
from secateur.training import Fit, TrainingPlan, TrainingSettings


def prune_and_retrain(
    baseline: Network,
    settings: PruningSettings,
    calibration: CalibrationData,
    plan: TrainingPlan,
    early: Network | None = None,
    left: Sequence[Mapping[str, int]] | None = None,
) -> tuple[Pruned, tuple[Fit, ...]]:
    """Cut and retrain as `settings` say; returns the network and how each training of `trainings_of` went.

    In N steps the share of kernels that stays shrinks by the same factor in each, and kernels are judged
    anew before each. `early`: the baseline in an early epoch, to be rewound to. `left`: units of each group
    after each step, where that is decided already (a control takes another criterion's). `plan.watch` is
    called with what each cut leaves, as epoch 0. Raises `SurgeryError` where the network can't be cut.
    """
    if settings.retrain == "rewind" and early is None:
        raise SettingsError("to rewind, the weights of an early epoch are needed")
    structure = trace(baseline, baseline.channels, baseline.samples)
    scores = calibration.scores(baseline, structure, settings.importance)
    ratio, final = settings.ratio, None
    if left is None:
        ratio, final = decided(baseline, structure, scores, settings, calibration)
    told = settings.model_copy(update={"ratio": ratio, "target": None})
    *soft, full = trainings_of(told.model_copy(update={"steps": 1}), plan.settings)
    network, known = baseline, calibration
    kept = {name: tuple(range(len(score))) for name, score in scores.items()}
    worst = 0.0
    fits: list[Fit] = []
    after: list[dict[str, int]] = []
    for step in range(1, told.steps + 1):
        of_step, gone = told, None
        if left is not None:
            gone = {name: len(own) - left[step - 1][name] for name, own in kept.items()}
        elif final is not None:
            of_step, gone = _of_step(told, step, (structure, scores, final), kept)
        for shorter in soft:
            shortened = replace(plan, settings=shorter, watch=None)
            network, fit = _softened(network, of_step, calibration, shortened, gone)
            fits.append(fit)
            known = replace(calibration, known={})
        pruned = prune(network, of_step, known, gone)
        kept = {name: tuple(kept[name][k] for k in own) for name, own in pruned.kept.items()}
        after += [{name: len(own) for name, own in kept.items()}]
        worst = max(worst, pruned.equivalence_max_abs_error)
        network = pruned.network
        if plan.watch:
            plan.watch(0, network)
        if told.retrain == "rewind" and early is not None:
            network = cut(early, structure, kept)
        elif told.retrain == "scratch":
            network = reinitialised(network, plan.seed + 1)
        teacher = baseline if told.retrain == "distil" else None
        fits.append(replace(plan, settings=full).run(network, teacher))
        known = replace(calibration, known={})
    achieved = 1 - _kernels(structure, kept) / structure.kernels
    of_all = {name: tuple(score.tolist()) for name, score in scores.items()}
    share = achieved * (structure.kernels / structure.all_kernels)
    result = Pruned(
        network, ratio, achieved, kept, of_all, worst, share, structure.held, tuple(after)
    )
    return result, tuple(fits)


def trainings_of(pruning: PruningSettings, training: TrainingSettings) -> list[TrainingSettings]:
    """How a network is trained while it is pruned, in order; a control that isn't cut is trained by the same.

    One training after each cut, and with "dynamic" before it half as many epochs, in which kernels return.
    """
    halved = training.model_copy(update={"epochs": max(2, math.ceil(training.epochs / 2))})
    each = [halved, training] if pruning.allocation == "dynamic" else [training]
    return each * pruning.steps


Kept = Mapping[str, tuple[int, ...]]


def _kernels(structure: Structure, kept: Kept) -> int:
    return sum(len(kept[group.name]) * group.kernels_each for group in structure.groups)


def _of_step(
    told: PruningSettings,
    step: int,
    whole: tuple[Structure, Mapping[str, NDArray[np.float64]], Decision],
    kept: Kept,
) -> tuple[PruningSettings, dict[str, int] | None]:
    """What one of several steps is asked for, so that all together remove what one would have.

    `whole`: the original's structure and scores, and what goes in the end. Returns settings whose ratio is
    of what is left, and for "uniform" how many units of each group go.
    """
    structure, scores, final = whole
    share = 1 - (1 - told.ratio) ** (step / told.steps)
    last = step == told.steps
    if told.allocation == "cost":  # there the ratio is one of cost, not of kernels
        share = 1 - (1 - told.ratio) ** (1 / told.steps)
        return told.model_copy(update={"ratio": share}), None
    if told.allocation == "uniform":
        asked = decide(scores, structure, told.model_copy(update={"ratio": share}))
        removed = (final if last else asked).removed
        return told, {
            name: removed[name] - (len(scores[name]) - len(own)) for name, own in kept.items()
        }
    wanted = final.kernels if last else round(share * structure.kernels)
    of_left = 1 - (structure.kernels - wanted) / _kernels(structure, kept)
    return told.model_copy(update={"ratio": max(0.0, of_left)}), None


def _softened(
    network: Network,
    settings: PruningSettings,
    calibration: CalibrationData,
    plan: TrainingPlan,
    removed: Mapping[str, int] | None = None,
) -> tuple[Network, Fit]:
    """Train a copy; after each epoch the least important kernels are set to zero, and may return.

    Which, and how many of each group unless `removed` says so, is decided anew each time. Source: Y. He et
    al., Soft Filter Pruning for Accelerating Deep Convolutional Neural Networks, IJCAI 2018; there each
    layer's number is fixed.
    """
    learning = copy.deepcopy(network)
    structure = trace(learning, learning.channels, learning.samples)

    def choose_anew(_: int, now: nn.Module) -> None:
        scores = replace(calibration, known={}).scores(now, structure, settings.importance)
        gone = removed or decide(scores, structure, settings).removed
        for group in structure.groups:
            stays = kept_by_score(scores[group.name], gone[group.name])
            _zero(now, structure, group.name, stays)

    fit = plan.run(learning, between=choose_anew)
    return learning, fit


def _zero(network: nn.Module, structure: Structure, group: str, stays: tuple[int, ...]) -> None:
    """Set the weights of all kernels of a group but those that stay to zero; norms are left alone, or no
    gradient would bring a kernel back.
    """
    gone = sorted(set(range(structure[group].size)) - set(stays))
    for slot in structure[group].convolutions:
        convolution = network.get_submodule(slot.layer)
        assert isinstance(convolution, _ConvNd)
        with torch.no_grad():
            convolution.weight[slot.places[gone].ravel()] = 0


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
        left = pruned.get_parameter(f"{name}.weight").numel()
        stays = torch.ones(weight.numel(), dtype=weight.dtype)
        order = torch.argsort(weight.detach().abs().flatten(), stable=True)
        stays[order[: weight.numel() - left]] = 0
        zeros += weight.numel() - left
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
