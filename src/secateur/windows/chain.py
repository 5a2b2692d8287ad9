"""The one signal chain: montage, resampling, band-pass, notch, scaling. Causal, with its state.

What comes out is channels × samples at one rate, filtered and scaled; the same numbers however the signal
was cut into pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from secateur.errors import RecordingError
from secateur.recordings import EACH, FIXED, EdfRecording, MontageMap, Recording, map_montage
from secateur.settings import names_in
from secateur.windows.filters import (
    BlockFilter,
    BlockForm,
    Resampler,
    State,
    block_form,
    butterworth,
    notch,
    ratio_of,
)
from secateur.windows.plausibility import AmplitudeCheck
from secateur.windows.scaling import Scale, Scaler, compress
from secateur.windows.settings import ChainSettings

TooSlow = Literal["refuse", "note"]
_BY_FORCE = '--force takes it all the same, in Python too_slow="note"'
"""What is done where a sampling rate is too low for the chain's band."""

Tap = Callable[[int, NDArray[np.float32]], None]
"""Takes a piece as it was read, before the montage: the index of its first sample, and the montage map's
`used` channels × samples, µV. It must not change them."""

PIECE = 48.0
_MOST_SAMPLES = 20_480
"""Seconds, and samples of a channel, read at a time in bulk; memory stays flat whatever a recording's length.

Shorter pieces are more calls; longer ones leave a processor's own cache between one stage and the next.
"""

_NOTCH_QUALITY = 30.0
_DRIFT_NOTED = 0.5
"""Samples an hour; more is told in milliseconds."""


class ChainRun:
    """The chain's state on its way through one recording, or one stretch of it between gaps.

    `scale` None leaves out scaling: what comes out is in µV (that is what the cache keeps). `check` looks at
    what comes in, before the montage.
    """

    def __init__(
        self,
        settings: ChainSettings,
        scale: Scale | None,
        montage_map: MontageMap,
        rate: float,
        check: AmplitudeCheck,
    ) -> None:
        self._settings = settings
        self._montage_map = montage_map
        self._resampler = Resampler(rate, settings.sampling_rate)
        self._filter = BlockFilter(_form(settings), len(montage_map.names))
        self._scaler = None if scale is None else Scaler(settings, scale)
        self.check = check
        check.restart()

    def push(self, data: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take in the montage_map's `used` channels × any number of samples, µV; give out what is ready."""
        self.check.push(data)
        return self._scaled(self._resampler.push(self._montage_map.apply(data)))

    def finish(self) -> NDArray[np.float32]:
        """Give out the samples that resampling still held back."""
        return self._scaled(self._resampler.finish())

    def state(self) -> State:
        """All that later samples depend on, as numbers and arrays of them; by stage and name.

        `restore` in a run that was begun alike goes on to the bit.
        """
        stages = self._stages()
        return {
            f"{s}.{k}": value for s, stage in stages.items() for k, value in stage.state().items()
        }

    def restore(self, state: Mapping[str, ArrayLike]) -> None:
        """Go on from what `state` gave; arrays may have become lists on the way."""
        for name, stage in self._stages().items():
            prefix = f"{name}."
            own = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
            stage.restore(own)

    def _stages(self) -> dict[str, Resampler | BlockFilter | Scaler | AmplitudeCheck]:
        stages: dict[str, Resampler | BlockFilter | Scaler | AmplitudeCheck] = {
            "check": self.check,
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
        settings, channels = self.settings, names_in(channels, "channels")
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
        self,
        channels: Sequence[str],
        rate: float,
        path: Path | str = "recording",
        *,
        too_slow: TooSlow = "refuse",
        check: AmplitudeCheck | None = None,
    ) -> ChainRun:
        """A fresh state for a signal with `channels` (labels) at `rate` Hz.

        It is to be fed the rows `montage_map(channels).used`. `check`: one that has looked at what was
        before a gap. Raises `ChannelsError`, and `RecordingError` as `rate_notes` does.
        """
        self.rate_notes(rate, path, too_slow)
        montage_map = self.montage_map(channels, path)
        if check is None:
            check = AmplitudeCheck([channels[k] for k in montage_map.used], rate)
        scale = self.scale
        if scale is not None and self.settings.montage == "each":
            scale = scale.repeated(len(montage_map.names))
        return ChainRun(self.settings, scale, montage_map, rate, check)

    def rate_notes(
        self, rate: float, path: Path | str, too_slow: TooSlow, advice: str = _BY_FORCE
    ) -> tuple[str, ...]:
        """What there is to note of a signal at `rate` Hz. `advice`: what to do where it is too low.

        Raises `RecordingError` where it is too low for the chain's band, unless `too_slow` is "note".
        """
        low, high, target = self.settings.low, self.settings.high, self.settings.sampling_rate
        if rate < 2 * low:
            raise RecordingError(
                path, f"sampled at {rate:g} Hz, too slow for a band from {low:g} Hz on"
            )
        notes: tuple[str, ...] = ()
        if rate < 2 * high:
            note = (
                f"sampled at {rate:g} Hz, so it holds nothing above {rate / 2:g} Hz, where a band of {low:g} "
                f"to {high:g} Hz is looked at"
            )
            if too_slow == "refuse":
                raise RecordingError(path, f"{note}; {advice}")
            notes = (note,)
        ratio, exact = ratio_of(rate, target)
        if not exact:
            taken = float(target / ratio)
            an_hour = 3600 * abs(taken / rate - 1)
            drift = "at most half a sample"
            if an_hour * max(rate, target) > _DRIFT_NOTED:
                drift = f"{1000 * an_hour:.2g} ms"
            notes += (
                f"its rate of {rate:.12g} Hz is taken as {taken:.12g} Hz: times drift by {drift} an hour",
            )
        return notes

    def over(self, recording: Recording, too_slow: TooSlow = "refuse") -> ChainedRecording:
        """The way through `recording`. Raises `ChannelsError`, and `RecordingError` as `rate_notes` does."""
        return ChainedRecording(self, recording, too_slow)

    def run(self, recording: Recording, too_slow: TooSlow = "refuse") -> NDArray[np.float32]:
        """The whole recording, chained: channels × samples, without what gaps leave out."""
        chained = self.over(recording, too_slow)
        lengths = [chained.samples(stretch) for stretch in chained.stretches]
        out = np.empty((len(chained.montage_map.names), sum(lengths)), dtype=np.float32)
        at = 0
        for stretch in chained.stretches:
            for piece in chained.pieces(stretch):  # none is kept, so their memory is used again
                out[:, at : at + piece.shape[1]] = piece
                at += piece.shape[1]
        assert at == out.shape[1]
        return out


class ChainedRecording:
    """A recording on its way through a chain, stretch after stretch; made by `SignalChain.over`.

    `stretches`: as the recording has them. After a gap the chain begins anew, as a stream does.
    """

    def __init__(self, chain: SignalChain, recording: Recording, too_slow: TooSlow) -> None:
        self._chain, self._too_slow = chain, too_slow
        self.recording, self.montage_map = chain.source(recording)
        recording = self.recording
        self.stretches = recording.stretches
        self.rate = recording.sampling_rate
        self.check = AmplitudeCheck(
            [recording.channels[k] for k in self.montage_map.used], recording.sampling_rate
        )
        self._notes = (
            *self.montage_map.notes,
            *chain.rate_notes(recording.sampling_rate, recording.path, too_slow),
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What had to be put right; of amplitudes and of reading, once all pieces have been read."""
        return (*self.recording.notes, *self._notes, *self.check.finish())

    def samples(self, stretch: tuple[int, int]) -> int:
        """Samples that come out of the chain for a stretch."""
        resampler = Resampler(self.recording.sampling_rate, self._chain.settings.sampling_rate)
        return -(-(stretch[1] - stretch[0]) * resampler.up // resampler.down)

    def pieces(
        self, stretch: tuple[int, int], tap: Tap | None = None
    ) -> Iterator[NDArray[np.float32]]:
        """A stretch, chained, in pieces of about `PIECE` seconds; `tap` is handed what each was read as."""
        recording, used = self.recording, self.montage_map.used
        rate, (first, last) = recording.sampling_rate, stretch
        run = self._chain.begin(
            recording.channels, rate, recording.path, too_slow=self._too_slow, check=self.check
        )
        step = max(1, min(round(PIECE * rate), _MOST_SAMPLES))
        for start in range(first, last, step):
            signal = recording.read(start / rate, min(start + step, last) / rate, used)
            if tap is not None:
                tap(start, signal)
            yield run.push(signal)
        yield run.finish()


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
