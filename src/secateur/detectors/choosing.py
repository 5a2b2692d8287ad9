"""Which event rules: chosen on validation recordings, from a small grid that is always the same.

Rules are noisier than a threshold: those that are best on three people often are worse on others. Rules other
than the plain ones are therefore taken only where each validation subject gains by them (`LEAST_GAIN`). What
that is worth: docs/explanation/method.md.

`choose_rules` does not choose the threshold: it was, on windows. Where every validation subject has an hour
of background or more, the event F1 decides (timescoring, counts summed over recordings); else false alarms
are too few to be counted, and the F1 of the class seizure over all windows does, each window called
by whether it lies in an event.

`choose_by_froc` asks for longer evidence before an alarm: smoothing and least duration of up to a minute, and
the threshold with them, by sensitivity at few false alarms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from secateur.detectors.evaluation import WindowTable, background_seconds
from secateur.detectors.event_rules import PostProcessing, to_events
from secateur.detectors.sweeping import RecordingWindows, froc_of
from secateur.events import Event, Events
from secateur.recordings import Entry
from secateur.scoring import Score, compare
from secateur.scoring.froc import Froc, OperatingPoint, hull, mean_sensitivity

ENOUGH_BACKGROUND = 3600.0
"""Seconds without seizure of each validation subject from which events are counted."""

SMOOTHING = (0.0, 3.0, 5.0)
RELEASE = (1.0, 0.75)
"""Shares of the threshold."""
MERGE_GAP = (5.0, 15.0)
SHORTEST = (3.0, 6.0, 10.0)

FROC_SMOOTHING = (0.0, 5.0, 10.0, 20.0, 30.0, 60.0)
FROC_SHORTEST = (1.0, 3.0, 10.0, 30.0)

LEAST_GAIN = 0.01
"""What each validation subject's F1 must gain, or reach 1, for other rules than the plain ones."""
_TOLERANCE = 1e-9

Criterion = Literal["event F1", "window F1", "FROC", "fixed"]


@dataclass(frozen=True)
class Choice:
    """The rules; `score` and `plain_score` by the criterion, None where nothing was compared."""

    rules: PostProcessing
    criterion: Criterion = "fixed"
    score: float | None = None
    plain_score: float | None = None
    tried: int = 0

    def as_dict(self) -> dict[str, Any]:
        """As result.json has it: the rules' fields and what they were chosen by."""
        return {
            **self.rules.model_dump(mode="json"),
            "criterion": self.criterion,
            "score": self.score,
            "plain_score": self.plain_score,
            "tried": self.tried,
        }


def rules_of(choice: dict[str, Any]) -> PostProcessing:
    """The rules in what `Choice.as_dict` gave."""
    names = PostProcessing.model_fields
    return PostProcessing.model_validate({name: choice[name] for name in names})


def grid(plain: PostProcessing) -> list[PostProcessing]:
    """What is tried, the plain rules first."""
    candidates = [plain]
    for smoothing, share, gap, shortest in product(SMOOTHING, RELEASE, MERGE_GAP, SHORTEST):
        changes = {
            "release": None if share == 1 else share * plain.threshold,
            "smoothing": smoothing,
            "merge_gap": gap,
            "shortest": shortest,
        }
        rules = plain.model_copy(update=changes)
        if rules not in candidates:
            candidates.append(rules)
    return candidates


def froc_grid(plain: PostProcessing) -> list[PostProcessing]:
    """What `choose_by_froc` tries, the plain rules first."""
    pairs = product(FROC_SMOOTHING, FROC_SHORTEST)
    others = (
        plain.model_copy(update={"smoothing": smoothing, "shortest": shortest})
        for smoothing, shortest in pairs
    )
    return [plain, *(rules for rules in others if rules != plain)]


def froc_curves(
    recordings: Sequence[RecordingWindows], plain: PostProcessing
) -> list[tuple[PostProcessing, Froc]]:
    """The curve of each of the rules that `choose_by_froc` tries."""
    return [(rules, froc_of(recordings, rules)) for rules in froc_grid(plain)]


def choose_by_froc(curves: Sequence[tuple[PostProcessing, Froc]], plain: PostProcessing) -> Choice:
    """The rules, and the threshold, that find most with no more false alarms than the plain ones raise.

    Judged is the area under the FROC curve (`froc_curves`, on validation) from no false alarm to as many as
    `plain` raises there; of equals the first. The threshold finds as many as can be found with so many false
    alarms; of equal ones it is the middle one, with room on both sides. Without a seizure nothing can be
    compared, and the plain rules stay.
    """
    points = [curve.points() for _, curve in curves]
    most = next(p.alarms.alarms for p in points[0] if p.threshold == plain.threshold)
    if not points[0][0].seizures:
        return Choice(plain)
    scores = [mean_sensitivity(each, most) for each in points]
    best = max(range(len(scores)), key=lambda k: (scores[k], -k))
    fitting = [point for point in hull(points[best]) if point.alarms.alarms <= most]
    threshold = _middle_of_equals(fitting[-1], points[best]) if fitting else plain.threshold
    rules = curves[best][0].moved_to(threshold)
    return Choice(rules, "FROC", scores[best], scores[0], len(curves))


def _middle_of_equals(point: OperatingPoint, points: Sequence[OperatingPoint]) -> float:
    counts = point.tp, point.alarms.alarms
    equals = sorted(p.threshold for p in points if (p.tp, p.alarms.alarms) == counts)
    return equals[len(equals) // 2]


def choose_rules(
    entries: Sequence[Entry],
    table: WindowTable,
    probability: NDArray[np.floating],
    hop: float,
    plain: PostProcessing,
) -> Choice:
    """The best rules of the grid by which every subject of `entries` gains; the plain ones where none are.

    The subjects' windows stand in `table`; those without a seizure count, but need not gain. Of equals the
    first. `probability`: of each of the table's windows, shape (n,); they follow each other without a gap.
    """
    judge = _Judge(entries, table, np.asarray(probability, dtype=np.float64), hop)
    candidates = grid(plain)
    scores = [judge.score(rules) for rules in candidates]
    required = np.minimum(scores[0][1] + LEAST_GAIN, 1.0) - _TOLERANCE
    best = 0
    for k, (score, by_subject) in enumerate(scores):
        if score > scores[best][0] + _TOLERANCE and bool((by_subject >= required).all()):
            best = k
    return Choice(candidates[best], judge.criterion, scores[best][0], scores[0][0], len(candidates))


class _Judge:
    """Scores rules on some recordings; each recording's windows are looked up once."""

    def __init__(
        self,
        entries: Sequence[Entry],
        table: WindowTable,
        probability: NDArray[np.float64],
        hop: float,
    ) -> None:
        self.hop = hop
        own = [(entry, table.rows(entry.key)) for entry in entries]
        self.parts = [(e, table.second[k], probability[k], table.label[k]) for e, k in own]
        # under montage each the channels of a file are one stretch of background, not several
        files = {entry.path: entry for entry in entries}
        least = min(background_seconds(list(files.values())).values(), default=0.0)
        self.criterion: Criterion = "event F1" if least >= ENOUGH_BACKGROUND else "window F1"
        self._subjects = np.array([entry.subject for entry in entries])
        self._voting = sorted({entry.subject for entry in entries if len(entry.events)})
        self._known: dict[tuple[int, tuple[Event, ...]], Score] = {}

    def score(self, rules: PostProcessing) -> tuple[float, NDArray[np.float64]]:
        """F1 over all recordings, and of each subject who has a seizure; 0 where it isn't defined."""
        count = self._by_event if self.criterion == "event F1" else self._by_window
        counts = np.array(
            [
                count(number, to_events(begin, probability, self.hop, rules, entry.duration))
                for number, (entry, begin, probability, _) in enumerate(self.parts)
            ]
        )
        of_subjects = [_f1(counts[self._subjects == subject]) for subject in self._voting]
        return _f1(counts), np.array(of_subjects)

    def _by_event(self, number: int, events: Events) -> tuple[int, int, int]:
        key = number, events.events
        if key not in self._known:  # most rules change few recordings
            self._known[key] = compare(self.parts[number][0].events.clipped(), events).events
        score = self._known[key]
        return score.tp, score.fp, score.ref - score.tp

    def _by_window(self, number: int, events: Events) -> tuple[int, int, int]:
        _, begin, _, label = self.parts[number]
        called = _inside(begin + self.hop / 2, events)
        true = int(np.sum(called & label))
        return true, int(np.sum(called)) - true, int(np.sum(label)) - true


def _f1(counts: NDArray[np.int64]) -> float:
    """`counts`: true, false and missed of each recording, shape (n, 3)."""
    true, false, missed = counts.sum(axis=0).tolist()
    total = 2 * true + false + missed
    return 2 * true / total if total else 0.0


def _inside(times: NDArray[np.float64], events: Events) -> NDArray[np.bool_]:
    """Whether each of `times` lies in one of `events`, which stand apart, in order."""
    if not len(events):
        return np.zeros(len(times), dtype=np.bool_)
    last = np.searchsorted([event.onset for event in events], times, side="right") - 1
    ends = np.array([event.end for event in events])
    return np.asarray((last >= 0) & (times < ends[last]))
