"""The tables of a study's report.

Comes in: `Findings`. Goes out: `Grid`s. Next: `contents` puts them in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from secateur.reporting.study.document import Cell, Grid
from secateur.reporting.study.words import (
    apart,
    chance,
    rows_of,
    scored,
)
from secateur.reporting.style import UNDEFINED, count, number, plain, plural
from secateur.scoring.comparing import Comparison
from secateur.scoring.metrics import label_of, metric_of
from secateur.studies import Condition, Family, Findings, Missing

_SETS = {
    "setA": "A: scalp, eyes open",
    "setB": "B: scalp, eyes closed",
    "setC": "C: intracranial, other side",
    "setD": "D: intracranial, at the focus",
    "setE": "E: intracranial, in seizures",
}
"""Of Bonn. Andrzejak and others, Physical Review E 64, 061907, 2001: A and B are of healthy people."""


def conditions(findings: Findings) -> Grid:
    """Every condition: sizes, scores, and what was lost by pruning."""
    metrics = findings.study.metrics
    head = ["Condition", "Runs", "Parameters", "MACs"]
    for metric in metrics:
        head += [label_of(metric), "minus before pruning"]
    return Grid(
        "conditions",
        "Means over folds of means over seeds, on the test side, of the pruned network; beside each, how far "
        "it is from its own network before pruning. In brackets 95 %. " + _before(findings),
        head,
        [_condition(one, metrics) for one in findings.conditions],
    )


def _condition(one: Condition, metrics: Sequence[str]) -> list[Cell]:
    cells = [Cell(one.name), Cell(f"{one.runs} of {one.planned}")]
    cells += [Cell(count(one.sizes.get(key))) for key in ("parameters", "macs")]
    for metric in metrics:
        cells += [scored(one.scores[metric], metric), scored(one.minus[metric], metric, sign=True)]
    return cells


def _before(findings: Findings) -> str:
    """Sizes of the networks before pruning, where all have the same."""
    found = {
        tuple(one.baseline_sizes.get(key) for key in ("parameters", "macs"))
        for one in findings.conditions
        if one.runs
    }
    if len(found) != 1:
        return ""
    parameters, macs = next(iter(found))
    return f"Before pruning: {count(parameters)} parameters, {count(macs)} MACs."


def bonn_sets(findings: Findings) -> Grid | None:
    """Sets of recordings apart, where a data set has some and doesn't tell subjects."""
    rows = []
    for one in findings.conditions:
        for name, told in sorted(one.groups.items()):
            against = told.get("auroc_against_ictal")
            rows.append(
                [
                    Cell(one.name),
                    Cell(_SETS.get(name, name)),
                    Cell(count(told["windows"])),
                    Cell(number(told["called"])),
                    Cell(number(against)),
                ]
            )
    if not rows:
        return None
    return Grid(
        "sets",
        "Sets of recordings apart, pruned network, means over runs: share of windows called ictal, and for "
        "sets without seizures the AUROC of all ictal windows against theirs.",
        ["Condition", "Set", "Windows", "Called ictal", "AUROC, ictal against these"],
        rows,
        words=(1,),
    )


def over_folds(family: Family, name: str) -> Grid:
    """Differences with what is said over folds."""
    rows = []
    for one, name_of_row in zip(family.answers, rows_of(family.answers), strict=True):
        compared, digits = one.comparison, metric_of(one.metric).digits
        rows.append(
            [
                Cell(name_of_row),
                apart(compared.difference, compared.interval, digits),
                chance(compared.p),
                chance(compared.p_holm),
                _not_worse(compared),
                chance(compared.noninferior.p if compared.noninferior else None),
                Cell(number(compared.detectable, digits)),
                Cell(f"{compared.folds} / {compared.seeds}"),
            ]
        )
    lower = (
        ", turned so that more is better" if not metric_of(family.metric).higher_is_better else ""
    )
    return Grid(
        name,
        f"{family.title}. Difference in {_metrics(family)}{lower}, mean over folds; “could have seen”: the "
        "smallest true difference found four times in five.",
        (
            "Compared",
            "Difference",
            "p",
            "p after Holm",
            "Not worse by",
            "its p",
            "Could have seen",
            "Folds / seeds",
        ),
        rows,
    )


def _metrics(family: Family) -> str:
    return " and ".join(dict.fromkeys(label_of(one.metric) for one in family.answers)) or (
        label_of(family.metric)
    )


def _not_worse(compared: Comparison) -> Cell:
    held = compared.noninferior
    if held is None:
        return Cell(UNDEFINED)
    return Cell(f"{plain(held.margin)}: {'shown' if held.holds else 'not shown'}")


def over_subjects(family: Family, name: str) -> Grid | None:
    """Differences with what is said over subjects; None where no subject is known."""
    rows = []
    for one, name_of_row in zip(family.answers, rows_of(family.answers), strict=True):
        compared, digits = one.comparison, metric_of(one.metric).digits
        subjects, effect, mixed = compared.by_subject, compared.effect, compared.mixed
        if not subjects.subjects:
            continue
        rows.append(
            [
                Cell(name_of_row),
                Cell(str(len(subjects.subjects))),
                apart(subjects.difference, subjects.interval, digits),
                chance(subjects.wilcoxon_p),
                apart(effect.size, effect.interval, 2) if effect else Cell(UNDEFINED),
                apart(mixed.estimate, mixed.interval, digits) if mixed else Cell(UNDEFINED),
                chance(mixed.p if mixed else None),
            ]
        )
    if not rows:
        return None
    return Grid(
        name,
        f"{family.title}, over subjects. Effect: mean difference in standard deviations of the differences "
        "(d_z); mixed model: subject and fold random.",
        (
            "Compared",
            "Subjects",
            "Difference",
            "Wilcoxon p",
            "Effect",
            "Mixed model",
            "its p",
        ),
        rows,
    )


def training(findings: Findings) -> Grid:
    """Where training stopped."""
    keys = ("baseline_best_epoch", "baseline_epochs", "best_epoch", "epochs")
    rows = [
        [Cell(one.name), *(Cell(number(one.stopped.get(key), 1)) for key in keys)]
        for one in findings.conditions
    ]
    return Grid(
        "training",
        "Epochs, means over runs: which was kept, and how many were trained.",
        ("Condition", "Before: kept", "Before: trained", "Retraining: kept", "Retraining: trained"),
        rows,
    )


def design(findings: Findings) -> Grid:
    """Axes, flags of all runs, and how many runs."""
    rows: list[tuple[str, str]] = [
        (f"Axis: {name}", ", ".join(str(value) for value in values))
        for name, values in findings.axes.items()
    ]
    rows += [(f"All runs: {name}", str(value)) for name, value in findings.fixed.items()]
    for one in findings.study.when:
        rows.append((f"Where {_flags(one.where)}", _flags(one.flags)))
    if findings.study.settings:
        rows.append(("All runs: settings", _nested(findings.study.settings)))
    failed = sum(one.state == "failed" for one in findings.missing)
    rows.append(
        (
            "Runs",
            f"{findings.planned} planned, {findings.finished} finished, {failed} failed, "
            f"{len(findings.missing) - failed} to do",
        )
    )
    return Grid(
        "design",
        "Every combination of the axes is a run; all else is as Secateur has it by itself.",
        ("What", "Value"),
        [[Cell(name), Cell(value)] for name, value in rows],
        words=(1,),
    )


def _flags(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _nested(settings: Mapping[str, Any], above: str = "") -> str:
    return ", ".join(_pairs(settings, above))


def _pairs(settings: Mapping[str, Any], above: str) -> Iterable[str]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _pairs(value, f"{above}{name}.")
        else:
            told = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else value
            yield f"{above}{name} = {told}"


def data_sets(findings: Findings) -> Grid:
    """What was learned from and tested on."""
    rows = []
    for name, told in findings.data.items():
        subjects = told.get("subjects")
        rows.append(
            [
                Cell(name),
                Cell(f"{told['name']}{' (simulated)' if told.get('simulated') else ''}"),
                Cell("not known" if subjects is None else str(subjects)),
                Cell(count(told.get("recordings"))),
                Cell(count(told.get("seizures"))),
                Cell(str(told.get("background") or UNDEFINED)),
            ]
        )
    return Grid(
        "data",
        "The recordings, by their names in the study.",
        ("Name", "Data set", "Subjects", "Recordings", "Seizures", "Background"),
        rows,
        words=(1, 5),
    )


def excluded(findings: Findings) -> Grid:
    """Failed runs one by one; what is still to do, by condition."""
    failed = [one for one in findings.missing if one.state == "failed"]
    rows = [[Cell(one.name), Cell(_where(one)), Cell(one.reason)] for one in failed]
    waiting = [
        (one, one.planned - one.runs - _failures(failed, one)) for one in findings.conditions
    ]
    rows += [
        [Cell(plural(left, "run")), Cell(one.name), Cell("to do")] for one, left in waiting if left
    ]
    return Grid(
        "excluded",
        "Every planned run that is in no number, with its reason.",
        ("Run", "At", "Reason"),
        rows,
        words=(1, 2),
    )


def _where(one: Missing) -> str:
    return ", ".join(f"{name} {value}" for name, value in one.at.items())


def _failures(failed: Sequence[Missing], condition: Condition) -> int:
    return sum(
        all(one.at.get(name) == value for name, value in condition.at.items()) for one in failed
    )
