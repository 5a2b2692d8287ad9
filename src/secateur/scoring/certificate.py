"""The certificate: what was judged, on whom, with every number needed to judge it again.

It is stored as JSON in a detector's file. One made by `make_certificate` agrees with itself; one that was
changed by hand in one place does not. It is no signature: who changes all of it consistently is not found
out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from secateur.errors import ScoringError
from secateur.scoring import earlier_rules
from secateur.scoring.events import TIMESCORING_VERSION
from secateur.scoring.ladder import (
    Judgement,
    Reference,
    Statement,
    Stored,
    Tables,
    Verdict,
    climb,
    judge,
)
from secateur.scoring.margins import DIGITS, Constraint, ScoreTable, losses_of
from secateur.scoring.metrics import event_metrics

RULES = 2
"""Of judging. 1: Student's t and bootstrap-t over subjects, at the full level; see `earlier_rules`."""

DEFAULTS_CHOSEN_ON = (
    "CHB-MIT seizure clips (16 subjects), with eegmat (12) and guinea-bissau (20) as ordinary EEG"
)
"""The data on which Secateur's defaults of training, thresholds and rules for events were chosen: those of
studies/choices.toml.
"""

Columns = dict[str, tuple[float | None, ...]]
"""By metric, a score for each subject in the certificate's order; None where it is not defined."""

Repeats = Annotated[tuple[Columns, ...], Field(min_length=1)]

_TOLERANCE = 1e-6


class Circumstances(Stored):
    """What a certificate says beside its numbers.

    `ladder`: the labels of all rungs as they were fixed beforehand, mild to severe. `exploratory`: why
    the test was not one that was fixed beforehand, None where it was. `folds`: for a recipe, by repeat the
    hash of each fold's detectors and the subjects whom they judged; empty where the file itself was judged.
    `thresholds`: from validation, by model. `earlier_certifications`, `earlier_runs`: that looked at
    one of these recordings, as far as known; the former spend alpha. `defaults_chosen_on`: the data on which
    the defaults were chosen. `background`: what kind there was; `forced`: what was done against advice, such
    as the note of `check_background`. `parent`: the fingerprint of the detector that this one was adapted
    from, which is then what it is compared with; empty where that is the unpruned baseline.
    """

    ladder: Annotated[tuple[str, ...], Field(min_length=1)]
    data: str = ""
    simulated: bool = False
    exploratory: str | None = None
    folds: tuple[dict[str, tuple[str, ...]], ...] = ()
    thresholds: dict[str, float] = Field(default_factory=dict)
    earlier_certifications: Annotated[int, Field(ge=0)] = 0
    earlier_runs: Annotated[int, Field(ge=0)] = 0
    defaults_chosen_on: str = DEFAULTS_CHOSEN_ON
    background: str = ""
    forced: str | None = None
    parent: str = ""
    versions: dict[str, str] = Field(default_factory=dict)


class Rung(Stored):
    """One step of the ladder; `pruned`: its scores by repeat, None where it was not tested."""

    label: str
    verdict: Verdict
    pruned: Repeats | None


class Certificate(Stored):
    """All of it. `rungs`: from the mildest to the one in this file, which is the last.

    `rules`: the version of the rules it was judged by. `kind`: whether the file itself was judged
    ("detector") or, over folds, the way in which it was made ("recipe"). `statements`: about this file's
    rung; empty where it was not tested. `timescoring`: the version that counted events, None where no margin
    is on events.
    """

    rules: Annotated[int, Field(ge=1, le=RULES)] = RULES
    kind: Literal["detector", "recipe"]
    constraint: Constraint
    subjects: Annotated[tuple[str, ...], Field(min_length=1)]
    baseline: Repeats
    retrained: Repeats | None = None
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
    def _fits_together(self) -> Self:
        if len(set(self.subjects)) != len(self.subjects):
            raise ValueError("a subject stands in the certificate twice")
        margins = set(self.constraint.margins)
        models = [self.baseline, self.retrained, *(rung.pruned for rung in self.rungs)]
        for tables in models:
            if tables is None:
                continue
            if len(tables) != len(self.baseline):
                raise ValueError("models were scored in different numbers of repeats")
            for table in tables:
                if set(table) != margins:
                    raise ValueError(
                        f"scores are there for {sorted(table)}, margins for {sorted(margins)}"
                    )
                if any(len(column) != len(self.subjects) for column in table.values()):
                    raise ValueError("a column of scores is not as long as the list of subjects")
        return self


def make_certificate(
    constraint: Constraint,
    baseline: Tables,
    rungs: Sequence[tuple[str, Tables | None]],
    circumstances: Circumstances,
    retrained: Tables | None = None,
) -> Certificate:
    """Judge the last of `rungs`, and before it the milder ones, and write it all down.

    Scores are tables by repeat. `rungs`: label and scores, mild to severe, the last is the one that the
    certificate is for; None for scores that were not taken. Tables may hold more metrics than have margins.
    Raises `ScoringError` where tables, rungs or folds don't match.
    """
    subjects = tuple(sorted(baseline[0]))
    labels = tuple(label for label, _ in rungs)
    if not rungs or labels != circumstances.ladder[: len(labels)]:
        raise ScoringError(
            f"the ladder was fixed as {', '.join(circumstances.ladder)}; "
            f"got rungs {', '.join(labels) or 'none'}"
        )
    if wrong := _folds_at_fault(circumstances, subjects, len(baseline)):
        raise ScoringError(wrong)
    reference = reference_of(circumstances, baseline, retrained)
    judgements = [
        None if tables is None else judge(tables, reference, constraint) for _, tables in rungs
    ]
    outcome = climb([None if each is None else each.passed for each in judgements])
    own = judgements[-1] if outcome.verdicts[-1] != "not tested" else None
    metrics = tuple(constraint.margins)

    def columns(tables: Tables | None) -> tuple[Columns, ...] | None:
        return (
            None if tables is None else tuple(_columns(each, subjects, metrics) for each in tables)
        )

    return Certificate(
        kind="recipe" if circumstances.folds else "detector",
        constraint=constraint,
        subjects=subjects,
        baseline=columns(baseline) or (),
        retrained=columns(retrained),
        rungs=tuple(
            Rung(label=label, verdict=verdict, pruned=columns(tables))
            for (label, tables), verdict in zip(rungs, outcome.verdicts, strict=True)
        ),
        statements=own.statements if own else (),
        circumstances=circumstances,
        timescoring=TIMESCORING_VERSION if set(metrics) & set(event_metrics()) else None,
    )


def reference_of(
    circumstances: Circumstances, baseline: Tables, retrained: Tables | None
) -> Reference:
    """What rungs are compared with, under these circumstances."""
    folds = tuple(tuple(by_fold.values()) for by_fold in circumstances.folds)
    return Reference(baseline, retrained, folds, circumstances.earlier_certifications + 1)


def _folds_at_fault(
    circumstances: Circumstances, subjects: Sequence[str], repeats: int
) -> str | None:
    """Why the folds can't have judged everybody once in each repeat."""
    if len(circumstances.folds) not in (0, repeats):
        return f"folds of {len(circumstances.folds)} repeats, scores of {repeats}"
    for by_fold in circumstances.folds:
        judged = [name for names in by_fold.values() for name in names]
        if sorted(judged) != sorted(subjects):
            return (
                f"the folds judge {len(judged)} subjects, {len(subjects)} have scores; "
                "each must be judged by exactly one fold"
            )
    return None


def _columns(table: ScoreTable, subjects: Sequence[str], metrics: Sequence[str]) -> Columns:
    columns: Columns = {}
    for metric in metrics:
        losses_of(table, table, metric)  # refuses what is missing or no number
        values = [table[subject][metric] for subject in subjects]
        columns[metric] = tuple(
            None if value is None else round(float(value), DIGITS) for value in values
        )
    return columns


def _tables(repeats: Sequence[Columns], subjects: Sequence[str]) -> list[ScoreTable]:
    return [
        {
            subject: {metric: column[number] for metric, column in columns.items()}
            for number, subject in enumerate(subjects)
        }
        for columns in repeats
    ]


def recompute(certificate: Certificate) -> list[str]:
    """Judge everything again from the scores in the certificate; each disagreement in a sentence.

    It is judged by the rules it was made by. Empty where the certificate agrees with itself.
    """
    circumstances, subjects = certificate.circumstances, certificate.subjects
    wrong = []
    labels = tuple(rung.label for rung in certificate.rungs)
    if labels != circumstances.ladder[: len(labels)]:
        wrong.append("its rungs are not the first of the ladder that was fixed")
    if (certificate.kind == "recipe") != bool(circumstances.folds):
        count = sum(map(len, circumstances.folds))
        wrong.append(f"it is of the kind {certificate.kind} and names {count} folds")
    if _folds_at_fault(circumstances, subjects, len(certificate.baseline)):
        return [*wrong, "its folds do not judge each subject once"]
    if (certificate.timescoring is not None) != bool(
        set(certificate.constraint.margins) & set(event_metrics())
    ):
        wrong.append("the version of timescoring does not go with its metrics")
    judgements = _judged_again(certificate)
    again = climb([None if each is None else each.passed for each in judgements])
    for rung, verdict in zip(certificate.rungs, again.verdicts, strict=True):
        if rung.verdict != verdict:
            wrong.append(
                f"rung {rung.label} is said to have {_verdict_words(rung.verdict, verdict)}"
            )
    own = judgements[-1] if again.verdicts[-1] != "not tested" else None
    expected = own.statements if own else ()
    if len(expected) != len(certificate.statements):
        wrong.append(f"{len(certificate.statements)} statements, {len(expected)} follow")
        return wrong
    for here, there in zip(certificate.statements, expected, strict=True):
        wrong += _differences(here.model_dump(), there.model_dump(), there.metric)
    return wrong


def _judged_again(certificate: Certificate) -> list[Judgement | None]:
    subjects = certificate.subjects
    baseline = _tables(certificate.baseline, subjects)
    retrained = None
    if certificate.retrained is not None:
        retrained = _tables(certificate.retrained, subjects)
    reference = reference_of(certificate.circumstances, baseline, retrained)
    rules = earlier_rules.judge if certificate.rules == 1 else judge
    return [
        None
        if rung.pruned is None
        else rules(_tables(rung.pruned, subjects), reference, certificate.constraint)
        for rung in certificate.rungs
    ]


def _verdict_words(verdict: Verdict, follows: Verdict) -> str:
    was = {"passed": "passed", "failed": "failed", "not tested": "not been tested"}
    is_now = {"passed": "it passes", "failed": "it fails", "not tested": "it should not be tested"}
    return f"{was[verdict]}; by its own numbers {is_now[follows]}"


def _differences(here: Mapping[str, object], there: Mapping[str, object], metric: str) -> list[str]:
    wrong = []
    for name, follows in there.items():
        stated = here[name]
        if (
            isinstance(stated, Mapping)
            and isinstance(follows, Mapping)
            and set(stated) == set(follows)
        ):
            wrong += _differences(stated, follows, f"{metric}, {name}")
        elif isinstance(stated, float) and isinstance(follows, float):
            if abs(stated - follows) > _TOLERANCE * max(1.0, abs(follows)):
                wrong.append(f"{metric}: {name} is said to be {stated:g}; {follows:g} follows")
        elif stated != follows:
            wrong.append(f"{metric}: {name} is said to be {stated}; {follows} follows")
    return wrong
