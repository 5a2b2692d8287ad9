"""EEG as readers of EEG know it: channels below each other, the detector's probability beneath.

Comes in: a `RunResult` and an `Excerpt` of one recording. Goes out: a matplotlib figure, or two axes of
another one drawn. Next: `sections` and `overview` show them.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from secateur.reporting.choosing import Excerpt
from secateur.reporting.drawing import FONT, new_figure, plain_axes
from secateur.reporting.style import COLOURS, DASHES, INK, MODEL_NAMES, SOFT, TRACE, TRUTH
from secateur.runs import MODELS, RunResult
from secateur.windows import SignalChain

_STEPS = (10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
_COLUMNS = 560
_CUT = 1.1


def excerpt_figure(result: RunResult, excerpt: Excerpt) -> Figure:
    """One excerpt: traces above, probabilities of baseline and pruned below."""
    channels = excerpt.prepared.signal.channels
    figure = new_figure(11.2, 1.9 + 0.185 * channels)
    upper, lower = figure.subplots(
        2, 1, sharex=True, height_ratios=(max(2.0, channels / 4.2), 1.25)
    )
    draw_traces(upper, result, excerpt)
    draw_probability(lower, result, excerpt)
    return figure


def draw_traces(axes: Axes, result: RunResult, excerpt: Excerpt, rows: int | None = None) -> None:
    """EEG of an excerpt. `rows`: at most so many channels, spread over the montage."""
    rate = result.material.sides["test"].rate
    first, last = round(excerpt.begin * rate), round(excerpt.end * rate)
    data = np.asarray(excerpt.prepared.signal.read(first, last), dtype=np.float64)
    names = channel_names(result, data.shape[0])
    if rows is not None and data.shape[0] > rows:
        chosen = np.linspace(0, data.shape[0] - 1, rows).round().astype(np.int64)
        data, names = data[chosen], [names[k] for k in chosen]
    step = _spacing(data)
    plain_axes(axes)
    _mark_truth(axes, excerpt)
    for row, values in enumerate(data):
        x, y = _envelope(values, excerpt.begin, rate)
        cut = np.clip(y / step, -_CUT, _CUT)
        axes.plot(x, row - cut, color=TRACE, linewidth=0.55)
    axes.set_ylim(len(data) - 0.2, -0.9)
    axes.set_xlim(excerpt.begin, excerpt.end)
    axes.set_yticks(range(len(data)), names, fontsize=FONT - 1.5)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", length=0, labelbottom=False)
    axes.spines[["left", "bottom"]].set_visible(False)
    _scale_bar(axes, step, len(data))


def draw_probability(axes: Axes, result: RunResult, excerpt: Excerpt) -> None:
    """Probability of baseline and pruned over the second that each window speaks for, and thresholds."""
    plain_axes(axes, grid="y")
    _mark_truth(axes, excerpt)
    hop = result.settings.windows.hop
    of_recording = result.table.key == excerpt.prepared.entry.key
    second = result.table.second[of_recording]
    shown = (second + hop > excerpt.begin) & (second < excerpt.end)
    for name in MODELS[:2]:
        chance = result.probability[name][of_recording][shown]
        x, y = _steps(second[shown], chance, hop)
        axes.plot(x, y, color=COLOURS[name], linewidth=1.8, label=MODEL_NAMES[name])
        threshold = result.result["models"][name]["test"]["threshold"]
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


def channel_names(result: RunResult, channels: int) -> list[str]:
    """Names of the network's channels, or their numbers where there are others than it takes."""
    names = SignalChain(result.material.chain).channel_names
    return list(names) if len(names) == channels else [str(k + 1) for k in range(channels)]


def _mark_truth(axes: Axes, excerpt: Excerpt) -> None:
    for event in excerpt.prepared.entry.events.merged().clipped():
        left, right = max(event.onset, excerpt.begin), min(event.end, excerpt.end)
        if left < right:
            axes.axvspan(left, right, color=TRUTH, alpha=0.2, linewidth=0)


def _spacing(data: NDArray[np.float64]) -> float:
    """µV between neighbouring channels: a round number that holds nearly all of the signal."""
    if data.size == 0:
        return float(_STEPS[0])
    wanted = 1.6 * float(np.median(np.quantile(np.abs(data), 0.98, axis=1)))
    return float(min(_STEPS, key=lambda step: abs(np.log(step / max(wanted, 1e-9)))))


def _envelope(
    values: NDArray[np.float64], begin: float, rate: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lowest and highest value of each column of the picture, so that no spike is lost."""
    per = max(1, len(values) // _COLUMNS)
    if per < 3:
        return begin + np.arange(len(values)) / rate, values
    columns = len(values) // per
    blocks = values[: columns * per].reshape(columns, per)
    at = np.sort(np.stack((blocks.argmin(axis=1), blocks.argmax(axis=1)), axis=1), axis=1)
    where = (at + np.arange(columns)[:, None] * per).ravel()
    return begin + where / rate, values[where]


def _steps(
    second: NDArray[np.float64], chance: NDArray[np.float64], hop: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A level for each window over the stretch it speaks for."""
    return np.stack((second, second + hop), axis=1).ravel(), np.repeat(chance, 2)


def _scale_bar(axes: Axes, step: float, rows: int) -> None:
    """A bar of one spacing at the right, with its µV."""
    place = axes.get_yaxis_transform()
    top = max(0.0, rows - 2.0)
    axes.plot(
        (1.012, 1.012),
        (top, top + 1),
        transform=place,
        color=INK,
        linewidth=1.6,
        clip_on=False,
        solid_capstyle="butt",
    )
    axes.text(
        1.02,
        top + 0.5,
        f"{step:g} µV",
        transform=place,
        va="center",
        ha="left",
        fontsize=FONT - 1,
        color=SOFT,
    )
