"""Windows of many recordings: drawn alike by subject, and as stretches over which a network passes once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from secateur.detectors import load_detector
from secateur.detectors.evaluation import window_probability
from secateur.recordings import load_cohort
from secateur.runs import RunOutput
from secateur.windows import (
    Cache,
    ChainSettings,
    WindowSet,
    WindowSettings,
    fit_scale,
    index_windows,
    prepare,
)


def set_of(cohort: Path, scaling: str, keep: int | None = None) -> WindowSet:
    """All windows of a cohort, or of its first recordings every `keep`-th alone."""
    chain = ChainSettings.model_validate({"scaling": scaling})
    prepared, _ = prepare(load_cohort(cohort).entries, chain, Cache())
    scale = fit_scale(prepared, chain, 18)
    index = index_windows(prepared, chain, WindowSettings())
    if keep:
        chosen = np.flatnonzero((index.recording > 1) | (np.arange(len(index.labels)) % keep == 0))
        index = index.take(chosen)
    return WindowSet(prepared, chain, WindowSettings(), scale, index)


@pytest.mark.parametrize("scaling", ["training-set", "running"])
@pytest.mark.parametrize("keep", [None, 3])
def test_one_pass_gives_the_probabilities_of_the_windows_by_themselves(
    tiny_run: RunOutput, tiny_cohort: Path, scaling: str, keep: int | None
) -> None:
    windows = set_of(tiny_cohort, scaling, keep)
    spans = [windows.in_a_row(k) for k in range(len(windows.prepared))]
    assert [span is None for span in spans] == [bool(keep) and k < 2 for k in range(6)]
    detector = load_detector(tiny_run.folder.detector("baseline"))
    everything = np.arange(len(windows))
    expected = np.concatenate(
        [detector.probability(windows.batch(part)) for part in np.array_split(everything, 9)]
    )
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(window_probability(detector, windows), expected, atol=2e-6)


def test_a_stretch_is_its_windows_joined(tiny_cohort: Path) -> None:
    windows = set_of(tiny_cohort, "running")
    span = windows.in_a_row(2)
    assert span is not None
    rows = np.flatnonzero(windows.recording == 2)
    stretch = windows.chained(2, *span)
    for row in rows[[0, 7, -1]]:
        begin = windows.starts[row] - span[0]
        window = windows.batch(np.array([row]))[0]
        assert np.array_equal(stretch[:, begin : begin + windows.length], window)


def test_windows_are_drawn_alike_by_subject(tiny_cohort: Path) -> None:
    windows = set_of(tiny_cohort, "training-set")
    assert len(windows.alike_by_subject(10_000, 0)) == len(windows) == 6 * 57
    drawn = windows.alike_by_subject(120, 0)
    assert len(drawn) == len(set(drawn.tolist())) == 120
    people, counts = np.unique(windows.subject_of[drawn], return_counts=True)
    assert len(people) == 6
    assert set(counts) == {20}
    for person in people:
        own = windows.subject_of == person
        share = windows.labels[own].mean()
        assert windows.labels[drawn][own[drawn]].mean() == pytest.approx(share, abs=0.03)
    assert np.array_equal(drawn, windows.alike_by_subject(120, 0))
    assert not np.array_equal(drawn, windows.alike_by_subject(120, 1))
    few = windows.alike_by_subject(3, 0)  # fewer than subjects
    assert len(few) == 3
