"""Who trains, who validates, who tests. A subject stands on one side.

Comes in: cohorts and a seed. Goes out: a `Split` of subjects, checked: no subject on two sides, no
recording's contents on two sides. Next: `studies` builds its window sets from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from secateur.errors import SplitError
from secateur.recordings import Entry
from secateur.windows.settings import SplitSettings

SIDES = ("training", "validation", "test")


@dataclass(frozen=True)
class Split:
    """Subjects of each side, sorted. Raises `SplitError` where one stands on two sides."""

    training: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]

    def __post_init__(self) -> None:
        seen: dict[str, str] = {}
        for side in SIDES:
            for subject in getattr(self, side):
                if subject in seen:
                    raise SplitError(f"subject {subject} stands in {seen[subject]} and in {side}")
                seen[subject] = side

    def side_of(self, subject: str) -> str | None:
        """The side on which a subject stands, or None."""
        return next((side for side in SIDES if subject in getattr(self, side)), None)


def split_by_subject(
    subjects: Sequence[str], settings: SplitSettings, test_subjects: Sequence[str] | None = None
) -> Split:
    """Divide `subjects` at random by `settings.seed`.

    `test_subjects`: subjects of a data set kept for testing; then none of `subjects` tests, and the
    share for testing trains instead. Raises `SplitError` where there are too few.
    """
    people = sorted(set(subjects))
    least = 2 if test_subjects is not None else 3
    if len(people) < least:
        raise SplitError(
            f"{len(people)} subject{'s' if len(people) != 1 else ''} "
            f"can't be split into {least} sides by subject; at least {least} are needed"
        )
    order = np.random.default_rng(settings.seed).permutation(len(people))
    shuffled = [people[k] for k in order]
    tests = 0 if test_subjects is not None else _count(settings.test, len(people))
    validations = min(_count(settings.validation, len(people)), len(people) - tests - 1)
    test = shuffled[:tests] if test_subjects is None else list(test_subjects)
    return Split(
        training=tuple(sorted(shuffled[tests + validations :])),
        validation=tuple(sorted(shuffled[tests : tests + validations])),
        test=tuple(sorted(set(test))),
    )


def _count(share: float, people: int) -> int:
    return min(max(1, round(share * people)), people - 2) if people > 2 else 1


def check_contents(sides: Mapping[str, Sequence[tuple[Entry, str]]]) -> None:
    """Refuse equal contents on two sides. `sides`: for each side its recordings with content hashes."""
    seen: dict[str, tuple[str, str]] = {}
    for side, recordings in sides.items():
        for entry, digest in recordings:
            other = seen.setdefault(digest, (side, entry.key))
            if other[0] != side:
                raise SplitError(
                    f"the same contents stand on two sides: {other[1]} in {other[0]} "
                    f"and {entry.key} in {side}"
                )
