"""What an address of a source leaves open."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SourceOptions:
    """What is known of a source beside its address.

    `sampling_rate`: Hz, of what doesn't state it itself (standard input). `channels`: labels in their order,
    of what states none. `start`: Unix seconds of the stream's sample 0, where an earlier process has begun
    it: a source whose samples have a time of their own counts on from there. `patience`: seconds that a
    source may take to be found.
    """

    sampling_rate: float | None = None
    channels: tuple[str, ...] = ()
    start: float | None = None
    patience: float = 10.0
