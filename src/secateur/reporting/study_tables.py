"""The tables of a study's report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from secateur.counts import plural
from secateur.reporting.document import (
    UNDEFINED,
    Cell,
    Table,
    bounds,
    count,
    number,
    plain,
    probability,
    signed,
)
from secateur.reporting.study_figures import in_words, rows_of
from secateur.scoring.comparing import Comparison, SubjectComparison, Summary
from secateur.scoring.intervals import Interval
from secateur.scoring.metrics import BY_SUBJECT, key_of, label_of, metric_of

if TYPE_CHECKING:
    from secateur.studies import Answer, Condition, Family, Findings, Missing


def together_tables(findings: Findings) -> Iterable[Table]:
    """Several metrics along one axis, side by side: what each value of it is worth."""
    by_axis: dict[tuple[str, str], list[Family]] = {}
    for family in findings.families:
        for theirs in {answer.theirs for answer in family.answers if family.axis}:
            by_axis.setdefault((family.axis, theirs), []).append(family)
    for number_of, ((axis, theirs), families) in enumerate(by_axis.items(), 1):
        if len(families) < 2:
            continue
        columns = [{_place_of(answer): answer for answer in each.answers} for each in families]
        rows: list[list[Cell | str]] = []
        for ours, at in dict.fromkeys(key for column in columns for key in column):
            name = f"{ours.removeprefix(f'{axis} ')}{f', {at}' if at else ''}"
            worth = [_worth(column.get((ours, at))) for column in columns]
            rows.append([Cell(name), *(cell for cells in worth for cell in cells)])
        heads = [(label_of(family.metric), "median", "without the furthest") for family in families]
        yield Table(
            f"together-{number_of}",
            f"Each {axis} minus {theirs.removeprefix(f'{axis} ')}{_turned(families)}: mean over folds with "
            "its 95 % interval, median over subjects, and the mean over subjects without the one on whom it "
            "hangs most.",
            [axis.capitalize(), *(word for head in heads for word in head)],
            rows,
        )


def _place_of(answer: Answer) -> tuple[str, str]:
    return answer.ours, in_words(tuple(answer.at.items()))


def _worth(answer: Answer | None) -> list[Cell | str]:
    if answer is None:
        return [UNDEFINED] * 3
    compared, digits = answer.comparison, metric_of(answer.metric).digits
    return [
        _difference(compared.difference, compared.interval, digits),
        signed(compared.by_subject.median, digits),
        _hinge(compared.by_subject, digits),
    ]


def _turned(families: Sequence[Family]) -> str:
    lower = [each for each in families if not metric_of(each.metric).higher_is_better]
    return ", every metric turned so that more is better" if lower else ""


_SETS = {
    "setA": "A: scalp, eyes open",
    "setB": "B: scalp, eyes closed",
    "setC": "C: intracranial, other side",
    "setD": "D: intracranial, at the focus",
    "setE": "E: intracranial, in seizures",
}
"""Of Bonn. Andrzejak and others, Physical Review E 64, 061907, 2001: A and B are of healthy people."""


_SIZES = {"parameters": "Parameters", "macs": "MACs", "file_bytes": "Bytes of the file"}


def conditions_table(findings: Findings) -> Table:
    """Every condition: sizes, scores, and what was lost by pruning."""
    metrics, pruned = findings.study.metrics, findings.study.pruned
    sizes = ["parameters", "macs", *(["file_bytes"] if "bits" in findings.axes else [])]
    head = ["Condition", "Runs", *(_SIZES[key] for key in sizes)]
    for metric in metrics:
        head += [label_of(metric), *(["median"] if _has_median(metric) else [])]
        head += ["minus before pruning"] if pruned else []
    of_network = (
        "of the pruned network; beside each, how far it is from its own network before pruning. "
        "In brackets 95 %. " + _sizes_before(findings)
        if pruned
        else "of the network as it is trained. In brackets 95 %."
    )
    if any(map(_has_median, metrics)):
        of_network = of_network.rstrip() + " Median: over subjects, of each one’s mean."
    return Table(
        "conditions",
        f"Means over folds of means over seeds, on the test side, {of_network}",
        head,
        [_condition(condition, sizes, metrics, pruned) for condition in findings.conditions],
    )


def _condition(
    condition: Condition, sizes: Sequence[str], metrics: Sequence[str], pruned: bool
) -> list[Cell]:
    cells = [Cell(condition.name), Cell(f"{condition.runs} of {condition.planned}")]
    cells += [Cell(count(condition.sizes.get(key))) for key in sizes]
    for metric in metrics:
        cells.append(_scored(condition.scores[metric], metric))
        if _has_median(metric):
            median = condition.scores[metric].median
            cells.append(Cell(number(median, metric_of(metric).digits)))
        if pruned:
            cells.append(_scored(condition.minus[metric], metric, sign=True))
    return cells


def _has_median(metric: str) -> bool:
    return key_of(metric)[0].endswith(BY_SUBJECT)


def _sizes_before(findings: Findings) -> str:
    """Sizes of the networks before pruning, where all have the same."""
    sizes = {
        tuple(condition.baseline_sizes.get(key) for key in ("parameters", "macs"))
        for condition in findings.conditions
        if condition.runs
    }
    if len(sizes) != 1:
        return ""
    parameters, macs = next(iter(sizes))
    return f"Before pruning: {count(parameters)} parameters, {count(macs)} MACs."


def after_table(findings: Findings) -> Table | None:
    """Scores in the first epochs of retraining; None where no run looked at them."""
    keys = list(dict.fromkeys(key for condition in findings.conditions for key in condition.after))
    if not keys:
        return None
    final = key_of(keys[0])[0]
    rows = []
    for condition in findings.conditions:
        cells = [
            _scored(condition.after[key], key) if key in condition.after else UNDEFINED
            for key in keys
        ]
        end = _scored(condition.scores[final], final) if final in condition.scores else UNDEFINED
        rows.append([Cell(condition.name), *cells, end])
    epochs = [key_of(key)[1] for key in keys]
    return Table(
        "after-epochs",
        f"{label_of(final)} of the pruned network on the test side, right after the cut and after few epochs "
        "of retraining (on windows that stand for the side), and in the end; in brackets 95 %. Nothing was "
        "decided by them. What a criterion is worth shows before retraining levels it.",
        [
            "Condition",
            *(
                "right after the cut" if n == 0 else f"after {plural(n or 0, 'epoch')}"
                for n in epochs
            ),
            "in the end",
        ],
        rows,
    )


def bonn_sets_table(findings: Findings) -> Table | None:
    """Sets of recordings apart, where a data set has some and doesn't tell subjects."""
    rows: list[list[Cell | str]] = []
    for condition in findings.conditions:
        for name, counts in sorted(condition.groups.items()):
            against = counts.get("auroc_against_ictal")
            rows.append(
                [
                    Cell(condition.name),
                    Cell(_SETS.get(name, name)),
                    count(counts["windows"]),
                    number(counts["called"]),
                    number(against),
                ]
            )
    if not rows:
        return None
    return Table(
        "sets",
        f"Sets of recordings apart, {'pruned' if findings.study.pruned else 'trained'} network, means "
        "over runs: share of windows called ictal, and for "
        "sets without seizures the AUROC of all ictal windows against theirs.",
        ["Condition", "Set", "Windows", "Called ictal", "AUROC, ictal against these"],
        rows,
        words=(1,),
    )


def over_folds_table(family: Family, name: str) -> Table:
    """Differences with what is said over folds."""
    rows: list[list[Cell | str]] = []
    for answer, name_of_row in zip(family.answers, rows_of(family.answers), strict=True):
        compared, digits = answer.comparison, metric_of(answer.metric).digits
        rows.append(
            [
                Cell(name_of_row),
                _difference(compared.difference, compared.interval, digits),
                probability(compared.p),
                probability(compared.p_holm),
                _not_worse(compared),
                probability(compared.noninferior.p if compared.noninferior else None),
                number(compared.detectable, digits),
                Cell(f"{compared.folds} / {compared.seeds}"),
            ]
        )
    lower = (
        ", turned so that more is better" if not metric_of(family.metric).higher_is_better else ""
    )
    return Table(
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
    return " and ".join(dict.fromkeys(label_of(answer.metric) for answer in family.answers)) or (
        label_of(family.metric)
    )


def _not_worse(compared: Comparison) -> str:
    held = compared.noninferior
    if held is None:
        return UNDEFINED
    return f"{plain(held.margin)}: {'shown' if held.holds else 'not shown'}"


def over_subjects_table(family: Family, name: str) -> Table | None:
    """Differences with what is said over subjects; None where no subject is known."""
    rows: list[list[Cell | str]] = []
    for answer, name_of_row in zip(family.answers, rows_of(family.answers), strict=True):
        compared, digits = answer.comparison, metric_of(answer.metric).digits
        subjects, effect, mixed = compared.by_subject, compared.effect, compared.mixed
        if not subjects.subjects:
            continue
        rows.append(
            [
                Cell(name_of_row),
                str(len(subjects.subjects)),
                _difference(subjects.difference, subjects.interval, digits),
                signed(subjects.median, digits),
                _hinge(subjects, digits),
                probability(subjects.wilcoxon_p),
                _difference(effect.size, effect.interval, 2) if effect else UNDEFINED,
                _difference(mixed.estimate, mixed.interval, digits) if mixed else UNDEFINED,
                probability(mixed.p if mixed else None),
            ]
        )
    if not rows:
        return None
    return Table(
        name,
        f"{family.title}, over subjects. Without the furthest: the mean without the subject on whom it hangs "
        "most. Effect: mean difference in standard deviations of the differences (d_z); mixed model: subject "
        "and fold random.",
        (
            "Compared",
            "Subjects",
            "Difference",
            "Median",
            "Without the furthest",
            "Wilcoxon p",
            "Effect",
            "Mixed model",
            "its p",
        ),
        rows,
    )


def _hinge(subjects: SubjectComparison, digits: int) -> Cell | str:
    """The mean without the subject on whom it hangs most, and who that is."""
    if subjects.hinge is None:
        return UNDEFINED
    name, mean = subjects.hinge
    return Cell(signed(mean, digits), f"({name.rpartition('/')[2]})")


def training_table(findings: Findings) -> Table:
    """Where training stopped."""
    keys = ["baseline_best_epoch", "baseline_epochs"]
    head = ["Condition", "Before: kept", "Before: trained"]
    if findings.study.pruned:
        keys += ["best_epoch", "epochs"]
        head += ["Retraining: kept", "Retraining: trained"]
    else:
        head = ["Condition", "Kept", "Trained"]
    rows = [
        [Cell(condition.name), *(Cell(number(condition.stopped.get(key), 1)) for key in keys)]
        for condition in findings.conditions
    ]
    return Table(
        "training",
        "Epochs, means over runs: which was kept, and how many were trained.",
        head,
        rows,
    )


def design_table(findings: Findings) -> Table:
    """Axes, flags of all runs, and how many runs."""
    rows: list[tuple[str, str]] = [
        (f"Axis: {name}", ", ".join(str(value) for value in values))
        for name, values in findings.axes.items()
    ]
    rows += [(f"All runs: {name}", str(value)) for name, value in findings.fixed.items()]
    for rule in findings.study.when:
        rows.append((f"Where {_flags(rule.where)}", _flags(rule.flags)))
    if findings.study.settings:
        rows.append(("All runs: settings", _nested(findings.study.settings)))
    failed = sum(run.state == "failed" for run in findings.missing)
    rows.append(
        (
            "Runs",
            f"{findings.planned} planned, {findings.finished} finished, {failed} failed, "
            f"{len(findings.missing) - failed} to do",
        )
    )
    return Table(
        "design",
        "Every combination of the axes is a run; all else is as Secateur has it by itself.",
        ("What", "Value"),
        [[name, value] for name, value in rows],
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
            words = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else value
            yield f"{above}{name} = {words}"


def data_sets_table(findings: Findings) -> Table:
    """What was learned from and tested on."""
    rows: list[list[Cell | str]] = []
    for name, data_set in findings.data.items():
        subjects = data_set.get("subjects")
        rows.append(
            [
                Cell(name),
                Cell(f"{data_set['name']}{' (simulated)' if data_set.get('simulated') else ''}"),
                Cell("not known" if subjects is None else str(subjects)),
                count(data_set.get("recordings")),
                count(data_set.get("seizures")),
                str(data_set.get("background") or UNDEFINED),
            ]
        )
    return Table(
        "data",
        "The recordings, by their names in the study.",
        ("Name", "Data set", "Subjects", "Recordings", "Seizures", "Background"),
        rows,
        words=(1, 5),
    )


def excluded_table(findings: Findings) -> Table:
    """Failed runs one by one; what is still to do, by condition."""
    failed = [run for run in findings.missing if run.state == "failed"]
    rows = [[Cell(run.name), Cell(_where(run)), Cell(run.reason)] for run in failed]
    waiting = [
        (condition, condition.planned - condition.runs - _failures(failed, condition))
        for condition in findings.conditions
    ]
    rows += [
        [Cell(plural(remaining, "run")), Cell(condition.name), Cell("to do")]
        for condition, remaining in waiting
        if remaining
    ]
    return Table(
        "excluded",
        "Every planned run that is in no number, with its reason.",
        ("Run", "At", "Reason"),
        rows,
        words=(1, 2),
    )


def _where(run: Missing) -> str:
    return ", ".join(f"{name} {value}" for name, value in run.at.items())


def _failures(failed: Sequence[Missing], condition: Condition) -> int:
    return sum(
        all(run.at.get(name) == value for name, value in condition.at.items()) for run in failed
    )


def _scored(summary: Summary, metric: str, *, sign: bool = False) -> Cell:
    """A mean with its interval."""
    write = signed if sign else number
    middle = write(summary.mean, metric_of(metric).digits)
    if summary.interval is None:
        return Cell(middle)
    return Cell(middle, bounds(summary.interval, metric_of(metric).digits, sign=sign))


def _difference(value: float | None, interval: Interval | None, digits: int = 3) -> Cell | str:
    """A difference with its interval."""
    if value is None:
        return UNDEFINED
    return Cell(
        signed(value, digits), "" if interval is None else bounds(interval, digits, sign=True)
    )
