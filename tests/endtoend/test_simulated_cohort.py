"""What holds on the simulated cohort, which anyone can make again."""

from __future__ import annotations

from pathlib import Path

import pytest

from secateur.recordings.simulated import simulate_cohort
from secateur.runs import RunFolder, Source, resolve
from secateur.runs.data import gather
from secateur.runs.plan import Stage
from secateur.runs.stages import StageContext, run_stage
from secateur.scoring import WindowScores
from secateur.windows import Cache


@pytest.mark.slow
def test_the_baseline_reaches_auroc_090_on_subjects_it_has_not_seen(tmp_path: Path) -> None:
    simulate_cohort(tmp_path / "cohort", subjects=12, hours=0.1, seed=0)
    settings = resolve(None, {"seed": 0, "training.epochs": 3, "training.windows_per_epoch": 1280})
    material = gather(Source(tmp_path / "cohort"), settings, Cache())
    assert not set(material.split.training) & set(material.split.test)
    folder = RunFolder(tmp_path / "run", "test")
    run_stage(Stage("baseline", "baseline"), StageContext(material, settings, folder))
    scores = WindowScores(material.sides["test"].labels, folder.arrays("baseline")["test"], 0.5)
    auroc = scores.auroc()
    assert auroc is not None
    assert auroc >= 0.90
