"""A recording played as if it were being recorded now, at any speed."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from secateur.errors import SourceError
from secateur.live.sources.silence import SilenceWatch
from secateur.live.stream import Piece, StreamInfo, Trouble
from secateur.recordings import open_recording

_SPEED = re.compile(r"(?P<path>.+)@(?P<speed>max|\d+(\.\d+)?x)")
_CHUNK = 1 / 16
"""Seconds of signal that come at once, as from an amplifier; more where the reader is slow."""
_BLOCK = 30.0
"""Seconds of signal that are read from the file at once, and the most that comes at once."""


class ReplaySource:
    """`replay:FILE`, `replay:FILE@20x` or `replay:FILE@max`: any file that Secateur reads.

    Gaps of the file are gaps of the stream: nothing comes for as long. Sample 0 is the file's first, whatever
    date the file bears; at `@max` nothing is waited for, gaps neither.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        words = address.removeprefix("replay:")
        match = _SPEED.fullmatch(words)
        path, speed = (match["path"], match["speed"]) if match else (words, "1x")
        self._speed = math.inf if speed == "max" else float(speed[:-1])
        if not self._speed > 0:
            raise SourceError(
                f"{address}: a speed is above 0; write @20x, @0.5x or @max after the file"
            )
        self._recording = open_recording(path)
        self._require_known_gaps()
        rate = self._recording.sampling_rate
        self.info = StreamInfo(self._recording.path.stem, self._recording.channels, rate)
        self.start = time.time()
        self.finished = False
        self._silence = SilenceWatch()
        self._block_begin = 0
        self._block: NDArray[np.float32] = np.empty((len(self.info.channels), 0), np.float32)
        self.seek(0, self.start)

    def _require_known_gaps(self) -> None:
        """A cut of unknown length has no place on a stream's clock."""
        stretches = self._recording.stretches
        for (_, end), (begin, _) in pairwise(stretches):
            if begin <= end:
                cut = end / self._recording.sampling_rate
                raise SourceError(
                    f"{self.address}: the recording was cut at {cut:g} s, and nobody knows for how "
                    f"long; no stream can be made of it (`secateur detect` takes either side by itself)"
                )

    def seek(self, at: int, start: float) -> None:
        """Go on from sample `at`, as if the clock had stood still there; see `Source.seek`."""
        self.start = start
        self._next = min(max(at, 0), self._recording.samples)
        self._block = self._block[:, :0]
        self._origin, self._begun = self._next, time.monotonic()

    def read(self, timeout: float) -> Sequence[Piece | Trouble]:
        """See `Source.read`."""
        if self.finished:
            return []
        deadline = time.monotonic() + timeout
        first, end = self._upcoming()
        due = min(end, first + max(1, round(self.info.sampling_rate * _CHUNK)))
        ready = self._moment(due)
        if ready > deadline:
            time.sleep(max(0.0, deadline - time.monotonic()))
            return self._silence.nothing(self._next)
        time.sleep(max(0.0, ready - time.monotonic()))
        return list(self._pieces(first, end))

    def _upcoming(self) -> tuple[int, int]:
        """The next sample that was recorded, and the end of its stretch."""
        for begin, end in self._recording.stretches:
            if end > self._next:
                return max(begin, self._next), end
        return self._next, self._next

    def _moment(self, sample: int) -> float:
        """When a sample has been recorded, by this machine's steady clock."""
        seconds = (sample - self._origin) / self.info.sampling_rate
        return self._begun + seconds / self._speed  # at infinite speed: at once

    def _pieces(self, first: int, end: int) -> Iterator[Piece | Trouble]:
        rate = self.info.sampling_rate
        if first < end:
            if math.isfinite(self._speed):
                seconds = (time.monotonic() - self._begun) * self._speed
                end = min(end, self._origin + math.floor(seconds * rate + 1e-6))
            values = self._samples(first, min(end, first + round(rate * _BLOCK)))
            yield from self._silence.heard(first)
            self._next = first + values.shape[1]
            yield Piece(values, first, time.time())
        self.finished = self._next >= self._recording.samples

    def _samples(self, first: int, end: int) -> NDArray[np.float32]:
        """Samples of one stretch, at least one; the file is read in blocks."""
        if not self._block.shape[1] or not (
            self._block_begin <= first < self._block_begin + self._block.shape[1]
        ):
            stretch_end = next(e for _, e in self._recording.stretches if e > first)
            last = min(stretch_end, first + round(self.info.sampling_rate * _BLOCK))
            rate = self.info.sampling_rate
            self._block, self._block_begin = self._recording.read(first / rate, last / rate), first
        offset = first - self._block_begin
        return self._block[:, offset : max(offset + 1, end - self._block_begin)]

    def close(self) -> None:
        """See `Source.close`."""
        self.finished = True
