"""The model card of a small run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from secateur.runs import RunOutput

pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from secateur.reporting.card import run_card
from secateur.reporting.document import bounds, count, number, short_names
from secateur.reporting.render import escaped_markdown as literal
from secateur.reporting.render import markdown
from secateur.scoring import window_metrics


def model_card(run: RunOutput) -> str:
    return markdown(run_card(run))


def test_it_has_all_its_parts(tiny_run: RunOutput) -> None:
    card = model_card(tiny_run)
    for part in ("Intended use", "Not intended", "How to use it", "Data", "Scores on", "Events"):
        assert f"## {part}" in card
    for part in ("Size and pruning", "Limits", "Provenance"):
        assert f"## {part}" in card
    assert "not a medical device" in card
    assert "secateur detect RECORDING.edf --detector pruned.onnx --out EVENTS.tsv" in card


def test_it_names_every_subject_and_warning(tiny_run: RunOutput) -> None:
    card = model_card(tiny_run)
    for side in ("training", "validation", "test"):
        for subject in short_names(getattr(tiny_run.result.split, side)).values():
            assert literal(subject) in card
    for warning in tiny_run.result.warnings:
        assert literal(warning) in card


def test_its_numbers_are_those_of_the_result(tiny_run: RunOutput) -> None:
    card = model_card(tiny_run)
    for name in ("baseline", "pruned"):
        test = tiny_run.result.models[name].test
        assert test is not None
        for key in window_metrics():
            pooled = f"{number(test.scores[key])} {bounds(test.intervals.pooled[key])}"
            assert literal(pooled) in card
            mean = f"{number(test.mean_of_subjects[key])} {bounds(test.intervals.mean_of_subjects[key])}"
            assert literal(mean) in card
    assert count(tiny_run.result.models["pruned"].parameters) in card
    assert tiny_run.result.run in card
    assert "None" not in card
    assert "nan" not in card.lower().split()


def test_tables_keep_their_columns(tiny_run: RunOutput) -> None:
    widths = []
    for block in model_card(tiny_run).split("\n\n"):
        lines = [line for line in block.splitlines() if line.startswith("|")]
        widths.append({line.replace("\\|", "").count("|") for line in lines})
    assert all(len(found) <= 1 for found in widths)


def test_markup_in_names_is_made_harmless() -> None:
    assert literal("a|b <b>*c*\n`d`") == r"a\|b \<b\>\*c\* \`d\`"
