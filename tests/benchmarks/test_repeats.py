"""Numbers kept from one call of a benchmark to the next, and the pages that are made of them."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from benchmarks.quality import ladders, longer_evidence
from benchmarks.quality.repeats import has_row, keep_row, rows_of, seeds_of


def test_a_row_takes_the_place_of_the_one_of_the_same_seed(tmp_path: Path) -> None:
    path = tmp_path / "kept.jsonl"
    assert rows_of(path) == []
    for seed, score in ((2, 0.5), (1, 0.6), (2, 0.7)):
        keep_row(path, {"seed": seed, "score": score}, ("seed",))
    assert rows_of(path) == [{"seed": 1, "score": 0.6}, {"seed": 2, "score": 0.7}]
    assert has_row(path, seed=2)
    assert not has_row(path, seed=3)
    with pytest.raises(ValueError, match="not JSON compliant"):
        keep_row(path, {"seed": 3, "score": float("nan")}, ("seed",))
    assert len(rows_of(path)) == 2


def test_seeds_are_a_range_or_a_list() -> None:
    assert seeds_of("2-4") == [2, 3, 4]
    assert seeds_of("0,3") == [0, 3]


def test_pages_are_what_the_rows_say() -> None:
    rows = {row["way"]: row for row in rows_of(ladders.KEPT)}
    page = ladders.KEPT.with_suffix(".md")
    assert page.read_text() == ladders._table({way: rows[way] for way in ladders.WAYS})
    page = longer_evidence.KEPT.with_suffix(".md")
    assert page.read_text() == longer_evidence._table(rows_of(longer_evidence.KEPT))
