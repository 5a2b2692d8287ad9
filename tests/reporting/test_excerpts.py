"""Which EEG is shown, and that it can be drawn."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from secateur.runs import RunOutput

pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from secateur.explaining.gradients import input_times_gradient
from secateur.reporting.attributed import attribution, explained_network
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


def test_an_excerpt_shows_what_its_seconds_add_to_the_margin(tiny_run: RunOutput) -> None:
    excerpt = best_found(tiny_run)
    network, reason = explained_network(tiny_run)
    assert excerpt is not None
    assert network is not None, reason
    with look():
        svg = to_svg(excerpt_figure(tiny_run, excerpt, network), "f1", "words")
        plain = to_svg(excerpt_figure(tiny_run, excerpt), "f1", "words")
    assert "data:image/png" in svg
    assert "data:image/png" not in plain
    added = attribution(tiny_run, network, excerpt.prepared, excerpt.begin, excerpt.end)
    assert added is not None
    side = tiny_run.material.sides["test"]
    stretch = (side.seconds + side.hop / side.rate > excerpt.begin) & (side.seconds < excerpt.end)
    windows = side.batch(np.flatnonzero((side.key_of == excerpt.prepared.entry.key) & stretch))
    expected = input_times_gradient(network, windows).values.sum() / len(windows)
    assert added.values.sum() == pytest.approx(expected, rel=1e-3)
    assert added.seconds == pytest.approx(added.values.sum(axis=0))
    assert len(added.edges) == added.values.shape[1] + 1
    assert added.edges[0] <= excerpt.begin


def test_without_the_detectors_file_an_excerpt_says_why_nothing_is_explained(
    tiny_run: RunOutput, tmp_path: Path
) -> None:
    moved = type(tiny_run.folder)(tmp_path, tiny_run.folder.name)
    network, reason = explained_network(dataclasses.replace(tiny_run, folder=moved))
    assert network is None
    assert reason == "pruned.onnx is no longer there"


def test_the_overview_can_do_without_intervals(tiny_run: RunOutput) -> None:
    tables = tiny_run.result.model_dump()
    for model in tables["models"].values():
        model["latency_ms"] = None
        model["test"]["intervals"]["mean_of_subjects"] = {"auroc": None}
    changed = dataclasses.replace(tiny_run, result=type(tiny_run.result).model_validate(tables))
    with look():
        svg = to_svg(overview(changed), "f1", "words")
    assert "Time a window" not in svg
