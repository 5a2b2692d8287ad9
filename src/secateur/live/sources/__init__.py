"""Where signal comes from: LSL, a file that is played, standard input."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from secateur.errors import SourceError
from secateur.live.sources.options import SourceOptions
from secateur.live.sources.replay import ReplaySource
from secateur.live.sources.standard_input import StandardInput
from secateur.live.stream import Source

__all__ = ["SourceOptions", "open_source", "open_sources"]

_AT_ONCE = 8
"""Sources that are opened at a time: finding a stream takes seconds, most of them waiting."""


def open_source(address: str, options: SourceOptions | None = None) -> Source:
    """Open the source at an address: `lsl:NAME`, `lsl:NAME@SOURCE_ID`, `replay:FILE[@20x]` or `-`.

    Raises `SourceError` where it isn't one or can't be reached, `RecordingError` for a file that can't be
    read, `MissingExtraError` for LSL without pylsl.
    """
    options = options or SourceOptions()
    if address == "-":
        return StandardInput(address, options)
    if address.startswith("replay:") and address != "replay:":
        return ReplaySource(address)
    if address.startswith("lsl:") and address != "lsl:":
        from secateur.live.sources.lsl import (
            LslSource,  # liblsl is loaded only where it is asked for
        )

        return LslSource(address, options)
    raise SourceError(
        f"{address}: no source; write lsl:NAME, lsl:NAME@SOURCE_ID, replay:FILE, replay:FILE@20x, "
        f"replay:FILE@max, or - for standard input"
    )


def open_sources(addresses: Sequence[str], options: SourceOptions | None = None) -> list[Source]:
    """Open several sources, many at a time; where one can't be, close the others and raise as it does."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        openings = [pool.submit(open_source, address, options) for address in addresses]
    failures = [opening.exception() for opening in openings]
    if any(failures):
        for opening, failure in zip(openings, failures, strict=True):
            if failure is None:
                opening.result().close()
    return [opening.result() for opening in openings]
