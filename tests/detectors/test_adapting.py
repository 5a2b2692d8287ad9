"""A detector fitted to other recordings: which minutes it learns from, and what its file says afterwards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateur.detectors import Detector, load_detector, pack
from secateur.detectors.adapting import (
    AdaptingSettings,
    Relearned,
    adapt,
    first_minutes,
    forgetting,
)
from secateur.errors import CohortError, SettingsError
from secateur.recordings import Cohort, load_cohort
from secateur.runs import RunOutput
from secateur.scoring import Circumstances, Constraint, make_certificate
from tests.support.cohorts import write_cohort

LABELS = st.lists(st.booleans(), min_size=1, max_size=60).map(np.array)


@given(labels=LABELS, minutes=st.integers(1, 80))
def test_labelled_minutes_hold_the_first_seizure_and_begin_as_early_as_can_be(
    labels: np.ndarray, minutes: int
) -> None:
    settings = AdaptingSettings(method="head", minutes=minutes)
    try:
        chosen = first_minutes(labels, 1.0, settings)
    except SettingsError:
        count = min(minutes, len(labels))
        runs_of_seizure = "".join("1" if label else "0" for label in labels)
        assert not labels.any() or "1" * count in runs_of_seizure
        return
    assert chosen.stop - chosen.start == min(minutes, len(labels))
    seizure = np.flatnonzero(labels)
    over = seizure[0]
    while over < len(labels) and labels[over]:
        over += 1
    assert chosen.stop >= over
    assert labels[chosen].any()
    assert not labels[chosen].all()
    assert chosen.start == 0 or chosen.stop == over


@given(labels=LABELS, minutes=st.integers(1, 80))
def test_without_labels_they_are_the_first(labels: np.ndarray, minutes: int) -> None:
    chosen = first_minutes(labels, 1.0, AdaptingSettings(method="bn", minutes=minutes))
    assert chosen == slice(0, min(minutes, len(labels)))


@pytest.fixture(scope="module")
def recent(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Two further people, with weaker seizures."""
    folder = tmp_path_factory.mktemp("recent") / "recent"
    return load_cohort(write_cohort(folder, subjects=2, name="Recent", seed=50, rhythm=25))


@pytest.fixture(scope="module")
def parent(tiny_run: RunOutput) -> Detector:
    return load_detector(tiny_run.folder.detector("pruned"))


def test_a_threshold_is_moved_and_the_network_stays(parent: Detector, recent: Cohort) -> None:
    adapted = adapt(parent, recent, AdaptingSettings(minutes=1))
    after = Detector(adapted.content, "adapted")
    assert after.network.to_bytes() == parent.network.to_bytes()
    assert after.threshold != parent.threshold
    record = after.info.provenance.adapted[-1]
    assert record.parent == parent.fingerprint
    assert (record.method, record.data, record.epochs) == ("threshold", "Recent", 0)
    assert record.minutes == pytest.approx(1, abs=0.02)
    assert record.subjects == ("Recent/sub-01", "Recent/sub-02")[: len(record.subjects)]
    # who taught it a threshold can't judge it any more, and trained nothing
    assert set(record.subjects) <= set(after.info.provenance.validation_subjects)
    assert after.info.provenance.subjects == parent.info.provenance.subjects
    assert adapted.report["later"]["subjects"] >= 1


def test_what_comes_after_the_minutes_is_scored_without_them(
    parent: Detector, tmp_path: Path
) -> None:
    """One recording of a minute with a seizure from 13 to 35 s; what is learned from ends with it."""
    cohort = load_cohort(write_cohort(tmp_path / "one", subjects=1, name="One", rhythm=200))
    always = Detector(
        pack(
            parent.network.to_bytes(),
            parent.info.model_copy(
                update={"post_processing": parent.info.post_processing.moved_to(1e-6)}
            ),
        ),
        "always",
    )
    settings = AdaptingSettings(method="bn", minutes=36 / 60)
    unchanged = Relearned(parent.network.to_bytes(), 0)
    later = adapt(always, cohort, settings, lambda _: unchanged).report["later"]
    # the seizure was learned from: it is none that was missed, and all that is left is background
    assert later["event_sensitivity"] == {"before": None, "after": None}
    length, hop = (
        samples / parent.info.chain.sampling_rate for samples in parent.info.window_and_hop
    )
    left = 60 - (36 + length + length - hop)
    assert later["fp_per_day"]["before"] == pytest.approx(86_400 / left)


def test_adapted_again_it_remembers_both(parent: Detector, recent: Cohort) -> None:
    settings = AdaptingSettings(minutes=1)
    once = Detector(adapt(parent, recent, settings).content, "once")
    twice = Detector(adapt(once, recent, settings).content, "twice")
    assert [each.parent for each in twice.info.provenance.adapted] == [
        parent.fingerprint,
        once.fingerprint,
    ]


def test_a_certificate_is_never_inherited(parent: Detector, recent: Cohort) -> None:
    scores = {f"s{k}": {"auroc": 0.9 + 0.001 * k} for k in range(9)}
    certificate = make_certificate(
        Constraint(margins={"auroc": 0.1}),
        [scores],
        [("0.5", [scores])],
        Circumstances(ladder=("0.5",)),
    )
    with_it = parent.info.model_copy(update={"certificate": certificate})
    certified = Detector(pack(parent.network.to_bytes(), with_it), "certified")
    adapted = adapt(certified, recent, AdaptingSettings(minutes=1))
    after = Detector(adapted.content, "adapted").info
    assert after.certificate is None
    assert any("the certificate was left out" in note for note in adapted.notes)
    # nor can it be put in by hand: it speaks of another comparison
    with pytest.raises(ValueError, match="does not compare it with the detector"):
        type(after).model_validate({**after.model_dump(by_alias=True), "certificate": certificate})


def test_more_minutes_than_there_are_is_said(parent: Detector, recent: Cohort) -> None:
    adapted = adapt(parent, recent, AdaptingSettings(minutes=600))
    assert adapted.notes[0].startswith("600 minutes were asked for, 1.9 are there")
    assert "later" not in adapted.report


def test_forgetting_is_seen_on_who_trained_it_alone(
    parent: Detector, recent: Cohort, tiny_cohort: Path
) -> None:
    known = forgetting(parent, parent, load_cohort(tiny_cohort))
    assert known["subjects"] == len(parent.info.provenance.subjects)
    assert known["auroc"]["before"] == known["auroc"]["after"]
    with pytest.raises(CohortError, match="holds nobody who trained the detector"):
        forgetting(parent, parent, recent)
