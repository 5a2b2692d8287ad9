"""The whole way on real EEG, small enough for every test run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from secateur.detectors import evaluate, load_detector
from secateur.recordings import load_cohort
from secateur.runs import Source, resolve
from secateur.runs.run import run


@pytest.fixture(scope="module")
def few_subjects(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six subjects of the clips, one of them recorded against another reference."""
    folder = tmp_path_factory.mktemp("real") / "few"
    folder.mkdir()
    (folder / "dataset_description.json").symlink_to(clips / "dataset_description.json")
    for name in ("sub-01", "sub-03", "sub-05", "sub-08", "sub-12", "sub-22"):
        (folder / name).symlink_to(clips / name)
    return folder


@pytest.mark.slow
def test_the_main_job_on_real_eeg(few_subjects: Path, tmp_path: Path) -> None:
    told = {"network.widths": [8, 16, 16], "training.epochs": 2, "training.windows_per_epoch": 640}
    found = run(Source(few_subjects), tmp_path / "run", resolve(None, told))
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["data"]["subjects"] == 6
    assert result["data"]["background"] == "post-ictal background only"
    assert result["pruning"]["equivalence_max_abs_error"] <= 1e-9
    assert result["models"]["pruned"]["kernels"] == [4, 8, 8]
    assert "post-ictal background only" in result["models"]["pruned"]["test"]["events"]["note"]
    assert any("derived from two recorded channels" in one["note"] for one in result["notes"])
    # the file, alone, over the recordings as they lie on disk, gives the table's numbers
    cohort = load_cohort(few_subjects)
    detector = load_detector(tmp_path / "run" / "pruned.onnx")
    alone = evaluate(detector, cohort)
    chosen = np.isin(alone.table.subject, found.material.split.test)
    order = [np.flatnonzero(alone.table.key == key) for key in dict.fromkeys(found.table.key)]
    same = alone.probability[np.concatenate(order)]
    assert chosen[np.concatenate(order)].all()
    assert np.abs(same - found.probability["pruned"]).max() < 1e-5
