"""Puts the numbers into docs/explanation/certificate.md.

    python -m benchmarks.guarantee.certificate_page

Whatever stands between the page's marks is made anew from guarantee.json and clip_losses.json.
"""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.guarantee import clip_losses
from benchmarks.guarantee.guarantee import KEPT
from benchmarks.guarantee.guarantee_tables import (
    before_table,
    coverage_table,
    critical_table,
    power_table,
)
from secateur.files import write_whole
from secateur.scoring import (
    Certificate,
    Circumstances,
    Constraint,
    in_words,
    make_certificate,
)
from secateur.scoring.calibration import Design
from secateur.scoring.planning import dealt

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "certificate.md"
SUBJECTS, FOLDS, REPEATS = 16, 5, 3


def main() -> None:
    write_whole(PAGE, filled(PAGE.read_text()))


def filled(page: str) -> str:
    """The page with every marked part made anew."""
    content = json.loads(KEPT.read_text())
    parts = {
        "before": before_table(content),
        "coverage": coverage_table(content, 1, FOLDS, REPEATS),
        "holm": _no_cell_above(content),
        "critical": critical_table(content),
        "example": _example(),
        "power": _power(content),
        "not-empty": _not_empty(content),
    }
    for name, text in parts.items():
        head, end = f"<!-- {name} -->\n", "<!-- end -->"
        before, after = page.split(head)
        page = f"{before}{head}\n{text}\n\n{end}{after.split(end, 1)[1]}"
    return page


def _no_cell_above(content: dict[str, Any]) -> str:
    holm = content["holm"]
    worst = ", ".join(
        f"{share:.2%} at {level:.1%}"
        for share, level in zip(holm["worst"], content["levels"], strict=True)
    )
    return textwrap.fill(
        f"Of {holm['cells']:,} cells with {content['studies']:,} studies each, {holm['above']} are above "
        "their level (exact one-sided tests, Holm over all cells; smallest adjusted p "
        f"{holm['smallest_adjusted_p']:.2g}). "
        f"The worst false rates: {worst}.",
        110,
    )


def _power(content: dict[str, Any]) -> str:
    return "\n\n".join(
        f"{metric}={margin}:\n\n{power_table(content, metric, margin)}"
        for metric, margin in (("auroc", "0.01"), ("auroc", "0.02"), ("macro_f1", "0.05"))
    )


def _not_empty(content: dict[str, Any]) -> str:
    shares = [
        f"{cell['metric']} {cell['power']['0.05'][1][1]:.0%} with {cell['repeats']} repeat"
        + "s" * (cell["repeats"] > 1)
        for cell in content["power"]
        if (cell["n"], cell["luck"]) == (60, 0.1)
    ]
    return textwrap.fill(
        f"With 60 subjects, a tenth of the variance luck of training and a margin of 0.05, of networks "
        f"that lose nothing so many are certified: {', '.join(shares)}.",
        110,
    )


def example() -> Certificate:
    """Sixteen subjects in three repeats, with losses drawn from those of the clips, on two rungs."""
    generator = np.random.default_rng(6)
    names = [f"sub-{k:02d}" for k in range(1, SUBJECTS + 1)]
    level = generator.uniform(0.8, 0.95, SUBJECTS)
    folds = dealt(generator, Design(SUBJECTS, FOLDS, REPEATS))
    assert folds is not None

    def scores(loss: np.ndarray[Any, np.dtype[np.float64]]) -> list[dict[str, dict[str, float]]]:
        luck = np.take_along_axis(generator.normal(0, 0.004, (REPEATS, FOLDS)), folds, axis=1)
        return [
            {
                name: {"auroc": float(value)}
                for name, value in zip(names, level - loss - repeat, strict=True)
            }
            for repeat in luck
        ]

    lost = generator.choice(clip_losses.measured("auroc"), SUBJECTS)
    return make_certificate(
        Constraint(margins={"auroc": 0.03}),
        scores(0.0 * lost),
        [("0.25", scores(lost - 0.012)), ("0.5", scores(lost - 0.008))],
        Circumstances(
            ladder=("0.25", "0.5", "0.75"),
            background="post-ictal background only",
            folds=tuple(
                {
                    f"{repeat}-{fold}": tuple(np.array(names)[row == fold].tolist())
                    for fold in range(FOLDS)
                }
                for repeat, row in enumerate(folds)
            ),
        ),
        retrained=scores(0.1 * lost),
    )


def _example() -> str:
    return "\n>\n".join(
        textwrap.fill(paragraph, 108, initial_indent="> ", subsequent_indent="> ")
        for paragraph in in_words(example())
    )


if __name__ == "__main__":
    main()
