"""Who is judged where when several data sets are certified together."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from secateur.certifying import resolve_ladder
from secateur.certifying.parts import Plan, plan
from secateur.errors import SplitError
from secateur.recordings import data_set_of
from secateur.recordings.montage import BIPOLAR_18
from secateur.runs import Source
from secateur.runs.data import PreparedCohort, prepare_cohort
from secateur.runs.plan import Part
from secateur.windows import Cache, Split
from tests.support.cohorts import eeg, write_cohort, write_edf


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> PreparedCohort:
    """Thirteen people with seizures, and six of a background."""
    top = tmp_path_factory.mktemp("sets")
    cohort = write_cohort(top / "a", subjects=13, seconds=30, name="One")
    for person in range(6):
        write_edf(top / "quiet" / f"p{person}.edf", eeg(30, [], 90 + person), BIPOLAR_18)
    source = Source.of([str(cohort)], [f"tuh={top / 'quiet'}"])
    return prepare_cohort(source, resolve_ladder(None, {}), Cache(top / "cache"))


def planned(stock: PreparedCohort, **words: Any) -> Plan:
    settings = resolve_ladder(None, {k.replace("_", "."): v for k, v in words.items()})
    return plan(stock, settings, Path("out"))


def split_of(part: Part) -> Split:
    assert part.split is not None
    return part.split


def sets_of(people: tuple[str, ...]) -> Counter[str]:
    return Counter(map(data_set_of, people))


def test_every_fold_judges_people_of_every_set(stock: PreparedCohort) -> None:
    ladder = planned(stock, certify_by="folds", certify_folds=3, ladder_repeats=2)
    for repeat in ladder.repeats:
        judged = [name for part in repeat for name in split_of(part).certification]
        assert len(judged) == len(set(judged)) == 19
        for part in repeat:
            assert set(sets_of(split_of(part).training)) == {"One", "tuh"}
            assert set(sets_of(split_of(part).validation)) == {"One", "tuh"}
            assert sets_of(split_of(part).certification)["tuh"] == 2
            assert sets_of(split_of(part).certification)["One"] in (4, 5)
    assert set(sets_of(split_of(ladder.final).validation)) == {"One", "tuh"}


def test_hold_out_keeps_its_part_of_every_set(stock: PreparedCohort) -> None:
    split = split_of(planned(stock, certify_by="holdout").final)
    # eight with seizures are needed: twelve of all nineteen
    assert sets_of(split.certification) == {"One": 9, "tuh": 3}
    assert set(sets_of(split.training)) == set(sets_of(split.validation)) == {"One", "tuh"}


def test_more_folds_than_a_set_has_people_are_refused(stock: PreparedCohort) -> None:
    with pytest.raises(SplitError, match="tuh: 7 folds of 6 subjects would leave some empty"):
        planned(stock, certify_by="folds", certify_folds=7)


def test_one_set_is_dealt_as_it_always_was(stock: PreparedCohort) -> None:
    alone = replace(stock, ours=tuple(p for p in stock.ours if p.entry.subject.startswith("One")))
    kept = split_of(planned(alone, certify_by="holdout").final).certification
    numbers = [int(name[-2:]) for name in kept]
    assert numbers == [2, 3, 5, 6, 7, 8, 9, 10]
