"""FROC curves in reports: what is drawn and told is what the result holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from secateur.runs import RunOutput

pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from secateur.reporting.document import Picture, Table
from secateur.reporting.drawing import look
from secateur.reporting.froc import ModelCurve, curves_of, froc_blocks, froc_table, rates_of
from secateur.reporting.run import run_document
from secateur.results import Froc

TWO_SETS = Froc(
    thresholds=(0.0, 0.3, 0.5, 0.7),
    found=(10, 9, 8, 5),
    seizures=10,
    alarms={"clips": (20, 12, 6, 1), "quiet": (30, 5, 1, 0)},
    hours={"clips": 2.0, "quiet": 24.0},
    backgrounds={"clips": "post-ictal background only", "quiet": ""},
)


def test_the_counts_at_the_own_threshold_are_those_of_the_result(tiny_run: RunOutput) -> None:
    for model in tiny_run.result.models.values():
        assert model.test is not None
        curve, events = model.test.froc, model.test.events
        assert curve is not None
        (own,) = [p for p in curve.points() if p.threshold == model.test.threshold]
        assert (own.tp, own.seizures, own.alarms.alarms) == (events.tp, events.ref, events.fp)
        (alarms,) = model.test.false_alarms
        assert curve.alarms[alarms.data][curve.thresholds.index(own.threshold)] == alarms.alarms
        assert curve.hours[alarms.data] == pytest.approx(alarms.hours)
        assert curve.thresholds[0] == 0.0
        assert curve.tp[0] == curve.seizures


def test_the_report_has_the_figure_and_the_table(tiny_run: RunOutput) -> None:
    with look():
        document = run_document(tiny_run)
        (part,) = [part for part in document.parts if part.anchor == "events"]
    (picture,) = [block for block in part.blocks if isinstance(block, Picture)]
    (axes,) = picture.figure.axes
    hours = tiny_run.result.models["baseline"].test.false_alarms[0].hours  # type: ignore[union-attr]
    assert f"{hours:.3g} h" in axes.get_title(loc="left")
    assert "post-ictal" in axes.get_title(loc="left") or "clips" in axes.get_title(loc="left")
    assert "flatters" in picture.caption
    drawn = {line.get_label() for line in axes.get_lines()}
    assert {"Baseline", "Pruned", "Forest (no network)"} <= drawn
    (table,) = [b for b in part.blocks if isinstance(b, Table) and b.name == "froc"]
    assert len(table.rows) == len(tiny_run.result.models)
    baseline = tiny_run.result.models["baseline"].test
    assert baseline is not None
    own = table.cells[0][-2].plain
    assert own.endswith(f"({baseline.events.tp} of {baseline.events.ref})")


def test_operating_points_are_told_by_data_set_where_the_hours_can_tell_them() -> None:
    assert rates_of([2.0, 24.0]) == [1.0, 3.0, 10.0, 30.0, 100.0, 300.0]
    table = froc_table([ModelCurve("Baseline", "baseline", TWO_SETS, 0.5)])
    clips, quiet = ([cell.plain for cell in row] for row in table.cells)
    assert clips[1] == "clips: post-ictal background only, 2 h looked at"
    # 2 h: one alarm is 12 a day, six are 72, twelve 144, twenty 240
    assert clips[2:9] == [
        "0.000 (0 of 10)", "–", "–", "–", "0.500 (5 of 10)", "0.800 (8 of 10)", "1.000 (10 of 10)",
    ]  # fmt: skip
    assert clips[9] == "0.800 (8 of 10)"
    assert clips[10] == "72.0 [26.4, 156.7]"
    assert quiet[1] == "quiet: 24 h looked at"
    assert quiet[2:6] == [
        "0.500 (5 of 10)",
        "0.800 (8 of 10)",
        "0.800 (8 of 10)",
        "0.900 (9 of 10)",
    ]


def test_nothing_is_drawn_where_there_is_no_seizure(tiny_run: RunOutput) -> None:
    test = tiny_run.result.models["baseline"].test
    assert test is not None
    none = TWO_SETS.model_copy(update={"seizures": 0, "found": (0, 0, 0, 0)})
    with look():
        assert (
            list(froc_blocks(curves_of({"baseline": test.model_copy(update={"froc": none})}))) == []
        )
        assert (
            list(froc_blocks(curves_of({"baseline": test.model_copy(update={"froc": None})}))) == []
        )
