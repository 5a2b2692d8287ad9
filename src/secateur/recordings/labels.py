"""Whose word on seizures counts: what a data set lists, or what a person said in a review."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, model_validator

from secateur.errors import EventsError, SettingsError
from secateur.events import Events, read_tsv
from secateur.recordings.recording import Recording, duration_of
from secateur.reviewed import (
    checked_initials,
    chosen_table,
    in_words,
    read_reviewed,
    reviewed_tables,
)
from secateur.settings import Flag, Settings

NOT_SEEN = "nobody said to have gone through all of it: seizures that the machine missed count as background"


def _initials(value: object) -> object:
    return checked_initials(value) if isinstance(value, str) else value


class LabelSettings(Settings):
    """Whose word on seizures counts."""

    use: Annotated[Literal["listed", "reviewed"], Flag("labels")] = "listed"
    """Seizures: listed (what the data set says) or reviewed (events that a person accepted, changed or added
    in `secateur review`; recordings that nobody has reviewed to the end are left out)."""
    reviewer: Annotated[
        Annotated[str, BeforeValidator(_initials)] | None,
        Flag("reviewer", "INITIALS", default="the only one"),
    ] = None
    """Whose review counts, where several people have reviewed; empty: the one without initials."""

    @model_validator(mode="after")
    def _a_reviewer_has_reviewed(self) -> Self:
        if self.reviewer is not None and self.use != "reviewed":
            raise ValueError(f"reviewer {self.reviewer!r} goes with --labels reviewed")
        return self


def reviewed_events(recording: Recording, labels: LabelSettings) -> tuple[Events, tuple[str, ...]]:
    """What a person said of a recording, and a note where they may not have looked at all of it.

    Raises `EventsError` where nobody has reviewed it, or not to the end, and `SettingsError` where several
    have and none is chosen.
    """
    path, tables = recording.path, reviewed_tables(recording.path)
    try:
        table = chosen_table(tables, labels.reviewer)
    except EventsError as error:
        raise SettingsError(f"{path}: {error}") from None
    if table is None:
        who = f"reviewed by {in_words(tables)} alone" if tables else "nobody has reviewed it"
        raise EventsError(f"{path}: {who}")
    events = read_tsv(table, duration_of(recording), cut=False)
    seen = read_reviewed(table).background is not None
    return events, () if seen else (NOT_SEEN,)
