"""`--false-alarms N`: each threshold is the lowest that keeps the budget on validation background."""

from __future__ import annotations

from pathlib import Path

import pytest

from secateur.detectors import load_detector
from secateur.errors import SettingsError
from secateur.runs import Execution
from secateur.runs.data import Source
from secateur.runs.run import run
from secateur.runs.settings import resolve


def test_each_model_keeps_the_budget(tiny_cohort: Path, tmp_path: Path) -> None:
    settings = resolve(
        None,
        {
            "threshold.false_alarms": 12.0,
            "training.epochs": 1,
            "training.windows_per_epoch": 64,
            "network.widths": (4, 4, 4),
        },
    )
    result = run(Source(tiny_cohort), tmp_path, settings, Execution(1))
    for model in ("baseline", "pruned", "scratch", "random_forest"):
        record = result.folder.finished(model)
        assert record is not None
        budget = record["budget"]
        # one recording of 38 s without seizure: no alarm is within a budget of 12 a day
        assert budget["allowed"] == budget["alarms"]["alarms"] == 0
        assert budget["alarms"]["hours"] == pytest.approx(38 / 3600)
        told = result.result.models[model].budget
        assert told is not None
        assert told.threshold == record["threshold"]
        assert "so few hours that one alarm is over the budget" in told.words
        assert record["threshold"] == record["post_processing"]["threshold"]
    assert load_detector(result.folder.detector("pruned")).threshold == pytest.approx(
        (result.folder.finished("pruned") or {})["threshold"]
    )


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"threshold.false_alarms": -1}, "wanted 0 or more"),
        ({"threshold.false_alarms": 1, "split.max_windows": 9}, "windows that follow each other"),
        ({"threshold.false_alarms": 1, "split.by": "random"}, "windows that follow each other"),
        ({"threshold.false_alarms": 1, "threshold.fixed": 0.5}, "contradict each other"),
    ],
)
def test_what_is_no_budget_is_refused_in_a_line(settings: dict[str, object], words: str) -> None:
    with pytest.raises(SettingsError, match=words) as caught:
        resolve(None, settings)
    assert "\n" not in str(caught.value)
