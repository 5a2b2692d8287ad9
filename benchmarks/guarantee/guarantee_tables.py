"""The simulation's outcome as a page.

Comes in: what `guarantee.simulate` gives. Goes out: Markdown. Next: guarantee.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Cell = dict[str, Any]

HEAD = """\
# Does the certificate keep its promise?

Command: `python -m benchmarks.guarantee.guarantee --studies {studies}`; {studies:,} simulated studies a cell,
{rungs} rungs, judged by the functions that make certificates. Clips: the losses of half-pruned networks on
real subjects (clip_losses.json, made by `python -m benchmarks.guarantee.clip_losses`), drawn with
replacement.

## The mean statement: certificates for a network that breaks the constraint

The true mean loss is exactly the margin, where no certificate should be given; confidence {confidence:.0%},
so at most {wanted:.1%} may be. Of two ladders the worse counts: all rungs at the edge, and two rungs well
inside with all later ones at the edge. **Bold**: more than chance explains (lower 95 % limit of Clopper and
Pearson above {wanted:.1%}), that is, not covered. As the worse of two is taken, a family that just keeps its
promise is bold now and then.
"""

SKEW = """
## Why no rule refuses what is not covered

Median skewness that the sample itself shows: over all studies, and over those that led to a false
certificate. Where false certificates are frequent, these look tamer than the rest, down to no skew at all:
the study met none, or few, of the patients who are badly harmed. A rule that refuses skewed samples would
refuse the honest studies and let the false ones pass.
"""

LEVELS = """
## Other confidences
"""

EXACT = """
## The exact statement: certificates where the share harmed is just the one allowed

Confidence {confidence:.0%}; it assumes no family. In brackets what the binomial distribution gives.
"""

POWER = """
## Power: certificates for a network that keeps the constraint

With the spread measured on the clips (standard deviation of the losses: {deviations}); at a true mean loss
of zero / of half the margin. Where the table above is bold, part of this power is not deserved: the same
few unharmed samples pass.
"""

EXACT_POWER = """
## Power of the exact statement

At a true share harmed of {true}, by the binomial distribution.
"""


def in_tables(found: Cell) -> str:
    """The whole page."""
    confidence, studies = found["confidence"], found["studies"]
    shown = {"confidence": confidence, "wanted": 1 - confidence, "studies": studies}
    parts = [
        HEAD.format(rungs=found["rungs"], **shown),
        coverage_table(found),
        SKEW,
        _grid("family", "family", found["mean"], _skewness),
        LEVELS,
        _levels(found["levels"], studies),
        EXACT.format(**shown),
        _grid("allowed", "share", found["exact"], lambda cell: _exact(cell, studies)),
        POWER.format(
            deviations=", ".join(
                f"{metric} {value:g}"
                for metric, value in {
                    cell["metric"]: cell["deviation"] for cell in found["power"]
                }.items()
            )
        ),
        power_table(found),
        EXACT_POWER.format(true=" / ".join(found["exact_power"][0]["power"])),
        _grid(
            "allowed",
            "share",
            found["exact_power"],
            lambda cell: " / ".join(f"{value:.0%}" for value in cell["power"].values()),
        ),
        _reading(found),
    ]
    return "\n".join(parts) + "\n"


def _rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)


def _grid(title: str, key: str, cells: Sequence[Cell], show: Any) -> str:
    """One row for each value of `key`, one column for each number of subjects."""
    sizes = list(dict.fromkeys(cell["n"] for cell in cells))
    rows = [
        [str(one), *(show(cell) for cell in cells if cell[key] == one)]
        for one in dict.fromkeys(cell[key] for cell in cells)
    ]
    return _rows([title, *(f"n = {n}" for n in sizes)], rows)


def _share(cell: Cell, studies: int) -> str:
    told = f"{cell['worst'] / studies:.1%}"
    return told if cell["covered"] else f"**{told}**"


def _skewness(cell: Cell) -> str:
    return f"{cell['skewness'][0]:.1f}, {cell['skewness'][1]:.1f}"


def _exact(cell: Cell, studies: int) -> str:
    told = f"{cell['false'] / studies:.1%}"
    return f"{told if cell['covered'] else f'**{told}**'} ({cell['expected']:.1%})"


def _levels(cells: Sequence[Cell], studies: int) -> str:
    named = [
        {
            **cell,
            "row": f"{cell['family']}, {cell['confidence']:.0%} ({1 - cell['confidence']:.0%})",
        }
        for cell in cells
    ]
    return _grid("family, confidence (wanted)", "row", named, lambda cell: _share(cell, studies))


def coverage_table(found: Cell) -> str:
    """False certificates by family and number of subjects."""
    return _grid("family", "family", found["mean"], lambda cell: _share(cell, found["studies"]))


def power_table(found: Cell) -> str:
    """Certificates at a true mean loss of zero and of half the margin, by margin."""
    cells = found["power"]
    flat = [
        {
            "row": f"{cell['metric']}={margin}",
            "n": cell["n"],
            "told": " / ".join(f"{one:.0%}" for one in values),
        }
        for metric in dict.fromkeys(cell["metric"] for cell in cells)
        for margin in next(cell for cell in cells if cell["metric"] == metric)["power"]
        for cell in cells
        if cell["metric"] == metric
        for values in [cell["power"][margin]]
    ]
    return _grid("margin", "row", flat, lambda cell: cell["told"])


def _reading(found: Cell) -> str:
    """What the tables say, worked out from them."""
    studies, cells = found["studies"], found["mean"]
    lines = ["", "## What this says", ""]
    for family in dict.fromkeys(cell["family"] for cell in cells):
        own = [cell for cell in cells if cell["family"] == family]
        bad = [cell for cell in own if not cell["covered"]]
        if not bad:
            lines.append(f"- {family}: covered at every n tried.")
            continue
        worst = max(bad, key=lambda cell: float(cell["worst"]))
        sizes = ", ".join(str(cell["n"]) for cell in bad)
        lines.append(
            f"- {family}: not covered at n = {sizes}; up to {worst['worst'] / studies:.1%} "
            f"false certificates (n = {worst['n']})."
        )
    held = all(cell["covered"] for cell in found["exact"])
    lines.append(
        f"- The exact statement {'kept' if held else 'did not keep'} its promise everywhere."
    )
    return "\n".join(lines)
