"""The tables of guarantee.md and of docs/explanation/certificate.md, from the numbers of guarantee.json."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scipy.stats import binom

Cell = dict[str, Any]

HEAD = """# Does the certificate keep its promise?

Command: `python -m benchmarks.guarantee.guarantee --studies {studies}`; {studies:,} simulated studies a
cell, {minutes:.0f} minutes of one core, judged by the functions that make certificates. Critical values come
from one set of seeds, everything below from another. Clips: the losses of half-pruned networks on real
subjects (clip_losses.json, made by `python -m benchmarks.guarantee.clip_losses`), drawn with replacement.

A study: *n* subjects, dealt into folds, in *R* repeats. A loss is mean + subject + luck of the fold's
training + rest. Subjects come from a family; luck of training is normal unless the family says otherwise,
and makes {luck} of a loss's variance (the intraclass correlation); of what is left {rest} is new with every
repeat. The true mean is exactly the margin, where at most the level may be certified.

## Critical values

Standard errors between the mean loss and its bound, from the worst of all families but the one declared
outside: at most so many of the studies pass that the upper 95 % limit of their share is the level.
"""

FALSE = """
## The mean statement: certificates for a network that breaks the constraint

The worst share over all shares of luck and of rest, at the table for {level}.
"""

HOLM = """
## No cell above its level

{cells} cells (designs, sizes, families, shares of luck and of rest, levels, and the designs that are not
tabulated). Exact one-sided tests of "the false rate is above the level", Holm over all: smallest adjusted *p*
{p:.2g}, cells above: {above}. Worst false rates by level: {worst}.

Designs between and beyond the tabulated ones, worst of three families and all shares of luck:
"""

BEFORE = """
## Before: Student's t over subjects alone

False certificates at 5 %, losses normal, nothing new with every repeat, 5 folds: what ignoring the luck of
training costs, and why more subjects made it worse.
"""

POWER = """
## Power: certificates for a network that loses nothing

With the spread measured on the clips (standard deviation of a loss: {deviations}), 5 folds. Before:
Student's t over subjects alone at 5 %; after: the calibrated bound at 5 %; as issued: a first certification
at 95 % confidence, which may spend 4 % and is judged by the table for 2.5 %. Before / after / as issued.
"""

EXACT = """
## The exact statement: certificates where the share harmed is just the one allowed

Confidence {confidence:.0%}; it assumes no family. In brackets what the binomial distribution gives.
"""

EXACT_POWER = """
## Power of the exact statement

At a true share harmed of {true}, by the binomial distribution.
"""


def in_tables(content: Cell) -> str:
    """The whole page."""
    studies = content["studies"]
    levels = [f"{level:.1%}" for level in content["levels"]]
    parts = [
        HEAD.format(
            studies=studies,
            minutes=content["seconds"] / 60,
            luck=_listed(content["luck"]),
            rest=_listed(content["rest"]),
        ),
        critical_table(content),
    ]
    for number in (0, 1, 3):
        parts.append(FALSE.format(level=levels[number]))
        for folds, repeats in ((5, 3), (5, 1), (None, 1)):
            parts += [
                f"{way_of(folds, repeats)}:\n",
                coverage_table(content, number, folds, repeats),
                "",
            ]
    holm = content["holm"]
    parts += [
        HOLM.format(
            cells=f"{holm['cells']:,}",
            p=holm["smallest_adjusted_p"],
            above=holm["above"],
            worst=", ".join(f"{w:.2%}" for w in holm["worst"]),
        ),
        _rows(
            ["design", *(f"at {level}" for level in levels)],
            [
                [
                    f"n = {row['subjects']}, {way_of(row['folds'], row['repeats'])}",
                    *(f"{count / studies:.2%}" for count in row["false"]),
                ]
                for row in content["between"]
            ],
        ),
        BEFORE,
        before_table(content),
        POWER.format(
            deviations=", ".join(
                f"{metric} {value:g}"
                for metric, value in {
                    cell["metric"]: cell["deviation"] for cell in content["power"]
                }.items()
            )
        ),
        *(
            f"{metric}={margin}:\n\n{power_table(content, metric, margin)}\n"
            for metric in dict.fromkeys(cell["metric"] for cell in content["power"])
            for margin in content["power"][0]["power"]
        ),
        EXACT.format(confidence=0.95),
        _grid("allowed", content["exact"], lambda cell: _exact(cell, studies)),
        EXACT_POWER.format(true=" / ".join(content["exact_power"][0]["power"])),
        _grid(
            "allowed",
            content["exact_power"],
            lambda cell: " / ".join(f"{value:.0%}" for value in cell["power"].values()),
        ),
    ]
    return "\n".join(parts) + "\n"


def way_of(folds: int | None, repeats: int) -> str:
    """How subjects were judged, in words."""
    if folds is None:
        return "one file"
    return f"{folds} folds, {repeats} repeat{'s' if repeats > 1 else ''}"


def critical_table(content: Cell) -> str:
    """Critical values by design, size and level."""
    rows = [
        [
            way_of(row["folds"], row["repeats"]),
            *(" / ".join(f"{value:.2f}" for value in values) for values in row["critical"]),
        ]
        for row in content["designs"]
    ]
    levels = " / ".join(f"{level:.1%}" for level in content["levels"])
    return _rows([f"at {levels}", *_sizes(content)], rows)


def coverage_table(content: Cell, level: int, folds: int | None, repeats: int) -> str:
    """False certificates by family and number of subjects, the worst over shares of luck and rest.

    **Bold**: more than chance explains (exact one-sided test at 5 % above the level, no correction).
    """
    row = _row(content, folds, repeats)
    studies, wanted = content["studies"], content["levels"][level]

    def share(by_shares: list[list[int]]) -> str:
        worst = max(counts[level] for counts in by_shares)
        text = f"{worst / studies:.1%}"
        return (
            f"**{text}**" if binom.sf(worst - 1, studies, wanted) < 0.05 / len(by_shares) else text
        )

    rows = [
        [f"{family} (outside)" if family in content["outside"] else family, *map(share, by_size)]
        for family, by_size in row["false"].items()
    ]
    return _rows(["family", *_sizes(content)], rows)


def before_table(content: Cell) -> str:
    """False certificates of Student's t over subjects alone, by repeats and share of luck."""
    rows = []
    for repeats in (1, 3, 5):
        before = _row(content, 5, repeats)["before"]["normal"]
        for number, luck in enumerate(content["luck"]):
            place = number * len(content["rest"])
            rows.append(
                [
                    str(repeats),
                    f"{luck:g}",
                    *(f"{counts[place] / content['studies']:.1%}" for counts in before),
                ]
            )
    return _rows(["repeats", "luck of training", *_sizes(content)], rows)


def power_table(content: Cell, metric: str, margin: str) -> str:
    """Certificates at a true mean loss of zero: before / after calibration / as issued."""
    cells = {
        (cell["repeats"], cell["luck"], cell["n"]): cell["power"][margin]
        for cell in content["power"]
        if cell["metric"] == metric
    }
    ways = dict.fromkeys((repeats, luck) for repeats, luck, _ in cells)
    rows = [
        [
            str(repeats),
            f"{luck:g}",
            *(
                " / ".join(f"{value:.0%}" for value in (*nominal, issued[1]))
                for n in content["sizes"]
                for nominal, issued in [cells[repeats, luck, n]]
            ),
        ]
        for repeats, luck in ways
    ]
    return _rows(["repeats", "luck of training", *_sizes(content)], rows)


def _row(content: Cell, folds: int | None, repeats: int) -> Cell:
    return next(
        row for row in content["designs"] if (row["folds"], row["repeats"]) == (folds, repeats)
    )


def _sizes(content: Cell) -> list[str]:
    return [f"n = {n}" for n in content["sizes"]]


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.0%}" for value in values[:-1]) + f" or {values[-1]:.0%}"


def _rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)


def _grid(title: str, cells: Sequence[Cell], show: Any) -> str:
    """One row for each share allowed, one column for each number of subjects."""
    sizes = list(dict.fromkeys(cell["n"] for cell in cells))
    rows = [
        [str(share), *(show(cell) for cell in cells if cell["share"] == share)]
        for share in dict.fromkeys(cell["share"] for cell in cells)
    ]
    return _rows([title, *(f"n = {n}" for n in sizes)], rows)


def _exact(cell: Cell, studies: int) -> str:
    text = f"{cell['false'] / studies:.1%}"
    return f"{text if cell['covered'] else f'**{text}**'} ({cell['expected']:.1%})"
