"""The certificate keeps its promise where it says so, and says so only where simulation bears it out."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.guarantee import certificate_page, clip_losses, guarantee
from benchmarks.guarantee.families import FAMILIES, ladders
from benchmarks.guarantee.guarantee_tables import in_tables
from secateur.scoring import Constraint, climb, judge
from secateur.scoring.coverage import (
    CONFIDENCE,
    FALSE_CERTIFICATES,
    SIZES,
    STUDIES,
    UNCOVERED,
    coverage,
)
from secateur.scoring.margins import ScoreTable

KEPT = json.loads(guarantee.KEPT.read_text())
COVERED = [family for family in FAMILIES if family not in UNCOVERED]


def test_certificates_quote_the_committed_table() -> None:
    assert (KEPT["studies"], KEPT["confidence"]) == (STUDIES, CONFIDENCE)
    for family in FAMILIES:
        cells = [cell for cell in KEPT["mean"] if cell["family"] == family]
        assert tuple(cell["n"] for cell in cells) == SIZES
        assert tuple(cell["worst"] for cell in cells) == FALSE_CERTIFICATES[family]
        bad = tuple(cell["n"] for cell in cells if not cell["covered"])
        assert bad == UNCOVERED.get(family, ())
    assert set(UNCOVERED) <= set(FALSE_CERTIFICATES) == set(FAMILIES)


def test_the_committed_page_is_made_of_the_committed_numbers() -> None:
    assert in_tables(KEPT) == (guarantee.HERE / "guarantee.md").read_text()


def test_the_page_on_the_certificate_holds_the_committed_numbers() -> None:
    page = certificate_page.PAGE.read_text()
    assert certificate_page.filled(page) == page
    assert certificate_page.example().certified


def test_covered_is_what_chance_explains() -> None:
    for cell in [*KEPT["mean"], *KEPT["levels"]]:
        limit = guarantee.lower_limit(cell["worst"], KEPT["studies"])
        assert cell["worst"] == max(cell["all_at_the_edge"], cell["mild_then_edge"])
        assert cell["covered"] == (limit <= 1 - cell["confidence"] + 1e-12)
    assert all(cell["covered"] for cell in KEPT["exact"])
    for cell in KEPT["exact"]:
        assert cell["false"] / KEPT["studies"] == pytest.approx(cell["expected"], abs=0.012)


@pytest.mark.parametrize("family", COVERED)
@pytest.mark.parametrize("n", [8, 16])
def test_false_certificates_are_no_more_than_promised(family: str, n: int) -> None:
    cell = guarantee._ladder_cell(family, n, 800, CONFIDENCE, 1)
    assert cell["covered"], cell


def test_few_badly_harmed_are_not_covered_and_it_is_found() -> None:
    worst = "skewed: 1 patient in 20 harmed by 10 standard deviations"
    cell = guarantee._ladder_cell(worst, 12, 1000, CONFIDENCE, 1)
    assert not cell["covered"]
    assert 12 in UNCOVERED[worst]
    # those who were certified by error look tamer than the rest: no rule on losses seen could tell them
    assert cell["skewness"][1] < cell["skewness"][0]


@pytest.mark.parametrize("share", guarantee.SHARES)
@pytest.mark.parametrize("n", SIZES)
def test_the_exact_statement_keeps_its_promise(share: float, n: int) -> None:
    cell = guarantee._exact_cell(share, n, 4000)
    assert cell["covered"]
    assert cell["expected"] <= 1 - CONFIDENCE + 1e-12


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_stands_at_the_edge_in_units_of_its_deviation(family: str) -> None:
    drawn = ladders(family, np.random.default_rng(0), 4000, 2, 50)
    assert drawn.mean() == pytest.approx(0, abs=0.02)
    assert drawn.std() == pytest.approx(1, abs=0.05)
    kept = (drawn[0] == drawn[1]).mean()  # of few values, some stay by chance
    assert kept == pytest.approx(0.7, abs=0.02)


def test_the_simulation_judges_as_certificates_do() -> None:
    """Study by study, rung by rung, through the tables of scores that a certificate is made from."""
    losses = ladders("normal", np.random.default_rng(4), 40, 3, 12)
    losses[:1] -= 1.0
    false = set(guarantee.false_certificates(losses, inside=1, confidence=0.8).tolist())
    margin = 0.5
    constraint = Constraint(margins={"auroc": margin}, confidence=0.8)
    names = [f"s{k}" for k in range(12)]
    baseline: ScoreTable = {name: {"auroc": 0.0} for name in names}
    found = set()
    for study in range(40):
        passed = []
        for rung in losses[:, study]:
            ordered = dict(zip(sorted(names), rung, strict=True))
            table = {name: {"auroc": -(ordered[name] + margin)} for name in names}
            passed.append(judge(baseline, table, constraint).passed)
        if (answer := climb(passed).answer) is not None and answer >= 1:
            found.add(study)
    assert found == false
    assert 0 < len(found) < 40


def test_coverage_is_that_of_the_size_not_above() -> None:
    assert {one.n for one in coverage(15)} == {12}
    assert {one.n for one in coverage(500)} == {60}
    assert {one.family for one in coverage(16) if not one.covered} == {
        family for family, sizes in UNCOVERED.items() if 16 in sizes
    }


def test_losses_of_the_clips_are_those_of_the_runs() -> None:
    subjects = [{"subject": "a", "auroc": 0.9, "macro_f1": 0.8}]
    worse = [{"subject": "a", "auroc": 0.85, "macro_f1": None}]
    result = {
        "seed": 1,
        "commit": "abc",
        "data": {"name": "D"},
        "pruning": {"ratio_requested": 0.5},
        "models": {
            name: {"test": {"by_subject": {"subjects": rows}}}
            for name, rows in (("baseline", subjects), ("pruned", worse))
        },
    }
    assert clip_losses.gather([result])["losses"] == {"auroc": [0.05], "macro_f1": []}
    assert len(clip_losses.measured("auroc")) == len(clip_losses.measured("macro_f1"))
