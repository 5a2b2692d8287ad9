"""The figures of a monitor's page as coordinates: a strip of days, numbers over days, channels by band.

Colours are Okabe and Ito's, which colour-blind readers tell apart; each kind of day has its own sign too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from secateur.monitoring.drift import Verdict
from secateur.monitoring.judging import DayReport, PatientReport
from secateur.monitoring.sketch import FEATURES, NUMBERS
from secateur.monitoring.wording import MEANING, moved

SIGN = {"fits": "·", "drift": "↗", "fault": "×", "not enough known": "?"}
"""What stands in a day's square, so that a strip printed in grey says the same."""

_SQUARE, _BAR = 26.0, 40.0
_WIDTH, _HEIGHT = 200.0, 90.0
"""Of a small multiple."""
_FULL_COLOUR = 6.0
"""Deviations of an hour up to which departures are drawn in colour, dB."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Square:
    """A day in the strip: where it stands, what it says, and the bar of its alarms below."""

    x: float
    kind: str
    sign: str
    title: str
    day: str
    alarms: int
    bar: float
    also_drift: bool


@dataclass(frozen=True)
class Strip:
    """A patient's days, each a square; `most`: alarms of the day with most."""

    width: float
    squares: tuple[Square, ...]
    most: int


def strip_of(patient: PatientReport) -> Strip:
    """Days in order; a gap of days leaves a gap of half a square."""
    most = max((day.alarms for day in patient.days), default=0)
    squares: list[Square] = []
    x, before = 0.0, None
    for day in patient.days:
        if before is not None and (day.date - before).days > 1:
            x += _SQUARE / 2
        squares.append(
            Square(
                x,
                day.kind.replace(" ", "-"),
                SIGN[day.kind],
                _title(day),
                f"{day.date:%d/%m}",
                day.alarms,
                _BAR * day.alarms / most if most else 0.0,
                day.kind == "fault" and day.drift.kind == "drift",
            )
        )
        x, before = x + _SQUARE, day.date
    return Strip(max(x, _SQUARE), tuple(squares), most)


def _title(day: DayReport) -> str:
    hours = day.seconds / 3600
    parts = [f"{day.date}: {day.kind}", f"{hours:.1f} h", f"{day.alarms} alarms"]
    parts += [fault.words for fault in day.faults[:5]]
    if day.drift.kind == "drift":
        parts.append(moved(day.drift))
    elif day.kind == "not enough known":
        parts.append(day.drift.reason)
    return "; ".join(parts)


@dataclass(frozen=True)
class Curve:
    """A number over days, and over the hours of the clock: the reference and the days since it moved.

    `points`: a path; `band`: the first days' range, (top, height), of `height`; `clock`: paths of both.
    """

    name: str
    moved: bool
    points: str
    dots: tuple[tuple[float, float, str], ...]
    band: tuple[float, float]
    clock: tuple[str, str]
    lowest: str
    highest: str


def curves_of(patient: PatientReport) -> tuple[Curve, ...]:
    """The ten numbers, those that drift moved first; none before there is a reference."""
    reference = [day for day in patient.days if day.date in patient.reference]
    if not reference or len(patient.days) < 2:
        return ()
    verdict = _last_drift(patient)
    moved_ones = verdict.moved if verdict is not None else ()
    since = verdict.since if verdict is not None else None
    recent = [
        day for day in patient.days if day not in reference and (not since or day.date >= since)
    ]
    order = [*moved_ones, *(k for k in range(len(NUMBERS)) if k not in moved_ones)]
    curves = [_curve(patient.days, reference, recent, k, k in moved_ones) for k in order]
    return tuple(curve for curve in curves if curve is not None)


def _curve(
    days: Sequence[DayReport],
    reference: Sequence[DayReport],
    recent: Sequence[DayReport],
    number: int,
    has_moved: bool,
) -> Curve | None:
    usual = _by_clock(reference, number)
    values = [_day_value(day, number, usual) for day in days]
    known = [(k, value) for k, value in enumerate(values) if not np.isnan(value)]
    if not known:
        return None
    first = [value for k, value in known if days[k] in reference]
    now = _by_clock(recent, number)
    level = float(np.nanmean(usual)) if not np.isnan(usual).all() else 0.0
    span = [value + level for _, value in known]
    low, high = min(span), max(span)
    pad = 0.15 * (high - low) or 1.0
    low, high = low - pad, high + pad

    def y(value: float) -> float:
        return _HEIGHT * (high - value) / (high - low)

    digits = 1 if high - low >= 1 else 2
    step = _WIDTH / max(len(days) - 1, 1)
    dots = tuple((step * k, y(v + level), f"{days[k].date}: {v + level:.2f}") for k, v in known)
    top, bottom = (y(max(first) + level), y(min(first) + level)) if first else (0.0, 0.0)
    both = np.concatenate((usual, now))
    return Curve(
        MEANING[NUMBERS[number]],
        has_moved,
        _path([(x, v) for x, v, _ in dots]),
        dots,
        (top, max(bottom - top, 1.0)),
        (_clock_path(usual, both), _clock_path(now, both)),
        f"{low:.{digits}f}",
        f"{high:.{digits}f}",
    )


def _day_value(day: DayReport, number: int, usual: Floats) -> float:
    """The mean departure of a day's hours from the same hours of the first days."""
    departures = [values[number] - usual[hour] for hour, values in day.hours.items()]
    known = [value for value in departures if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def _by_clock(days: Sequence[DayReport], number: int) -> Floats:
    """A number by hour of the clock, the mean over days: shape (24,)."""
    result = np.full(24, np.nan)
    for hour in range(24):
        values = [day.hours[hour][number] for day in days if hour in day.hours]
        known = [value for value in values if not np.isnan(value)]
        if known:
            result[hour] = np.mean(known)
    return result


def _clock_path(values: Floats, both: Floats) -> str:
    known = both[~np.isnan(both)]
    if not len(known):
        return ""
    low, high = float(known.min()), float(known.max())
    scale = _HEIGHT * 0.8 / ((high - low) or 1.0)
    points = [
        (_WIDTH * hour / 23, _HEIGHT * 0.9 - (value - low) * scale)
        for hour, value in enumerate(values)
        if not np.isnan(value)
    ]
    return _path(points)


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) if points else ""


@dataclass(frozen=True)
class Cell:
    """How far a channel lies above its usual in one feature; `share`: of what is drawn at most, −1 to 1."""

    x: float
    y: float
    share: float
    title: str


@dataclass(frozen=True)
class Heat:
    """Channels by features: the last drift's days against the first days."""

    channels: tuple[tuple[str, float], ...]
    cells: tuple[Cell, ...]
    height: float
    days: str


def heat_of(patient: PatientReport) -> Heat | None:
    """What changed by channel and band since drift began; None where none was called."""
    verdict = _last_drift(patient)
    if verdict is None:
        return None
    recent: list[date] = [
        day.date
        for day in patient.days
        if day.date not in patient.reference
        and (verdict.since is None or day.date >= verdict.since)
        and day.date <= verdict.date
    ]
    departures = patient.history.departures(recent)
    if departures is None:
        return None
    channels = patient.history.hours[0].setup.channels
    height, cells = 16.0, []
    for row, name in enumerate(channels):
        for column, feature in enumerate(FEATURES):
            value = departures[row, column]
            if not np.isnan(value):
                share = float(np.clip(value / _FULL_COLOUR, -1, 1))
                tenths = round(float(value), 1) + 0.0  # no minus before a zero
                cells.append(
                    Cell(column, row * height, share, f"{name}, {feature}: {tenths:+.1f} dB")
                )
    names = tuple((name, row * height) for row, name in enumerate(channels))
    days = f"{recent[0]} to {recent[-1]}"
    return Heat(names, tuple(cells), height * len(channels), days)


def _last_drift(patient: PatientReport) -> Verdict | None:
    drifting = [day.drift for day in patient.days if day.drift.kind == "drift"]
    return drifting[-1] if drifting else None
