"""Whether a source has fallen silent, said once when it does and once when it is over."""

from __future__ import annotations

import time

from secateur.live.stream import Trouble

SILENT = 2.0
"""Seconds without a sample after which a source is silent."""


class SilenceWatch:
    """Counts, by this machine's steady clock, how long nothing has come."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._silent = False

    @property
    def seconds(self) -> float:
        """How long nothing has come by now."""
        return time.monotonic() - self._last

    def heard(self, at: int) -> list[Trouble]:
        """Samples have come, the first with the stream's index `at`; says so where that ends a silence."""
        ended, seconds = self._silent, self.seconds
        self._last, self._silent = time.monotonic(), False
        if not ended:
            return []
        words = f"signal comes again, after {seconds:.1f} s of silence"
        return [Trouble("silence", words, time.time(), at)]

    def nothing(self, at: int | None) -> list[Trouble]:
        """Nothing has come; says so, once, when that has lasted. `at`: the index of the next sample."""
        if self._silent or self.seconds < SILENT:
            return []
        self._silent = True
        return [Trouble("silence", f"nothing has come for {SILENT:g} s", time.time(), at)]
