"""Numbers that the documents quote from the study of explanations are those of its report."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REPORT = ROOT / "studies" / "reports" / "explaining.md"
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
BEGINNINGS = (
    "**Can interpretability go with a pruned network",
    "**Does the pruned network give the same reasons?**",
)


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_numbers_of_the_findings_stand_in_the_report(beginning: str) -> None:
    (paragraph,) = (
        line
        for line in (ROOT / "docs" / "explanation" / "findings.md").read_text().splitlines()
        if line.startswith(beginning)
    )
    known = {*NUMBER.findall(REPORT.read_text()), "16", "32", "64"}
    numbers = NUMBER.findall(re.sub(r"\]\([^)]*\)", "]", paragraph))
    assert len(numbers) > 15
    assert [number for number in numbers if number.rstrip(".,") not in known] == []
