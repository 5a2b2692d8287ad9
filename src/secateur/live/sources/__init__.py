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
    """The sources at `addresses`, in their order. Raises what `open_source` does, and then none is open."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        openings = [pool.submit(open_source, address, options) for address in addresses]
    failures = [error for each in openings if (error := each.exception()) is not None]
    if failures:
        for each in openings:
            if each.exception() is None:
                each.result().close()
        raise failures[0]
    return [each.result() for each in openings]
