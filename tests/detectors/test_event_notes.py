"""What is said beside scores by event: of the data what lies in the data, of a detector what lies in it."""

from __future__ import annotations

from secateur.detectors.evaluation import event_note
from secateur.recordings import Background
from secateur.scoring import beaten_by_always

LONG = Background(
    recordings=3,
    typical=7200.0,
    lengths=(7200.0, 7200.0),
    hours=6.0,
    seizure_throughout=0,
    least_hours_of_a_subject=2.0,
    post_ictal_only=False,
)


def test_nothing_is_said_of_recordings_with_nothing_amiss() -> None:
    assert event_note(3, LONG, seizures=4) is None


def test_recordings_without_a_seizure_have_false_alarms_alone() -> None:
    assert event_note(3, LONG, seizures=0) == (
        "no seizure on these recordings: only false alarms can be counted"
    )


def test_a_detector_is_beaten_by_one_that_always_fires() -> None:
    assert beaten_by_always(0.7, 0.8)
    assert beaten_by_always(0.8, 0.8)
    assert beaten_by_always(None, 0.8)
    assert not beaten_by_always(0.81, 0.8)
    # no seizure, so that F1 is 0 or not defined for both
    assert not beaten_by_always(None, None)
    assert not beaten_by_always(0.0, 0.0)
