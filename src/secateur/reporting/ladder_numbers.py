"""What figures, tables and words of a ladder all ask of its result.

Comes in: what a ladder's result.json holds. Goes out: its margins, losses and labels, each worked out once.
Next: all `ladder_` files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from secateur.certifying.result import label_of
from secateur.reporting.style import Pair, bounds, number, plain, signed
from secateur.scoring import Statement, losses_of
from secateur.scoring.metrics import METRICS

Told = dict[str, Any]
Rung = Mapping[str, Any]

CONTROL_NAMES = {
    "scratch": "Small, from scratch",
    "scratch-long": "Small, from scratch, longer",
    "random": "Random kernels",
    "unstructured": "Single weights (not smaller)",
    "float": "Before 8 bits",
}
"""What stands beside a rung, in the order of figures and tables."""


def margins_of(told: Told) -> dict[str, float]:
    """What may be lost, by metric."""
    margins: dict[str, float] = told["certificate"]["constraint"]["margins"]
    return margins


def metric_of(told: Told) -> str:
    """The first metric that has a margin; figures of one metric are of this."""
    return next(iter(margins_of(told)))


def allowed(metric: str, margin: float) -> str:
    """A margin in words."""
    more = "of" if METRICS[metric].higher_is_better else "more"
    return f"{plain(margin)} {more} {METRICS[metric].phrase}"


def rung_label(rung: Rung) -> str:
    """0.5, or 0.5-int8."""
    return label_of(rung["name"])


def chosen_rung(told: Told) -> Rung | None:
    """The answer; None where no rung held."""
    found = [rung for rung in told["ladder"] if rung["name"] == told["chosen"]]
    return found[0] if found else None


def statements_of(rung: Rung) -> list[Statement]:
    """What is said of each metric that has a margin."""
    return [Statement.model_validate(one) for one in rung["statements"]]


def losses_by_rung(told: Told, metric: str) -> list[tuple[str | None, list[float]]]:
    """Name and each subject's loss for every rung; last, under None, the retrained baseline's if there."""
    whole = told["baseline"]["certification"]["subjects"]
    models: list[tuple[str | None, Any]] = [(rung["name"], rung) for rung in told["ladder"]]
    if "retrained" in told["controls"]:
        models.append((None, told["controls"]["retrained"]))
    return [
        (name, losses_of(whole, model["certification"]["subjects"], metric).values.tolist())
        for name, model in models
    ]


def lost(value: float | None, metric: str) -> str:
    """A loss, with as many decimals as margins have."""
    return signed(value, METRICS[metric].loss_digits)


def limit(value: float | None, metric: str) -> str:
    """A bound or margin."""
    return number(value, METRICS[metric].loss_digits)


def scored(value: float | None, metric: str) -> str:
    """A score."""
    return number(value, METRICS[metric].digits)


def apart(value: float | None, metric: str) -> str:
    """A difference of scores, with its sign."""
    return signed(value, METRICS[metric].digits)


def between(pair: Pair, metric: str, *, sign: bool = False) -> str:
    """An interval of a score or, with `sign`, of a difference."""
    return bounds(pair, METRICS[metric].digits, sign=sign)


def size_of(model: Mapping[str, Any], key: str, *, floats: bool = False) -> float | None:
    """MACs, bytes or median milliseconds; `floats`: of the network before quantising."""
    name = f"float_{key}" if floats and f"float_{key}" in model else key
    value = model[name]
    found: float | None = value["median"] if isinstance(value, Mapping) else value
    return found


def mean_of(model: Rung, metric: str) -> float | None:
    """A network’s score, the mean over those who were judged."""
    value: float | None = model["certification"]["mean"][metric]
    return value
