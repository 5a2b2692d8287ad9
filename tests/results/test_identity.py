"""What makes another run, and what doesn't."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from secateur.results import identity, written

pytest.importorskip("torch")

from secateur.certifying.search import ladder_name
from secateur.certifying.settings import resolve_ladder
from secateur.runs import Source, resolve
from secateur.runs.data import arrange, prepare_cohort, split_of
from secateur.runs.run import run_name
from secateur.studies import read_study
from secateur.studies.plan import drafts, named
from secateur.studies.record import result_of, study_run
from secateur.studies.store import store_at
from secateur.studies.work_item import known_result
from secateur.windows import Cache
from tests.support.cohorts import write_cohort

SETTINGS = {"training.epochs": 1, "network.widths": [4, 6, 8]}
RUNS = Path(__file__).parent / "files" / "stored-runs"
STORED = sorted(
    path for path in RUNS.glob("*.json") if path.read_bytes().startswith(b'{"schema":1,')
)


def names(data: Path, folder: Path, settings: dict[str, Any] | None = None) -> dict[str, str]:
    """Of a run, of a ladder, of a study's run and of its baseline."""
    told = {**SETTINGS, **(settings or {})}
    source, cache = Source(data), Cache(folder / "cache")
    chosen = resolve(None, told)
    cohort = prepare_cohort(source, chosen, cache)
    run = run_name(chosen, arrange(cohort, chosen, split_of(cohort, chosen)))
    ladder = resolve_ladder(None, {**told, "certify.by": "folds", "certify.folds": 3})
    file = folder / "study.toml"
    file.write_text('question = "?"\n[axes]\nseed = [0]\n[fixed]\nwidths = [4, 6, 8]\n')
    (draft,) = drafts(read_study(file), {"data": source})
    job = named(draft, cohort)
    return {
        "run": run,
        "study": job.name,
        "baseline": job.baseline,
        "ladder": ladder_name(source, ladder, cohort),
    }


@pytest.fixture(scope="module")
def eight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cohort(tmp_path_factory.mktemp("eight") / "cohort", subjects=8, seconds=50)


@pytest.fixture
def before(eight: Path, tmp_path: Path) -> dict[str, str]:
    found = names(eight, tmp_path)
    assert len(set(found.values())) == len(found) == 4
    assert names(eight, tmp_path) == found
    return found


@pytest.mark.parametrize("version", ["CHAIN_VERSION", "RESULT_VERSION", "TIMESCORING_VERSION"])
def test_another_version_of_chain_or_results_is_another_run(
    version: str,
    before: dict[str, str],
    eight: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys.modules["secateur.results.identity"], version, 99)
    after = names(eight, tmp_path)
    assert all(after[kind] != before[kind] for kind in before)


def test_another_torch_is_none(
    before: dict[str, str], eight: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.__version__", "9.9.9+cuda")
    assert names(eight, tmp_path) == before


def test_nor_is_what_a_folder_is_called(
    before: dict[str, str], eight: Path, tmp_path: Path
) -> None:
    other = tmp_path / "nickname"
    shutil.copytree(eight, other)
    (other / "dataset_description.json").unlink()
    assert names(other, tmp_path) == before


def test_other_contents_or_settings_are(
    before: dict[str, str], eight: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(eight, other)
    events = sorted(other.rglob("*_events.tsv"))[0]
    lines = events.read_text().splitlines()
    cells = lines[1].split("\t")
    cells[1] = f"{float(cells[1]) - 1:g}"
    events.write_text("\n".join([lines[0], "\t".join(cells), *lines[2:]]) + "\n")
    after = names(other, tmp_path)
    assert all(after[kind] != before[kind] for kind in before)
    after = names(eight, tmp_path, {"training.epochs": 2})
    assert after["run"] != before["run"]
    assert after["ladder"] != before["ladder"]


def test_the_order_of_settings_makes_no_other_name() -> None:
    assert identity({"a": 1, "b": 2}, {}) == identity({"b": 2, "a": 1}, {"weights": None})
    assert identity({"a": 1}, {}, kind="run") != identity({"a": 1}, {}, kind="prune")


def test_a_stored_run_of_schema_1_counts_as_finished(tmp_path: Path) -> None:
    path = STORED[0]
    (tmp_path / "runs").mkdir()
    shutil.copy(path, tmp_path / "runs" / path.name)
    store = store_at(tmp_path)
    run = result_of(path.stem, store)
    assert run is not None
    assert run.run == path.stem
    assert known_result(path.stem, tmp_path) == path.read_bytes()


@pytest.mark.parametrize("damage", ["schema", "json", "name", "metric"])
def test_one_that_can_not_be_read_is_made_anew_and_then_counts(damage: str, tmp_path: Path) -> None:
    """It is not taken from the cache either, else it were to do for ever."""
    tables = json.loads(STORED[0].read_text())
    if damage == "schema":
        tables["schema"] = 99
    elif damage == "name":
        tables["run"] = "0" * 16
    elif damage == "metric":
        del tables["models"]["pruned"]["test"]["auroc"]
    content = json.dumps(tables)[: 100 if damage == "json" else None]
    (tmp_path / "runs").mkdir()
    file = tmp_path / "runs" / STORED[0].name
    file.write_text(content)
    assert result_of(STORED[0].stem, store_at(tmp_path)) is None
    assert known_result(STORED[0].stem, tmp_path) is None
    made = study_run(STORED[0].read_bytes(), STORED[0].stem)
    assert made is not None
    file.write_bytes(written(made))
    assert result_of(STORED[0].stem, store_at(tmp_path)) == made
