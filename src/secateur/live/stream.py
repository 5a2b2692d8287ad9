"""What comes from a bed: pieces of signal with their sample indices, and what is wrong with their coming."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

TroubleKind = Literal["silence", "lag", "lost", "clock", "restart", "disorder", "refused"]


@dataclass(frozen=True)
class StreamInfo:
    """What a source says of itself: its name, its channels in their order, and its rate in Hz."""

    name: str
    channels: tuple[str, ...]
    sampling_rate: float


@dataclass(frozen=True)
class Piece:
    """Samples that came together.

    `values`: channels × n, µV. `at`: the stream's index of the first, counted from the source's sample 0; the
    samples between the last piece's end and `at` are lost. `arrived`: when it came, in Unix seconds.
    """

    values: NDArray[np.float32]
    at: int
    arrived: float


@dataclass(frozen=True)
class Trouble:
    """Something that is wrong with a source, or is no longer.

    `kind`: "silence" (nothing comes), "lag" (what comes is old), "lost" (samples that never came), "clock"
    (the sender's clock has jumped), "restart" (the source was gone and is there again), "disorder" (samples
    that came twice or out of order and were passed over), "refused" (what came can't be used). `words`: a
    sentence for people. `arrived`: when it was noticed, in Unix seconds. `at`: the stream's sample index that
    it concerns, where there is one.
    """

    kind: TroubleKind
    words: str
    arrived: float
    at: int | None


class Source(Protocol):
    """Where the signal of one bed comes from. Made by `secateur.live.sources.open_source`.

    `address`: as it was stated. `start`: Unix seconds of sample 0. `finished`: nothing will come any more.
    """

    address: str
    info: StreamInfo
    start: float
    finished: bool

    def read(self, timeout: float) -> Sequence[Piece | Trouble]:
        """What has come since the last call, in order; waits for it, but at most `timeout` seconds."""
        ...

    def seek(self, at: int, start: float) -> None:
        """After a restart of our process: samples before index `at` were taken in already.

        `start`: Unix seconds of sample 0 as it was then, from which indices go on counting.
        """
        ...

    def close(self) -> None:
        """Let go of what the source holds; nothing is read from it any more."""
        ...
