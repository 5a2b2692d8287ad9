"""Numbers of stored studies by a line of words, as documents quote them.

    ratios: pruned auroc_by_subject where ratio=0.9, retrain=finetune
    ratios: pruned-baseline auroc_by_subject where ratio=0.9, retrain=finetune
    ratios: pruned parameters where ratio=0.9
    ratios: comparison auroc_by_subject where ours=retrain finetune, theirs=retrain scratch, ratio=0.5
    ordinary-eeg: baseline alarms guinea-bissau where electrodes=18 pairs, ratio=0.5
    explaining: balance every where network=pruned 0.9, method=gradient, bulk=False
    explaining: agreement rank gradient where data=clips, network=pruned 0.5
    drift: decay lost where network=baseline, group=all, metric=auroc

A metric after few epochs of retraining is `auroc_by_subject_after_1`. `median` as the last word asks for the
median over subjects in place of the mean; of a comparison there is `detectable`, too.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.evidence.stored import DRIFT_TABLES
from secateur.errors import SettingsError
from secateur.results.drift_study import DriftFindings
from secateur.studies import Condition, Findings

Source = Callable[[str], Findings | DriftFindings]
"""What a study of a name says."""
_LINE = re.compile(r"\s*([\w-]+): (.+?)(?: where (.+?))?\s*")
_MODELS = {"pruned": "scores", "baseline": "baseline", "pruned-baseline": "minus"}


@dataclass(frozen=True)
class Quoted:
    """A number, and the ends of its interval or range where it has one."""

    value: float | None
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, value: float | None, ends: tuple[float, float] | None) -> Quoted:
        """With both ends or none."""
        return cls(value, *ends) if ends is not None else cls(value)


def quoted(line: str, source: Source) -> Quoted:
    """The number that a line asks for. Raises `SettingsError` where there isn't exactly one."""
    match = _LINE.fullmatch(line)
    if match is None:
        raise SettingsError(f"{line.strip()}: wanted STUDY: WHAT where NAME=VALUE, …")
    study, what, conditions = match[1], match[2].split(), match[3] or ""
    where = dict(_pairs(conditions, line))
    findings = source(study)
    if isinstance(findings, DriftFindings):
        candidates = _of_drift(findings, what, where)
    elif what[0] == "comparison":
        candidates = _of_comparisons(findings, what, where)
    elif what[0] in ("balance", "agreement"):
        candidates = _of_explaining(findings, what, where)
    else:
        candidates = _of_conditions(findings, what, where)
    different = list(dict.fromkeys(candidates))
    if len(different) != 1:
        count = "nothing" if not different else f"{len(different)} different numbers"
        raise SettingsError(f"{line.strip()}: asks for {count}; wanted one")
    return different[0]


def _pairs(text: str, line: str) -> Iterable[tuple[str, str]]:
    for part in filter(None, re.split(r", (?=[\w.-]+=)", text)):
        name, sign, value = part.partition("=")
        if not sign:
            raise SettingsError(f"{line.strip()}: {part}: wanted NAME=VALUE")
        yield name, value


def _fits(values: Mapping[str, Any], where: Mapping[str, str]) -> bool:
    unknown = [name for name in where if name not in values]
    if unknown:
        raise SettingsError(f"{unknown[0]}: there is {', '.join(values)}")
    return all(str(values[name]) == value for name, value in where.items())


def _of_conditions(
    findings: Findings, what: Sequence[str], where: Mapping[str, str]
) -> list[Quoted]:
    if what[0] not in _MODELS or len(what) < 2:
        raise SettingsError(
            f"{' '.join(what)}: wanted comparison, balance, agreement, or one of {', '.join(_MODELS)} and "
            "what of it"
        )
    chosen = [condition for condition in findings.conditions if _fits(condition.at, where)]
    return [_of_condition(condition, what) for condition in chosen]


def _of_condition(condition: Condition, what: Sequence[str]) -> Quoted:
    model, name, *more = what
    sizes = condition.baseline_sizes if model == "baseline" else condition.sizes
    if name in sizes:
        return Quoted(sizes[name])
    if name in ("alarms", "called"):
        alarms = _known(condition.alarms, " ".join(more))
        if model == "pruned-baseline":
            if alarms.cost is None or name == "called":
                raise SettingsError(f"{' '.join(what)}: is not told")
            return Quoted.of(alarms.cost.per_day, alarms.cost.interval)
        rates = _known(alarms.rates if name == "alarms" else alarms.shares, model)
        return Quoted(statistics.fmean(rates), min(rates), max(rates))
    summaries = {
        **(condition.after if model == "pruned" else {}),
        **getattr(condition, _MODELS[model]),
    }
    summary = _known(summaries, name)
    if more == ["median"]:
        return Quoted(summary.median)
    return Quoted.of(summary.mean, summary.interval)


def _of_comparisons(
    findings: Findings, what: Sequence[str], where: Mapping[str, str]
) -> list[Quoted]:
    _, metric, *more = what
    values = []
    for family in findings.families:
        for answer in family.answers:
            sides = {"ours": answer.ours, "theirs": answer.theirs, **answer.at}
            if answer.metric != metric or not where.keys() <= sides.keys():
                continue
            if not _fits(sides, where):
                continue
            each = answer.comparison
            if more == ["median"]:
                values.append(Quoted(each.by_subject.median))
            elif more == ["detectable"]:
                values.append(Quoted(each.detectable))
            else:
                values.append(Quoted.of(each.difference, each.interval))
    return values


def _of_explaining(
    findings: Findings, what: Sequence[str], where: Mapping[str, str]
) -> list[Quoted]:
    explaining = findings.explaining
    if explaining is None:
        raise SettingsError(f"{findings.study.name}: explains nothing")
    kind, field, *more = what
    values: list[Quoted] = []
    if kind == "balance":
        for balance in explaining.balances:
            if _fits(vars(balance), where):
                value = _known(vars(balance), field)
                middle = hasattr(value, "median")
                values.append(
                    Quoted(value.median, value.low, value.high) if middle else Quoted(value)
                )
        return values
    for reasons in explaining.reasons:
        for network, agreement in reasons.agreement.items():
            if _fits({"data": reasons.data, "network": network}, where):
                estimate = _known(_known(vars(agreement), field), " ".join(more))
                if estimate is not None:
                    values.append(Quoted.of(estimate.value, estimate.interval))
    return values


def _of_drift(
    findings: DriftFindings, what: Sequence[str], where: Mapping[str, str]
) -> list[Quoted]:
    table, field = what[0], what[-1]
    if table not in DRIFT_TABLES:
        raise SettingsError(f"{table}: there is {', '.join(DRIFT_TABLES)}")
    values = []
    for row in getattr(findings, table):
        fields = dict(row)
        if _fits(fields, where):
            ends = fields.get(f"{field}_interval", fields.get(_SHORT.get(field, "")))
            values.append(Quoted.of(_known(fields, field), ends))
    return values


_SHORT = {"more_than_baseline": "more_interval"}
"""Columns of intervals that aren't named by their number's."""


def _known(values: Mapping[str, Any], name: str) -> Any:
    if name not in values:
        raise SettingsError(f"{name or 'nothing'}: there is {', '.join(map(str, values))}")
    return values[name]
