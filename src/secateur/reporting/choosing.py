"""Which stretches of EEG to show: the worst misses, a seizure found as most are, the worst false alarms.

Comes in: a `RunResult`. Goes out: `Excerpt`s, each a stretch of one test recording and why it was
chosen. Next: `traces` draws them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secateur.reporting.style import number, percent
from secateur.runs import RunResult
from secateur.windows import Prepared

LONGEST = 40.0
"""Seconds of EEG in one excerpt."""

_MARGIN = 8.0
_WORST = 2


@dataclass(frozen=True)
class Excerpt:
    """A stretch of a test recording, in seconds. `kind` and `why` are for the caption."""

    prepared: Prepared
    begin: float
    end: float
    kind: str
    why: str


@dataclass(frozen=True)
class _Seizure:
    prepared: Prepared
    onset: float
    end: float
    found: float
    mean: float
    baseline: float


def choose(result: RunResult) -> list[Excerpt]:
    """Excerpts for the report, worst first; the same for the same result."""
    seizures = _seizures(result)
    excerpts: list[Excerpt] = []
    ranked = sorted(seizures, key=lambda one: (one.found, one.mean))
    worst = _of_different_subjects([one for one in ranked if one.found < 0.5], _WORST)
    for one in worst:
        excerpts.append(_of_seizure(one, "Worst miss"))
    rest = [one for one in ranked if one not in worst]
    changed = sorted(rest, key=lambda one: one.found - one.baseline)
    if changed and changed[0].found < changed[0].baseline - 0.1:
        excerpts.append(_of_seizure(changed[0], "Lost most by pruning"))
        rest.remove(changed[0])
    if rest:
        typical = rest[len(rest) // 2]
        excerpts.append(_of_seizure(typical, "A middling seizure"))
        if rest[-1] is not typical:
            excerpts.append(_of_seizure(rest[-1], "Found best"))
    return excerpts + _false_alarms(result)


def best_found(result: RunResult) -> Excerpt | None:
    """The seizure for the overview: found well, with background beside it where there is some."""
    seizures = _seizures(result)
    if not seizures or result.material.split.unit == "window":
        return None
    beside = [one for one in seizures if _background_beside(one) >= 5 and one.found >= 0.5]
    ranked = sorted(beside or seizures, key=lambda one: (-min(one.found, 0.9), -one.mean))
    one = ranked[0]
    whole = one.prepared.entry.duration
    half = LONGEST / 2
    begin = max(0.0, one.onset - half / 2 if one.onset >= 5 else one.end - half)
    return Excerpt(one.prepared, begin, min(whole, begin + LONGEST), "Example", _in_words(one))


def _background_beside(one: _Seizure) -> float:
    return max(one.onset, one.prepared.entry.duration - one.end)


def _seizures(result: RunResult) -> list[_Seizure]:
    """Every labelled seizure of the test side, with what the detectors made of it."""
    limits = {name: _threshold(result, name) for name in ("baseline", "pruned")}
    found = []
    for prepared in result.material.sides["test"].prepared:
        of_recording = result.table.key == prepared.entry.key
        second = result.table.second[of_recording]
        chance = {name: result.probability[name][of_recording] for name in limits}
        for event in prepared.entry.events.merged().clipped():
            inside = (second >= event.onset) & (second < event.end)
            if not inside.any():
                continue
            share = {
                name: float(np.mean(chance[name][inside] >= limit))
                for name, limit in limits.items()
            }
            mean = float(chance["pruned"][inside].mean())
            found.append(
                _Seizure(prepared, event.onset, event.end, share["pruned"], mean, share["baseline"])
            )
    return found


def _threshold(result: RunResult, name: str) -> float:
    return float(result.result["models"][name]["test"]["threshold"])


def _of_different_subjects(ranked: list[_Seizure], wanted: int) -> list[_Seizure]:
    """The first of each subject first; more of one subject only where subjects run out."""
    seen: set[str] = set()
    first: list[_Seizure] = []
    later: list[_Seizure] = []
    for one in ranked:
        (later if one.prepared.entry.subject in seen else first).append(one)
        seen.add(one.prepared.entry.subject)
    return (first + later)[:wanted]


def _of_seizure(one: _Seizure, kind: str) -> Excerpt:
    whole = one.prepared.entry.duration
    begin = max(0.0, one.onset - _MARGIN)
    end = min(whole, max(one.end + _MARGIN, begin + LONGEST / 2), begin + LONGEST)
    return Excerpt(one.prepared, begin, end, kind, _in_words(one))


def _in_words(one: _Seizure) -> str:
    return (
        f"of this seizure’s windows ({one.onset:.0f} to {one.end:.0f} s) the pruned detector calls "
        f"{percent(one.found)} ictal, the baseline {percent(one.baseline)}"
    )


def _false_alarms(result: RunResult) -> list[Excerpt]:
    """The longest runs of background windows that the pruned detector calls ictal."""
    threshold = _threshold(result, "pruned")
    hop = result.settings.windows.hop
    runs: list[tuple[float, float, Prepared, float, float]] = []
    for prepared in result.material.sides["test"].prepared:
        of_recording = result.table.key == prepared.entry.key
        second = result.table.second[of_recording]
        chance = result.probability["pruned"][of_recording]
        wrong = (chance >= threshold) & ~result.table.label[of_recording]
        for first, after in _runs(wrong):
            begin, end = float(second[first]), float(second[after - 1]) + hop
            runs.append((end - begin, float(chance[first:after].max()), prepared, begin, end))
    runs.sort(key=lambda run: (-run[0], -run[1], run[2].entry.key, run[3]))
    chosen: list[Excerpt] = []
    keys: set[str] = set()
    for length, highest, prepared, begin, end in runs:
        if prepared.entry.key in keys or len(chosen) == _WORST:
            continue
        keys.add(prepared.entry.key)
        left = max(0.0, min((begin + end - LONGEST) / 2, prepared.entry.duration - LONGEST))
        left = max(left, begin - _MARGIN) if end - begin > LONGEST else left
        why = (
            f"for {length:g} s ({begin:.0f} to {end:.0f} s) the pruned detector calls background "
            f"ictal, with a probability of up to {number(highest, 2)}"
        )
        right = min(prepared.entry.duration, left + LONGEST)
        chosen.append(Excerpt(prepared, left, right, "Worst false alarm", why))
    return chosen


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First index and the one after the last of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
