"""Recordings by way of MNE, and events as MNE's annotations.

Comes in: a BDF or BrainVision file, or an `mne.io.Raw` that is open already; `Events`. Goes out: a
`RawRecording`, which reads stretches on demand where the raw isn't preloaded; an `mne.Annotations`. Next:
`windows.chain` reads the one, MNE's viewer shows the other. Needs the extra `mne`, and loads it only here.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secateur.errors import MissingExtraError, RecordingError, RecordingNotFoundError
from secateur.events import Events
from secateur.recordings.recording import Recording, sample_range
from secateur.recordings.settings import ReadingSettings

KINDS = ("eeg", "seeg", "ecog")
"""MNE's types of channels that are EEG."""

_DATA_FILE = re.compile(
    r"^\s*(?:DataFile|MarkerFile)\s*=\s*(.+?)\s*$", re.IGNORECASE | re.MULTILINE
)


class RawRecording:
    """An `mne.io.Raw`; see `Recording` for what its members mean."""

    def __init__(
        self, raw: Any, path: Path | str | None = None, *, notes: Sequence[str] = ()
    ) -> None:
        names = [name for name in raw.filenames if name is not None]
        self.path = Path(path if path is not None else names[0] if names else "raw")
        kinds = raw.get_channel_types()
        self._picks = [k for k, kind in enumerate(kinds) if kind in KINDS]
        if not self._picks:
            came = ", ".join(sorted(set(kinds))) or "none"
            raise RecordingError(
                self.path, f"no channel is of type {', '.join(KINDS)}; its types: {came}"
            )
        self._raw = raw
        self.channels = tuple(raw.ch_names[k] for k in self._picks)
        self.sampling_rate = float(raw.info["sfreq"])
        self.samples = int(raw.n_times)
        if self.samples == 0:
            raise RecordingError(self.path, "holds no samples")
        self.stretches: tuple[tuple[int, int], ...] = ((0, self.samples),)
        self.start = _start(raw)
        left_out = (
            f"{raw.ch_names[k]}: of type {kind}, no EEG"
            for k, kind in enumerate(kinds)
            if kind not in KINDS
        )
        self.notes = (*notes, *left_out)

    def read(
        self, start: float = 0.0, stop: float | None = None, channels: Sequence[int] | None = None
    ) -> NDArray[np.float32]:
        """See `Recording.read`."""
        first, last = sample_range(self, start, stop)
        chosen = list(range(len(self.channels)) if channels is None else channels)
        if first == last or not chosen:
            return np.empty((len(chosen), last - first), dtype=np.float32)
        asked = sorted({self._picks[k] for k in chosen})  # MNE may sort what it is asked for
        try:
            volts = self._raw.get_data(picks=asked, start=first, stop=last, verbose="ERROR")
        except Exception as error:
            # MNE raises whatever its reader of the format does, and may quote the file
            raise RecordingError(
                self.path, f"samples cannot be read ({type(error).__name__}); did the file change?"
            ) from None
        rows = [asked.index(self._picks[k]) for k in chosen]
        values: NDArray[np.float32] = (volts[rows] * 1e6).astype(np.float32)
        if not np.isfinite(values).all():
            raise RecordingError(self.path, "holds values that are not finite")
        return values


def open_with_mne(path: Path | str, reading: ReadingSettings | None = None) -> RawRecording:
    """Open a .bdf or .vhdr file; reads its header only.

    Raises `MissingExtraError` without MNE, `RecordingNotFoundError`, or `RecordingError`.
    """
    path = Path(path)
    if not path.exists():
        raise RecordingNotFoundError(path, "there is no such file")
    for part in files_of(path):
        if not part.exists():
            raise RecordingError(path, f"names {part.name}, which is not beside it")
    mne = _mne(f"reading {path.suffix} files")
    read = mne.io.read_raw_brainvision if path.suffix.lower() == ".vhdr" else mne.io.read_raw_bdf
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            raw = read(path, preload=False, verbose="WARNING")
    except Exception as error:
        # its words may quote the header, where a patient's name can stand
        raise RecordingError(path, f"MNE can't read it ({type(error).__name__})") from None
    raw.info["subject_info"] = None  # the patient's name and birth date, which nobody needs here
    notes = []
    if any("does not match the file size" in str(one.message) for one in warned):
        notes.append(
            "the header's number of data records disagrees with its size: the size is right"
        )
    return RawRecording(raw, path, notes=notes)


def from_raw(raw: Any) -> Recording:
    """An `mne.io.Raw` as a recording: its EEG, sEEG and ECoG channels, in µV.

    Where the raw isn't preloaded, samples are read when they are asked for. Raises `RecordingError` where
    it has no such channel, `MissingExtraError` without MNE.
    """
    mne = _mne("secateur.from_raw")
    if not isinstance(raw, mne.io.BaseRaw):
        raise RecordingError("raw", f"wanted an mne.io.Raw, got {type(raw).__name__}")
    return RawRecording(raw)


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


def files_of(path: Path) -> tuple[Path, ...]:
    """All files that hold one recording: of BrainVision three, whose header names the other two."""
    if path.suffix.lower() != ".vhdr":
        return (path,)
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise RecordingError(path, f"cannot be read ({error.strerror})") from None
    return (path, *(path.parent / name for name in _DATA_FILE.findall(text)))


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
