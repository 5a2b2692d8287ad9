"""EEG as a stream of the lab streaming layer, read without waiting and reconnected to when it was gone."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from secateur.errors import SourceError
from secateur.live.lsl import load_pylsl
from secateur.live.sources.lsl_streams import Connection, StreamFinder
from secateur.live.sources.options import SourceOptions
from secateur.live.sources.sample_clock import SampleClock
from secateur.live.sources.silence import SilenceWatch
from secateur.live.stream import Piece, Trouble, TroubleKind

_CORRECT = 1.0
"""Seconds between two looks at what the clocks differ by; liblsl compares them every two seconds."""
_LOOK, _AGAIN = 5.0, 15.0
"""Seconds of silence after which the stream is looked for elsewhere, and after which it is connected to anew
where it was: a cable that was pulled ends no connection."""


class LslSource:
    """`lsl:NAME` or `lsl:NAME@SOURCE_ID`.

    Sample 0 is the first that comes. Indices count samples; time stamps, corrected by the difference of the
    clocks, say where samples are lost and where a stream that was gone goes on (see `SampleClock`).
    """

    def __init__(self, address: str, options: SourceOptions) -> None:
        self.address = address
        self._pylsl = load_pylsl("reading a stream of LSL")
        self._finder = StreamFinder(self._pylsl, address, options.channels)
        candidates = self._finder.candidates(options.patience)
        if not candidates:
            raise SourceError(
                f"{address}: no such stream on this machine after {options.patience:g} s (streams of other "
                f"machines are looked for where LSLAPICFG names a configuration that says so)"
            )
        connection = self._finder.connect(self._finder.choose(candidates))
        self._connection: Connection | None = connection
        self.info = connection.description.info
        self.start = time.time()
        self.finished = False
        self._clock = SampleClock(self.info.sampling_rate)
        self._clock.correct(connection.correction)
        self._silence = SilenceWatch()
        self._seeker: _Seeker | None = None
        self._lost_at, self._reading = 0.0, False
        self._last_uid, self._last_id = connection.uid, connection.source_id
        self._corrected = self._connected = time.monotonic()
        self._waiting: list[Piece | Trouble] = []
        if connection.description.left_out:
            self._tell("refused", connection.description.left_out)

    def seek(self, at: int, start: float) -> None:
        """See `Source.seek`."""
        if at == 0:  # then nothing was taken in, and sample 0 is still to come
            return
        self.start = start
        since = time.time() - self._pylsl.local_clock()  # from LSL's clock to Unix seconds
        self._clock.go_on(at, start + at / self.info.sampling_rate - since)

    def read(self, timeout: float) -> Sequence[Piece | Trouble]:
        """See `Source.read`."""
        if self.finished:
            return []
        self._take_over()
        if self._connection is None:
            time.sleep(max(0.0, timeout))
        else:
            self._pull(self._connection, timeout)
        if not any(isinstance(item, Piece) for item in self._waiting):
            self._waiting += self._silence.nothing(self._clock.next)
            self._look_around()
        results, self._waiting = self._waiting, []
        return results

    def _pull(self, connection: Connection, timeout: float) -> None:
        try:
            if (
                not self._reading and not self._clock.begun
            ):  # what came while other beds were opened
                connection.inlet.flush()
            self._reading = True
            self._correct(connection)
            samples, stamps = connection.inlet.pull_chunk(
                timeout=timeout,
                max_samples=len(connection.buffer),
                min_samples=1 if timeout > 0 else None,
                dest_obj=connection.buffer,
                as_numpy=True,
            )
        except RuntimeError:  # pylsl's LostError is one, and no other leaves the connection sound
            self._lose()
            return
        if len(stamps):
            self._take(connection, samples, stamps)

    def _correct(self, connection: Connection) -> None:
        if time.monotonic() - self._corrected >= _CORRECT:
            self._corrected = time.monotonic()
            try:
                correction = connection.inlet.time_correction(timeout=0.0)
            except TimeoutError:
                return
            for kind, words in self._clock.correct(correction):
                self._tell(kind, words)

    def _take(
        self, connection: Connection, samples: NDArray[np.generic], stamps: NDArray[np.float64]
    ) -> None:
        arrived, now = time.time(), self._pylsl.local_clock()
        begun, before = self._clock.begun, self._clock.next
        placed = self._clock.assign(stamps, samples, now)
        for kind, words in placed.troubles:
            self._tell(kind, words)
        if not placed.slices:
            return
        if not begun:
            self.start = arrived - (
                now - connection.correction - float(stamps[placed.slices[0][1]])
            )
        first = placed.slices[0][0]
        self._waiting += self._silence.heard(first)
        if self._lost_at:
            seconds = time.monotonic() - self._lost_at
            lost = first - before
            words = f"the stream is there again after {seconds:.1f} s; {lost} samples are missing"
            self._tell("restart", words, first)
            self._lost_at = 0.0
        for at, begin, end in placed.slices:
            values = _microvolts(connection, samples[begin:end])
            self._waiting.append(Piece(values, at, arrived))

    def _tell(self, kind: TroubleKind, words: str, at: int | None = None) -> None:
        at = self._clock.next if at is None else at
        self._waiting.append(Trouble(kind, words, time.time(), at))

    def _lose(self) -> None:
        """The connection has ended."""
        self._connection = None
        self._lost_at = self._lost_at or time.monotonic()
        self._tell("restart", "the stream is gone; it is looked for")
        self._seek_stream(None)

    def _look_around(self) -> None:
        """A sender that is silent without having hung up may be there again as another, or cut off."""
        now = time.monotonic()
        quiet = min(self._silence.seconds, now - self._connected)
        if self._connection is not None and self._seeker is None and quiet > _LOOK:
            self._seek_stream(self._last_uid if quiet < _AGAIN else None)
        elif self._seeker is not None and quiet > _AGAIN:
            self._seeker.avoid = None

    def _seek_stream(self, avoid: str | None) -> None:
        if self._seeker is None:
            self._seeker = _Seeker(self._finder, self.info, self._last_id, avoid)
            self._seeker.start()
        self._seeker.avoid = avoid

    def _take_over(self) -> None:
        """The connection that the seeker has made, if it has; or what keeps it from that."""
        if self._seeker is None:
            return
        if self._connection is not None and self._silence.seconds < _LOOK:
            self._seeker.stop()  # signal comes again as it came before
            self._seeker = None
            return
        for words in self._seeker.complaints():
            self._tell("refused", words)
        connection = self._seeker.connection
        if connection is not None:
            self._seeker = None
            self._lost_at = self._lost_at or time.monotonic() - self._silence.seconds
            self._connection = connection
            self._last_uid, self._last_id = connection.uid, connection.source_id
            self._corrected = self._connected = time.monotonic()
            self._clock.reconnect()
            self._clock.correct(connection.correction)

    def close(self) -> None:
        """See `Source.close`."""
        self.finished = True
        if self._seeker is not None:
            self._seeker.stop()
        self._connection = self._seeker = None


class _Seeker(threading.Thread):
    """Looks for a stream until it is there, and connects to it; what takes time is done here.

    `avoid`: the identifier of an outlet that is there and silent.
    """

    def __init__(
        self, finder: StreamFinder, info: object, source_id: str, avoid: str | None
    ) -> None:
        super().__init__(name=f"looking for {finder.address}", daemon=True)
        self._finder, self._info, self._source_id = finder, info, source_id
        self.avoid = avoid
        self.connection: Connection | None = None
        self._stopped = threading.Event()
        self._complaints: list[str] = []
        self._complaint = ""

    def run(self) -> None:
        """See `threading.Thread.run`."""
        while not self._stopped.is_set():
            candidates = [each for each in self._finder.candidates(1.0) if each.uid() != self.avoid]
            try:
                if candidates:
                    connection = self._finder.connect(
                        self._finder.choose(candidates, self._source_id)
                    )
                    if connection.description.info == self._info:
                        self.connection = connection
                        return
                    self._complain("the stream is there again with other channels or another rate")
            except SourceError as error:
                self._complain(str(error))
            self._stopped.wait(0.5)

    def _complain(self, words: str) -> None:
        if words != self._complaint:
            self._complaint = words
            self._complaints.append(words)

    def complaints(self) -> list[str]:
        """What has kept it from connecting since this was last asked, each once."""
        complaints, self._complaints = self._complaints, []
        return complaints

    def stop(self) -> None:
        """End when it next can."""
        self._stopped.set()


def _microvolts(connection: Connection, samples: NDArray[np.generic]) -> NDArray[np.float32]:
    """Channels × samples, those that are voltages, from samples × channels as sent."""
    description = connection.description
    values = samples[:, list(description.rows)].T
    if any(factor != 1.0 for factor in description.factors):
        values = values * np.array(description.factors)[:, np.newaxis]
    return np.ascontiguousarray(values, dtype=np.float32)
