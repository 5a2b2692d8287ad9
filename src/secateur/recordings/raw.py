"""MNE's `Raw` as a recording, and events as MNE's annotations. MNE is loaded only here, when it is needed."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secateur.errors import MissingExtraError, RecordingError
from secateur.events import Events
from secateur.recordings.montage import rename_channels
from secateur.recordings.recording import (
    ReadingSettings,
    Recording,
    Stretches,
    finite,
    gap_notes,
    sample_range,
)

KINDS = ("eeg", "seeg", "ecog")
"""MNE's types of channels that are EEG."""

_CUTS = ("BAD boundary", "EDGE boundary")
"""Annotations with which MNE marks where raws were joined."""

_SKIP = "BAD_ACQ_SKIP"
"""Annotation of a time that was not recorded, which MNE fills with zeros."""


class RawRecording:
    """An `mne.io.Raw`; see `Recording` for what its members mean.

    Its bad channels and those of another type than `KINDS` are left out. Where raws were joined, and where
    recording was interrupted, is a gap. What MNE warns of while samples are read is added to the notes.
    """

    def __init__(self, raw: Any, reading: ReadingSettings | None = None) -> None:
        reading = reading or ReadingSettings()
        names = [name for name in raw.filenames if name is not None]
        self.path = Path(names[0] if names else "raw")
        kinds = raw.get_channel_types()
        bad = set(raw.info["bads"])
        left_out = {
            name: f"of type {kind}, no EEG" if kind not in KINDS else "marked as bad"
            for name, kind in zip(raw.ch_names, kinds, strict=True)
            if kind not in KINDS or name in bad
        }
        self._picks = [k for k, name in enumerate(raw.ch_names) if name not in left_out]
        if not self._picks:
            came = ", ".join(sorted(set(kinds))) or "none"
            raise RecordingError(
                self.path,
                f"no channel is of type {', '.join(KINDS)} and not marked as bad; its types: {came}",
            )
        self._raw = raw
        labels = [raw.ch_names[k] for k in self._picks]
        self.channels = rename_channels(labels, reading.rename, self.path)
        self.sampling_rate = float(raw.info["sfreq"])
        self.samples = int(raw.n_times)
        if self.samples == 0:
            raise RecordingError(self.path, "holds no samples")
        self.stretches = _stretches(raw)
        if not self.stretches:
            raise RecordingError(self.path, "holds no samples outside its gaps")
        self.samples = self.stretches[-1][1]
        self.start = _start(raw)
        self.notes = (
            *(f"{name}: {reason}" for name, reason in left_out.items()),
            *gap_notes(self, reading),
        )

    def read(
        self, start: float = 0.0, stop: float | None = None, channels: Sequence[int] | None = None
    ) -> NDArray[np.float32]:
        """See `Recording.read`."""
        first, last = sample_range(self, start, stop)
        chosen = list(range(len(self.channels)) if channels is None else channels)
        if first == last or not chosen:
            return np.empty((len(chosen), last - first), dtype=np.float32)
        picks = sorted({self._picks[k] for k in chosen})  # MNE may sort what it is asked for
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                volts = self._raw.get_data(picks=picks, start=first, stop=last, verbose="WARNING")
        except Exception as error:
            # MNE raises whatever its reader of the format does, and may quote the file
            raise RecordingError(
                self.path, f"samples cannot be read ({type(error).__name__}); did the file change?"
            ) from None
        texts = (" ".join(str(warning.message).split()) for warning in caught)
        self.notes = tuple(dict.fromkeys((*self.notes, *texts)))
        rows = [picks.index(self._picks[k]) for k in chosen]
        values: NDArray[np.float32] = (volts[rows] * 1e6).astype(np.float32)
        return finite(self, values, first, chosen)


def _stretches(raw: Any) -> Stretches:
    """What lies between the boundaries of joined raws and the times that were not recorded."""
    rate, samples = raw.info["sfreq"], int(raw.n_times)
    gaps = []
    for annotation in raw.annotations:
        name = str(annotation["description"])
        if name.startswith(_CUTS) or name.startswith(_SKIP):
            first = round((annotation["onset"] - raw.first_time) * rate)
            length = round(annotation["duration"] * rate) if name.startswith(_SKIP) else 0
            gaps.append((max(first, 0), min(first + length, samples)))
    stretches = []
    at = 0
    for first, last in sorted(set(gaps)):
        if at < first < samples:
            stretches.append((at, first))
        at = max(at, last)
    return (*stretches, (at, samples)) if at < samples else tuple(stretches)


def from_raw(raw: Any, reading: ReadingSettings | None = None) -> Recording:
    """An `mne.io.Raw` as a recording: its EEG, sEEG and ECoG channels that are not marked as bad, in µV.

    Where the raw isn't preloaded, samples are read when they are asked for. Raises `RecordingError` where
    it has no such channel, `MissingExtraError` without MNE.
    """
    mne = _mne("secateur.from_raw")
    if not isinstance(raw, mne.io.BaseRaw):
        raise RecordingError("raw", f"wanted an mne.io.Raw, got {type(raw).__name__}")
    return RawRecording(raw, reading)


def to_annotations(events: Events) -> Any:
    """Events as `mne.Annotations`, described by their type (`sz`, ...), for `raw.set_annotations`.

    Onsets count from the recording's first sample. Raises `MissingExtraError` without MNE.
    """
    mne = _mne("secateur.to_annotations")
    return mne.Annotations(
        onset=[event.onset for event in events],
        duration=[event.duration for event in events],
        description=[event.kind for event in events],
    )


def _start(raw: Any) -> datetime | None:
    """When the first sample was taken, to the second, in the time that the header tells."""
    measured = raw.info["meas_date"]
    if measured is None:
        return None
    begun: datetime = measured + timedelta(seconds=float(raw.first_time))
    return begun.replace(tzinfo=None, microsecond=0)


def _mne(purpose: str) -> Any:
    try:
        import mne
    except ModuleNotFoundError:
        raise MissingExtraError("mne", "mne", purpose) from None
    return mne
