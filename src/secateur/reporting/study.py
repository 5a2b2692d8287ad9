"""The report of a study, as a document: what was asked, what the runs say, what is missing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import secateur
from secateur.counts import plural
from secateur.reporting import study_figures
from secateur.reporting.document import (
    UNDEFINED,
    Block,
    Cell,
    Document,
    Paragraph,
    Part,
    Picture,
    Points,
    Table,
    number,
    probability,
    strong,
)
from secateur.reporting.study_adapting import adapting_part
from secateur.reporting.study_explaining import explaining_answers, explaining_parts
from secateur.reporting.study_figures import in_words
from secateur.reporting.study_froc import false_alarm_blocks
from secateur.reporting.study_tables import (
    after_table,
    bonn_sets_table,
    conditions_table,
    data_sets_table,
    design_table,
    excluded_table,
    over_folds_table,
    over_subjects_table,
    together_tables,
    training_table,
)
from secateur.scoring.comparing import Comparison, Component
from secateur.scoring.intervals import LEVEL
from secateur.scoring.metrics import label_of, metric_of

if TYPE_CHECKING:
    from secateur.studies import Answer, Family, Findings

METHOD = (
    "Seeds are averaged inside a fold first. Intervals and p over folds are by Student’s t with the variance "
    "raised for training sets that overlap (Nadeau and Bengio, 2003; n_test / n_train in subjects, or "
    "in what the data were divided by). p after Holm holds for all comparisons of a table together. "
    "Over subjects: studentised bootstrap, Wilcoxon’s signed ranks, and a mixed model with subject and "
    "fold random where it converges; these take the trained networks as given, or fewer things for "
    "random, and stand second."
)
NOT_SHOWN = (
    "“Not shown” is not “no difference”: each line says which difference these runs could have seen "
    "four times in five."
)


def study_document(findings: Findings) -> Document:
    """All parts; to be called where figures look as `drawing.look` says."""
    study = findings.study
    return Document(
        kind="study",
        name=study.name,
        title=study.title or study.name,
        lead=study.question,
        warnings=findings.cautions,
        source=f"Made by secateur {secateur.__version__}; every number comes from the finished runs in "
        "runs/.",
        simulated=any(bool(data_set.get("simulated")) for data_set in findings.data.values()),
        parts=[
            Part("answer", "What can be concluded, and what can’t", list(_answer(findings))),
            Part("scores", "Scores", list(_scores(findings))),
            *(
                [Part("spread", "Where the spread comes from", list(_spread(findings)))]
                if findings.spread
                else []
            ),
            *(
                [Part("false-alarms", "False alarms", blocks)]
                if (blocks := list(false_alarm_blocks(findings)))
                else []
            ),
            *(explaining_parts(findings.explaining) if findings.explaining else ()),
            *([adapting_part(findings.adapting)] if findings.adapting else ()),
            *(
                Part(f"compared-{number}", family.title, list(_family(family, number)))
                for number, family in enumerate(findings.families, 1)
            ),
            Part("learning", "How the networks learned", list(_learning(findings))),
            Part("design", "Design", list(_design(findings))),
            Part("excluded", "Runs left out", list(_excluded(findings))),
            Part("again", "How to make it again", list(_again(findings))),
        ],
    )


def is_shown(compared: Comparison) -> bool:
    """Whether a comparison says anything at 5 % in its family."""
    p = compared.p if compared.p_holm is None else compared.p_holm
    held = compared.noninferior
    return (p is not None and p < 1 - LEVEL) or (held is not None and held.holds)


def _answer(findings: Findings) -> Iterable[Block]:
    yield Paragraph(_progress(findings), "lead")
    answers = [answer for family in findings.families for answer in family.answers]
    asked = [answer for answer in answers if answer.says]
    if asked:
        yield Paragraph("What was expected, and what came of it:")
        yield Points(
            [(strong(_verdict(answer)), f" {answer.says}. {answer.claim}") for answer in asked]
        )
    if findings.explaining:
        yield Points(explaining_answers(findings.explaining))
    yield from together_tables(findings)
    plain = [answer for answer in answers if not answer.says]
    claims = [answer.claim for answer in plain if is_shown(answer.comparison)]
    tested = [answer for answer in plain if answer.comparison.p is not None]
    untested = [answer.claim for answer in plain if answer.comparison.p is None]
    if claims:
        yield Paragraph("Shown:")
        yield Points(claims)
    elif tested:
        yield Paragraph(f"Of {plural(len(tested), 'comparison')}, none shows a difference.")
    unsure = [answer.claim for answer in tested if not is_shown(answer.comparison)]
    if unsure:
        yield Paragraph(f"Not shown. {NOT_SHOWN}")
        yield Points(unsure)
    if untested:
        yield Paragraph("Not to be tested with the runs that there are:")
        yield Points(untested)


def _verdict(answer: Answer) -> str:
    return f"{answer.verdict[:1].upper()}{answer.verdict[1:]}:"


def _progress(findings: Findings) -> str:
    failed = sum(run.state == "failed" for run in findings.missing)
    waiting = len(findings.missing) - failed
    if not findings.missing:
        return f"All {plural(findings.planned, 'run')} have a result."
    return (
        f"{findings.finished} of {plural(findings.planned, 'run')} have a result, {failed} failed, "
        f"{waiting} are still to do: what follows is of those that are finished."
    )


def _scores(findings: Findings) -> Iterable[Block]:
    figure = study_figures.scores(findings)
    if figure is None:
        yield Paragraph("No run is finished yet.")
        return
    over = study_figures.is_over_ratio(findings)
    yield Picture(
        "scores",
        figure,
        "Scores over the share of kernels removed" if over else "Scores of every condition",
        (
            "Scores on the test side over the share of kernels removed, spaced by the logarithm "
            "of what stays; bands"
            if over
            else "Scores on the test side; bars"
        )
        + " are 95 % intervals over folds, raised for overlapping training sets.",
    )
    yield conditions_table(findings)
    after = after_table(findings)
    if after is not None:
        figure = study_figures.after_epochs(
            [condition for condition in findings.conditions if condition.after]
        )
        if figure is not None:
            yield Picture(
                "after-epochs",
                figure,
                "Scores against epochs of retraining, a line a condition; the table below has the numbers",
                "The pruned network right after the cut (0), after so many epochs of retraining, both on "
                "windows that stand for the test side, and in the end. Bands are 95 % intervals over folds.",
            )
        yield after
    sets = bonn_sets_table(findings)
    if sets is not None:
        yield sets


def _family(family: Family, number: int) -> Iterable[Block]:
    figure = study_figures.differences(family)
    if figure is not None:
        yield Picture(
            f"differences-{number}",
            figure,
            f"Differences in {label_of(family.metric)}: {family.title}",
            "Mean difference over folds with its 95 % interval, and every test subject’s own mean.",
        )
    yield over_folds_table(family, f"folds-{number}")
    subjects = over_subjects_table(family, f"subjects-{number}")
    if subjects is not None:
        yield subjects
    figure = study_figures.subject_by_subject(family)
    if figure is not None:
        yield Picture(
            f"subjects-{number}",
            figure,
            f"Differences of every subject: {family.title}",
            "Subject by subject: means over folds and seeds; orange lost, purple gained.",
        )
    figure = study_figures.rank_plot(family.ranks)
    if figure is not None:
        yield Picture(
            f"ranks-{number}",
            figure,
            f"Average ranks by {family.axis}",
            f"Average ranks of {family.axis} over folds. Bars are half the critical difference of Nemenyi to "
            "each side (as in Demšar, 2006): where two bars don’t overlap, the two differ at 5 %. It takes "
            "folds for independent, which they are not, so it draws more than it proves. "
            f"{_friedman(family)}",
        )
    notes: dict[str, list[str]] = {}
    for answer in family.answers:
        for note in answer.comparison.notes:
            notes.setdefault(note, []).append(answer.ours)
        if answer.comparison.mixed is None and answer.comparison.by_subject.subjects:
            reason = f"no mixed model: {answer.comparison.mixed_reason}"
            notes.setdefault(reason, []).append(answer.ours)
    if notes:
        total = len(family.answers)
        yield Points(
            [f"{note} ({len(which)} of {total} comparisons)" for note, which in notes.items()]
        )


def _friedman(family: Family) -> str:
    tests = []
    for at, ranks in family.ranks:
        if ranks.p is not None:
            where = in_words(tuple(at.items()))
            tests.append(f"{where + ': ' if where else ''}{probability(ranks.p)}")
    return f"Friedman’s p: {'; '.join(tests)}." if tests else ""


def _learning(findings: Findings) -> Iterable[Block]:
    figure = study_figures.learning(findings)
    if figure is None:
        yield Paragraph("No run is finished yet.")
        return
    yield Picture(
        "learning",
        figure,
        "Learning curves",
        "Each line is a mean over the runs of a condition, as far as all of them were trained.",
    )
    yield training_table(findings)


def _design(findings: Findings) -> Iterable[Block]:
    yield design_table(findings)
    if findings.data:
        yield data_sets_table(findings)
    yield Paragraph(METHOD)


def _excluded(findings: Findings) -> Iterable[Block]:
    if not findings.missing:
        yield Paragraph("None: every planned run is in every number.")
    else:
        yield excluded_table(findings)
    for skip in findings.study.skip:
        words = ", ".join(f"{name} {value}" for name, value in skip.items())
        yield Paragraph(f"Not planned, by the study file: {words}.")


def _again(findings: Findings) -> Iterable[Block]:
    yield Paragraph(
        findings.command or "secateur study FILE.toml --data FOLDER --out DIR", "command"
    )
    versions = ", ".join(f"{name} {version}" for name, version in findings.versions.items())
    yield Paragraph(
        f"{f'Computed with {versions}; ' if versions else ''}{findings.seconds / 60:.1f} processor minutes. "
        "The same runs on the same type of processor give the same runs.csv, byte for byte. Each run’s "
        "settings and result are in runs/; runs.parquet has a row a run for an analysis of one’s own."
    )


def _spread(findings: Findings) -> Iterable[Block]:
    yield Paragraph(
        "Standard deviations of subjects’ scores by where they come from, with 95 % intervals of the profile "
        "likelihood and shares of the variance. Training: one network, a fold and a seed. What the same "
        "labels stand for can’t be told apart and stands in one part."
    )
    rows = []
    for spread in findings.spread:
        parts = spread.components
        digits = metric_of(spread.metric).digits + 1
        at = ", ".join(f"{axis} {value}" for axis, value in spread.at.items())
        words = [_part(part, digits) for part in parts.parts] or [f"none: {parts.reason}"]
        rows.append(
            [
                Cell(f"{spread.of}{f', {at}' if at else ''}"),
                Cell(str(parts.values)),
                Cell("; ".join(words)),
                Cell("; ".join(parts.notes) or UNDEFINED),
            ]
        )
    yield Table(
        "spread",
        f"Parts of the spread of {label_of(findings.spread[0].metric)}, one value a subject and run.",
        ["Scores", "Values", "Parts", "What can’t be told"],
        rows,
        words=(2, 3),
    )


def _part(part: Component, digits: int) -> str:
    low, high = part.interval
    ends = f"{number(low, digits)} to {number(high, digits) if high is not None else '∞'}"
    share = f"{number(100 * part.share, 0)} %"
    return f"{' and '.join(part.names)} {number(part.deviation, digits)} ({ends}), {share}"
