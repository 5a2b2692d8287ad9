"""Scores in the middle of retraining: on windows that stand for the test side, which cost next to nothing."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from secateur.runs import RunOutput
from secateur.runs.after_epochs import AfterEpochs, Sample
from secateur.scoring import WindowScores
from secateur.training import load_network, logits_of
from secateur.windows import WindowSet


def test_the_sample_stands_for_each_subject_and_class(tiny_run: RunOutput) -> None:
    windows = tiny_run.material.sides["training"]
    sample = Sample.of(windows, 30)
    assert len(sample.indices) <= 30
    assert (np.diff(sample.indices) > 0).all()
    drawn, labels = windows.subject_of[sample.indices], windows.labels[sample.indices]
    for subject in windows.subjects:
        for ictal in (True, False):
            own = (windows.subject_of == subject) & (windows.labels == ictal)
            chosen = (drawn == subject) & (labels == ictal)
            assert sample.weights[chosen].sum() == pytest.approx(own.sum())
            # evenly: as near as so few can be to every window of the group
            steps = np.searchsorted(np.flatnonzero(own), sample.indices[chosen])
            gaps = np.diff([-steps[0] - 1, *steps, 2 * own.sum() - steps[-1] - 1])
            assert gaps.max() - gaps.min() <= 2
    # every metric that is a mean over windows, of something that changes slowly, is nearly the side's
    seconds = windows.seconds / windows.seconds.max()
    chosen = WindowScores(labels, seconds[sample.indices], 0.5)
    whole = WindowScores(windows.labels, seconds, 0.5)
    assert chosen.brier(sample.weights) == pytest.approx(whole.brier(), abs=0.02)
    assert chosen.auroc(sample.weights) == pytest.approx(whole.auroc(), abs=0.05)


def test_a_small_side_is_looked_at_in_full(tiny_run: RunOutput) -> None:
    test = tiny_run.material.sides["test"]
    sample = Sample.of(test, len(test))
    assert (sample.indices == np.arange(len(test))).all()
    assert (sample.weights == 1).all()


def test_each_look_passes_over_few_windows(
    tiny_run: RunOutput, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed: list[int] = []

    def counting(network, batches):  # type: ignore[no-untyped-def]
        passed.append(sum(map(len, batches)))
        return logits_of(network, batches)

    monkeypatch.setattr("secateur.runs.after_epochs.logits_of", counting)
    monkeypatch.setattr("secateur.runs.after_epochs.WINDOWS", {"validation": 8, "test": 16})
    sides, settings = tiny_run.material.sides, tiny_run.settings
    assert len(sides["test"]) > 100
    watch = AfterEpochs(sides, settings.threshold, 0.5, settings.seed)
    monkeypatch.setattr(WindowSet, "batch", None)  # nothing is read again
    network = load_network(tiny_run.folder.network("pruned"))
    for epoch in range(6):
        watch(epoch, network)
    assert watch.scores.keys() == {"0", "1", "2", "4"}
    assert len(passed) == 8
    assert sum(passed) <= 4 * (8 + 16)
    assert watch.scores["0"] == watch.scores["4"]  # nothing is drawn anew
    assert watch.scores["0"]["windows"] == passed[1]
    assert watch.scores["0"]["subjects"].keys() == set(sides["test"].subjects)
    watch(0, network)
    assert watch.scores.keys() == {"0"}
