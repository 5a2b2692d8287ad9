"""Drift: whether a patient's days still are as their own first days were, judged once a day.

A day is the mean of its hours' deviations from the same hours of the clock on the reference days. Two
statistics add such days up: a CUSUM (Page (1954), Biometrika 41:100-115) of the day in its own deviations,
and the logarithm of a conformal test martingale (Vovk, Nouretdinov and Gammerman (2003), ICML 768-775) that
bets on the day's rank among the reference days. Days compared with one reference depend on each other, so
neither has its textbook limit: both limits come from simulation.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from secateur.errors import SettingsError

LIMITS_FILE = "drift_limits.json"
"""Written by `python -m benchmarks.guarantee.drift`, beside this module."""

HOURS = 24
MOST_NUMBERS = 10
"""Numbers an hour that are tested together; the limits are found for so many."""

FEWEST_HOURS = 6
"""Hours that a day must have, of those that the reference days have, to be judged."""

FEWEST_SEEN = 3
"""Reference days on which an hour of the clock must have been seen to be compared."""

_ALLOWANCE = (
    2.0  # deviations of a day that the CUSUM lets pass: what a reference's own error may reach
)
_LARGEST_DAY = 6.0  # deviations to which a day is clipped, so that no single day makes an alarm
_PRIOR_DAYS = (
    12.0  # reference days that the spread of all numbers together is worth for one number's
)
_LEAST_SHARE = 0.1  # of an hour's variance that a day's mean has at least
_BET = 3.0  # power of the rank by which the martingale bets
_CEILING = (
    2.0  # times the limit at which a statistic stops, so that it comes down when the drift is over
)

Kind = Literal["not enough known", "fits", "drift"]
Direction = Literal["up", "down"]
Rule = Literal["CUSUM", "martingale"]
DIRECTIONS: tuple[Direction, ...] = ("up", "down")
RULES: tuple[Rule, ...] = ("CUSUM", "martingale")


@dataclass(frozen=True)
class Day:
    """One day of a patient.

    `hours`: from the hour of the clock (0 to 23) to that hour's numbers, at most ten, NaN where unknown;
    each a vector of the same length on every day.
    """

    date: datetime.date
    hours: Mapping[int, NDArray[np.float64]]


@dataclass(frozen=True)
class Verdict:
    """What is said of one day.

    `number`: index of the number that stands highest against its limit, with its `direction`, its
    `statistic` and `limit` under `rule`, and the day `since` when the statistic has grown; all None where
    not enough is known. `moved`: all numbers above their limits, the highest first. `left_out`: numbers that
    can't be judged, because a reference day lacks them or they did not vary. `reason`: why not enough is
    known, in words.
    """

    date: datetime.date
    kind: Kind
    number: int | None = None
    direction: Direction | None = None
    since: datetime.date | None = None
    rule: Rule | None = None
    statistic: float | None = None
    limit: float | None = None
    moved: tuple[int, ...] = ()
    left_out: tuple[int, ...] = ()
    reason: str = ""


class Limits(NamedTuple):
    """Above which a statistic is drift."""

    cusum: float
    martingale: float


def judge(days: Sequence[Day], reference_days: int = 7) -> list[Verdict]:
    """One verdict a day, in order; a day's does not depend on later days.

    `days`: of one patient, by date; days without recording may be absent. The first `reference_days` days
    with enough hours are the reference, and are themselves "not enough known".

    Raises `SettingsError` for days out of order, hours off the clock, numbers that are more than ten or not
    the same on every hour, and a count of reference days for which no limits are known.
    """
    limits = limits_of(reference_days)
    values = _as_array(days)
    hours = np.isfinite(values).any(axis=2).sum(axis=1)
    known = np.flatnonzero(hours >= FEWEST_HOURS)
    verdicts = [_unknown(day.date, int(count)) for day, count in zip(days, hours, strict=True)]
    for order, index in enumerate(known[:reference_days], start=1):
        reason = f"reference day {order} of {reference_days}"
        verdicts[index] = Verdict(days[index].date, "not enough known", reason=reason)
    later = known[reference_days:]
    if later.size == 0:
        return verdicts
    reference = reference_of(values[np.newaxis, known[:reference_days]])
    scores = follow(reference, values[np.newaxis, later], limits)
    dates = [days[index].date for index in later]
    for position, index in enumerate(later):
        verdicts[index] = _verdict(position, dates, scores, limits)
    return verdicts


@dataclass(frozen=True)
class Reference:
    """What patients' reference days were. P patients, R days, K numbers.

    `mean`: by hour of the clock, P × 24 × K, NaN where it can't be compared. `spread`: standard deviation of
    a new day's mean deviation, P × K, NaN where a number can't be judged. `deviations`: of the reference
    days from that mean, P × R × K. `hours`: compared, mean a day, P × K.
    """

    mean: NDArray[np.floating]
    spread: NDArray[np.floating]
    deviations: NDArray[np.floating]
    hours: NDArray[np.floating]


class Scores(NamedTuple):
    """Both statistics by day. Each of shape P × days × 2 directions × K; `judged`: P × days × K."""

    cusum: NDArray[np.floating]
    martingale: NDArray[np.floating]
    judged: NDArray[np.bool_]


def reference_of(values: NDArray[np.floating]) -> Reference:
    """The reference of patients' first days, P × R × 24 × K, NaN where unknown."""
    count = values.shape[1]
    seen = np.isfinite(values).sum(axis=1)
    usable = np.where(seen >= min(FEWEST_SEEN, count), seen, 1)
    total = np.where(np.isfinite(values), values, 0).sum(axis=1)
    mean = np.where(seen >= min(FEWEST_SEEN, count), total / usable, np.nan)
    deviations, hours = _day_means(values, mean)
    residual = np.nan_to_num(values - mean[:, np.newaxis])
    freedom = np.maximum(hours.sum(axis=1) - np.isfinite(mean).sum(axis=1), 1)
    hourly = (residual**2).sum(axis=(1, 2)) / freedom
    complete = (hours >= FEWEST_HOURS).all(axis=1) & (hourly > 1e-12 * (1 + total.max(axis=1) ** 2))
    # A new day takes no part in the mean from which it deviates, so it deviates more: by 1 + 1 / R.
    scatter = (deviations**2).sum(axis=1) / (count - 1)
    daily = np.where(complete, scatter * (1 + 1 / count), np.nan)
    hourly = np.where(complete, hourly, np.nan)
    spread = np.sqrt(_shrunk(daily, hourly, count))
    return Reference(mean, spread, deviations, hours.mean(axis=1))


def _shrunk(
    daily: NDArray[np.floating], hourly: NDArray[np.floating], count: int
) -> NDArray[np.floating]:
    """Variances of days, P × K, drawn to what all numbers of a patient say of days against hours."""
    ratio = daily / hourly
    judged = np.isfinite(ratio)
    shared = np.where(judged, ratio, 0).sum(axis=1) / np.maximum(judged.sum(axis=1), 1)
    prior = np.maximum(shared, _LEAST_SHARE)[:, np.newaxis] * hourly
    weighted = _PRIOR_DAYS * prior + (count - 1) * daily
    return np.asarray(weighted / (_PRIOR_DAYS + count - 1))


def follow(reference: Reference, values: NDArray[np.floating], limits: Limits | None) -> Scores:
    """Both statistics over patients' days after the reference, P × days × 24 × K.

    `limits`: at twice which the statistics stop; None: nowhere.
    """
    means, hours = _day_means(values, reference.mean)
    judged = (hours >= FEWEST_HOURS) & np.isfinite(reference.spread)[:, np.newaxis]
    # A day of fewer hours varies more, at most as if its hours were independent.
    fewer = np.maximum(1, reference.hours[:, np.newaxis] / np.maximum(hours, 1))
    spread = reference.spread[:, np.newaxis] * np.sqrt(fewer)
    day = np.clip(np.where(judged, means / spread, 0), -_LARGEST_DAY, _LARGEST_DAY)
    steps = np.stack((day, -day), axis=2) - _ALLOWANCE
    above = (reference.deviations[:, np.newaxis] > means[:, :, np.newaxis]).sum(axis=2)
    below = (reference.deviations[:, np.newaxis] < means[:, :, np.newaxis]).sum(axis=2)
    gains = _log_bets(reference.deviations.shape[1])
    bets = np.stack((gains[above], gains[below]), axis=2)
    tops = (np.inf, np.inf) if limits is None else tuple(_CEILING * limit for limit in limits)
    return Scores(_accumulated(steps, judged, tops[0]), _accumulated(bets, judged, tops[1]), judged)


def _day_means(
    values: NDArray[np.floating], mean: NDArray[np.floating]
) -> tuple[NDArray[np.floating], NDArray[np.int64]]:
    """Mean deviation of each day from the reference's hours, and how many hours that are: P × days × K."""
    residual = values - mean[:, np.newaxis]
    finite = np.isfinite(residual)
    hours = finite.sum(axis=2)
    means = np.where(finite, residual, 0).sum(axis=2) / np.maximum(hours, 1)
    return means, hours


def _accumulated(
    steps: NDArray[np.floating], judged: NDArray[np.bool_], top: float
) -> NDArray[np.floating]:
    """Sums that begin anew at zero, P × days × 2 × K; a number that isn't judged on a day stays."""
    sums = np.empty_like(steps)
    now = np.zeros_like(steps[:, 0])
    for day in range(steps.shape[1]):
        grown = np.clip(now + steps[:, day], 0, top)
        now = np.where(judged[:, day, np.newaxis], grown, now)
        sums[:, day] = now
    return sums


@cache
def _log_bets(count: int) -> NDArray[np.float64]:
    """What a day wins by the number of reference days beyond it, 0 to `count`: log bets whose mean is 1.

    Of exchangeable days every rank is as likely, so that the first day leaves the capital's mean as it is.
    """
    ranks = (2 * np.arange(count + 1) + 1) / (2 * (count + 1))
    bets = ranks**-_BET
    return np.asarray(np.log(bets / bets.mean()))


def limits_of(reference_days: int) -> Limits:
    """The limits for so many reference days; `SettingsError` where the simulation has none."""
    table = limits_table()["limits"]
    if str(reference_days) not in table:
        raise SettingsError(
            f"drift is judged against {' or '.join(table)} reference days, got {reference_days}"
        )
    row = table[str(reference_days)]
    return Limits(float(row["cusum"]), float(row["martingale"]))


@cache
def limits_table() -> dict[str, Any]:
    """What the simulation left: limits by number of reference days, and what they are found for."""
    content: dict[str, Any] = json.loads(files(__package__).joinpath(LIMITS_FILE).read_text())
    return content


def _as_array(days: Sequence[Day]) -> NDArray[np.float64]:
    """Days × 24 × numbers, NaN where unknown."""
    for before, after in pairwise(days):
        if after.date <= before.date:
            raise SettingsError(
                f"days must come by date, each once: {after.date} comes after {before.date}"
            )
    shapes = {np.shape(vector) for day in days for vector in day.hours.values()}
    if not shapes:
        return np.full((len(days), HOURS, 1), np.nan)
    if len(shapes) > 1 or len(shape := shapes.pop()) != 1 or not 1 <= shape[0] <= MOST_NUMBERS:
        raise SettingsError(
            f"an hour is a vector of 1 to {MOST_NUMBERS} numbers, as many in every hour"
        )
    values = np.full((len(days), HOURS, shape[0]), np.nan)
    for row, day in zip(values, days, strict=True):
        for hour, vector in day.hours.items():
            if not 0 <= hour < HOURS:
                raise SettingsError(f"{day.date}: an hour of the clock is 0 to 23, got {hour}")
            row[hour] = np.where(np.isfinite(vector), vector, np.nan)
    return values


def _unknown(date: datetime.date, hours: int) -> Verdict:
    reason = f"{hours} hours known, {FEWEST_HOURS} wanted"
    return Verdict(date, "not enough known", reason=reason)


def _verdict(
    position: int, dates: Sequence[datetime.date], scores: Scores, limits: Limits
) -> Verdict:
    """What is said of a day after the reference; `dates` of all of them, `scores` of one patient."""
    date, judged = dates[position], scores.judged[0, position]
    left_out = tuple(map(int, np.flatnonzero(~scores.judged[0, : position + 1].any(axis=0))))
    if not judged.any():
        reason = f"no number has {FEWEST_HOURS} hours that the reference days have"
        return Verdict(date, "not enough known", left_out=left_out, reason=reason)
    # Rules × directions × numbers, as shares of their limits.
    sums = np.stack((scores.cusum[0], scores.martingale[0]), axis=1)[: position + 1]
    shares = sums[-1] / np.array(limits).reshape(2, 1, 1)
    rule, direction, number = (int(k) for k in np.unravel_index(shares.argmax(), shares.shape))
    by_number = shares.max(axis=(0, 1))
    moved = tuple(int(k) for k in np.argsort(-by_number, kind="stable") if by_number[k] > 1)
    at_zero = np.flatnonzero(sums[:, rule, direction, number] == 0)
    since = int(at_zero[-1]) + 1 if at_zero.size else 0
    return Verdict(
        date,
        "drift" if moved else "fits",
        number=number,
        direction=DIRECTIONS[direction],
        since=dates[since] if since <= position else None,
        rule=RULES[rule],
        statistic=float(sums[-1, rule, direction, number]),
        limit=float(limits[rule]),
        moved=moved,
        left_out=left_out,
    )
