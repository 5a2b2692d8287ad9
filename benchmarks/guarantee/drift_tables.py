"""The tables of drift.md, from the numbers of drift.json."""

from __future__ import annotations

from typing import Any

from scipy.stats import binom

HEAD = """# Does drift keep its promise?

Command: `python -m benchmarks.guarantee.drift`; judged by the functions of `secateur.monitoring.drift`.
Limits come from {calibrated:,} simulated patients of each covered kind, everything below from others:
{patients:,} of each kind, a quarter as many for each shift. Seconds of one core: {seconds}.

A patient: {numbers} numbers an hour unless the row says otherwise, 24 hours a day. An hour's own part has the
deviation 1, the unit of all that follows; it depends on the hour before (AR(1), through midnight). The day
effect is the deviation of what all hours of a day have in common. Sleep differs by up to 3 deviations, and
people go to bed and get up an hour earlier or later (standard deviation). Where nothing else is told, a day
effect of 0.5, a dependence of 0.5, sleep and wake. A month is {month} days after 7 reference days.
"""

FALSE = """
## False alarms

Limits: CUSUM {cusum:g}, martingale {martingale:g} (natural logarithm). Share of patients with an alarm in a
month, over all numbers, both directions and both rules; and by each rule.

| patients | either | CUSUM | martingale |
|---|---|---|---|
"""

HOLM = """
Covered rows: {rows}, worst {worst:.2%}; exact one-sided tests of "above {level:.0%}", Holm over the rows:
smallest adjusted *p* {p:.2g}.
"""

SEEN = """
## Lasting shifts

Day effect 0.3; one of {numbers} numbers shifts up by so many hourly deviations on the first day after the
reference and stays. Share of patients in whom that number is called, in that direction, within 7, 14 and 28
days; in brackets within 28 days by the CUSUM and by the martingale alone.

| patients | shift | 7 days | 14 days | 28 days |
|---|---|---|---|---|
"""

OTHERS = """
## Others on the same patients

{patients} patients with a day effect of 0.3 and a dependence of 0.5, {numbers} numbers, {month} days after 7
reference days, no drift; each package at its defaults, every number by itself, fed with hours (less the
mean of the same hour of the clock on the reference days) or days (the mean of those).
Patients with an alarm, alarms a patient; and patients in whom a lasting shift of 3 of one number, from the
first day after the reference, was called on that number within 7 days.

| detector | fed with | false: patients | false: alarms a patient | seen within 7 days |
|---|---|---|---|---|
"""


NUMBERS = 10


def in_tables(content: dict[str, Any], level: float, month: int) -> str:
    """The whole page, of the parts that there are."""
    limits, check, others = (content.get(part) for part in ("limits", "check", "others"))
    assert limits is not None
    assert check is not None
    seconds = ", ".join(f"{part} {content[part]['seconds']}" for part in content)
    parts = [
        HEAD.format(
            calibrated=limits["patients"],
            patients=check["patients"],
            seconds=seconds,
            numbers=NUMBERS,
            month=month,
        ),
        FALSE.format(**limits),
        *(_false_row(cell) for cell in check["false"]),
        _holm([cell for cell in check["false"] if cell["covered"]], level),
        SEEN.format(numbers=NUMBERS),
        *(_seen_row(cell) for cell in check["seen"]),
    ]
    if others is not None:
        parts.append(OTHERS.format(numbers=NUMBERS, **others["design"]))
        parts += [_other_row(row) for row in others["rows"]]
    return "".join(parts)


def _false_row(cell: dict[str, Any]) -> str:
    shares = [cell[name] / cell["patients"] for name in ("alarms", "cusum", "martingale")]
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
