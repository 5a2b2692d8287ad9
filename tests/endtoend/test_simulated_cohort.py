"""What holds on the simulated cohort, which anyone can make again."""

from __future__ import annotations

from pathlib import Path

import pytest

from secateur.recordings.simulated import simulate_cohort
from secateur.runs import RunFolder, Source, resolve
from secateur.runs.data import gather
from secateur.runs.plan import Kind, Stage
from secateur.runs.stages import StageContext, run_stage
from secateur.scoring import WindowScores
from secateur.windows import Cache

MODELS: tuple[Kind, ...] = ("baseline", "random_forest")


@pytest.mark.slow
def test_the_network_stands_above_band_powers_on_subjects_it_has_not_seen(tmp_path: Path) -> None:
    """Simulated seizures are told by waveform: the background has their band powers too."""
    simulate_cohort(tmp_path / "cohort", subjects=12, hours=0.1, seed=0)
    settings = resolve(None, {"seed": 0, "training.epochs": 4, "training.windows_per_epoch": 1280})
    material = gather(Source(tmp_path / "cohort"), settings, Cache())
    assert not set(material.split.training) & set(material.split.test)
    folder = RunFolder(tmp_path / "run", "test")
    context = StageContext(material, settings, folder)
    auroc = {}
    for kind in MODELS:
        run_stage(Stage(kind, kind), context)
        chance = folder.arrays(kind)["test"]
        auroc[kind] = WindowScores(material.sides["test"].labels, chance, 0.5).auroc() or 0.0
    assert auroc["baseline"] >= 0.90
    assert auroc["baseline"] > auroc["random_forest"] + 0.03
