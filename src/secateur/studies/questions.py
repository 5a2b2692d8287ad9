"""What a study asks of its runs: whether they can tell, and what they say.

Comes in: a study's comparisons and hypotheses, its finished runs as rows. Goes out: `Family`s of `Answer`s,
each with its claim in words. Next: `answering` puts them among the findings.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from secateur.errors import SettingsError
from secateur.scoring.comparing import Comparison, claim, compare, in_family, rank
from secateur.studies.file import (
    REPEATS,
    Compare,
    Hypothesis,
    StudyFile,
    matches,
    shown,
)
from secateur.studies.findings import Answer, At, Family, Value
from secateur.studies.table import Model, Row

BASELINE = "baseline"
HYPOTHESES = "Hypotheses"


def check_questions(study: StudyFile) -> None:
    """Refuse comparisons and hypotheses that no run of this study can answer, before any run is done."""
    axes = {name: [shown(v) for v in values] for name, values in study.axes.items()}
    for asked in study.compare:
        where = f"{study.name}: [[compare]]"
        if asked.axis not in axes:
            raise SettingsError(
                f"{where} names {asked.axis}, which is no axis; there is {_list(axes)}"
            )
        if asked.to != BASELINE:
            _must_stand(where, {asked.axis: asked.to}, axes)
            if len(axes[asked.axis]) < 2:
                raise SettingsError(f"{where}: {asked.axis} has one value, nothing to compare with")
        _must_stand(where, asked.only, axes)
    for one in study.hypothesis:
        where = f"{study.name}: hypothesis {one.says!r}"
        _must_stand(where, one.that, axes)
        if one.than == BASELINE:
            continue
        assert not isinstance(one.than, str)
        _must_stand(where, one.than, axes)
        if dict(one.that) == dict(one.than):
            raise SettingsError(f"{where}: both sides are the same runs")
        if set(one.that) & set(REPEATS) or set(one.than) & set(REPEATS):
            raise SettingsError(
                f"{where}: {', '.join(REPEATS)} are repetitions and can't be set against each other"
            )


def _must_stand(where: str, values: Mapping[str, Any], axes: Mapping[str, Sequence[Value]]) -> None:
    for name, value in values.items():
        if name not in axes:
            raise SettingsError(f"{where} names {name}, which is no axis; there is {_list(axes)}")
        if shown(value) not in axes[name]:
            raise SettingsError(
                f"{where} asks for {name} {shown(value)}, which no run has; there is "
                f"{_list(axes[name])}"
            )


def _list(names: Iterable[Any]) -> str:
    return ", ".join(str(name) for name in names)


def _chosen(rows: Sequence[Row], values: Mapping[str, Any]) -> list[Row]:
    wanted = {name: shown(value) for name, value in values.items()}
    return [row for row in rows if all(row.at.get(k) == v for k, v in wanted.items())]


def compared(rows: Sequence[Row], study: StudyFile) -> list[Family]:
    """A family for each [[compare]]."""
    return [_family(asked, rows, study) for asked in study.compare]


def _family(asked: Compare, rows: Sequence[Row], study: StudyFile) -> Family:
    """Each value of the axis with the reference, at each combination of the other axes."""
    some = _chosen(rows, asked.only)
    values = [shown(v) for v in study.axes[asked.axis]]
    others = [n for n in study.axes if n not in (*REPEATS, asked.axis)]
    skipped = {name: shown(value) for name, value in asked.only.items()}
    if asked.axis in skipped:
        values = [skipped[asked.axis]]
    grid = [
        [skipped[name]] if name in skipped else [shown(v) for v in study.axes[name]]
        for name in others
    ]
    answers: list[Answer] = []
    ranks = []
    for point in itertools.product(*grid):
        at = dict(zip(others, point, strict=True))
        here = _chosen(some, at)
        for value in values:
            if asked.to == BASELINE:
                ours, theirs, names = (
                    _as("pruned", _chosen(here, {asked.axis: value})),
                    _as("baseline", _chosen(here, {asked.axis: value})),
                    (f"{asked.axis} {value}", "the network before pruning"),
                )
            elif value == shown(asked.to):
                continue
            else:
                ours, theirs, names = (
                    _as("pruned", _chosen(here, {asked.axis: value})),
                    _as("pruned", _chosen(here, {asked.axis: asked.to})),
                    (f"{asked.axis} {value}", f"{asked.axis} {shown(asked.to)}"),
                )
            sides = [value] if asked.to == BASELINE else [value, shown(asked.to)]
            if any(_is_skipped({**at, asked.axis: one}, study) for one in sides):
                continue
            answers.append(_answer(names, asked.metric, at, ours, theirs, asked.margin))
        if len(values) >= 3:
            table = _blocks(here, asked.axis, asked.metric)
            if len(table) >= 3 and all(len(blocks) >= 2 for blocks in table.values()):
                ranks.append((at, rank(table)))
    title = asked.title or f"{asked.axis} against {shown(asked.to)}: {asked.metric}"
    return Family(title, asked.metric, _corrected(answers), asked.axis, tuple(ranks))


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
    """With Holm's correction over all, and what follows in words."""
    corrected = in_family([one.comparison for one in answers])
    found = []
    for number, (one, comparison) in enumerate(zip(answers, corrected, strict=True)):
        at = ", ".join(f"{name} {value}" for name, value in one.at.items())
        words = claim(one.ours, one.theirs, one.metric, at, comparison)
        asked = hypotheses[number] if hypotheses else None
        found.append(
            Answer(
                one.ours,
                one.theirs,
                one.metric,
                one.at,
                comparison,
                words,
                asked.says if asked else "",
                verdict(asked.expected, comparison) if asked else "",
            )
        )
    return tuple(found)


def expected(rows: Sequence[Row], study: StudyFile) -> list[Family]:
    """One family of all hypotheses."""
    if not study.hypothesis:
        return []
    answers = []
    for asked in study.hypothesis:
        some = _chosen(rows, asked.that)
        ours = _as("pruned", some)
        if isinstance(asked.than, str):
            theirs, other = _as("baseline", some), "the network before pruning"
        else:
            theirs = _as("pruned", _chosen(rows, asked.than))
            other = _told(asked.than, asked.that)
        name = _told(asked.that, {} if isinstance(asked.than, str) else asked.than)
        shared = {
            key: shown(value)
            for key, value in asked.that.items()
            if not isinstance(asked.than, str) and asked.than.get(key) == value
        }
        answers.append(_answer((name, other), asked.metric, shared, ours, theirs, asked.margin))
    metrics = list(dict.fromkeys(one.metric for one in study.hypothesis))
    return [Family(HYPOTHESES, ", ".join(metrics), _corrected(answers, study.hypothesis))]


def _told(values: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """What sets one side apart from the other, in words."""
    apart = {name: v for name, v in values.items() if other.get(name) != v} or values
    return ", ".join(f"{name} {shown(value)}" for name, value in apart.items())


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
