"""Sentences of the methods section."""

from __future__ import annotations

import pytest

from secateur.reporting import methods
from secateur.results import Scores
from secateur.windows import ChainSettings


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("bipolar-18", "bipolar-18"),
        ("F7-T3,T3-T5,T5-O1", "of the pairs F7-T3, T3-T5, T5-O1 (4 electrodes)"),
    ],
)
def test_pairs_of_a_montage_are_named(asked: str, words: str) -> None:
    assert methods.montage(ChainSettings.model_validate({"montage": asked})) == words


def test_a_mean_says_of_how_many_subjects_it_is() -> None:
    subjects: dict[str, Scores] = {
        "a": {"auroc": 0.9},
        "b": {"auroc": None},
        "c": {"auroc": 0.8},
        "d": {"auroc": None},
    }
    assert methods.mean_over(subjects, "auroc") == (
        "mean over 2 of 4 subjects, those with a seizure and background"
    )
    scored = {who: scores for who, scores in subjects.items() if scores["auroc"] is not None}
    assert methods.mean_over(scored, "auroc") == "mean over 2 subjects"
