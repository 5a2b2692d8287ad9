"""What a bed has to say: a seizure that begins or is over, something technical, or that it is still there."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import Field

from secateur.settings import Settings

Kind = Literal["opened", "closed", "technical", "heartbeat"]


class Alarm(Settings):
    """A line of `alarms.jsonl`, and what each sink is handed.

    Every kind has every field, null where there is nothing by its nature. Times without a clock are seconds
    from the stream's sample 0.
    """

    key: Annotated[str, Field(min_length=1, max_length=200)]
    """Bed and number, `ward-7-000012`: the same alarm has the same key, also after a restart."""
    bed: Annotated[str, Field(min_length=1, max_length=150)]
    """Whose alarm it is."""
    kind: Kind
    """A seizure is certain to be one (opened) or nothing can change it any more (closed); something is wrong
    with the signal (technical); or all goes on (heartbeat)."""
    time: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]
    """When it was made by this machine's clock, in UTC with milliseconds."""
    stream_seconds: Annotated[float, Field(ge=0)]
    """How far the stream had come."""
    onset: Annotated[float, Field(ge=0)] | None = None
    """Where the seizure begins; null of a technical alarm and a heartbeat."""
    duration: Annotated[float, Field(gt=0)] | None = None
    """How long it is; of one that has opened, so far. Null of the others."""
    confidence: Annotated[float, Field(ge=0, le=1)] | None = None
    """The seizure's largest probability; of one that has opened, so far. Of a heartbeat the last window's
    probability, null where none came lately; null of a technical alarm."""
    channels: tuple[str, ...] | None = None
    """Those that speak most for the seizure, the most telling first; of a heartbeat, in the last window; of a
    fault, those that have it. Null where they aren't known."""
    trouble: str = ""
    """Of a technical alarm what it is about: silence, lag, lost, clock, restart, disorder, refused and ended
    (the source), flat, railed and signal (channels), disk."""
    words: str
    """A sentence for people."""


def clock(seconds: float) -> str:
    """Unix seconds as an alarm states them: `2026-11-28T15:24:48.123Z`."""
    text = datetime.fromtimestamp(round(seconds, 3), UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
