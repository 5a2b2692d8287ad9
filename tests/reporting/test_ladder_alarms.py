"""False alarms of a ladder's networks on those who judged, held against sums made by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

pytest.importorskip("matplotlib")

from secateur.reporting.document import Table
from secateur.reporting.ladder import judged_alarms
from secateur.results import LadderResult
from secateur.results.ladder import Judged, JudgedControl, JudgedMeans
from secateur.results.scores import Means

NOTHING = Means(mean={}, intervals={}, n={})


def judged(rates: dict[str, float | None], kind: type[Judged] = Judged) -> Any:
    subjects = {name: {"auroc": 0.9, "fp_per_day": rate} for name, rate in rates.items()}
    means = JudgedMeans(mean={}, intervals={}, n={}, subjects=subjects)
    more = {"pruned_minus_control": NOTHING} if kind is JudgedControl else {}
    return kind(certification=means, minus_baseline=NOTHING, **more)


def test_rates_are_by_data_set_and_paired_by_person() -> None:
    before = judged({"a/p1": 10.0, "a/p2": 0.0, "b/q1": 4.0, "b/q2": None})
    after = judged({"a/p1": 40.0, "a/p2": 20.0, "b/q1": 4.0, "b/q2": None})
    costs = after.certification.alarm_costs(before.certification)
    assert costs["a"].per_day == pytest.approx(25.0)
    assert (costs["a"].people, costs["b"].people) == (2, 1)
    assert costs["a"].words == "+25 a day by person (2 people, too few for an interval)"
    assert not costs["a"].is_shown  # two people are too few to say so
    assert costs["b"].per_day == 0


def test_every_network_is_told_with_the_worst_people() -> None:
    people = [f"a/p{k}" for k in range(7)]
    before = judged(dict.fromkeys(people, 2.0))
    rung = judged({name: 2.0 + k for k, name in enumerate(people)})
    chosen = SimpleNamespace(
        name="rung-0.5",
        controls={"random": judged(dict.fromkeys(people, 0.0), JudgedControl)},
        certification=rung.certification,
    )
    result = SimpleNamespace(
        baseline=before, ladder=(chosen,), chosen="rung-0.5", controls={"retrained": before}
    )
    (table,) = judged_alarms(cast(LadderResult, result))
    assert isinstance(table, Table)
    rows = [[cell.plain for cell in row] for row in table.cells]
    assert [row[0] for row in rows] == [
        "Baseline",
        "Rung 0.5",
        "0.5: Random kernels",
        "Baseline, retrained",
    ]
    assert rows[1][1:3] == ["a", "5.0"]
    assert rows[1][3].startswith("+3.0 [+1.")  # 0 to 6 more, an interval of seven people
    assert rows[1][4] == "p6 8, p5 7, p4 6, p3 5, p2 4"
    assert rows[2][3:] == ["−2.0 [−2.0, −2.0]", "–"]
