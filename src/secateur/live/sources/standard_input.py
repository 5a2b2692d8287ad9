"""Samples on standard input: whatever can write float32 to a pipe is a source."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Sequence

import numpy as np

from secateur.errors import SourceError
from secateur.live.sources.options import SourceOptions
from secateur.live.sources.silence import SilenceWatch
from secateur.live.stream import Piece, StreamInfo, Trouble

_MOST = 1 << 20
"""Bytes that are taken at once."""


class StandardInput:
    """`-`: frames of one float32 for each channel, µV, little-endian, one after the other.

    A pipe loses nothing and states no time, so samples are counted. After a restart the first frame of the
    new pipe stands where this machine's clock says, and never before what was taken in already.
    """

    def __init__(self, address: str, options: SourceOptions, handle: int | None = None) -> None:
        self.address = address
        if not options.sampling_rate or not options.channels:
            raise SourceError(
                "samples on standard input say nothing of themselves: state --sampling-rate (Hz) and "
                "--channels (labels in the frames' order)"
            )
        self._handle = sys.stdin.fileno() if handle is None else handle
        if os.isatty(self._handle):
            raise SourceError(
                "standard input is a terminal; pipe float32 frames into it: PROGRAM | secateur live …"
            )
        self.info = StreamInfo("stdin", options.channels, options.sampling_rate)
        self.start = time.time()
        self.finished = False
        self._silence = SilenceWatch()
        self._rest = b""
        self._next = 0
        self._placed = True

    def seek(self, at: int, start: float) -> None:
        """See `Source.seek`."""
        if at > 0:
            self._next, self.start, self._placed = at, start, False

    def read(self, timeout: float) -> Sequence[Piece | Trouble]:
        """See `Source.read`."""
        if self.finished:
            return []
        ready, _, _ = select.select([self._handle], [], [], max(0.0, timeout))
        if not ready:
            return self._silence.nothing(self._next)
        content = os.read(self._handle, _MOST)
        if not content:
            self.finished = True
            return self._ended()
        content = self._rest + content
        width = 4 * len(self.info.channels)
        frames = len(content) // width
        self._rest = content[frames * width :]
        return self._taken(content[: frames * width]) if frames else []

    def _taken(self, content: bytes) -> list[Piece | Trouble]:
        values = np.frombuffer(content, "<f4").reshape(-1, len(self.info.channels)).T
        arrived = time.time()
        if not self._placed:
            self._placed = True
            elapsed = round((arrived - self.start) * self.info.sampling_rate) - values.shape[1]
            self._next = max(self._next, elapsed)
        piece = Piece(np.ascontiguousarray(values, np.float32), self._next, arrived)
        self._next += values.shape[1]
        return [*self._silence.heard(piece.at), piece]

    def _ended(self) -> list[Piece | Trouble]:
        if not self._rest:
            return []
        width = 4 * len(self.info.channels)
        words = (
            f"the input ended within a frame: {len(self._rest)} of {width} bytes came and are passed over "
            f"(a frame is {len(self.info.channels)} float32)"
        )
        return [Trouble("refused", words, time.time(), self._next)]

    def close(self) -> None:
        """See `Source.close`."""
        self.finished = True
