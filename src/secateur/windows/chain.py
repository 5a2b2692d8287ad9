"""The one signal chain: montage, resampling, band-pass, notch, scaling. Causal, with its state.

Comes in: a recording, whole or in pieces. Goes out: channels × samples at one rate, filtered and
scaled; the same numbers however the signal was cut up. Next: `prepared` runs it over cohorts,
`detectors` over what they mark.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from secateur.errors import RecordingError
from secateur.recordings import (
    EACH,
    FIXED,
    EdfRecording,
    MontageMap,
    Recording,
    duration_of,
    map_montage,
)
from secateur.windows.filters import (
    BlockFilter,
    BlockForm,
    State,
    block_form,
    butterworth,
    notch,
)
from secateur.windows.resampling import Resampler
from secateur.windows.scaling import Scale, Scaler, compress
from secateur.windows.settings import ChainSettings

PIECE = 40.0
"""Seconds read at a time in bulk; memory stays flat whatever a recording's length.

Shorter pieces are more calls; longer ones leave a processor's own cache between one stage and the next.
"""

_NOTCH_QUALITY = 30.0


class ChainRun:
    """The chain's state on its way through one recording.

    `scale` None leaves out scaling: what comes out is in µV (that is what the cache keeps).
    """

    def __init__(
        self, settings: ChainSettings, scale: Scale | None, montage_map: MontageMap, rate: float
    ) -> None:
        self._settings = settings
        self._montage_map = montage_map
        self._resampler = Resampler(rate, settings.sampling_rate)
        self._filter = BlockFilter(_form(settings), len(montage_map.names))
        self._scaler = None if scale is None else Scaler(settings, scale)

    def push(self, data: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take in the montage_map's `used` channels × any number of samples, µV; give out what is ready."""
        return self._scaled(self._resampler.push(self._montage_map.apply(data)))

    def finish(self) -> NDArray[np.float32]:
        """Give out the samples that resampling still held back."""
        return self._scaled(self._resampler.finish())

    def state(self) -> State:
        """All that later samples depend on, as numbers and arrays of them; by stage and name.

        `restore` in a run that was begun alike goes on to the bit.
        """
        stages = self._stages()
        return {f"{s}.{k}": value for s, one in stages.items() for k, value in one.state().items()}

    def restore(self, state: Mapping[str, ArrayLike]) -> None:
        """Go on from what `state` gave; arrays may have become lists on the way."""
        for stage, one in self._stages().items():
            begin = f"{stage}."
            one.restore({k.removeprefix(begin): v for k, v in state.items() if k.startswith(begin)})

    def _stages(self) -> dict[str, Resampler | BlockFilter | Scaler]:
        stages: dict[str, Resampler | BlockFilter | Scaler] = {
            "resampler": self._resampler,
            "filter": self._filter,
        }
        return stages if self._scaler is None else {**stages, "scaler": self._scaler}

    def _scaled(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        if values.shape[1] == 0:
            return np.empty((len(self._montage_map.names), 0), dtype=np.float32)
        out = self._filter.push(values)
        return out if self._scaler is None else compress(self._settings, self._scaler.push(out))


class SignalChain:
    """The chain as a detector carries it: settings and, once fitted, the training set's scale."""

    def __init__(self, settings: ChainSettings, scale: Scale | None = None) -> None:
        self.settings = settings
        self.scale = scale

    @property
    def channel_names(self) -> tuple[str, ...]:
        """The montage's channels, in the order in which the network takes them."""
        if self.settings.montage == "each":
            return EACH
        return FIXED.get(self.settings.montage, self.settings.channels)

    def montage_map(self, channels: Sequence[str], path: Path | str = "recording") -> MontageMap:
        """How this chain's montage is made from `channels`. Raises `ChannelsError`."""
        settings = self.settings
        return map_montage(channels, settings.montage, settings.missing, path, settings.channels)

    def source(self, recording: Recording) -> tuple[Recording, MontageMap]:
        """What is read of `recording`, and how this chain's montage is made from it.

        The one place that chooses channels and rate, once the montage is known. Raises `ChannelsError`, and
        `RecordingError` where the montage's channels have different rates.
        """
        names = self.settings.montage in FIXED or self.settings.channels
        if names and isinstance(recording, EdfRecording) and len(set(recording.all_rates)) > 1:
            labels = recording.all_channels
            used = self.montage_map(labels, recording.path).used
            recording = recording.at_rate_of([labels[k] for k in used])
        return recording, self.montage_map(recording.channels, recording.path)

    def begin(
        self, channels: Sequence[str], rate: float, path: Path | str = "recording"
    ) -> ChainRun:
        """A fresh state for a signal with `channels` (labels) at `rate` Hz.

        It is to be fed the rows `montage_map(channels).used`.
        """
        if rate < 2 * self.settings.low:
            raise RecordingError(path, f"sampled at {rate:g} Hz, too slow for this chain")
        montage_map = self.montage_map(channels, path)
        scale = self.scale
        if scale is not None and self.settings.montage == "each":
            scale = scale.repeated(len(montage_map.names))
        return ChainRun(self.settings, scale, montage_map, rate)

    def pieces(self, recording: Recording) -> Iterator[NDArray[np.float32]]:
        """The whole recording, chained, in pieces of about `PIECE` seconds."""
        recording, montage_map = self.source(recording)
        run = self.begin(recording.channels, recording.sampling_rate, recording.path)
        length = duration_of(recording)
        step = max(1, round(PIECE * recording.sampling_rate)) / recording.sampling_rate
        for k in range(int(length // step) + 1):
            start, stop = k * step, (k + 1) * step
            if start < length:
                end = None if stop >= length else stop
                yield run.push(recording.read(start, end, montage_map.used))
        yield run.finish()

    def samples(self, recording: Recording) -> int:
        """Samples that come out of the chain for `recording`."""
        recording, _ = self.source(recording)
        resampler = Resampler(recording.sampling_rate, self.settings.sampling_rate)
        return -(-recording.samples * resampler.up // resampler.down)

    def run(self, recording: Recording) -> NDArray[np.float32]:
        """The whole recording, chained: channels × samples."""
        rows = len(self.source(recording)[1].names)
        out = np.empty((rows, self.samples(recording)), dtype=np.float32)
        at = 0
        for piece in self.pieces(recording):  # none is kept, so their memory is used again
            out[:, at : at + piece.shape[1]] = piece
            at += piece.shape[1]
        assert at == out.shape[1]
        return out


def sections_of(settings: ChainSettings) -> NDArray[np.float64]:
    """Band-pass and notch as one cascade: sections × 6, as `filters.butterworth` gives them."""
    rate = settings.sampling_rate
    sections = butterworth(settings.order, settings.low, settings.high, rate)
    if settings.notch is None:
        return sections
    return np.concatenate((sections, notch(settings.notch, _NOTCH_QUALITY, rate)))


@lru_cache(maxsize=8)
def _form(settings: ChainSettings) -> BlockForm:
    return block_form(sections_of(settings))
