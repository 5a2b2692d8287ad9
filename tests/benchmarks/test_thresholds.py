"""How thresholds are chosen: the simulation in small, and what documents tell of the large one."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from benchmarks.quality.thresholds import FAMILIES, PREVALENCES, WAYS, _study

TOP = Path(__file__).parents[2]
HALF, BEST, BEFORE, _, NOW = WAYS


@pytest.mark.parametrize("prevalence", PREVALENCES)
def test_towards_the_anchor_costs_nothing_at_any_share(prevalence: float) -> None:
    family = FAMILIES["calibrated, d = 3"]
    studies = [_study(family, prevalence, prevalence, seed) for seed in range(5)]
    means = {key: float(np.mean([study[key] for study in studies])) for key in studies[0]}
    assert means[NOW] > means[BEFORE] - 0.001
    assert means[NOW] > means[BEST] - 0.001
    assert means[NOW] > means["the most there is"] - 0.01
    if prevalence < 0.1:  # half way from 0.5 is right near 50 % alone
        assert means[NOW] > means[BEFORE] + 0.03
        assert means[NOW] > means[HALF] + 0.1


def rows(section: str) -> list[list[float]]:
    text = (TOP / "benchmarks" / "quality" / "thresholds.md").read_text()
    (part,) = [part for part in text.split("### ") if part.startswith(section)]
    lines = [line for line in part.splitlines() if re.match(r"\| [\d.]+ %", line)]
    return [[float(cell.strip(" %")) for cell in line.strip("|").split("|")] for line in lines]


def test_the_page_on_methods_tells_what_was_measured() -> None:
    page = " ".join((TOP / "docs" / "explanation" / "method.md").read_text().split())
    half, best, before, now = 2, 3, 4, 6
    clips = rows("The clips")
    assert [row[0] for row in clips] == [100 * share for share in PREVALENCES]
    text = (TOP / "benchmarks" / "quality" / "thresholds.md").read_text()
    gains = [f"{float(gain):+.3f}" for gain in re.findall(r"^- [\d.]+ %: (\S+) \(", text, re.M)]
    for gain, row in zip(gains, clips, strict=True):
        assert float(gain) == pytest.approx(row[now] - row[before], abs=0.0011)
    shares = [
        f"{value.replace('-0.000', '+0.000')} ({row[0]:g} %)"
        for value, row in zip(gains, clips, strict=True)
    ]
    assert f"{', '.join(shares[:-1])} and {shares[-1]}" in page
    others = [f"{row[now] - row[best]:+.3f}" for row in clips]
    assert f"{', '.join(others[:-1])} and {others[-1]} against the best on validation" in page
    simulated = {name: rows(f"Simulated: {name}") for name in FAMILIES}
    against_half = [row[now] - row[before] for own in simulated.values() for row in own]
    assert min(against_half) > -0.0005
    assert f"gains up to {max(against_half):.2f} of macro-F1" in page
    calibrated = [
        row[now] - row[best]
        for name in FAMILIES
        if name.startswith("calibrated")
        for row in simulated[name]
    ]
    assert f"gains up to {max(calibrated):.3f} where networks are calibrated" in page
    worst = min(row[now] - row[best] for own in simulated.values() for row in own)
    assert f"loses up to {-worst:.3f} where they aren't" in page
    assert all(row[now] > row[half] - 0.0025 for own in simulated.values() for row in own)
