"""What a study's report says, in order.

Comes in: `Findings`. Goes out: a `Document`. Next: `web`, `markdown` and `latex` write it.
"""

from __future__ import annotations

from collections.abc import Iterable

from secateur.reporting.study import comparison_figures, score_figures
from secateur.reporting.study.document import Block, Document, Part, Picture, Points, Words
from secateur.reporting.study.study_tables import (
    bonn_sets,
    conditions,
    data_sets,
    design,
    excluded,
    over_folds,
    over_subjects,
    training,
)
from secateur.reporting.style import plural
from secateur.scoring.comparing import Comparison
from secateur.scoring.intervals import LEVEL
from secateur.scoring.metrics import label_of
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


def document(findings: Findings) -> Document:
    """All parts; to be called where figures look as `drawing.look` says."""
    study = findings.study
    return Document(
        name=study.name,
        title=study.title or study.name,
        lead=study.question,
        cautions=findings.cautions,
        simulated=any(bool(one.get("simulated")) for one in findings.data.values()),
        parts=[
            Part("answer", "What can be concluded, and what can’t", list(_answer(findings))),
            Part("scores", "Scores", list(_scores(findings))),
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
    yield Words(_progress(findings), "lead")
    answers = [one for family in findings.families for one in family.answers]
    asked = [one for one in answers if one.says]
    if asked:
        yield Words("What was expected, and what came of it:")
        yield Points([f"{one.says}. {one.claim}" for one in asked], _verdicts(asked))
    plain = [one for one in answers if not one.says]
    shown = [one.claim for one in plain if is_shown(one.comparison)]
    tested = [one for one in plain if one.comparison.p is not None]
    untested = [one.claim for one in plain if one.comparison.p is None]
    if shown:
        yield Words("Shown:")
        yield Points(shown)
    elif tested:
        yield Words(f"Of {plural(len(tested), 'comparison')}, none shows a difference.")
    unsure = [one.claim for one in tested if not is_shown(one.comparison)]
    if unsure:
        yield Words(f"Not shown. {NOT_SHOWN}")
        yield Points(unsure)
    if untested:
        yield Words("Not to be tested with the runs that there are:")
        yield Points(untested)


def _verdicts(answers: Iterable[Answer]) -> list[str]:
    return [f"{one.verdict[:1].upper()}{one.verdict[1:]}:" for one in answers]


def _progress(findings: Findings) -> str:
    failed = sum(one.state == "failed" for one in findings.missing)
    waiting = len(findings.missing) - failed
    if not findings.missing:
        return f"All {plural(findings.planned, 'run')} have a result."
    return (
        f"{findings.finished} of {plural(findings.planned, 'run')} have a result, {failed} failed, "
        f"{waiting} are still to do: what follows is of those that are finished."
    )


def _scores(findings: Findings) -> Iterable[Block]:
    figure = score_figures.scores(findings)
    if figure is None:
        yield Words("No run is finished yet.")
        return
    over = score_figures.is_over_ratio(findings)
    yield Picture(
        "scores",
        figure,
        "Scores over the share of kernels removed" if over else "Scores of every condition",
        (
            "Scores on the test side over the share of kernels removed; bands"
            if over
            else "Scores on the test side; bars"
        )
        + " are 95 % intervals over folds, raised for overlapping training sets.",
    )
    yield conditions(findings)
    sets = bonn_sets(findings)
    if sets is not None:
        yield sets


def _family(family: Family, number: int) -> Iterable[Block]:
    figure = comparison_figures.differences(family)
    if figure is not None:
        yield Picture(
            f"differences-{number}",
            figure,
            f"Differences in {label_of(family.metric)}: {family.title}",
            "Mean difference over folds with its 95 % interval, and every test subject’s own mean.",
        )
    yield over_folds(family, f"folds-{number}")
    subjects = over_subjects(family, f"subjects-{number}")
    if subjects is not None:
        yield subjects
    figure = comparison_figures.subject_by_subject(family)
    if figure is not None:
        yield Picture(
            f"subjects-{number}",
            figure,
            f"Differences of every subject: {family.title}",
            "Subject by subject: means over folds and seeds; orange lost, purple gained.",
        )
    figure = comparison_figures.rank_plot(family.ranks)
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
    for one in family.answers:
        for note in one.comparison.notes:
            notes.setdefault(note, []).append(one.ours)
        if one.comparison.mixed is None and one.comparison.by_subject.subjects:
            reason = f"no mixed model: {one.comparison.mixed_reason}"
            notes.setdefault(reason, []).append(one.ours)
    if notes:
        whole = len(family.answers)
        yield Points(
            [f"{note} ({len(which)} of {whole} comparisons)" for note, which in notes.items()]
        )


def _friedman(family: Family) -> str:
    found = []
    for at, ranks in family.ranks:
        if ranks.p is not None:
            where = ", ".join(f"{name} {value}" for name, value in at.items())
            p = "< 0.001" if ranks.p < 0.001 else f"{ranks.p:.3f}"
            found.append(f"{where + ': ' if where else ''}{p}")
    return f"Friedman’s p: {'; '.join(found)}." if found else ""


def _learning(findings: Findings) -> Iterable[Block]:
    figure = score_figures.learning(findings)
    if figure is None:
        yield Words("No run is finished yet.")
        return
    yield Picture(
        "learning",
        figure,
        "Learning curves",
        "Each line is a mean over the runs of a condition, as far as all of them were trained.",
    )
    yield training(findings)


def _design(findings: Findings) -> Iterable[Block]:
    yield design(findings)
    if findings.data:
        yield data_sets(findings)
    yield Words(METHOD)


def _excluded(findings: Findings) -> Iterable[Block]:
    if not findings.missing:
        yield Words("None: every planned run is in every number.")
    else:
        yield excluded(findings)
    for skip in findings.study.skip:
        words = ", ".join(f"{name} {value}" for name, value in skip.items())
        yield Words(f"Not planned, by the study file: {words}.")


def _again(findings: Findings) -> Iterable[Block]:
    yield Words(findings.command or "secateur study FILE.toml --data FOLDER --out DIR", "code")
    versions = ", ".join(f"{name} {version}" for name, version in findings.versions.items())
    yield Words(
        f"{f'Computed with {versions}; ' if versions else ''}{findings.seconds / 60:.1f} processor minutes. "
        "The same runs on the same type of processor give the same runs.csv, byte for byte. Each run’s "
        "settings and result are in runs/; runs.parquet has a row a run for an analysis of one’s own."
    )
