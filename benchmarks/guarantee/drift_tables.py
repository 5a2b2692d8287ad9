"""The tables of drift.md, from the numbers of drift.json."""

from __future__ import annotations

from typing import Any

from scipy.stats import binom

HEAD = """# Does drift keep its promise?

Command: `python -m benchmarks.guarantee.drift --patients {patients}`; {patients:,} simulated patients a row,
{minutes:.0f} minutes of one core, judged by the functions of `secateur.monitoring.drift`. Limits come from
one set of seeds and the worst kind of patients, everything below from another.

A patient: {numbers} numbers an hour unless the row says otherwise, 24 hours a day. An hour's own part has
the deviation 1, the unit of all that follows; it depends on the hour before (AR(1), through midnight). The
day effect is the deviation of what all hours of a day have in common. Sleep differs by up to 3 deviations,
and people go to bed and get up an hour earlier or later (standard deviation). A month is {month} days after
the reference.
"""

FALSE = """
## {count} reference days: false alarms

Limits: CUSUM {cusum:g}, martingale {martingale:g} (natural logarithm). Share of patients with at least one
alarm in the first month, over all numbers, both directions and both rules; by each rule; and of those whose
first alarm falls into the second month.

| patients | first month | CUSUM | martingale | second month |
|---|---|---|---|---|
"""

HOLM = """
Covered rows: {rows}, worst {worst:.2%}; exact one-sided tests of "above {level:.0%}", Holm over the rows:
smallest adjusted *p* {p:.2g}.
"""

SEEN = """
## {count} reference days: lasting shifts

Day effect 0.3; one of {numbers} numbers shifts up by so many hourly deviations on the first day after the
reference and stays. Share of patients in whom that number is called, in that direction, within 7, 14 and 28
days; in brackets within 28 days by the CUSUM and by the martingale alone.

| patients | shift | 7 days | 14 days | 28 days |
|---|---|---|---|---|
"""

OTHERS = """
## Others on the same patients

{patients} patients with a day effect of 0.3 and a dependence of 0.5, {numbers} numbers, {month} days after 7
reference days, no drift; each package at its defaults, fed hour by hour as its documents have it, every
number by itself. Patients with an alarm, alarms a patient; and patients in whom a lasting shift of 3 of one
number, from the first day after the reference, was called on that number within 7 days.

| detector | fed with | false: patients | false: alarms a patient | seen within 7 days |
|---|---|---|---|---|
"""


def in_tables(content: dict[str, Any]) -> str:
    """The whole page."""
    numbers = 10
    parts = [
        HEAD.format(
            patients=content["patients"],
            minutes=content["minutes"],
            numbers=numbers,
            month=content["month"],
        )
    ]
    for count, by in content["by"].items():
        parts.append(FALSE.format(count=count, **by["limits"]))
        parts += [_false_row(cell) for cell in by["false"]]
        parts.append(_holm([cell for cell in by["false"] if cell["covered"]], content["level"]))
        parts.append(SEEN.format(count=count, numbers=numbers))
        parts += [_seen_row(cell) for cell in by["seen"]]
    others = content["others"]
    parts.append(OTHERS.format(numbers=numbers, **others["design"]))
    parts += [_other_row(row) for row in others["rows"]]
    return "".join(parts)


def _false_row(cell: dict[str, Any]) -> str:
    shares = [
        cell[name] / cell["patients"] for name in ("alarms", "cusum", "martingale", "second_month")
    ]
    outside = "" if cell["covered"] else " (outside, not covered)"
    return f"| {cell['kind']}{outside} | " + " | ".join(f"{share:.2%}" for share in shares) + " |\n"


def _holm(cells: list[dict[str, Any]], level: float) -> str:
    values = sorted(binom.sf(cell["alarms"] - 1, cell["patients"], level) for cell in cells)
    adjusted = min(1.0, min((len(values) - k) * p for k, p in enumerate(values)))
    worst = max(cell["alarms"] / cell["patients"] for cell in cells)
    return HOLM.format(rows=len(cells), worst=worst, level=level, p=adjusted)


def _seen_row(cell: dict[str, Any]) -> str:
    within = list(cell["within"].values())
    alone = "{cusum:.1%}, {martingale:.1%}".format(**cell["within_28_by"])
    shares = " | ".join(f"{share:.1%}" for share in within)
    return f"| {cell['kind']} | {cell['shift']:g} | {shares} ({alone}) |\n"


def _other_row(row: dict[str, Any]) -> str:
    shares = f"{row['patients']:.0%} | {row['alarms']:.1f} | {row['seen']:.0%}"
    return f"| {row['name']} | {row['fed']} | {shares} |\n"
