"""What kind of background a cohort has, which decides what a false-alarm rate on it is worth."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import dataclass

from secateur.recordings.cohort import Cohort, Entry

CLIP = 300.0
"""Seconds; shorter recordings are clips."""

POST_ICTAL = 1800.0
"""Seconds after a seizure's end during which the EEG is taken to be still under its influence."""


@dataclass(frozen=True)
class Background:
    """`hours` without seizure; recordings that are seizure from end to end; what it is, in words.

    `recordings`: how many there are; `typical`: their median length in seconds, `lengths`: that of the
    shortest and of the longest. `seizure_free`: by the user's word.
    """

    recordings: int
    typical: float
    lengths: tuple[float, float]
    hours: float
    seizure_throughout: int
    least_hours_of_a_subject: float
    post_ictal_only: bool
    seizure_free: bool = False

    @property
    def words(self) -> str:
        """For the report and for `data.background` in JSON."""
        if self.hours == 0:
            return "none"
        if self.seizure_free:
            return "free of seizures, as the user says"
        if self.post_ictal_only:
            return "post-ictal background only"
        if self.clips:
            shortest, longest = (f"{seconds:.0f}" for seconds in self.lengths)
            if shortest == longest:
                return f"clips of {longest} s"
            return f"clips of {shortest} to {longest} s, {self.typical:.0f} s in the median"
        return "continuous recordings"

    @property
    def clips(self) -> bool:
        """Whether most of it is too short to be called continuous."""
        return self.typical < CLIP


def describe_background(cohort: Cohort, among: Cohort | None = None) -> Background:
    """Look at where background lies.

    Clips that name the record they were cut from are put back in their places first. Background is
    post-ictal where a seizure of the same record ended at most `POST_ICTAL` seconds before. `among`: all
    recordings that are there, where `cohort` is only some of them: a seizure in any of them counts.
    """
    by_subject: dict[str, float] = defaultdict(float)
    by_record: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    throughout = 0
    for entry in cohort:
        free = entry.duration - entry.events.seconds
        throughout += free < 0.5
        by_subject[entry.subject] += free / 3600
    for entry in among or cohort:
        by_record[entry.subject, entry.source or entry.key].append(entry)
    described = {entry.key for entry in cohort}
    durations = [entry.duration for entry in cohort] or [0.0]
    return Background(
        recordings=len(cohort),
        typical=float(statistics.median(durations)),
        lengths=(min(durations), max(durations)),
        hours=sum(by_subject.values()),
        seizure_throughout=throughout,
        least_hours_of_a_subject=min(by_subject.values(), default=0.0),
        post_ictal_only=all(
            _follows_seizures(entries, described) for entries in by_record.values()
        ),
        seizure_free=cohort.seizure_free,
    )


def _follows_seizures(entries: list[Entry], described: set[str]) -> bool:
    """Whether every second of background in one record's `described` parts follows a seizure closely."""
    ends = sorted(
        entry.source_start + event.end for entry in entries for event in entry.events.merged()
    )
    begins = sorted(
        entry.source_start + event.onset for entry in entries for event in entry.events.merged()
    )
    for entry in (entry for entry in entries if entry.key in described):
        at = entry.source_start
        stop = at + entry.duration
        while at < stop - 0.5:
            current = [e for b, e in zip(begins, ends, strict=True) if b <= at + 0.5 < e]
            if current:
                at = max(current)
                continue
            following = [b for b in begins if b > at]
            until = min([stop, *following])
            before = [b for b in begins if b <= at]
            recent = [e for e in ends if e <= at + 0.5]
            # a clip of background may begin before the seizure's annotated end is over: it began
            # after the seizure did, which is what matters
            last = max(recent) if recent else (max(before) if before else None)
            if last is None or until - last > POST_ICTAL:
                return False
            at = until
    return True
