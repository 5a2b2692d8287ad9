"""False alarms in a study's report: curves over runs, and what pruning costs by person."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.made_up_studies import fill, plan_of

pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from secateur.reporting.document import Picture, Table
from secateur.reporting.drawing import look
from secateur.reporting.study import study_document
from secateur.reporting.study_froc import false_alarm_blocks
from secateur.studies import Findings, evaluate_study
from secateur.studies.store import store_at

STUDY = """
title = "Ordinary EEG"
question = "How many false alarms?"
[axes]
ratio = [0.5, 0.9]
seed = [1, 2]
"""
HOURS = 2.4


def with_alarms(at: Mapping[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    """Six people of 0.4 h each; a pruned network of ratio 0.9 raises two alarms more on each."""
    for name, model in result["models"].items():
        each = 1 if name == "baseline" or at["ratio"] == 0.5 else 3
        each += at["seed"] - 1  # the second seed raises one more on each
        people = {f"quiet/p{k}": {"alarms": each, "hours": HOURS / 6} for k in range(6)}
        model["test"]["false_alarms"] = [
            {
                "data": "quiet",
                "declared_seizure_free": True,
                "alarms": 6 * each,
                "hours": HOURS,
                "per_day": 60.0 * each,
                "interval": [0.0, 1000.0],
                "limit": 1000.0,
                "words": "",
                "window_share": 0.02 * each,
                "subjects": people,
            }
        ]
        model["test"]["froc"] = {
            "thresholds": [0.0, 0.4, 0.8],
            "found": [10, 8 - at["seed"], 4],
            "seizures": 10,
            "alarms": {"quiet": [40, 5, 0]},
            "hours": {"quiet": HOURS},
            "backgrounds": {"quiet": "free of seizures, as the user says"},
        }
    return result


def found_in(folder: Path, change: Any) -> Findings:
    folder.mkdir(parents=True, exist_ok=True)
    plan = plan_of(STUDY, folder)
    return evaluate_study(plan, store_at(fill(plan, folder / "out", change)))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    return found_in(tmp_path_factory.mktemp("made-up"), with_alarms)


def test_alarms_are_paired_by_person_over_runs(found: Findings) -> None:
    half, most = (one.alarms["quiet"] for one in found.conditions)
    assert half.cost is not None
    assert half.cost.per_day == 0
    assert most.cost is not None
    assert most.cost.per_day == pytest.approx(2 / 0.4 * 24)  # two more in 0.4 h, in both runs
    assert most.cost.people == 6
    assert most.rates == {"baseline": (60.0, 120.0), "pruned": (180.0, 240.0)}
    assert most.people["pruned"]["quiet/p0"].alarms == 3 + 4
    (caution,) = [line for line in found.cautions if "false alarms" in line]
    assert caution == (
        "pruning costs false alarms on quiet (ratio 0.9): +120 a day by person (120 to 120, 6 people)"
    )


def test_the_report_draws_and_tells_them(found: Findings) -> None:
    with look():
        document = study_document(found)
        (part,) = [part for part in document.parts if part.anchor == "false-alarms"]
    (picture,) = [block for block in part.blocks if isinstance(block, Picture)]
    assert len(picture.figure.axes) == 2  # a condition each, one data set
    title = picture.figure.axes[1].get_title(loc="left")
    assert title.startswith("ratio 0.9: quiet\nfree of seizures, as the user says, 2.4 h looked at")
    tables = {block.name: block for block in part.blocks if isinstance(block, Table)}
    # 2.4 h: one alarm is 10 a day
    assert [cell.plain for cell in tables["froc"].heads[3:]] == [
        "No alarm seen", "At most 10 a day", "At most 30 a day", "At most 100 a day",
    ]  # fmt: skip
    first = [cell.plain for cell in tables["froc"].cells[0]]
    assert first[:3] == ["ratio 0.5", "Baseline, 2 runs", "quiet"]
    assert first[3:] == [
        "0.400 [0.400, 0.400]",
        "0.400 [0.400, 0.400]",
        "0.400 [0.400, 0.400]",
        "0.650 [0.600, 0.700]",
    ]
    assert len(tables["froc"].rows) == 4
    last = [cell.plain for cell in tables["false-alarms"].cells[1]]
    assert last[1] == "quiet, declared free of seizures"
    assert last[2:7] == [
        "2.40 [2.40, 2.40]",
        "90.0 [60.0, 120.0]",
        "210.0 [180.0, 240.0]",
        "7.0\u00a0%",
        "+120.0 [+120.0, +120.0]",
    ]
    assert last[8].startswith("p0 7 in 0.80 h, p1 7 in 0.80 h")


def test_runs_that_tell_none_have_no_such_part(tmp_path: Path) -> None:
    found = found_in(tmp_path / "made-up", lambda _, result: result)
    assert list(false_alarm_blocks(found)) == []
    with look():
        anchors = [part.anchor for part in study_document(found).parts]
    assert "false-alarms" not in anchors
