"""The certificate keeps its promise: its critical values come from simulating what certifies."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom

from benchmarks.guarantee import certificate_page, clip_losses, guarantee
from benchmarks.guarantee.families import FAMILIES, OUTSIDE, PATIENTS, studies_of
from benchmarks.guarantee.guarantee_tables import in_tables
from secateur.results import read_study_run
from secateur.scoring import Constraint, judge
from secateur.scoring.calibration import Design, calibration, coverage, critical_value, spent
from secateur.scoring.ladder import Reference
from secateur.scoring.margins import ScoreTable
from secateur.scoring.statements import estimate_mean

KEPT = json.loads(guarantee.KEPT.read_text())
HARMED = "skewed: 1 patient in 20 harmed by 10 standard deviations"


def test_certificates_read_the_committed_simulation() -> None:
    assert json.loads(json.dumps(guarantee.for_certificates(KEPT))) == calibration()
    assert KEPT["studies"] == 20_000
    assert (KEPT["sizes"], KEPT["levels"]) == (list(guarantee.SIZES), list(guarantee.LEVELS))
    assert KEPT["luck"] == list(guarantee.LUCK)
    assert KEPT["outside"] == list(OUTSIDE)


def test_the_committed_page_is_made_of_the_committed_numbers() -> None:
    assert in_tables(KEPT) == (guarantee.HERE / "guarantee.md").read_text()


def test_the_page_on_the_certificate_holds_the_committed_numbers() -> None:
    page = certificate_page.PAGE.read_text()
    assert certificate_page.filled(page) == page
    assert certificate_page.example().certified


def test_no_cell_is_above_its_level() -> None:
    """Exact tests, Holm over all cells, worked out again from every count."""
    counts = np.array(
        [
            cell
            for row in KEPT["designs"]
            for family in FAMILIES
            for by_shares in row["false"][family]
            for cell in by_shares
        ]
        + [row["false"] for row in KEPT["between"]]
    )
    p = np.asarray(binom.sf(counts - 1, KEPT["studies"], np.array(KEPT["levels"])[None]))
    assert KEPT["holm"]["cells"] == p.size > 10_000
    assert p.min() * p.size > 0.05
    assert KEPT["holm"]["above"] == 0


def test_it_is_not_empty() -> None:
    """60 subjects, a tenth of the variance luck of training, margin 0.05, nothing lost, as issued first."""
    cells = [cell for cell in KEPT["power"] if (cell["n"], cell["luck"]) == (60, 0.1)]
    assert len(cells) == 6
    assert all(cell["power"]["0.05"][1][1] >= 0.8 for cell in cells)


@pytest.mark.parametrize(("folds", "repeats"), [(5, 1), (3, 2)])
def test_the_counts_come_out_again(folds: int, repeats: int) -> None:
    """A cell simulated anew, to the last study."""
    (row,) = [r for r in KEPT["designs"] if (r["folds"], r["repeats"]) == (folds, repeats)]
    family, shares = "skewed: gamma, skewness 2", (0.2, 0.4)
    place = guarantee.shares_of(Design(8, folds, repeats)).index(shares)
    counts, before = guarantee._counts(family, Design(8, folds, repeats), shares, KEPT)
    assert counts == row["false"][family][0][place]
    assert before == row["before"][family][0][place]


def test_before_calibration_more_subjects_made_it_worse() -> None:
    """The false rates that made luck of training part of the bound; one repeat, five folds, normal losses."""
    (row,) = [r for r in KEPT["designs"] if (r["folds"], r["repeats"]) == (5, 1)]
    before = dict(zip(KEPT["sizes"], row["before"]["normal"], strict=True))
    rest = len(KEPT["rest"])
    shares = {n: [count / KEPT["studies"] for count in before[n][::rest]] for n in (16, 60)}
    assert shares[16][1:] == pytest.approx([0.060, 0.079, 0.105], abs=0.016)
    assert shares[60][1:] == pytest.approx([0.119, 0.178, 0.221], abs=0.016)


@pytest.mark.parametrize(
    ("family", "design", "shares"),
    [
        ("measured on the clips, AUROC", Design(8, 5, 3), (0.0, 0.0)),
        ("measured on the clips, AUROC", Design(16, 5, 1), (0.2, 0.0)),
        ("skewed: gamma, skewness 2", Design(60, 5, 3), (0.36, 0.0)),
        ("skewed: 1 patient in 10 harmed by 5 standard deviations", Design(24), (0.0, 0.0)),
        ("t with 3 degrees of freedom", Design(30, 4, 4), (0.36, 0.4)),
    ],
)
def test_false_certificates_are_no_more_than_promised(
    family: str, design: Design, shares: tuple[float, float]
) -> None:
    """On seeds of its own."""
    losses, folds = studies_of(family, np.random.default_rng(77), 3000, design, shares)
    estimate = estimate_mean(losses, folds)
    for level in (0.05, 0.01):
        critical = critical_value(design, level)
        assert critical is not None
        false = int((estimate.bounds(critical) < 0).sum())
        assert binom.sf(false - 1, 3000, level) > 0.001, (level, false)


def test_few_badly_harmed_are_declared_outside_and_it_is_found() -> None:
    (worst,) = [one for one in coverage(Design(24, 5, 3), 0.05) if not one.covered]
    assert worst.family == HARMED
    assert worst.false_share > 0.1
    assert HARMED not in FAMILIES
    covered = [one for one in coverage(Design(24, 5, 3), 0.05) if one.covered]
    assert {one.family for one in covered} == set(FAMILIES)
    assert max(one.false_share for one in covered) < 0.054


@pytest.mark.parametrize("share", guarantee.SHARES)
@pytest.mark.parametrize("n", guarantee.SIZES)
def test_the_exact_statement_keeps_its_promise(share: float, n: int) -> None:
    cell = guarantee._exact_cell(share, n, 4000)
    assert cell["covered"]
    assert cell["expected"] <= 0.05 + 1e-12


@pytest.mark.parametrize("family", PATIENTS)
@pytest.mark.parametrize("shares", [(0.0, 0.0), (0.36, 0.4)])
def test_every_family_stands_at_the_edge_in_units_of_its_deviation(
    family: str, shares: tuple[float, float]
) -> None:
    losses, folds = studies_of(family, np.random.default_rng(0), 4000, Design(25, 5, 2), shares)
    assert losses.mean() == pytest.approx(0, abs=0.02)
    assert losses.std() == pytest.approx(1, abs=0.05)
    assert folds is not None
    assert sorted(folds[0]) == sorted(folds[1])
    assert folds[0].tolist() != folds[1].tolist()


@pytest.mark.parametrize("repeats", [1, 3])
def test_the_simulation_judges_as_certificates_do(repeats: int) -> None:
    """Study by study, through the tables of scores that a certificate is made from."""
    design, margin = Design(13, 5, repeats), 0.5
    losses, folds = studies_of("normal", np.random.default_rng(4), 40, design, (0.2, 0.3))
    losses = losses * 0.6 - 0.4
    assert folds is not None
    estimate = estimate_mean(np.round(losses + margin, 6), folds)
    constraint = Constraint(margins={"auroc": margin}, confidence=0.8)
    assert spent(0.2, 1) > 0.05
    critical = critical_value(design, 0.05)
    assert critical is not None
    passed = estimate.bounds(critical) < margin
    assert 0 < passed.sum() < 40
    names = [f"s{k:02d}" for k in range(13)]
    deals = tuple(
        tuple(tuple(names[k] for k in np.flatnonzero(row == fold)) for fold in range(5))
        for row in folds
    )
    baseline: ScoreTable = {name: {"auroc": 0.0} for name in names}
    reference = Reference([baseline] * repeats, None, deals)
    for study, expected in zip(losses + margin, passed, strict=True):
        tables = [
            {name: {"auroc": -float(loss)} for name, loss in zip(names, row, strict=True)}
            for row in study
        ]
        assert judge(tables, reference, constraint).passed == expected


def test_losses_of_the_clips_are_those_of_the_runs() -> None:
    path = Path(__file__).parents[1] / "results" / "files" / "study-run-schema-3.json"
    run = read_study_run(path.read_bytes(), path.name)
    tables = {name: model.test.subjects for name, model in run.models.items() if model.test}
    expected = [
        round(before - after, 6)
        for name in sorted(tables["baseline"])
        if (before := tables["baseline"][name]["auroc"]) is not None
        and (after := tables["pruned"][name]["auroc"]) is not None
    ]
    kept = clip_losses.gather([run, run])
    assert expected
    assert kept["losses"]["auroc"] == expected * 2
    assert run.pruning is not None
    assert kept["ratio"] == [run.pruning.ratio_requested]
    assert len(clip_losses.measured("auroc")) == len(clip_losses.measured("macro_f1"))
