"""Runs of a study in 8 bits: what changes, and what stays the same run."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("onnx")

from secateur.cli import main
from secateur.errors import SettingsError
from secateur.runs import Source
from secateur.settings import read_toml
from secateur.studies import read_study
from secateur.studies.plan import drafts
from secateur.studies.record import read_plan, read_runs
from secateur.studies.store import store_at
from secateur.studies.table import Row
from tests.support.small_studies import SMALL_STUDY

WITH_BITS = SMALL_STUDY.replace("ratio = [0.5, 0.75]\nseed = [1, 2]", "bits = [32, 8]\nseed = [1]")
IN_FLOATS = WITH_BITS.replace("bits = [32, 8]\n", "").replace('axis = "ratio"', 'axis = "seed"')
HERE = {"data": Source(Path("somewhere"))}


def rows_of(text: str, data: Path, folder: Path) -> tuple[list[Row], str]:
    """The runs of a study, and its report."""
    folder.mkdir()
    file = folder / "asked.toml"
    file.write_text(text.replace('axis = "ratio"', 'axis = "bits"'))
    out = str(folder / "out")
    assert main(["study", str(file), "--data", str(data), "--out", out]) == 0
    rows, missing = read_runs(read_plan(out), store_at(out))
    assert not missing
    return rows, (folder / "out" / "study.md").read_text()


def test_in_8_bits_files_shrink_and_scores_are_those_of_the_file(
    tiny_cohort: Path, tmp_path: Path
) -> None:
    (floats, eight), report = rows_of(WITH_BITS, tiny_cohort, tmp_path / "both")
    (alone,), _ = rows_of(IN_FLOATS, tiny_cohort, tmp_path / "floats")
    assert floats.name == alone.name  # the same run, taken over
    assert eight.name != floats.name
    assert "Bytes of the file" in report
    for name, before in floats.result.models.items():
        after = eight.result.models[name]
        assert (after.parameters, after.macs, after.kernels) == (
            before.parameters,
            before.macs,
            before.kernels,
        )
        assert after.epochs == before.epochs
        assert after.file_bytes != before.file_bytes
        assert before.test is not None
        assert after.test is not None
        assert after.test.windows == before.test.windows
        ours, theirs = after.test.scores["auroc"], before.test.scores["auroc"]
        assert ours is not None
        assert theirs is not None
        assert after.test.scores["brier"] != before.test.scores["brier"]
        assert ours == pytest.approx(theirs, abs=0.05)


def test_networks_that_are_not_pruned_too(tiny_cohort: Path, tmp_path: Path) -> None:
    """With other rules than those by which they were quantised: what is decided later changes no network."""
    text = WITH_BITS.split("[[compare]]")[0].replace("\n[axes]", "\npruned = false\n[axes]")
    text = text.replace("seed = [1]", 'seed = [1]\npost-processing = ["fixed", "chosen"]')
    rows, _ = rows_of(text, tiny_cohort, tmp_path / "trained")
    scores = {}
    for row in rows:
        (model,) = row.result.models.values()
        assert model.test is not None
        scores[row.at["bits"], row.at["post-processing"]] = model.test.scores["brier"]
    assert scores[32, "fixed"] == scores[32, "chosen"]
    assert scores[8, "fixed"] == scores[8, "chosen"] != scores[32, "fixed"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[32, 8]", "[32, 16]", "bits is 32 .floats. or 8, got 16"),
        ("[32, 8]", "[true, 8]", "bits is 32 .floats. or 8, got True"),
        ("[fixed]", "[fixed]\nrungs = [0.5]", "bits = 8, and flags of prune; say int8"),
        ("[fixed]", "[explain]\n[fixed]", r"bits = 8, and \[explain\]; leave either away"),
    ],
)
def test_what_it_can_not_be_is_refused(old: str, new: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "asked.toml"
    file.write_text(WITH_BITS.split("[[compare]]")[0].replace(old, new))
    with pytest.raises(SettingsError, match=words):
        drafts(read_study(file), HERE)


def test_the_shipped_study_shares_its_floats_with_the_study_of_ratios() -> None:
    """So that they are not trained twice."""
    studies = Path(__file__).parents[2] / "studies"
    eight, ratios = (read_toml(studies / f"{name}.toml") for name in ("eight-bits", "ratios"))
    assert eight["fixed"] == ratios["fixed"]
    for axis in ("ratio", "seed", "fold"):
        assert {*eight["axes"][axis]} <= {*ratios["axes"][axis]}
