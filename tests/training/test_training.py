from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from secateur.errors import TrainingError
from secateur.networks import BlockNetwork, Network, NetworkSettings, build_network
from secateur.recordings import load_cohort
from secateur.recordings.montage import mirrored
from secateur.training import (
    Epoch,
    TrainingHooks,
    TrainingSettings,
    load_network,
    predict,
    save_network,
    train,
)
from secateur.training.averaging import Averaged, recalibrate
from secateur.training.draw import EpochDraw, _alike
from secateur.windows import (
    Cache,
    ChainSettings,
    WindowSet,
    WindowSettings,
    fit_scale,
    prepare,
    probability_of,
)

NETWORK = NetworkSettings(widths=(4, 6, 8))


@pytest.fixture(scope="module")
def sides(tiny_cohort: Path) -> tuple[WindowSet, WindowSet]:
    chain = ChainSettings()
    prepared, _ = prepare(load_cohort(tiny_cohort).entries, chain, Cache())
    scale = fit_scale(prepared[:3], chain, 18)
    training, validation = (
        WindowSet(part, chain, WindowSettings(), scale) for part in (prepared[:3], prepared[3:5])
    )
    return training, validation


def fitted(
    sides: tuple[WindowSet, WindowSet], seed: int = 0, **told: object
) -> tuple[Network, list[Epoch], int]:
    network = build_network(NETWORK, 18, 1024, 0)
    settings = TrainingSettings.model_validate({"epochs": 3, "windows_per_epoch": 480, **told})
    fit = train(network, *sides, settings, seed)
    return network, list(fit.epochs), fit.best


def test_it_learns_what_is_easily_seen(sides: tuple[WindowSet, WindowSet]) -> None:
    network, epochs, best = fitted(sides, epochs=6)
    assert epochs[best - 1].validation_auroc > 0.95
    assert epochs[-1].training_loss < epochs[0].training_loss
    assert not network.training


def test_the_same_seed_gives_the_same_bits_and_another_does_not(
    sides: tuple[WindowSet, WindowSet],
) -> None:
    torch.manual_seed(1)
    one = fitted(sides, 7)[0].state_dict()
    torch.manual_seed(2)
    other = fitted(sides, 7)[0].state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)
    third = fitted(sides, 8)[0].state_dict()
    assert not all(torch.equal(one[name], third[name]) for name in one)


def test_torchs_state_is_left_as_it_was(sides: tuple[WindowSet, WindowSet]) -> None:
    before = (torch.get_rng_state(), torch.get_num_threads())
    rules: Any = torch.utils.deterministic
    fills = rules.fill_uninitialized_memory
    fitted(sides, epochs=1)
    assert rules.fill_uninitialized_memory == fills
    assert torch.equal(torch.get_rng_state(), before[0])
    assert torch.get_num_threads() == before[1]
    assert not torch.are_deterministic_algorithms_enabled()


def test_the_best_epochs_weights_are_kept(sides: tuple[WindowSet, WindowSet]) -> None:
    network, epochs, best = fitted(sides, epochs=5, learning_rate=0.02, least_epochs=1)
    scores = [epoch.validation_macro_f1 for epoch in epochs]
    validation = sides[1]
    chance = probability_of(predict(network, validation))
    called = chance >= 0.5
    tp = (called & validation.labels).sum()
    f1 = 2 * tp / (called.sum() + validation.labels.sum())
    tn = (~called & ~validation.labels).sum()
    f0 = 2 * tn / ((~called).sum() + (~validation.labels).sum())
    assert (f0 + f1) / 2 == pytest.approx(scores[best - 1])
    assert scores[best - 1] >= max(scores) - 0.002


def test_patience_ends_training(sides: tuple[WindowSet, WindowSet]) -> None:
    _, epochs, best = fitted(sides, epochs=50, patience=2, min_improvement=0.9, least_epochs=3)
    assert best == 3
    assert len(epochs) == 5


def test_an_equal_epoch_is_no_improvement(sides: tuple[WindowSet, WindowSet]) -> None:
    """All of validation called background, epoch after epoch: the first stays the best one."""
    still: dict[str, Any] = {"learning_rate": 1e-12, "averaging": 0, "recalibration": 0}
    _, epochs, best = fitted(
        sides, epochs=9, patience=2, min_improvement=0, least_epochs=2, **still
    )
    assert len({epoch.validation_macro_f1 for epoch in epochs[1:]}) == 1
    assert best == 2
    assert len(epochs) == 4


def test_each_epoch_draws_fresh_background_and_all_seizures(
    sides: tuple[WindowSet, WindowSet],
) -> None:
    training = sides[0]
    draw = EpochDraw(training, TrainingSettings(background_per_epoch=10), 0)
    first, second = draw.next(), draw.next()
    ictal = set(np.flatnonzero(training.labels & ~training.crosses_event_edge).tolist())
    for chosen in (first, second):
        assert len(set(chosen.tolist())) == len(chosen) == len(ictal) + 10
        assert ictal <= set(chosen.tolist())
        assert not training.crosses_event_edge[chosen].any()
    assert set(first.tolist()) != set(second.tolist())
    background, seizure = draw.class_weights()
    assert background * 10 == pytest.approx(seizure * len(ictal))
    everything = EpochDraw(training, TrainingSettings(draw="all", class_weights=(1.0, 3.0)), 0)
    assert len(everything.next()) == len(training.trainable())
    assert everything.class_weights() == (1.0, 3.0)


def test_balanced_draws_show_classes_and_subjects_alike(sides: tuple[WindowSet, WindowSet]) -> None:
    training = sides[0]
    draw = EpochDraw(training, TrainingSettings(windows_per_epoch=6000), 0)
    chosen = draw.next()
    assert len(chosen) == 6000
    assert training.labels[chosen].mean() == pytest.approx(0.5, abs=0.03)
    assert not training.crosses_event_edge[chosen].any()
    for kind in (False, True):
        people = training.subject_of[chosen][training.labels[chosen] == kind]
        _, counts = np.unique(people, return_counts=True)
        assert counts / counts.sum() == pytest.approx([1 / 3] * 3, abs=0.04)


def test_draws_are_those_of_numpy_with_a_chance_for_each_window(
    sides: tuple[WindowSet, WindowSet],
) -> None:
    """Classes alike, then data sets, then people."""
    names = [
        "a/x",
        "a/y",
        "a/z",
        "b/x",
        "b/y",
    ]
    subjects = [*names, "c/x", "c/x"]
    generator = np.random.default_rng(5)
    recording = np.sort(generator.integers(0, len(subjects), 700)).astype(np.int32)
    ictal = (generator.random(700) < 0.2) & (recording != 2) | (recording == 4)
    people = np.array(subjects)[recording]
    sets = np.array([name[0] for name in people])
    chance = np.zeros(700)
    for kind in (False, True):
        here = np.unique(sets[ictal == kind])
        for name in here:
            inside = (ictal == kind) & (sets == name)
            own = np.unique(people[inside])
            for person in own:
                rows = inside & (people == person)
                chance[rows] = 0.5 / (len(here) * len(own) * rows.sum())
    assert np.array_equal(_alike(recording, subjects, ictal), chance / chance.sum())
    training = sides[0]
    draw = EpochDraw(training, TrainingSettings(windows_per_epoch=300), 4)
    usable = training.trainable()
    own_chance = _alike(
        training.recording[usable],
        [part.entry.subject for part in training.prepared],
        training.labels[usable],
    )
    same = np.random.default_rng([4, 1])
    for count in (300, 64, 64):
        rows = draw.next() if count == 300 else draw.sample(count)
        assert np.array_equal(rows, same.choice(usable, count, p=own_chance))


@pytest.mark.parametrize(
    ("settings", "share"),
    [
        ({}, 0.5),
        ({"draw": "all"}, 0.5),
        ({"draw": "all", "class_weights": "none"}, None),
        ({"background_per_epoch": 10, "class_weights": (1.0, 3.0)}, None),
    ],
)
def test_the_prior_is_what_the_loss_sees(
    sides: tuple[WindowSet, WindowSet], settings: dict[str, Any], share: float | None
) -> None:
    training = sides[0]
    draw = EpochDraw(training, TrainingSettings.model_validate(settings), 0)
    labels = draw.labels(draw.next())
    weights = np.array(draw.class_weights())[labels]
    assert draw.prior == pytest.approx((weights * labels).sum() / weights.sum(), abs=0.03)
    if share is not None:
        assert draw.prior == pytest.approx(share)


def test_what_is_changed_in_a_window_is_what_was_asked_for(
    sides: tuple[WindowSet, WindowSet],
) -> None:
    training = sides[0]
    chosen = training.trainable()[:40]
    plain = training.batch(chosen)
    nothing = {"gain": 1, "drop_channels": 0, "permute_channels": False, "shift": False}

    def changed(**told: object) -> np.ndarray:
        rules = {**nothing, **told}
        draw = EpochDraw(training, TrainingSettings.model_validate({"augmentation": rules}), 0)
        return draw.batch(chosen)

    assert np.array_equal(changed(), plain)
    before, after = (np.sinh(one.astype(float)) for one in (plain, changed(gain=2)))
    factors = np.median(after / before, axis=(1, 2))
    assert ((factors > 0.49) & (factors < 2.01)).all()
    assert factors.std() > 0.2
    assert np.allclose(after, factors[:, None, None] * before, rtol=1e-5, atol=1e-6)
    silenced = (changed(drop_channels=3, drop_probability=1) == 0).all(axis=2).sum(axis=1)
    assert set(silenced) == {1, 2, 3}
    mixed = changed(permute_channels=True)
    assert not np.array_equal(mixed, plain)
    key = [np.sort(x.sum(axis=2), axis=1) for x in (mixed.astype(float), plain.astype(float))]
    assert np.allclose(key[0], key[1])
    swapped = changed(mirror=True)
    others, signs = mirrored(training.channel_names)
    assert set(signs) == {1}
    as_is = (swapped == plain).all(axis=(1, 2))
    turned = (swapped == plain[:, list(others)]).all(axis=(1, 2))
    assert (as_is ^ turned).all()
    assert 8 < turned.sum() < 32


def test_a_shifted_window_stays_in_its_recording_and_its_class(
    sides: tuple[WindowSet, WindowSet],
) -> None:
    training = sides[0]
    back, forth = training.back, training.forth
    assert set(back) == set(forth) == {0, 128}
    for index in np.flatnonzero(~training.crosses_event_edge):
        entry = training.prepared[training.recording[index]].entry
        for shift in (-back[index], forth[index]):
            start = training.starts[index] + shift
            assert 0 <= start <= training.prepared[0].signal.samples - 1024
            share = (
                entry.events.overlap(np.array([start / 256]), np.array([start / 256 + 4]))[0] / 4
            )
            assert share == pytest.approx(float(training.labels[index]))


def test_averaged_weights_are_the_running_mean() -> None:
    network = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(network.weight, 0.0)
    averaged = Averaged(network, 0.9)
    expected = 0.0
    for step in range(200):
        torch.nn.init.constant_(network.weight, float(step))
        averaged.step()
        keep = min(0.9, (1 + step) / (10 + step))
        expected = keep * expected + (1 - keep) * step
    (weight,) = averaged.network.parameters()
    assert weight.item() == pytest.approx(expected, rel=1e-5)
    assert Averaged(network, 0.0).network is network


def test_averaging_a_network_is_the_naive_formula_to_the_bit() -> None:
    network = build_network(NETWORK, 18, 1024, 0)
    averaged = Averaged(network, 0.7)
    naive = {name: value.clone() for name, value in network.state_dict().items()}
    optimiser = torch.optim.Adam(network.parameters(), fused=True)
    for step in range(12):
        optimiser.zero_grad()
        network.train()(torch.randn(4, 18, 1024)).square().sum().backward()
        optimiser.step()
        averaged.step()
        keep = min(0.7, (1 + step) / (10 + step))
        for name, new in network.state_dict().items():
            old = naive[name]
            naive[name] = old.lerp(new, 1 - keep) if new.is_floating_point() else new.clone()
    kept = averaged.network.state_dict()
    assert all(torch.equal(kept[name], value) for name, value in naive.items())


def test_recalibration_measures_what_the_norms_see() -> None:
    norm = torch.nn.BatchNorm1d(2)
    network = torch.nn.Sequential(torch.nn.Dropout(0.5), norm)
    generator = np.random.default_rng(0)
    batches = [generator.normal(3, 2, (16, 2, 50)).astype(np.float32) for _ in range(8)]
    recalibrate(network, batches)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    joined = np.concatenate(batches)
    assert norm.running_mean.numpy() == pytest.approx(joined.mean(axis=(0, 2)), rel=1e-4)
    assert norm.running_var.numpy() == pytest.approx(joined.var(axis=(0, 2)), rel=0.01)
    assert norm.momentum == 0.1
    assert not network.training
    before = norm.running_mean.clone()
    recalibrate(network, [])
    assert torch.equal(norm.running_mean, before)


def test_a_loss_that_leaves_the_numbers_is_an_error(sides: tuple[WindowSet, WindowSet]) -> None:
    network = BlockNetwork(NETWORK, 18, 1024)
    with torch.no_grad():
        network.linear.weight.fill_(float("inf"))
    with pytest.raises(TrainingError, match="training loss became"):
        train(network, *sides, TrainingSettings(epochs=1), 0)


def test_progress_is_told_after_every_epoch(sides: tuple[WindowSet, WindowSet]) -> None:
    told: list[tuple[int, int]] = []
    network = build_network(NETWORK, 18, 1024, 0)
    train(
        network,
        *sides,
        TrainingSettings(epochs=2),
        0,
        TrainingHooks(lambda epoch, of: told.append((epoch.epoch, of))),
    )
    assert told == [(1, 2), (2, 2)]


def test_a_checkpoint_is_the_network_again(tmp_path: Path) -> None:
    network = build_network(NETWORK, 18, 1024, 3).eval()
    path = tmp_path / "a.safetensors"
    save_network(network, path)
    first = path.read_bytes()
    save_network(network, path)
    assert path.read_bytes() == first
    again = load_network(path)
    assert again.settings == network.settings
    window = torch.randn(2, 18, 1024)
    assert torch.equal(again(window), network(window))
    for content in (first[: len(first) // 2], b"", b"rubbish" * 100):
        path.write_bytes(content)
        with pytest.raises(TrainingError, match="no checkpoint"):
            load_network(path)


def test_probability_is_softmax_without_overflow() -> None:
    logits = np.array([[0.0, 0.0], [0.0, 2.0], [1000.0, -1000.0], [-1000.0, 1000.0]])
    assert probability_of(logits) == pytest.approx([0.5, np.exp(2) / (1 + np.exp(2)), 0, 1])
