"""What a recording is: channels × samples in microvolts, with the time they cover; and how it is read."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from secateur.errors import RecordingError
from secateur.recordings.montage import plain_label
from secateur.settings import Flag, Settings, names_in


def _labels(value: Any) -> Any:
    """Labels by those recorded, from a list of `old=new`."""
    if not isinstance(value, list | tuple):
        return value
    labels: dict[str, str] = {}
    for word in value:
        old, sign, new = (part.strip() for part in str(word).partition("="))
        if not (old and sign and new) or labels.setdefault(old, new) != new:
            raise ValueError(f"{word}: wanted old=new, each old label once")
    return labels


class ReadingSettings(Settings):
    """How recordings are read."""

    gaps: Annotated[Literal["split", "refuse"], Flag("gaps")] = "split"
    """Recordings with gaps: split (take each stretch by itself, and note it) or refuse."""
    rename: Annotated[
        dict[str, str], BeforeValidator(_labels), Flag("rename", "OLD=NEW", many=True)
    ] = Field(default_factory=dict)
    """A channel's label as recorded and the label that is meant."""
    too_slow: Annotated[Literal["refuse", "note"], Flag("force", sets="note", only="run")] = (
        "refuse"
    )
    """A sampling rate too low for the filters' band: refuse it, or note it and go on."""

    def __hash__(self) -> int:
        return hash(self.model_dump_json())


Stretches = tuple[tuple[int, int], ...]
"""First sample and one after the last of each stretch without a gap."""


@runtime_checkable
class Recording(Protocol):
    """One recording of one subject. Opening it reads no samples."""

    @property
    def path(self) -> Path:
        """Where it comes from; used in messages."""

    @property
    def channels(self) -> tuple[str, ...]:
        """Labels as recorded, of those channels that can be read in microvolts at `sampling_rate`."""

    @property
    def sampling_rate(self) -> float:
        """Samples a second of every channel."""

    @property
    def samples(self) -> int:
        """Samples of each channel, those counted that gaps lost."""

    @property
    def stretches(self) -> Stretches:
        """The samples that were recorded: first and one after the last of each stretch without a gap.

        They count from the first sample, and samples that were lost count too: sample k stands at
        k / `sampling_rate` seconds. The last stretch ends at `samples`. Where one stretch begins at the
        sample at which another ends, the recording was cut there and nobody knows how much is missing.
        """

    @property
    def start(self) -> datetime | None:
        """When it began, as its header tells."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What had to be set right to read it."""

    def read(
        self, start: float = 0.0, stop: float | None = None, channels: Sequence[int] | None = None
    ) -> NDArray[np.float32]:
        """Samples from `start` to `stop` (seconds; None: the end), of `channels` (indices; None: all).

        Returns channels × samples, µV, float32; sample k stands at k / `sampling_rate` seconds. Raises
        `RecordingError` where that reaches into a gap or outside the recording.
        """


def duration_of(recording: Recording) -> float:
    """A recording's length in seconds."""
    return recording.samples / recording.sampling_rate


def sample_range(recording: Recording, start: float, stop: float | None) -> tuple[int, int]:
    """First sample and the one after the last for [`start`, `stop`) seconds.

    Raises `RecordingError` where that reaches outside the recording or into a gap.
    """
    first = round(start * recording.sampling_rate)
    last = recording.samples if stop is None else round(stop * recording.sampling_rate)
    if not 0 <= first <= last <= recording.samples:
        raise RecordingError(
            recording.path,
            f"seconds {start} to {'the end' if stop is None else stop} were asked for; "
            f"it holds 0 to {duration_of(recording)}",
        )
    stretch = stretch_at(recording, first)
    if stretch < 0 or last > recording.stretches[stretch][1]:
        raise RecordingError(
            recording.path,
            f"seconds {first / recording.sampling_rate} to {last / recording.sampling_rate} reach into a gap",
        )
    return first, last


def stretch_at(recording: Recording, sample: int) -> int:
    """Which stretch holds a sample, or comes before the gap that does; −1 before the first."""
    return bisect_right(recording.stretches, sample, key=lambda stretch: stretch[0]) - 1


def gap_notes(recording: Recording, reading: ReadingSettings) -> list[str]:
    """A note that says where the gaps are, if there are any; raises `RecordingError` where so set."""
    rate, stretches = recording.sampling_rate, recording.stretches
    pairs = [(end, begin) for (_, end), (begin, _) in pairwise(stretches)]
    gaps = [
        f"{(begin - end) / rate:g} s at {end / rate:g} s"
        if begin > end
        else f"a cut at {end / rate:g} s, and nobody knows how long it is"
        for end, begin in pairs[:5]
    ]
    if not gaps:
        return []
    more = f", and {len(pairs) - 5} more" if len(pairs) > 5 else ""
    where = f"{', '.join(gaps)}{more}"
    if reading.gaps == "refuse":
        raise RecordingError(
            recording.path,
            f"has gaps ({where}); --gaps split reads what lies between "
            'or, in Python, reading=ReadingSettings(gaps="split")',
        )
    return [f"has gaps, what lies between is taken by itself: {where}"]


def finite(
    recording: Recording, values: NDArray[np.float32], first: int, channels: Sequence[int]
) -> NDArray[np.float32]:
    """`values` (of these channels, from sample `first`), or `RecordingError` where one is no number."""
    good = np.isfinite(values)
    if not good.all():
        row, sample = np.argwhere(~good)[0].tolist()
        raise RecordingError(
            recording.path,
            f"channel {recording.channels[channels[row]]} holds a value that is no number (NaN or infinite) "
            f"at {(first + sample) / recording.sampling_rate:g} s",
        )
    return values


class ArrayRecording:
    """A recording in memory: `data` channels × samples in µV, one label for each channel.

    Raises `SettingsError` for channels that are no list, `RecordingError` for data of another shape.
    """

    def __init__(
        self,
        data: NDArray[np.floating],
        sampling_rate: float,
        channels: Sequence[str],
        *,
        path: Path | str = "array",
        start: datetime | None = None,
    ) -> None:
        self.path = Path(path)
        channels = names_in(channels, "channels")
        values = np.asarray(data, dtype=np.float32)
        if values.ndim != 2 or values.shape[0] != len(channels):
            raise RecordingError(
                self.path,
                f"wanted {len(channels)} channels × samples, one row for each label; "
                f"got an array of shape {values.shape}",
            )
        if not (np.isfinite(sampling_rate) and sampling_rate > 0):
            raise RecordingError(self.path, f"a sampling rate is above 0 Hz, got {sampling_rate}")
        self._data = values
        self.sampling_rate = float(sampling_rate)
        self.channels = channels
        self.samples = values.shape[1]
        self.stretches: Stretches = ((0, self.samples),)
        self.start = start
        self.notes: tuple[str, ...] = ()
        finite(self, values, 0, range(len(channels)))

    def read(
        self, start: float = 0.0, stop: float | None = None, channels: Sequence[int] | None = None
    ) -> NDArray[np.float32]:
        """See `Recording.read`."""
        first, last = sample_range(self, start, stop)
        rows = slice(None) if channels is None else list(channels)
        return self._data[rows, first:last].copy()


class OneChannel:
    """One channel of another recording; see `Recording` for what its members mean."""

    def __init__(self, recording: Recording, channel: str) -> None:
        labels = [plain_label(label) for label in recording.channels]
        if plain_label(channel) not in labels:
            raise RecordingError(recording.path, f"has no channel {channel!r}")
        self._recording, self._index = recording, labels.index(plain_label(channel))
        self.path = recording.path
        self.channels = (channel,)
        self.sampling_rate, self.samples = recording.sampling_rate, recording.samples
        self.stretches, self.start = recording.stretches, recording.start
        self.notes = recording.notes

    def read(
        self, start: float = 0.0, stop: float | None = None, channels: Sequence[int] | None = None
    ) -> NDArray[np.float32]:
        """See `Recording.read`."""
        rows = self._recording.read(start, stop, [self._index])
        return rows if channels is None else rows[list(channels)]
