"""Sentences of the methods section."""

from __future__ import annotations

import pytest

from secateur.reporting import methods
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
