"""Numbers that the findings quote from a study without a marker stand in its report."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
NOT_QUOTED = {
    "explaining": {"16", "32", "64"},
    # years between a child's sessions; patients of three kinds of drift; what two children lose
    "drift": {"1.5", "18", "0.16"},
    # seizures and deals, counted before any run
    "pretraining": {"61", "77"},
    # children and folds in words of the protocol
    "ratios": {"98"},
    "main-job": {"32", "64", "128", "27"},
}
"""Beside what a report says: sizes of networks, sums and roundings."""
PARAGRAPHS = (
    ("explaining", "**Can interpretability go with a pruned network"),
    ("explaining", "**Does the pruned network give the same reasons?**"),
    ("drift", "**How does a pruned network hold while EEG drifts"),
    ("pretraining", "**A patient comes with a few labelled recordings"),
    ("ratios", "**How much can go, and where does it break?**"),
    ("allocation", "**Do adaptive ratios do better?**"),
    ("widths", "**How small may a network be from the start?**"),
    ("eight-bits", "**Do 8 bits cost anything?**"),
    ("post-processing", "**Do event rules chosen on validation help?**"),
    ("main-job", "**What does a default run give?**"),
    ("ratios", "**Is it better than a small network from new weights?**"),
)


@pytest.mark.parametrize(("study", "beginning"), PARAGRAPHS)
def test_numbers_of_the_findings_stand_in_the_report(study: str, beginning: str) -> None:
    (paragraph,) = (
        line
        for line in (ROOT / "docs" / "explanation" / "findings.md").read_text().splitlines()
        if line.startswith(beginning)
    )
    report = (ROOT / "evidence" / study / "report.md").read_text()
    known = {*NUMBER.findall(report), *NOT_QUOTED.get(study, set())}
    numbers = NUMBER.findall(re.sub(r"<!--.*?-->.*?<!-- / -->|\]\([^)]*\)", "]", paragraph))
    assert numbers
    assert [number for number in numbers if number.rstrip(".,") not in known] == []
