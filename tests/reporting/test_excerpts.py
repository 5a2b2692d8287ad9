"""Which EEG is shown, and that it can be drawn."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from secateur.runs import RunOutput

pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from secateur.reporting.drawing import look, to_svg
from secateur.reporting.excerpts import LONGEST, best_found, choose, excerpt_figure
from secateur.reporting.run_figures import overview


def always(result: RunOutput, of_seizure: float, of_background: float) -> RunOutput:
    """The result with a pruned detector that always says the same."""
    chance = np.where(result.table.label, of_seizure, of_background).astype(np.float64)
    probability = {**result.probability, "pruned": chance}
    return dataclasses.replace(result, probability=probability)


def test_misses_and_false_alarms_of_a_detector_that_is_always_wrong(tiny_run: RunOutput) -> None:
    kinds = [one.kind for one in choose(always(tiny_run, 0.0, 1.0))]
    assert kinds[:2] == ["Worst miss"] * 2
    assert kinds[-2:] == ["Worst false alarm"] * 2


def test_a_detector_that_is_always_right_has_neither(tiny_run: RunOutput) -> None:
    shown = choose(always(tiny_run, 1.0, 0.0))
    assert shown
    assert not {"Worst miss", "Worst false alarm"} & {one.kind for one in shown}


@pytest.mark.parametrize("background", [0.0, 1.0])
def test_excerpts_lie_inside_their_recording(tiny_run: RunOutput, background: float) -> None:
    for one in choose(always(tiny_run, 1 - background, background)):
        assert 0 <= one.begin < one.end <= one.prepared.entry.duration
        assert one.end - one.begin <= LONGEST


def test_misses_show_the_seizure(tiny_run: RunOutput) -> None:
    for one in choose(always(tiny_run, 0.0, 0.0)):
        assert any(e.onset < one.end and e.end > one.begin for e in one.prepared.entry.events)


def test_false_alarms_are_background_that_was_called(tiny_run: RunOutput) -> None:
    for one in choose(always(tiny_run, 1.0, 1.0)):
        if one.kind == "Worst false alarm":
            assert "up to 1.00" in one.why


def test_the_choice_is_the_same_every_time(tiny_run: RunOutput) -> None:
    assert choose(tiny_run) == choose(tiny_run)


def test_an_excerpt_names_channels_units_and_thresholds(tiny_run: RunOutput) -> None:
    excerpt = best_found(tiny_run)
    assert excerpt is not None
    with look():
        svg = to_svg(excerpt_figure(tiny_run, excerpt), "f1", "words")
    for word in ("Fp1-F3", "T6-O2", "µV", "probability", "threshold", "seconds"):
        assert word in svg


def test_the_overview_can_do_without_intervals(tiny_run: RunOutput) -> None:
    tables = tiny_run.result.model_dump()
    for model in tables["models"].values():
        model["latency_ms"] = None
        model["test"]["intervals"]["mean_of_subjects"] = {"auroc": None}
    changed = dataclasses.replace(tiny_run, result=type(tiny_run.result).model_validate(tables))
    with look():
        svg = to_svg(overview(changed), "f1", "words")
    assert "Time a window" not in svg
