"""What an address of a source leaves open."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SourceOptions:
    """What is known of a source beside its address.

    `sampling_rate`: Hz, of what doesn't state it itself (standard input). `channels`: labels in their order,
    of what states none. `patience`: seconds that a source may take to be found.
    """

    sampling_rate: float | None = None
    channels: tuple[str, ...] = ()
    patience: float = 10.0
