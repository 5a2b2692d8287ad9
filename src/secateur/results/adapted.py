"""What a run of a study leaves whose networks were fitted to each test subject's earlier recordings, and
judged on the later ones.
"""

from __future__ import annotations

from typing import Literal

from secateur.results.run import Settings, SideCounts
from secateur.results.scores import Record
from secateur.results.study_run import ModelName, StudyRun


class Portion(SideCounts):
    """A subject's earlier or later recordings. `records`: that they were cut from; `minutes`: of them all."""

    records: int
    minutes: float


class AdaptedSubject(Record):
    """One test subject. `thresholds`: of the two networks, as they were judged; `note`: what the order in
    time rests on, where clocks say another.
    """

    earlier: Portion
    later: Portion
    thresholds: dict[ModelName, float]
    note: str = ""


class AdaptedRun(StudyRun):
    """A run each of whose networks became a detector for each test subject. `adapting`: how, as the study has
    it.

    Scores are of later recordings. Over all windows together there are none: those of several detectors are
    no one's. `subjects`: by name; `left_out`: test subjects who were not judged, and why.
    """

    kind: Literal["adapt"]
    adapting: Settings
    subjects: dict[str, AdaptedSubject]
    left_out: dict[str, str]
