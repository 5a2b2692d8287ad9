"""How far machine and reviewers agree, and reviewers among themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

from secateur.errors import EventsError, ReviewError, ScoringError
from secateur.reviewed import ReviewedTable, by_reviewer, read_reviewed, reviewer_of
from secateur.scoring import EventComparison, compare


@dataclass(frozen=True)
class Agreement:
    """Events of one or many recordings by what a reviewer said of them.

    `kept`: accepted as the machine had them; `moved`: with other times; `added`: the machine has missed them.
    `seconds`: recorded; `complete_seconds`: of recordings in which nothing is open, and `false_alarms` the
    rejected events of these.
    """

    open: int = 0
    kept: int = 0
    moved: int = 0
    rejected: int = 0
    added: int = 0
    recordings: int = 0
    complete: int = 0
    seconds: float = 0.0
    complete_seconds: float = 0.0
    false_alarms: int = 0

    @classmethod
    def of(cls, table: ReviewedTable) -> Agreement:
        """Of one recording."""
        verdicts = [row.verdict for row in table.events]
        rejected, complete = verdicts.count("rejected"), table.is_complete
        return cls(
            open=verdicts.count("open"),
            kept=verdicts.count("accepted"),
            moved=verdicts.count("changed"),
            rejected=rejected,
            added=verdicts.count("added"),
            recordings=1,
            complete=int(complete),
            seconds=table.duration,
            complete_seconds=table.duration if complete else 0.0,
            false_alarms=rejected if complete else 0,
        )

    def __add__(self, other: Agreement) -> Agreement:
        return Agreement(
            **{name: value + getattr(other, name) for name, value in vars(self).items()}
        )

    @property
    def events(self) -> int:
        """The machine's events."""
        return self.open + self.kept + self.moved + self.rejected

    @property
    def false_alarms_a_day(self) -> float | None:
        """Rejected events in 24 h of the recordings in which nothing is open; None where there are none."""
        return self.false_alarms / self.complete_seconds * 86400 if self.complete_seconds else None

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "events": self.events,
            "open": self.open,
            "kept": self.kept,
            "moved": self.moved,
            "rejected": self.rejected,
            "added": self.added,
            "hours": self.seconds / 3600,
            "complete": self.complete,
            "complete_hours": self.complete_seconds / 3600,
            "false_alarms_a_day": self.false_alarms_a_day,
        }


@dataclass(frozen=True)
class PairOfReviewers:
    """Two reviewers by the recordings that both have gone through: `second` scored against `first`."""

    first: str
    second: str
    recordings: int
    score: EventComparison


@dataclass(frozen=True)
class FolderAgreement:
    """What all reviewed tables in a folder and below say. `problems`: tables that can't be read, and why."""

    by_reviewer: dict[str, Agreement] = field(default_factory=dict)
    pairs: tuple[PairOfReviewers, ...] = ()
    problems: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "reviewers": {name: own.as_dict() for name, own in self.by_reviewer.items()},
            "pairs": [
                {
                    "first": pair.first,
                    "second": pair.second,
                    "recordings": pair.recordings,
                    **pair.score.as_dict(),
                }
                for pair in self.pairs
            ],
            "problems": list(self.problems),
        }


def agreement_in(folder: Path) -> FolderAgreement:
    """How far machine and reviewers agree by the reviewed tables in a folder and below.

    The tables hold what the machine had said: neither recordings nor a detector are needed. Hidden folders
    are passed over. Raises `ReviewError` where there is no such folder, or nobody has reviewed any.
    """
    if not folder.is_dir():
        raise ReviewError(f"{folder}: there is no such folder of reviewed recordings")
    tables: dict[str, dict[str, ReviewedTable]] = {}
    problems: list[str] = []
    for recording, paths in _paths(folder).items():
        try:
            own = by_reviewer(paths)
        except EventsError as error:
            problems.append(str(error))
            continue
        for reviewer, path in own.items():
            try:
                tables.setdefault(recording, {})[reviewer] = read_reviewed(path)
            except EventsError as error:
                problems.append(str(error))
    if not tables:
        first = f"; {problems[0]}" if problems else ""
        raise ReviewError(
            f"{folder}: nobody has reviewed anything in it, there is no *_desc-reviewed_events.tsv{first}"
        )
    agreements: dict[str, Agreement] = {}
    for own_tables in tables.values():
        for reviewer, table in own_tables.items():
            agreements[reviewer] = agreements.get(reviewer, Agreement()) + Agreement.of(table)
    names = sorted(agreements)
    pairs = [_pair(tables, first, second, problems) for first, second in combinations(names, 2)]
    return FolderAgreement(
        {name: agreements[name] for name in names},
        tuple(pair for pair in pairs if pair.recordings),
        tuple(problems),
    )


def _paths(folder: Path) -> dict[str, list[Path]]:
    """Reviewed tables by their recording's path below the folder, without its ending."""
    paths: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*_desc-reviewed*_events.tsv")):
        inner, name = path.relative_to(folder), reviewer_of(path)
        if name is not None and not any(part[0] == "." for part in inner.parts):
            paths.setdefault(inner.with_name(name[0]).as_posix(), []).append(path)
    return paths


def _pair(
    tables: Mapping[str, Mapping[str, ReviewedTable]],
    first: str,
    second: str,
    problems: list[str],
) -> PairOfReviewers:
    """Cohen's kappa is not defined for events: one is scored as the other's hypothesis, as detectors are."""
    score, count = EventComparison(), 0
    for recording, own in tables.items():
        reference, hypothesis = own.get(first), own.get(second)
        if reference is None or hypothesis is None:
            continue
        if not (reference.is_complete and hypothesis.is_complete):
            continue
        try:
            score += compare(reference.seizures, hypothesis.seizures)
        except ScoringError as error:
            problems.append(f"{recording}: by {first or '-'} and {second or '-'}: {error}")
        else:
            count += 1
    return PairOfReviewers(first, second, count, score)
