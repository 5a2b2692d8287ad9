"""All sources of a ward, opened at once: each takes seconds to be found."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from secateur.live.sources import SourceOptions, open_source
from secateur.live.stream import Source

_AT_ONCE = 16


def open_sources(addresses: Sequence[str], options: SourceOptions | None = None) -> list[Source]:
    """The sources at `addresses`, in their order. Raises what `open_source` does, and then none is open."""
    with ThreadPoolExecutor(min(_AT_ONCE, len(addresses))) as pool:
        futures = [pool.submit(open_source, address, options) for address in addresses]
    failed = [error for each in futures if (error := each.exception()) is not None]
    if failed:
        for each in futures:
            if each.exception() is None:
                each.result().close()
        raise failed[0]
    return [each.result() for each in futures]
