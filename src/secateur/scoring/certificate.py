"""The certificate: what was judged, on whom, with every number needed to judge it again.

Comes in: scores by subject of the baseline and of a ladder of pruned networks, and the circumstances. Goes
out: a `Certificate`, stored as JSON in a detector's file, and what in it disagrees with itself. Next:
`wording` puts it into words, `cli verify` prints them.

A certificate made by `make_certificate` agrees with itself; one that was changed by hand in one place does
not. It is no signature: who changes all of it consistently is not found out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from secateur.errors import ScoringError
from secateur.scoring.events import TIMESCORING_VERSION
from secateur.scoring.ladder import Judgement, Statement, Told, Verdict, climb, judge
from secateur.scoring.margins import DIGITS, Constraint, ScoreTable, losses_of
from secateur.scoring.metrics import event_metrics

Columns = dict[str, tuple[float | None, ...]]
"""By metric, a score for each subject in the certificate's order; None where it is not defined."""

_TOLERANCE = 1e-6


class Circumstances(Told):
    """What a certificate says beside its numbers.

    `ladder`: the labels of all rungs as they were fixed beforehand, mild to severe. `exploratory`: why
    the test was not one that was fixed beforehand, None where it was. `folds`: for a recipe, the hash of
    each fold's detector and the subjects whom it judged; empty where the file itself was judged.
    `thresholds`: from validation, by model. `earlier_certifications`, `earlier_runs`: that looked at
    one of these recordings, as far as known. `background`: what kind there was; `forced`: what was done
    against advice, such as the note of `check_background`.
    """

    ladder: Annotated[tuple[str, ...], Field(min_length=1)]
    data: str = ""
    simulated: bool = False
    exploratory: str | None = None
    folds: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    thresholds: dict[str, float] = Field(default_factory=dict)
    earlier_certifications: Annotated[int, Field(ge=0)] = 0
    earlier_runs: Annotated[int, Field(ge=0)] = 0
    background: str = ""
    forced: str | None = None
    versions: dict[str, str] = Field(default_factory=dict)


class Rung(Told):
    """One step of the ladder; `pruned`: its scores, None where it was not tested."""

    label: str
    verdict: Verdict
    pruned: Columns | None


class Certificate(Told):
    """All of it. `rungs`: from the mildest to the one in this file, which is the last.

    `kind`: whether the file itself was judged ("detector") or, over folds, the way in which it was made
    ("recipe"). `statements`: about this file's rung; empty where it was not tested. `timescoring`: the
    version that counted events, None where no margin is on events.
    """

    kind: Literal["detector", "recipe"]
    constraint: Constraint
    subjects: Annotated[tuple[str, ...], Field(min_length=1)]
    baseline: Columns
    retrained: Columns | None = None
    rungs: Annotated[tuple[Rung, ...], Field(min_length=1)]
    statements: tuple[Statement, ...]
    circumstances: Circumstances
    timescoring: str | None = None

    @property
    def verdict(self) -> Verdict:
        """On the rung in this file."""
        return self.rungs[-1].verdict

    @property
    def certified(self) -> bool:
        """Whether the constraint was shown to hold by a test fixed beforehand."""
        return self.verdict == "passed" and self.circumstances.exploratory is None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if len(set(self.subjects)) != len(self.subjects):
            raise ValueError("a subject stands in the certificate twice")
        margins = set(self.constraint.margins)
        tables = [self.baseline, self.retrained, *(rung.pruned for rung in self.rungs)]
        for table in tables:
            if table is None:
                continue
            if set(table) != margins:
                raise ValueError(
                    f"scores are there for {sorted(table)}, margins for {sorted(margins)}"
                )
            if any(len(column) != len(self.subjects) for column in table.values()):
                raise ValueError("a column of scores is not as long as the list of subjects")
        return self


def make_certificate(
    constraint: Constraint,
    baseline: ScoreTable,
    rungs: Sequence[tuple[str, ScoreTable | None]],
    circumstances: Circumstances,
    retrained: ScoreTable | None = None,
) -> Certificate:
    """Judge the last of `rungs`, and before it the milder ones, and write it all down.

    `rungs`: label and scores, mild to severe, the last is the one that the certificate is for; None for
    scores that were not taken. Tables may hold more metrics than have margins. Raises `ScoringError` where
    tables, rungs or folds don't match.
    """
    subjects = tuple(sorted(baseline))
    labels = tuple(label for label, _ in rungs)
    if not rungs or labels != circumstances.ladder[: len(labels)]:
        raise ScoringError(
            f"the ladder was fixed as {', '.join(circumstances.ladder)}; "
            f"got rungs {', '.join(labels) or 'none'}"
        )
    judged_by_folds = [name for names in circumstances.folds.values() for name in names]
    if circumstances.folds and sorted(judged_by_folds) != list(subjects):
        raise ScoringError(
            f"the folds judge {len(judged_by_folds)} subjects, {len(subjects)} have scores; "
            "each must be judged by exactly one fold"
        )
    judgements = [
        None if table is None else judge(baseline, table, constraint, retrained)
        for _, table in rungs
    ]
    found = climb([None if one is None else one.passed for one in judgements])
    own = judgements[-1] if found.verdicts[-1] != "not tested" else None
    metrics = tuple(constraint.margins)
    return Certificate(
        kind="recipe" if circumstances.folds else "detector",
        constraint=constraint,
        subjects=subjects,
        baseline=_columns(baseline, subjects, metrics),
        retrained=None if retrained is None else _columns(retrained, subjects, metrics),
        rungs=tuple(
            Rung(
                label=label,
                verdict=verdict,
                pruned=None if table is None else _columns(table, subjects, metrics),
            )
            for (label, table), verdict in zip(rungs, found.verdicts, strict=True)
        ),
        statements=own.statements if own else (),
        circumstances=circumstances,
        timescoring=TIMESCORING_VERSION if set(metrics) & set(event_metrics()) else None,
    )


def _columns(table: ScoreTable, subjects: Sequence[str], metrics: Sequence[str]) -> Columns:
    found: Columns = {}
    for metric in metrics:
        losses_of(table, table, metric)  # refuses what is missing or no number
        values = [table[subject][metric] for subject in subjects]
        found[metric] = tuple(None if one is None else round(float(one), DIGITS) for one in values)
    return found


def _table(columns: Columns, subjects: Sequence[str]) -> ScoreTable:
    return {
        subject: {metric: column[place] for metric, column in columns.items()}
        for place, subject in enumerate(subjects)
    }


def recompute(certificate: Certificate) -> list[str]:
    """Judge everything again from the scores in the certificate; each disagreement in a sentence.

    Empty where the certificate agrees with itself.
    """
    told, subjects = certificate.circumstances, certificate.subjects
    found = []
    labels = tuple(rung.label for rung in certificate.rungs)
    if labels != told.ladder[: len(labels)]:
        found.append("its rungs are not the first of the ladder that was fixed")
    if (certificate.kind == "recipe") != bool(told.folds):
        found.append(f"it is of the kind {certificate.kind} and names {len(told.folds)} folds")
    if told.folds and sorted(name for names in told.folds.values() for name in names) != sorted(
        subjects
    ):
        found.append("its folds do not judge each subject once")
    if (certificate.timescoring is not None) != bool(
        set(certificate.constraint.margins) & set(event_metrics())
    ):
        found.append("the version of timescoring does not go with its metrics")
    judgements = _judged_again(certificate)
    again = climb([None if one is None else one.passed for one in judgements])
    for rung, verdict in zip(certificate.rungs, again.verdicts, strict=True):
        if rung.verdict != verdict:
            found.append(f"rung {rung.label} is said to have {_said(rung.verdict, verdict)}")
    own = judgements[-1] if again.verdicts[-1] != "not tested" else None
    expected = own.statements if own else ()
    if len(expected) != len(certificate.statements):
        found.append(f"{len(certificate.statements)} statements, {len(expected)} follow")
        return found
    for here, there in zip(certificate.statements, expected, strict=True):
        found += _differences(here.model_dump(), there.model_dump(), there.metric)
    return found


def _judged_again(certificate: Certificate) -> list[Judgement | None]:
    subjects = certificate.subjects
    baseline = _table(certificate.baseline, subjects)
    retrained = None
    if certificate.retrained is not None:
        retrained = _table(certificate.retrained, subjects)
    return [
        None
        if rung.pruned is None
        else judge(baseline, _table(rung.pruned, subjects), certificate.constraint, retrained)
        for rung in certificate.rungs
    ]


def _said(verdict: Verdict, follows: Verdict) -> str:
    was = {"passed": "passed", "failed": "failed", "not tested": "not been tested"}
    is_now = {"passed": "it passes", "failed": "it fails", "not tested": "it should not be tested"}
    return f"{was[verdict]}; by its own numbers {is_now[follows]}"


def _differences(here: Mapping[str, object], there: Mapping[str, object], metric: str) -> list[str]:
    found = []
    for name, follows in there.items():
        told = here[name]
        if isinstance(told, Mapping) and isinstance(follows, Mapping) and set(told) == set(follows):
            found += _differences(told, follows, f"{metric}, {name}")
        elif isinstance(told, float) and isinstance(follows, float):
            if abs(told - follows) > _TOLERANCE * max(1.0, abs(follows)):
                found.append(f"{metric}: {name} is said to be {told:g}; {follows:g} follows")
        elif told != follows:
            found.append(f"{metric}: {name} is said to be {told}; {follows} follows")
    return found
