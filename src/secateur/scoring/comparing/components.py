"""Where scores' spread comes from: subjects, folds, luck of training, and the rest.

y = mean + subject + fold + training + rest, all but the mean random and independent, by restricted maximum
likelihood (Patterson and Thompson, Biometrika 58, 1971). A training is one network: a fold and a seed.
Intervals are those of the profile likelihood. Components whose labels fall together can't be told from each
other, and stand together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secateur.scoring.comparing.outcomes import Outcome
from secateur.scoring.intervals import LEVEL

REST = "rest"
_LEAST, _MOST = 1e-3, 100.0
"""Of the rest's deviation, and of any, in deviations of all values."""


@dataclass(frozen=True)
class Component:
    """A part of the spread. `names`: "subject", "fold", "training", "rest"; several that can't be told apart.

    `levels`: how many different ones there are. `deviation`: standard deviation in the metric's unit;
    `interval`: 95 %, its upper end None where nothing bounds it. `share`: of the variance.
    """

    names: tuple[str, ...]
    levels: int
    deviation: float
    interval: tuple[float, float | None]
    share: float


@dataclass(frozen=True)
class Components:
    """All parts, subject first. `values`: scores they rest on, one a subject and run. `reason`: why there are
    no parts; empty where there are. `notes`: what can't be told, in words.
    """

    parts: tuple[Component, ...]
    values: int
    reason: str
    notes: tuple[str, ...]


def components(outcomes: Sequence[Outcome]) -> Components:
    """Split the spread of subjects' scores in `outcomes`, one a run of the same condition."""
    rows = [
        (subject, outcome.fold, (outcome.fold, outcome.seed), value)
        for outcome in outcomes
        for subject, value in sorted(outcome.subjects.items())
        if value is not None
    ]
    values = np.array([row[3] for row in rows], dtype=np.float64)
    labels = {
        name: _numbered([row[k] for row in rows])
        for k, name in enumerate(("subject", "fold", "training"))
    }
    if len({row[0] for row in rows}) < 2:
        return Components((), len(rows), "fewer than two subjects have a score", ())
    if np.ptp(values) == 0:
        return Components((), len(rows), "all scores are equal", ())
    together, notes = _merged(labels, len(rows))
    scale = float(values.std(ddof=1))
    own = [(names, labels[names[0]]) for names in together if REST not in names]
    model = RestrictedLikelihood((values - values.mean()) / scale, [numbers for _, numbers in own])
    best = model.best()
    total = float((best**2).sum())
    names_of = [*(names for names, _ in own), next(n for n in together if REST in n)]
    levels = [*(int(numbers.max()) + 1 for _, numbers in own), len(rows)]
    parts = []
    for k, (names, number) in enumerate(zip(names_of, levels, strict=True)):
        low, high = model.interval(k, best)
        ends = scale * low, None if high is None else scale * high
        deviation = scale * float(best[k])
        parts.append(Component(names, number, deviation, ends, float(best[k] ** 2) / total))
    return Components(tuple(parts), len(rows), "", notes)


def _numbered(labels: Sequence[object]) -> NDArray[np.int64]:
    """Labels as numbers in the order of their first coming: equal partitions give equal numbers."""
    seen: dict[object, int] = {}
    return np.array([seen.setdefault(label, len(seen)) for label in labels], dtype=np.int64)


def _merged(
    labels: dict[str, NDArray[np.int64]], count: int
) -> tuple[list[tuple[str, ...]], tuple[str, ...]]:
    """Names by what can be told apart, and why the others can't."""
    keys = {name: tuple(numbers.tolist()) for name, numbers in labels.items()}
    keys[REST] = tuple(range(count))
    notes = [f"one {name} alone" for name, key in keys.items() if not any(key)]
    known = sorted(
        (key, position, name) for position, (name, key) in enumerate(keys.items()) if any(key)
    )
    groups = [tuple(row[2] for row in rows) for _, rows in groupby(known, key=lambda row: row[0])]
    order = list(keys)
    groups.sort(key=lambda names: order.index(names[0]))
    notes += [f"{' and '.join(names)} can't be told apart" for names in groups if len(names) > 1]
    if keys["fold"] == keys["training"]:
        notes.append("one seed a fold")
    return groups, tuple(notes)


@dataclass(frozen=True)
class _Solved:
    """The likelihood at some deviations. `ones`, `cross`: 1'V⁻¹1 and 1'V⁻¹y; `root`: Cholesky's, of
    I + ratio Z'Z ratio, with an effect's deviation by the rest's as ratio; `effects`, `residuals`: of 1, y.
    """

    deviance: float
    ones: float
    cross: float
    rest: float
    root: NDArray[np.float64]
    effects: NDArray[np.float64]
    residuals: NDArray[np.float64]


class RestrictedLikelihood:
    """The restricted likelihood as a function of deviations: one of each random effect, then the rest's.

    `values`: one number each. `effects`: of each random effect the level of every value, from 0 on.
    """

    def __init__(self, values: NDArray[np.float64], effects: Sequence[NDArray[np.int64]]) -> None:
        columns = [np.eye(int(numbers.max()) + 1)[numbers] for numbers in effects]
        self._design = np.hstack([*columns, np.zeros((len(values), 0))])
        self._which = np.repeat(np.arange(len(columns)), [c.shape[1] for c in columns])
        self._products = self._design.T @ self._design
        self._sides = np.stack((np.ones(len(values)), values), axis=1)
        self.size = len(columns) + 1

    def deviance(self, deviations: NDArray[np.float64]) -> float:
        """−2 log restricted likelihood but for a constant."""
        return self._solved(deviations).deviance

    def slopes(self, deviations: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """The deviance, and its derivative by each deviation; 0 where that is 0.

        tr(P dV) − y'P dV P y with P = V⁻¹ − V⁻¹11'V⁻¹ / 1'V⁻¹1 (Searle, Casella and McCulloch, Variance
        Components, 1992).
        """
        solved = self._solved(deviations)

        def explained(sides: NDArray[np.float64]) -> NDArray[np.float64]:
            residual = sides[:, 1] - sides[:, 0] * solved.cross / solved.ones
            return (sides[:, 0] ** 2 / solved.ones + residual**2) / solved.rest**2

        # The diagonal of (I + ratio Z'Z ratio)⁻¹
        diagonal = (np.linalg.inv(solved.root) ** 2).sum(axis=0)
        sums = np.zeros(self.size)
        np.add.at(sums, self._which, 1 - diagonal - explained(solved.effects))
        free = len(self._sides) - (1 - diagonal).sum()
        sums[-1] = free - explained(solved.residuals).sum()
        slopes = np.divide(2 * sums, deviations, out=np.zeros(self.size), where=deviations > 0)
        return solved.deviance, slopes

    def mean(self, deviations: NDArray[np.float64]) -> tuple[float, float]:
        """The mean at these deviations by generalised least squares, and its standard error."""
        solved = self._solved(deviations)
        return solved.cross / solved.ones, 1 / math.sqrt(solved.ones)

    def _solved(self, deviations: NDArray[np.float64]) -> _Solved:
        """By Woodbury's identity in the effects' size.

        The forms are sums of squares, of what the effects leave and of the effects themselves: differences
        would round away where the rest is small.
        """
        rest = max(float(deviations[-1]), _LEAST)
        ratio = (deviations[self._which] / rest)[:, None]
        root = np.linalg.cholesky(np.eye(len(ratio)) + ratio * self._products * ratio.T)
        sides = ratio * (self._design.T @ self._sides)
        effects = np.linalg.solve(root.T, np.linalg.solve(root, sides))
        residuals = self._sides - self._design @ (ratio * effects)
        forms = (residuals.T @ residuals + effects.T @ effects) / rest**2
        ones, cross, squares = (float(entry) for entry in forms[np.triu_indices(2)])
        size = 2 * len(residuals) * math.log(rest) + 2 * float(np.log(np.diag(root)).sum())
        deviance = size + math.log(ones) + squares - cross**2 / ones
        return _Solved(deviance, ones, cross, rest, root, effects, residuals)

    def best(self) -> NDArray[np.float64]:
        """The deviations of largest likelihood, from two starts."""
        starts = np.full(self.size, 0.5), np.geomspace(0.9, 0.1, self.size)
        return min((self._from(start, range(self.size)) for start in starts), key=self.deviance)

    def _from(self, start: NDArray[np.float64], free: Sequence[int]) -> NDArray[np.float64]:
        """The best near `start` where only those in `free` may move; not from 0, where all is flat."""
        from scipy.optimize import Bounds, minimize

        if not free:
            return start

        def full(some: Any) -> NDArray[np.float64]:
            deviations = start.copy()
            deviations[list(free)] = some
            return deviations

        least = [_LEAST if k == self.size - 1 else 0.0 for k in free]
        near = np.maximum(start[list(free)], 0.1)

        def slopes(some: Any) -> tuple[float, NDArray[np.float64]]:
            deviance, all_slopes = self.slopes(full(some))
            return deviance, all_slopes[list(free)]

        result: Any = minimize(
            slopes,
            near,
            method="L-BFGS-B",
            jac=True,
            bounds=Bounds(least, [_MOST] * len(free)),
        )
        return full(result.x)

    def interval(self, which: int, best: NDArray[np.float64]) -> tuple[float, float | None]:
        """95 % by the profile likelihood; no upper end where it never falls."""
        from scipy.optimize import brentq
        from scipy.stats import chi2

        limit = self.deviance(best) + float(chi2.ppf(LEVEL, 1))

        others = [k for k in range(self.size) if k != which]

        def above(value: float) -> float:
            start = best.copy()
            start[which] = value
            return self.deviance(self._from(start, others)) - limit

        here, floor = float(best[which]), _LEAST if which == self.size - 1 else 0.0
        low = floor if here <= floor or above(floor) <= 0 else brentq(above, floor, here, xtol=1e-5)
        far = max(2 * here, 0.1)
        while above(far) < 0:
            far *= 2
            if far > _MOST:
                return low, None
        return low, float(brentq(above, here, far, xtol=1e-5))
