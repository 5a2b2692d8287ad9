"""What pruning is asked for, under today's names and earlier ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from secateur.pruning import PruningSettings
from secateur.pruning.settings import ALLOCATIONS, IMPORTANCES
from secateur.reporting import methods

RUNS = Path(__file__).parents[1] / "results" / "files" / "stored-runs"


@pytest.mark.parametrize(("earlier", "now"), [("zeros", "apoz"), ("geometric-median", "fpgm")])
def test_an_earlier_name_is_read(earlier: str, now: str) -> None:
    assert PruningSettings.model_validate({"importance": earlier}).importance == now
    with pytest.raises(ValueError, match="importance"):
        PruningSettings.model_validate({"importance": f"{earlier}s"})


def test_settings_of_stored_runs_are_read() -> None:
    names = set()
    for path in RUNS.glob("*.json"):
        tables = json.loads(path.read_text())["settings"].get("pruning", {})
        names.add(PruningSettings.model_validate(tables).importance)
    assert "fpgm" in names


def test_every_way_has_its_words_in_a_methods_section() -> None:
    assert set(methods._IMPORTANCE) == set(IMPORTANCES)
    assert set(methods._ALLOCATION) == set(ALLOCATIONS)
