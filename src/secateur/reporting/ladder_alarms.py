"""False alarms of a ladder's networks on those who judged, by data set and person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from secateur.reporting.document import (
    UNDEFINED,
    Block,
    Cell,
    Table,
    bounds,
    number,
    short_names,
    signed,
)
from secateur.reporting.ladder_figures import CONTROL_NAMES, chosen_rung, rung_label
from secateur.reporting.style import MODEL_NAMES
from secateur.results import Judged, LadderResult

_WORST = 5


def judged_alarms(result: LadderResult) -> Iterable[Block]:
    """The table; none where an earlier version told no rates of people."""
    rows: list[list[Cell | str]] = []
    for name, judged in _networks(result).items():
        costs = (
            {}
            if judged is result.baseline
            else judged.certification.alarm_costs(result.baseline.certification)
        )
        for data_set, rates in judged.certification.alarm_rates.items():
            cost = costs.get(data_set)
            rows.append(
                [
                    name,
                    data_set,
                    number(sum(rates.values()) / len(rates), 1),
                    UNDEFINED
                    if cost is None
                    else Cell(signed(cost.per_day, 1), bounds(cost.interval, 1, sign=True)),
                    worst_rates(rates),
                ]
            )
    if rows:
        yield Table(
            "judged-alarms",
            "False alarms a day on those who judged, by data set: unweighted means over people. "
            "Minus baseline: "
            "inside each person, then the mean, in brackets 95 % (bootstrap over people; none below five). "
            "Most alarms: the five people with the most a day. Where a person has few hours, one "
            "alarm is many "
            "a day.",
            ("Network", "Data set", "A day", "Minus baseline", "Most alarms a day"),
            rows,
            words=(1, 4),
        )


def _networks(result: LadderResult) -> dict[str, Judged]:
    """Baseline, rungs, the controls of all, and those of the chosen rung or of the mildest."""
    rung = chosen_rung(result) or result.ladder[0]
    return {
        MODEL_NAMES["baseline"]: result.baseline,
        **{f"Rung {rung_label(each)}": each for each in result.ladder},
        **{
            f"{rung_label(rung)}: {CONTROL_NAMES[kind]}": control
            for kind, control in rung.controls.items()
        },
        **{MODEL_NAMES[name]: judged for name, judged in result.controls.items()},
    }


def worst_rates(rates: Mapping[str, float]) -> str:
    """The five people with the most alarms a day, of those with any."""
    names = short_names(list(rates))
    worst = sorted((who for who in rates if rates[who]), key=lambda who: (-rates[who], who))
    return ", ".join(f"{names[who]} {rates[who]:.3g}" for who in worst[:_WORST]) or UNDEFINED
