"""Stretches of EEG: which to show (the worst misses and false alarms, a middling seizure), and how.

Channels stand below each other, the detector's probability beneath, as readers of EEG know it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from secateur.reporting.attributed import attribution
from secateur.reporting.document import number, percent
from secateur.reporting.drawing import FONT, new_figure, plain_axes
from secateur.reporting.eeg import draw_eeg, draw_seconds, shade
from secateur.reporting.style import COLOURS, DASHES, MODEL_NAMES, PRODUCT, TRUTH
from secateur.windows import Prepared, SignalChain

if TYPE_CHECKING:
    from secateur.explaining.network import ExplainedNetwork
    from secateur.runs import RunOutput

LONGEST = 40.0
"""Seconds of EEG in one excerpt."""

_BESIDE = 8.0
"""Seconds shown before and after."""
_WORST = 2
_BAR = 0.03
"""Of the height: labelled seizures, where attribution stands behind the traces."""


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
    called: float
    mean: float
    baseline: float


def choose(result: RunOutput) -> list[Excerpt]:
    """Excerpts for the report, worst first; the same for the same result."""
    seizures = _seizures(result)
    excerpts: list[Excerpt] = []
    ranked = sorted(seizures, key=lambda seizure: (seizure.called, seizure.mean))
    worst = _of_different_subjects([seizure for seizure in ranked if seizure.called < 0.5], _WORST)
    for seizure in worst:
        excerpts.append(_of_seizure(seizure, "Worst miss"))
    rest = [seizure for seizure in ranked if seizure not in worst]
    changed = sorted(rest, key=lambda seizure: seizure.called - seizure.baseline)
    if changed and changed[0].called < changed[0].baseline - 0.1:
        excerpts.append(_of_seizure(changed[0], "Lost most by pruning"))
        rest.remove(changed[0])
    if rest:
        typical = rest[len(rest) // 2]
        excerpts.append(_of_seizure(typical, "A middling seizure"))
        if rest[-1] is not typical:
            excerpts.append(_of_seizure(rest[-1], "Found best"))
    return excerpts + _false_alarms(result)


def best_found(result: RunOutput) -> Excerpt | None:
    """The seizure for the overview: found well, with background beside it where there is some."""
    seizures = _seizures(result)
    if not seizures or result.material.split.unit == "window":
        return None
    beside = [
        seizure
        for seizure in seizures
        if _background_beside(seizure) >= 5 and seizure.called >= 0.5
    ]
    ranked = sorted(
        beside or seizures, key=lambda seizure: (-min(seizure.called, 0.9), -seizure.mean)
    )
    seizure = ranked[0]
    duration = seizure.prepared.entry.duration
    half = LONGEST / 2
    begin = max(0.0, seizure.onset - half / 2 if seizure.onset >= 5 else seizure.end - half)
    return Excerpt(
        seizure.prepared, begin, min(duration, begin + LONGEST), "Example", _in_words(seizure)
    )


def _background_beside(seizure: _Seizure) -> float:
    return max(seizure.onset, seizure.prepared.entry.duration - seizure.end)


def _seizures(result: RunOutput) -> list[_Seizure]:
    """Every labelled seizure of the test side, with what the detectors made of it."""
    limits = {name: _threshold(result, name) for name in ("baseline", "pruned")}
    seizures = []
    for prepared in result.material.sides["test"].prepared:
        of_recording = result.table.rows(prepared.entry.key)
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
            seizures.append(
                _Seizure(prepared, event.onset, event.end, share["pruned"], mean, share["baseline"])
            )
    return seizures


def _threshold(result: RunOutput, name: str) -> float:
    test = result.result.models[name].test
    assert test is not None  # a run tests
    return test.threshold


def _of_different_subjects(ranked: list[_Seizure], count: int) -> list[_Seizure]:
    """The first of each subject first; more of one subject only where subjects run out."""
    seen: set[str] = set()
    first: list[_Seizure] = []
    later: list[_Seizure] = []
    for seizure in ranked:
        (later if seizure.prepared.entry.subject in seen else first).append(seizure)
        seen.add(seizure.prepared.entry.subject)
    return (first + later)[:count]


def _of_seizure(seizure: _Seizure, kind: str) -> Excerpt:
    duration = seizure.prepared.entry.duration
    begin = max(0.0, seizure.onset - _BESIDE)
    end = min(duration, max(seizure.end + _BESIDE, begin + LONGEST / 2), begin + LONGEST)
    return Excerpt(seizure.prepared, begin, end, kind, _in_words(seizure))


def _in_words(seizure: _Seizure) -> str:
    return (
        f"of this seizure’s windows ({seizure.onset:.0f} to {seizure.end:.0f} s) the pruned detector calls "
        f"{percent(seizure.called)} ictal, the baseline {percent(seizure.baseline)}"
    )


def _false_alarms(result: RunOutput) -> list[Excerpt]:
    """The longest runs of background windows that the pruned detector calls ictal."""
    threshold = _threshold(result, "pruned")
    hop = result.settings.windows.hop
    runs: list[tuple[float, float, Prepared, float, float]] = []
    for prepared in result.material.sides["test"].prepared:
        of_recording = result.table.rows(prepared.entry.key)
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
        onset = max(0.0, min((begin + end - LONGEST) / 2, prepared.entry.duration - LONGEST))
        onset = max(onset, begin - _BESIDE) if end - begin > LONGEST else onset
        why = (
            f"for {length:g} s ({begin:.0f} to {end:.0f} s) the pruned detector calls background "
            f"ictal, with a probability of up to {number(highest, 2)}"
        )
        right = min(prepared.entry.duration, onset + LONGEST)
        chosen.append(Excerpt(prepared, onset, right, "Worst false alarm", why))
    return chosen


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First index and the one after the last of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def excerpt_figure(
    result: RunOutput, excerpt: Excerpt, network: ExplainedNetwork | None = None
) -> Figure:
    """One excerpt: traces above, probabilities of baseline and pruned below.

    `network`: the pruned one's; what seconds of channels add to its margin is drawn behind the traces, and
    what seconds add below them.
    """
    channels = excerpt.prepared.signal.channels
    stretch = excerpt.prepared, excerpt.begin, excerpt.end
    added = None if network is None else attribution(result, network, *stretch)
    heights = [max(2.0, channels / 4.2), 1.25]
    if added is not None:
        heights.insert(1, 0.6)
    figure = new_figure(11.2, 1.9 + 0.185 * channels + (0 if added is None else 0.5))
    grid = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
    if added is None:
        draw_traces(grid[0], result, excerpt)
    else:
        _mark_truth(grid[0], excerpt, _BAR)
        _draw_signal(grid[0], result, excerpt, None)
        shade(grid[0], added.values, added.edges)
        draw_seconds(grid[1], added.seconds, added.edges)
        grid[1].tick_params(axis="x", length=0, labelbottom=False)
    draw_probability(grid[-1], result, excerpt)
    return figure


def draw_traces(axes: Axes, result: RunOutput, excerpt: Excerpt, rows: int | None = None) -> None:
    """EEG of an excerpt. `rows`: at most so many channels, spread over the montage."""
    _mark_truth(axes, excerpt)
    _draw_signal(axes, result, excerpt, rows)


def _draw_signal(axes: Axes, result: RunOutput, excerpt: Excerpt, rows: int | None) -> None:
    rate = result.material.sides["test"].rate
    first, last = round(excerpt.begin * rate), round(excerpt.end * rate)
    data = np.asarray(excerpt.prepared.signal.read(first, last), dtype=np.float64)
    names = channel_names(result, data.shape[0])
    if rows is not None and data.shape[0] > rows:
        chosen = np.linspace(0, data.shape[0] - 1, rows).round().astype(np.int64)
        data, names = data[chosen], [names[k] for k in chosen]
    draw_eeg(axes, data, names, excerpt.begin, rate)


def draw_probability(axes: Axes, result: RunOutput, excerpt: Excerpt) -> None:
    """Probability of baseline and pruned over the second that each window speaks for, and thresholds."""
    plain_axes(axes, grid="y")
    _mark_truth(axes, excerpt)
    hop = result.settings.windows.hop
    of_recording = result.table.rows(excerpt.prepared.entry.key)
    second = result.table.second[of_recording]
    drawn = (second + hop > excerpt.begin) & (second < excerpt.end)
    for name in PRODUCT:
        chance = result.probability[name][of_recording][drawn]
        x, y = _steps(second[drawn], chance, hop)
        axes.plot(x, y, color=COLOURS[name], linewidth=1.8, label=MODEL_NAMES[name])
        threshold = _threshold(result, name)
        axes.axhline(
            threshold,
            color=COLOURS[name],
            linewidth=1,
            linestyle=DASHES["random"],
            label=f"its threshold, {threshold:.2f}",
        )
    axes.set(xlim=(excerpt.begin, excerpt.end), ylim=(-0.04, 1.04), yticks=(0, 0.5, 1))
    axes.set_xlabel("seconds from the recording’s start")
    axes.set_ylabel("probability\nof seizure")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 0.99), ncols=4, fontsize=FONT - 1)


def channel_names(result: RunOutput, channels: int) -> list[str]:
    """Names of the network's channels, or their numbers where there are others than it takes."""
    names = SignalChain(result.material.chain).channel_names
    return list(names) if len(names) == channels else [str(k + 1) for k in range(channels)]


def _mark_truth(axes: Axes, excerpt: Excerpt, share: float = 1.0) -> None:
    """Yellow behind the labelled seizures. `share`: of the height, from above; what is narrow is strong."""
    alpha = 0.2 if share == 1 else 1.0
    for event in excerpt.prepared.entry.events.merged().clipped():
        left, right = max(event.onset, excerpt.begin), min(event.end, excerpt.end)
        if left < right:
            axes.axvspan(left, right, 1 - share, color=TRUTH, alpha=alpha, linewidth=0)


def _steps(
    second: NDArray[np.float64], chance: NDArray[np.float64], hop: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A level for each window over the stretch it speaks for."""
    return np.stack((second, second + hop), axis=1).ravel(), np.repeat(chance, 2)
