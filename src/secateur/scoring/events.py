"""Scores by event and by sample, the SzCORE way.

Comes in: reference and hypothesis `Events` of the same recordings. Goes out: `EventScore` and
`SampleScore`, summed over recordings, with timescoring's version beside them. Next: `cli` prints them,
`detectors.evaluation` and `studies` report them.

The counting is timescoring's (https://pypi.org/project/timescoring): events are merged when less than
90 s apart, cut into pieces of at most 300 s, matched by any overlap with 30 s of tolerance before and
60 s after. F1 changed its meaning in January 2026, so no number goes without the version.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
from timescoring.annotations import Annotation
from timescoring.scoring import EventScoring, SampleScoring

from secateur.errors import ScoringError
from secateur.events import Events
from secateur.scoring.metrics import METRICS, event_metrics

TIMESCORING_VERSION = version("timescoring")

_RATE = 10
"""Hz at which timescoring compares events."""


@dataclass(frozen=True)
class Score:
    """Counts summed over recordings. `seconds`: recorded time."""

    tp: int = 0
    fp: int = 0
    ref: int = 0
    seconds: float = 0.0

    def __add__(self, other: Score) -> Score:
        return Score(
            self.tp + other.tp,
            self.fp + other.fp,
            self.ref + other.ref,
            self.seconds + other.seconds,
        )

    @property
    def sensitivity(self) -> float | None:
        """Share of reference events (or samples) that were found."""
        return self.tp / self.ref if self.ref else None

    @property
    def precision(self) -> float | None:
        """Share of what was claimed that is true."""
        return self.tp / (self.tp + self.fp) if self.tp + self.fp else None

    @property
    def f1(self) -> float | None:
        """2·tp over 2·tp + fp + missed; None where there is neither a reference nor a false claim."""
        weight = self.ref + self.tp + self.fp
        return 2 * self.tp / weight if self.ref + self.fp else None

    @property
    def fp_per_day(self) -> float | None:
        """False claims in 24 h of recording."""
        return self.fp / (self.seconds / 86_400) if self.seconds > 0 else None

    def as_dict(self) -> dict[str, float | int | None]:
        """Counts, and every metric by event, under the names that JSON has."""
        metrics = (METRICS[key] for key in event_metrics())
        return {
            **{name: getattr(self, name) for name in ("tp", "fp", "ref")},
            **{metric.field: metric.measure(self) for metric in metrics},
        }


@dataclass(frozen=True)
class EventComparison:
    """What comparing hypotheses with references gave. `delays`: seconds from onset to detection."""

    events: Score = Score()
    samples: Score = Score()
    delays: tuple[float, ...] = ()

    def __add__(self, other: EventComparison) -> EventComparison:
        return EventComparison(
            self.events + other.events,
            self.samples + other.samples,
            self.delays + other.delays,
        )

    def as_dict(self) -> dict[str, object]:
        """What `secateur score --json` prints."""
        return {
            "events": self.events.as_dict(),
            "samples": self.samples.as_dict(),
            "timescoring": TIMESCORING_VERSION,
        }

    def delay(self, share: float) -> float | None:
        """The `share` quantile of the detection delay in seconds (0.5: the median)."""
        return float(np.quantile(self.delays, share)) if self.delays else None


def compare(reference: Events, hypothesis: Events) -> EventComparison:
    """Score one recording.

    Raises `ScoringError` where the two tell lengths that differ by more than half a second.
    """
    pair = _annotations(reference, hypothesis)
    if pair is None:
        return EventComparison()
    by_sample = SampleScoring(*pair)
    return EventComparison(
        _by_event(*pair, reference.duration),
        Score(int(by_sample.tp), int(by_sample.fp), int(by_sample.refTrue), reference.duration),
        tuple(_delays(reference, hypothesis)),
    )


def compare_events(reference: Events, hypothesis: Events) -> Score:
    """The counts by event of `compare` alone, for where many hypotheses are tried."""
    pair = _annotations(reference, hypothesis)
    return Score() if pair is None else _by_event(*pair, reference.duration)


def _annotations(reference: Events, hypothesis: Events) -> tuple[Annotation, Annotation] | None:
    """Both as timescoring takes them; None for a recording of no length."""
    if abs(reference.duration - hypothesis.duration) > 0.5:
        raise ScoringError(
            f"the reference covers {reference.duration:g} s, the hypothesis {hypothesis.duration:g} s"
        )
    samples = round(reference.duration * _RATE)
    if samples == 0:
        return None
    return _annotation(reference, samples), _annotation(hypothesis, samples)


def _by_event(reference: Annotation, hypothesis: Annotation, duration: float) -> Score:
    counted = EventScoring(reference, hypothesis)
    return Score(int(counted.tp), int(counted.fp), int(counted.refTrue), duration)


def compare_all(pairs: Iterable[tuple[Events, Events]]) -> EventComparison:
    """Score many recordings: counts are summed, then divided."""
    total = EventComparison()
    for reference, hypothesis in pairs:
        total += compare(reference, hypothesis)
    return total


def always(reference: Events) -> Events:
    """The hypothesis of a detector that always fires: what every event score must be held against."""
    mask = np.ones(max(1, round(reference.duration * _RATE)), dtype=np.bool_)
    return Events.from_mask(mask, len(mask) / max(reference.duration, 1e-9), reference.start)


def beaten_by_always(f1: float | None, always_f1: float | None) -> bool:
    """Whether a detector's event F1 is no better than that of one that always fires on the same recordings.

    Where no seizure is there neither finds one, and nothing is said.
    """
    return bool(always_f1) and (f1 or 0.0) <= (always_f1 or 0.0)


def _annotation(events: Events, samples: int) -> Annotation:
    # timescoring wants plain pairs in order, and no two that overlap
    pairs = [(event.onset, event.end) for event in events.merged().clipped()]
    return Annotation(pairs, _RATE, samples)


def _delays(reference: Events, hypothesis: Events) -> list[float]:
    """For each reference event that a hypothesis overlaps: seconds from its onset to that, at least 0."""
    delays = []
    for event in reference.merged():
        claims = [h.onset for h in hypothesis if h.onset < event.end and h.end > event.onset]
        if claims:
            delays.append(max(0.0, min(claims) - event.onset))
    return delays
