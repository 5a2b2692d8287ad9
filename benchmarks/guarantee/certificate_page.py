"""Puts the numbers into docs/certificate.md.

    python -m benchmarks.guarantee.certificate_page

Comes in: guarantee.json, clip_losses.json and the page. Goes out: the page with whatever stands between its
marks made anew: tables, what the clips show, and a certificate in words. Next: whoever reads it.
"""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.guarantee import clip_losses
from benchmarks.guarantee.guarantee import KEPT
from benchmarks.guarantee.guarantee_tables import coverage_table, power_table
from secateur.files import write_whole
from secateur.scoring import (
    Certificate,
    Circumstances,
    Constraint,
    in_words,
    make_certificate,
)

PAGE = Path(__file__).parents[2] / "docs" / "certificate.md"
CLIPS = "measured on the clips, AUROC"


def main() -> None:
    write_whole(PAGE, filled(PAGE.read_text()))


def filled(page: str) -> str:
    """The page with every marked part made anew."""
    found = json.loads(KEPT.read_text())
    parts = {
        "coverage": coverage_table(found),
        "clips": _of_the_clips(found),
        "example": _example(),
        "power": power_table(found),
    }
    for name, text in parts.items():
        head, end = f"<!-- {name} -->\n", "<!-- end -->"
        before, after = page.split(head)
        page = f"{before}{head}\n{text}\n\n{end}{after.split(end, 1)[1]}"
    return page


def _of_the_clips(found: dict[str, Any]) -> str:
    values = np.sort(clip_losses.measured("auroc"))
    studies = found["studies"]

    def false(cells: str, confidence: float) -> str:
        shares = [
            f"{cell['worst'] / studies:.1%}"
            for cell in found[cells]
            if (cell["family"], cell["confidence"]) == (CLIPS, confidence) and cell["n"] in (12, 16)
        ]
        return " and ".join(shares)

    text = (
        f"Losses in AUROC measured on the clips are of that kind: over {len(values)} subjects the mean was "
        f"{values.mean():.3f} and the median {np.median(values):.3f}, but the two who lost most lost "
        f"{values[-2]:.3f} and {values[-1]:.3f}. With 12 and 16 subjects of that kind "
        f"{false('mean', 0.95)} of networks at the edge of the margin were certified at 95 % confidence, "
        f"{false('levels', 0.99)} at 99 %."
    )
    return textwrap.fill(text, 110)


def example() -> Certificate:
    """Sixteen subjects with losses drawn from those of the clips, on two rungs."""
    generator = np.random.default_rng(6)
    names = [f"sub-{k:02d}" for k in range(1, 17)]
    baseline = {name: {"auroc": float(generator.uniform(0.8, 0.95))} for name in names}

    def cut(more: float) -> dict[str, dict[str, float | None]]:
        lost = generator.choice(clip_losses.measured("auroc"), len(names)) + more
        return {
            name: {"auroc": baseline[name]["auroc"] - float(loss)}
            for name, loss in zip(names, lost, strict=True)
        }

    return make_certificate(
        Constraint(margins={"auroc": 0.03}),
        baseline,
        [("0.25", cut(-0.005)), ("0.5", cut(0.0))],
        Circumstances(ladder=("0.25", "0.5", "0.75"), background="post-ictal background only"),
        retrained=cut(-0.004),
    )


def _example() -> str:
    return "\n>\n".join(
        textwrap.fill(paragraph, 108, initial_indent="> ", subsequent_indent="> ")
        for paragraph in in_words(example())
    )


if __name__ == "__main__":
    main()
