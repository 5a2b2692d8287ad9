"""Several steps remove what one would; each way of retraining begins where it says."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from secateur.errors import SettingsError
from secateur.networks import Network, build_network, count_parameters, kernels_of
from secateur.pruning import (
    CalibrationData,
    PruningSettings,
    cut,
    prune_and_retrain,
    retrain_masked,
    trace,
    trainings_of,
)
from secateur.pruning.costs import size
from secateur.pruning.prune import Ranking, prune
from secateur.pruning.retraining import _Steps
from secateur.runs import Source, resolve
from secateur.runs.data import gather
from secateur.training import TrainingHooks, TrainingPlan, predict, train
from secateur.windows import Cache
from tests.support.cohorts import TINY_SETTINGS


@pytest.fixture(scope="module")
def plan(tiny_cohort: Path) -> TrainingPlan:
    settings = resolve(None, {**TINY_SETTINGS, "training.windows_per_epoch": 96})
    sides = gather(Source(tiny_cohort), settings, Cache()).sides
    shorter = settings.training.model_copy(update={"epochs": 1})
    return TrainingPlan(sides["training"], sides["validation"], shorter, 3)


@pytest.fixture(scope="module")
def calibration(plan: TrainingPlan) -> CalibrationData:
    return CalibrationData.of(plan.training, 3)


@pytest.fixture(scope="module")
def baseline(plan: TrainingPlan) -> Network:
    settings = resolve(None, TINY_SETTINGS).network
    network = build_network(settings, plan.training.channels, plan.training.length, 3)
    plan.run(network)
    return network


def pruning(**changes: object) -> PruningSettings:
    return PruningSettings.model_validate(changes)


@pytest.mark.parametrize("allocation", ["uniform", "global", "sensitivity"])
def test_steps_remove_as_many_kernels_as_one_would(
    allocation: str, baseline: Network, calibration: CalibrationData, plan: TrainingPlan
) -> None:
    once, _ = prune_and_retrain(
        baseline, pruning(ratio=0.6, allocation=allocation), calibration, plan
    )
    chosen = pruning(ratio=0.6, allocation=allocation, steps=3)
    many, _ = prune_and_retrain(baseline, chosen, calibration, plan)
    assert sum(kernels_of(many.network).values()) == sum(kernels_of(once.network).values())
    assert many.ratio_achieved == pytest.approx(once.ratio_achieved)
    assert {name: len(kept) for name, kept in many.kept.items()} == kernels_of(many.network)
    if allocation == "uniform":
        assert kernels_of(many.network) == kernels_of(once.network)


def test_kernels_kept_over_steps_are_counted_in_the_original(
    baseline: Network, calibration: CalibrationData, plan: TrainingPlan
) -> None:
    """Without learning, what three steps kept is what cutting the original to it gives."""
    still = replace(plan, settings=plan.settings.model_copy(update={"learning_rate": 1e-12}))
    pruned, _ = prune_and_retrain(baseline, pruning(ratio=0.6, steps=3), calibration, still)
    structure = trace(baseline, baseline.channels, baseline.samples)
    expected = cut(baseline, structure, pruned.kept)
    for name, value in expected.named_parameters():
        assert torch.allclose(pruned.network.get_parameter(name), value, atol=1e-6)


def test_rewinding_begins_from_the_early_weights_of_the_kernels_that_stay(
    baseline: Network, calibration: CalibrationData, plan: TrainingPlan
) -> None:
    early = copy.deepcopy(baseline)
    with torch.no_grad():
        for parameter in early.parameters():
            parameter.fill_(0.25)
    still = replace(plan, settings=plan.settings.model_copy(update={"learning_rate": 1e-12}))
    pruned, _ = prune_and_retrain(baseline, pruning(retrain="rewind"), calibration, still, early)
    for parameter in pruned.network.parameters():
        assert torch.allclose(parameter, torch.tensor(0.25), atol=1e-6)
    with pytest.raises(SettingsError, match="early epoch"):
        prune_and_retrain(baseline, pruning(retrain="rewind"), calibration, plan)


def test_from_scratch_has_the_shape_and_no_weight_of_the_original(
    baseline: Network, calibration: CalibrationData, plan: TrainingPlan
) -> None:
    still = replace(plan, settings=plan.settings.model_copy(update={"learning_rate": 1e-12}))
    kept, _ = prune_and_retrain(baseline, pruning(), calibration, still)
    fresh, _ = prune_and_retrain(baseline, pruning(retrain="scratch"), calibration, still)
    assert kernels_of(fresh.network) == kernels_of(kept.network)
    for name in kernels_of(kept.network):
        ours, theirs = (one.network.get_parameter(f"{name}.weight") for one in (fresh, kept))
        assert not torch.isclose(ours, theirs, atol=1e-6).any()


def test_a_teacher_moves_a_network_towards_what_it_says(plan: TrainingPlan) -> None:
    """Both classes pruning alike by labels, the one by the teacher: logits follow the teacher."""
    settings = resolve(None, TINY_SETTINGS).network
    shape = plan.training.channels, plan.training.length

    class Always(nn.Module):
        def forward(self, windows: torch.Tensor) -> torch.Tensor:
            return torch.tensor([[0.0, 8.0]]).expand(len(windows), 2)

    quicker = plan.settings.model_copy(update={"learning_rate": 0.01, "windows_per_epoch": 320})
    gaps = []
    for teacher in (None, Always()):
        network = build_network(settings, *shape, 3)
        train(network, plan.training, plan.validation, quicker, 3, TrainingHooks(teacher=teacher))
        windows = torch.from_numpy(plan.validation.batch(np.arange(50)))
        with torch.no_grad():
            logits = network(windows)
        gaps.append(float((logits[:, 1] - logits[:, 0]).mean()))
    assert gaps[1] > gaps[0] + 0.1


@pytest.mark.parametrize(("allocation", "steps"), [("dynamic", 1), ("global", 2)])
def test_a_target_is_met_by_what_is_decided_anew(
    allocation: str, steps: int, baseline: Network, calibration: CalibrationData
) -> None:
    """Judged anew, cheap kernels go in place of dear ones: the ratio that met it before doesn't."""
    settings = pruning(allocation=allocation, steps=steps, target="macs=40%")
    before = Ranking.of(baseline, "l1", calibration)
    first, *_, last = before.structure.names

    def with_small(group: str) -> Ranking:
        """All kernels alike but those of one group, of which the first matters alone."""
        scores = {name: np.ones(len(score)) for name, score in before.scores.items()}
        scores[group][1:] = 1e-3
        return Ranking(baseline, before.structure, scores)

    plans = [_Steps.of(with_small(group), settings, calibration, None) for group in (first, last)]
    for planned, group in zip(plans, (last, first), strict=True):
        anew = with_small(group)
        left = cut(baseline, anew.structure, anew.kept(planned.removed(steps, anew, calibration)))
        assert size(left, "macs") <= 0.4 * size(baseline, "macs")


@pytest.mark.parametrize("importance", ["l1", "taylor"])
def test_dynamic_validates_what_it_then_cuts(
    importance: str, baseline: Network, calibration: CalibrationData, plan: TrainingPlan
) -> None:
    """The network right after the cut has the loss that its best epoch was chosen by."""
    longer = replace(plan, settings=plan.settings.model_copy(update={"epochs": 4}))
    losses: dict[int, float] = {}
    labels = torch.from_numpy(plan.validation.labels.astype(np.int64))

    def watch(epoch: int, network: nn.Module) -> None:
        logits = torch.from_numpy(predict(network, plan.validation))
        losses[epoch] = float(nn.functional.cross_entropy(logits, labels))

    settings = pruning(allocation="dynamic", importance=importance)
    watched = replace(longer, watch=watch)
    pruned, (soft, _) = prune_and_retrain(baseline, settings, calibration, watched)
    assert pruned.ratio_achieved == pytest.approx(0.5)
    assert pruned.equivalence_max_abs_error <= 1e-9
    assert len(soft.epochs) == 2
    assert losses[0] == pytest.approx(soft.epochs[soft.best - 1].validation_loss, rel=1e-4)


@pytest.mark.parametrize("allocation", ["global", "dynamic"])
def test_a_control_is_cut_in_the_same_steps_and_trained_as_often(
    allocation: str, baseline: Network, calibration: CalibrationData, plan: TrainingPlan
) -> None:
    """As many units of each group after each step, whichever they are; as many trainings, as long."""
    longer = replace(plan, settings=plan.settings.model_copy(update={"epochs": 3}))
    chosen = pruning(ratio=0.6, allocation=allocation, steps=2)
    pruned, fits = prune_and_retrain(baseline, chosen, calibration, longer)
    by_chance = chosen.model_copy(update={"importance": "random"})
    control, same = prune_and_retrain(
        baseline, by_chance, calibration, longer, step_sizes=pruned.step_sizes
    )
    assert len(pruned.step_sizes) == 2
    assert control.step_sizes == pruned.step_sizes
    assert kernels_of(control.network) == kernels_of(pruned.network)
    assert control.kept != pruned.kept
    expected = [2, 3, 2, 3] if allocation == "dynamic" else [3, 3]
    assert [len(fit.epochs) for fit in fits] == [len(fit.epochs) for fit in same] == expected
    trainings = trainings_of(chosen, longer.settings)
    assert [settings.epochs for settings in trainings] == expected


def test_whoever_watches_sees_the_cut_and_each_epoch_and_changes_nothing(
    baseline: Network, calibration: CalibrationData, plan: TrainingPlan
) -> None:
    windows = torch.from_numpy(plan.validation.batch(np.arange(20)))
    seen: list[tuple[int, torch.Tensor]] = []

    def watch(epoch: int, network: nn.Module) -> None:
        with torch.inference_mode():
            seen.append((epoch, network.eval()(windows)))

    twice = plan.settings.model_copy(update={"epochs": 2, "least_epochs": 2})
    longer = replace(plan, settings=twice)
    chosen = pruning(retrain="scratch")
    alone, _ = prune_and_retrain(baseline, chosen, calibration, longer)
    watched, _ = prune_and_retrain(baseline, chosen, calibration, replace(longer, watch=watch))
    assert [epoch for epoch, _ in seen] == [0, 1, 2]
    with torch.inference_mode():
        # as the surgeon left it, before new weights are drawn; and in the end as it is kept
        assert torch.equal(seen[0][1], prune(baseline, chosen, calibration).network.eval()(windows))
        assert torch.equal(seen[2][1], watched.network(windows))
    for name, value in alone.network.state_dict().items():
        assert torch.equal(value, watched.network.state_dict()[name])


def test_masked_weights_stay_zero_and_nothing_gets_smaller(
    baseline: Network, calibration: CalibrationData, plan: TrainingPlan
) -> None:
    """In each layer as many weights stay as surgery leaves there: the largest."""
    pruned = prune(baseline, pruning(ratio=0.5), calibration).network
    network = copy.deepcopy(baseline)
    _, zeros = retrain_masked(network, pruned, plan, [plan.settings])
    assert count_parameters(network) == count_parameters(baseline)
    result = 0
    for name, whole in baseline.named_parameters():
        if whole.ndim > 1:
            now, left = network.get_parameter(name), pruned.get_parameter(name).numel()
            assert int((now != 0).sum()) == left
            assert whole.abs()[now == 0].max() <= whole.abs()[now != 0].min()
            result += whole.numel() - left
    assert zeros == result
