"""Labels at random are a control: as many as before, of nothing, never certified, and named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from secateur.certifying.settings import resolve_ladder
from secateur.detectors import load_detector
from secateur.errors import SettingsError
from secateur.jobs import run
from secateur.runs import RunSettings, Source
from secateur.runs.data import gather
from secateur.runs.settings import resolve
from secateur.training import TrainingSettings
from secateur.windows import Cache

AT_RANDOM = TrainingSettings(labels_at_random=True)


def test_runs_from_before_there_was_such_a_setting_keep_their_names() -> None:
    """Runs are named by a hash of their settings."""
    assert "labels_at_random" not in RunSettings().model_dump(mode="json")["training"]
    assert RunSettings(training=AT_RANDOM).model_dump()["training"]["labels_at_random"] is True
    assert resolve(RunSettings(training=AT_RANDOM).model_dump()).training == AT_RANDOM


def test_training_and_validation_labels_change_places_and_test_labels_stay(
    tiny_cohort: Path, tmp_path: Path
) -> None:
    cache = Cache(tmp_path / "cache")
    true = gather(Source(tiny_cohort), RunSettings(), cache).sides
    other = gather(Source(tiny_cohort), RunSettings(training=AT_RANDOM), cache).sides
    again = gather(Source(tiny_cohort), RunSettings(training=AT_RANDOM), cache).sides
    for side in ("training", "validation"):
        assert other[side].labels.sum() == true[side].labels.sum()
        assert np.mean(other[side].labels != true[side].labels) > 0.1
        np.testing.assert_array_equal(other[side].labels, again[side].labels)
    np.testing.assert_array_equal(other["test"].labels, true["test"].labels)


def test_no_ladder_takes_such_a_network() -> None:
    with pytest.raises(SettingsError, match=r"labels_at_random is a control .* never certified"):
        resolve_ladder({"training": {"labels_at_random": True}})


@pytest.mark.slow
def test_result_and_file_tell_of_it(
    tiny_cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECATEUR_CACHE", str(tmp_path / "cache"))
    settings = {
        "network": {"widths": [4, 6, 8]},
        "training": {
            "labels_at_random": True,
            "epochs": 1,
            "least_epochs": 1,
            "windows_per_epoch": 64,
            "recalibration": 2,
        },
    }
    output = run(tiny_cohort, tmp_path / "run", settings=settings)
    assert output.result.warnings[0].startswith("trained on labels at random")
    info = load_detector(output.folder.detector("pruned")).info
    assert info.provenance.data.endswith(", labels at random")
