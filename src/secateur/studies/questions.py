"""What a study asks of its runs: whether they can answer, and what they answer."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from secateur.errors import SettingsError
from secateur.scoring.comparing import Comparison, claim, compare, in_family, rank
from secateur.studies.file import (
    REPEATS,
    Compare,
    Hypothesis,
    StudyFile,
    as_word,
    check_values,
    matches,
)
from secateur.studies.findings import Answer, At, Family, Value
from secateur.studies.table import Model, Row

BASELINE = "baseline"
HYPOTHESES = "Hypotheses"
BEFORE_PRUNING = "the network before pruning"


def check_questions(study: StudyFile) -> None:
    """Refuse comparisons and hypotheses that no run of this study can answer, before any run is done."""
    for question in study.compare:
        where = f"{study.name}: [[compare]]"
        reference = {} if question.to == BASELINE else {question.axis: question.to}
        if question.axis not in study.axes:
            check_values(where, {question.axis: question.to}, study)
        check_values(where, {**reference, **question.only}, study)
        if reference and len(study.axes[question.axis]) < 2:
            raise SettingsError(f"{where}: {question.axis} has one value, nothing to compare with")
    for hypothesis in study.hypothesis:
        where = f"{study.name}: hypothesis {hypothesis.claim!r}"
        check_values(where, hypothesis.group_a, study)
        if isinstance(hypothesis.group_b, str):
            continue
        check_values(where, hypothesis.group_b, study)
        if dict(hypothesis.group_a) == dict(hypothesis.group_b):
            raise SettingsError(f"{where}: both sides are the same runs")
        if {*hypothesis.group_a, *hypothesis.group_b} & {*REPEATS}:
            raise SettingsError(
                f"{where}: {', '.join(REPEATS)} are repetitions and can't be set against each other"
            )


def _chosen(rows: Sequence[Row], values: Mapping[str, Any]) -> list[Row]:
    words = {name: as_word(value) for name, value in values.items()}
    return [row for row in rows if all(row.at.get(k) == v for k, v in words.items())]


def compared(rows: Sequence[Row], study: StudyFile) -> list[Family]:
    """A family for each [[compare]]."""
    return [_family(question, rows, study) for question in study.compare]


def _family(question: Compare, rows: Sequence[Row], study: StudyFile) -> Family:
    """Each value of the axis with the reference, at each combination of the other axes."""
    axis, reference = question.axis, as_word(question.to)
    only = {name: as_word(value) for name, value in question.only.items()}
    points = {
        name: [only[name]] if name in only else [as_word(value) for value in values]
        for name, values in study.axes.items()
    }
    values = points[axis]
    others = [name for name in study.axes if name not in (*REPEATS, axis)]
    rows = _chosen(rows, only)
    answers: list[Answer] = []
    ranks = []
    for point in itertools.product(*(points[name] for name in others)):
        at = dict(zip(others, point, strict=True))
        here = _chosen(rows, at)
        for value in values:
            if value == reference and question.to != BASELINE:
                continue
            ours = _chosen(here, {axis: value})
            if question.to == BASELINE:
                sides, theirs = [value], _as("baseline", ours)
                names = (f"{axis} {value}", BEFORE_PRUNING)
            else:
                sides, theirs = [value, reference], _as("pruned", _chosen(here, {axis: reference}))
                names = (f"{axis} {value}", f"{axis} {reference}")
            if any(_is_skipped({**at, axis: side}, study) for side in sides):
                continue
            metric, margin = question.metric, question.margin
            answers.append(_answer(names, metric, at, _as("pruned", ours), theirs, margin))
        if len(values) >= 3:
            table = _blocks(here, axis, question.metric)
            if len(table) >= 3 and all(len(blocks) >= 2 for blocks in table.values()):
                ranks.append((at, rank(table)))
    title = question.title or f"{axis} against {reference}: {question.metric}"
    return Family(title, question.metric, _corrected(answers), axis, tuple(ranks))


def _is_skipped(at: Mapping[str, Value], study: StudyFile) -> bool:
    """Whether no run can be there because the study skips it."""
    return any(matches(at, skip) for skip in study.skip)


def _blocks(rows: Sequence[Row], axis: str, metric: str) -> dict[str, dict[str, float]]:
    """Means by value of the axis and fold, of folds that every value has."""
    seen: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        score = row.outcome("pruned", metric).score
        if score is not None:
            seen.setdefault(str(row.at[axis]), {}).setdefault(row.fold, []).append(score)
    common = set.intersection(*(set(blocks) for blocks in seen.values())) if seen else set()
    return {
        value: {fold: statistics.fmean(blocks[fold]) for fold in sorted(common)}
        for value, blocks in seen.items()
    }


def _as(model: Model, rows: Sequence[Row]) -> list[tuple[Row, Model]]:
    return [(row, model) for row in rows]


def _answer(
    names: tuple[str, str],
    metric: str,
    at: At,
    ours: Sequence[tuple[Row, Model]],
    theirs: Sequence[tuple[Row, Model]],
    margin: float | None,
) -> Answer:
    compared = compare(
        [row.outcome(model, metric) for row, model in ours],
        [row.outcome(model, metric) for row, model in theirs],
        margin,
    )
    return Answer(names[0], names[1], metric, at, compared, "")


def _corrected(
    answers: Sequence[Answer], hypotheses: Sequence[Hypothesis] = ()
) -> tuple[Answer, ...]:
    """With Holm's correction over all, and what follows in words; `hypotheses`: none, or one an answer."""
    corrected = []
    comparisons = in_family([answer.comparison for answer in answers])
    for answer, comparison, hypothesis in itertools.zip_longest(answers, comparisons, hypotheses):
        at = ", ".join(f"{name} {value}" for name, value in answer.at.items())
        words = claim(answer.ours, answer.theirs, answer.metric, at, comparison)
        answer = replace(answer, comparison=comparison, claim=words)
        if hypothesis is not None:
            judged = verdict(hypothesis.expected, comparison)
            answer = replace(answer, says=hypothesis.claim, verdict=judged)
        corrected.append(answer)
    return tuple(corrected)


def expected(rows: Sequence[Row], study: StudyFile) -> list[Family]:
    """One family of all hypotheses."""
    if not study.hypothesis:
        return []
    answers = []
    for hypothesis in study.hypothesis:
        group_a, group_b = hypothesis.group_a, hypothesis.group_b
        some = _chosen(rows, group_a)
        if isinstance(group_b, str):
            theirs, names, shared = _as("baseline", some), (_named(group_a, {}), BEFORE_PRUNING), {}
        else:
            theirs = _as("pruned", _chosen(rows, group_b))
            names = (_named(group_a, group_b), _named(group_b, group_a))
            shared = {k: as_word(v) for k, v in group_a.items() if group_b.get(k) == v}
        ours = _as("pruned", some)
        metric, margin = hypothesis.metric, hypothesis.margin
        answers.append(_answer(names, metric, shared, ours, theirs, margin))
    metrics = list(dict.fromkeys(hypothesis.metric for hypothesis in study.hypothesis))
    return [Family(HYPOTHESES, ", ".join(metrics), _corrected(answers, study.hypothesis))]


def _named(values: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """What sets one group apart from the other, in words."""
    different = {name: v for name, v in values.items() if other.get(name) != v} or values
    return ", ".join(f"{name} {as_word(value)}" for name, value in different.items())


def verdict(expected: str, comparison: Comparison) -> str:
    """Of a hypothesis that expects `expected` (a study file's `is`), at 5 % in the family.

    "refuted" means that the opposite is shown: of `not-worse`, that the loss is larger than the margin.
    """
    difference = comparison.difference
    p = comparison.p if comparison.p_holm is None else comparison.p_holm
    if difference is None or p is None:
        return "not testable yet"
    if expected == "not-worse":
        held = comparison.noninferior
        if held is None:
            return "not testable yet"
        if held.holds:
            return "shown"
        return "refuted" if held.refuted else "not shown"
    if p >= 0.05:
        return "not shown"
    if expected == "different":
        return "shown"
    return "shown" if (difference > 0) == (expected == "better") else "refuted"
