"""Networks fitted to each test subject, in a study's report: each subject by itself, on later recordings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from secateur.reporting.document import (
    UNDEFINED,
    Block,
    Cell,
    Paragraph,
    Part,
    Points,
    Table,
    bounds,
    number,
    probability,
    short_names,
    signed,
)
from secateur.reporting.study_figures import in_words
from secateur.scoring.metrics import label_of, metric_of

if TYPE_CHECKING:
    from secateur.studies import Adapting, Against, BySubject

METHOD = (
    "Each test subject’s recordings stand in order of time; networks that others trained are fitted to the "
    "earlier ones, or one as small is trained on them alone, and all are judged on the later ones. Of these "
    "nothing is seen before. Intervals by studentised bootstrap and p by Wilcoxon’s signed ranks are over "
    "subjects and take the trained networks as given; subjects of one fold share one. “Could have seen”: the "
    "smallest true mean difference found four times in five over so many subjects, by Student’s t."
)


def adapting_part(adapting: Adapting) -> Part:
    """What a study's report tells of fitted networks."""
    return Part("by-subject", "Subject by subject, on later recordings", list(_blocks(adapting)))


def _blocks(adapting: Adapting) -> Iterator[Block]:
    yield Paragraph(METHOD)
    names = short_names([*adapting.subjects])
    yield _portions(adapting, names)
    if adapting.notes:
        yield Points([f"{names[name]}: {note}" for name, note in adapting.notes.items()])
    if adapting.left_out:
        yield Paragraph("Test subjects who were left out:")
        yield Points([f"{name}: {reason}" for name, reason in adapting.left_out.items()])
    for index, by_subject in enumerate(adapting.tables, 1):
        yield _scores(by_subject, names, f"by-subject-{index}")
        if by_subject.against:
            yield _against(by_subject, f"against-{index}")


def _portions(adapting: Adapting, names: Mapping[str, str]) -> Table:
    rows = [
        [
            Cell(names[name]),
            *(
                Cell(text)
                for part in parts
                for text in (str(part.records), str(part.seizures), number(part.minutes, 1))
            ),
        ]
        for name, parts in adapting.subjects.items()
    ]
    heads = [
        f"{when}: {what}"
        for when in ("Earlier", "later")
        for what in ("records", "seizures", "min")
    ]
    return Table(
        "portions",
        "What was learned from (earlier) and judged on (later): records, seizures and minutes.",
        ["Subject", *heads],
        rows,
    )


def _scores(by_subject: BySubject, names: Mapping[str, str], name: str) -> Table:
    digits = metric_of(by_subject.metric).digits
    ways = list(by_subject.scores)
    subjects = sorted({subject for scores in by_subject.scores.values() for subject in scores})
    rows = [
        [
            Cell(names[subject]),
            *(Cell(number(by_subject.scores[way].get(subject), digits)) for way in ways),
        ]
        for subject in subjects
    ]
    for row, word in enumerate(("Mean", "Median")):
        rows.append(
            [
                Cell(word, strong=True),
                *(Cell(number(by_subject.summary(way)[row], digits)) for way in ways),
            ]
        )
    return Table(
        name,
        f"{_titled(by_subject)}: each subject’s later recordings, means over runs.",
        ["Subject", *(way.name for way in ways)],
        rows,
    )


def _against(by_subject: BySubject, name: str) -> Table:
    lower = not metric_of(by_subject.metric).higher_is_better
    return Table(
        name,
        f"{_titled(by_subject)}{', turned so that more is better' if lower else ''}: each way minus "
        f"{by_subject.reference.name}, over subjects. In brackets 95 %.",
        ["Way", "Mean", "Median", "Better for", "Wilcoxon p", "Could have seen"],
        [_row(against, metric_of(by_subject.metric).digits) for against in by_subject.against],
    )


def _row(against: Against, digits: int) -> list[Cell]:
    compared = against.comparison
    interval = (
        UNDEFINED if compared.interval is None else bounds(compared.interval, digits, sign=True)
    )
    return [
        Cell(against.way.name),
        Cell(signed(compared.difference, digits), interval),
        Cell(signed(compared.median, digits)),
        Cell(f"{against.better} of {len(compared.subjects)}"),
        Cell(probability(compared.wilcoxon_p)),
        Cell(number(against.detectable, digits)),
    ]


def _titled(by_subject: BySubject) -> str:
    where = in_words(tuple(by_subject.at.items()))
    label = label_of(by_subject.metric).removesuffix(", mean over subjects")
    return f"{label}, {where}" if where else label
