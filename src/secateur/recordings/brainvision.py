"""BrainVision recordings: a text header that names a data file and a file of markers.

Format: https://www.brainproducts.com/support-resources/brainvision-core-data-format-1-0/.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from secateur.errors import RecordingError, RecordingNotFoundError
from secateur.recordings.edf import by_fault, field_text, microvolts_of, no_voltage
from secateur.recordings.montage import rename_channels
from secateur.recordings.recording import (
    ReadingSettings,
    Stretches,
    finite,
    gap_notes,
    sample_range,
    stretch_at,
)

_LIMIT = 2**24
"""Bytes of the longest header or list of markers that is read."""

_SECTIONS = {"common infos", "binary infos", "channel infos", "marker infos"}
_FORMATS = {"INT_16": "<i2", "UINT_16": "<u2", "INT_32": "<i4", "IEEE_FLOAT_32": "<f4"}
_LONGEST_PAUSE = timedelta(days=30)

Sections = dict[str, dict[str, str]]


class BrainVisionRecording:
    """A .vhdr file with its data; see `Recording` for what its members mean. Opening it reads no samples.

    Each further `New Segment` marker is a gap; how long it is, its date tells. Raises
    `RecordingNotFoundError`, or `RecordingError` naming the file and what is wrong with it.
    """

    def __init__(self, path: Path | str, reading: ReadingSettings | None = None) -> None:
        self.path = Path(path)
        reading = reading or ReadingSettings()
        sections = _sections(self.path, "Header")
        common = sections["common infos"]
        self._data_file, marker_file = _parts(self.path, common)
        labels, factors, faults = _channels(self.path, sections)
        self._columns = [k for k, factor in enumerate(factors) if factor is not None]
        if not self._columns:
            raise RecordingError(self.path, f"no channel can be read: {'; '.join(faults)}")
        own = [labels[k] for k in self._columns]
        self.channels = rename_channels(own, reading.rename, self.path)
        self._factors = np.array([factors[k] for k in self._columns])
        self._dtype = np.dtype(_binary_format(self.path, sections))
        self._count = len(labels)
        self._vectorized = common.get("dataorientation", "").upper() == "VECTORIZED"
        self.sampling_rate = _sampling_rate(self.path, common)
        self._points, notes = self._check_size(common)
        notes += faults
        markers = _new_segments(marker_file)
        if marker_file is None:
            notes.append(
                "its file of markers is not there: when it began and where it pauses is unknown"
            )
        self.start = markers[0][1] if markers and markers[0][0] == 0 else None
        if common.get("segmentationtype", "").upper() == "MARKERBASED" and len(markers) < 2:
            raise RecordingError(self.path, "is cut into segments, and no marker tells where")
        self.stretches = _stretches(markers, self._points, self.sampling_rate)
        self.samples = self.stretches[-1][1]
        notes += gap_notes(self, reading)
        self.notes = tuple(notes)

    def read(
        self, start: float = 0.0, stop: float | None = None, channels: Sequence[int] | None = None
    ) -> NDArray[np.float32]:
        """See `Recording.read`. Raises `RecordingError` where the file has changed or gone."""
        first, last = sample_range(self, start, stop)
        chosen = list(range(len(self.channels)) if channels is None else channels)
        stretch = stretch_at(self, first)
        recorded = sum(end - begin for begin, end in self.stretches[:stretch])
        lost = self.stretches[stretch][0] - recorded
        try:
            stored = self._stored(first - lost, last - lost, [self._columns[k] for k in chosen])
        except (OSError, ValueError) as error:
            raise RecordingError(
                self.path, f"samples cannot be read ({type(error).__name__}); did the file change?"
            ) from None
        with np.errstate(over="ignore", invalid="ignore"):
            values = (stored * self._factors[chosen, np.newaxis]).astype(np.float32)
        return finite(self, values, first, chosen)

    def _stored(self, first: int, last: int, columns: list[int]) -> NDArray[np.number]:
        """Numbers as they stand in the file, columns × samples; `ValueError` where it is too short."""
        width, count = self._dtype.itemsize, last - first
        if not self._vectorized:
            table = np.fromfile(
                self._data_file,
                self._dtype,
                count * self._count,
                offset=first * self._count * width,
            )
            return table.reshape(count, self._count)[:, columns].T
        out = np.empty((len(columns), count), dtype=self._dtype)
        for row, column in zip(out, columns, strict=True):
            offset = (column * self._points + first) * width
            row[:] = np.fromfile(self._data_file, self._dtype, count, offset=offset)
        return out

    def _check_size(self, common: dict[str, str]) -> tuple[int, list[str]]:
        """Samples of each channel, and what disagrees."""
        width = self._count * self._dtype.itemsize
        try:
            size = self._data_file.stat().st_size
        except OSError as error:
            raise RecordingError(self.path, f"its data can't be read ({error.strerror})") from None
        points, rest = divmod(size, width)
        listed = common.get("datapoints", "")
        stated = _number(self.path, "DataPoints", listed) if listed else float(points)
        if points == 0:
            raise RecordingError(self.path, "holds no samples")
        if self._vectorized and not (listed or rest):
            raise RecordingError(
                self.path,
                "lies channel after channel, and no DataPoints tells where one ends and the next begins; "
                f"write DataPoints={points} into its header if that is right",
            )
        if not rest and stated == points:
            return points, []
        if self._vectorized:
            raise RecordingError(
                self.path,
                f"its data file holds {size} bytes, wanted {width} for each of {stated:g} samples; where "
                "one channel ends and the next begins can't be told: export it again",
            )
        if stated == points:
            return points, [f"cut off inside a sample: its {points} whole samples are read"]
        return points, [
            f"its data file holds {points} whole samples, its header says {stated:g}: the size is right"
        ]


def brainvision_files(path: Path) -> tuple[Path, ...]:
    """The header, the data and, where it is there, the file of markers.

    Raises `RecordingError` where the header names a file outside its folder.
    """
    data, markers = _parts(path, _sections(path, "Header")["common infos"])
    return (path, data) if markers is None else (path, data, markers)


def _sections(path: Path, kind: str) -> Sections:
    """Names and values of each section, names in lower case; free text under [Comment] is passed over."""
    try:
        with path.open("rb") as file:
            content = file.read(_LIMIT + 1)
    except FileNotFoundError:
        raise RecordingNotFoundError(path, "there is no such file") from None
    except OSError as error:
        raise RecordingError(path, f"cannot be read ({error.strerror})") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")  # Codepage=ANSI, or none
    lines = text.splitlines()
    if (
        len(content) > _LIMIT
        or not lines
        or not re.match(rf"Brain ?Vision .*{kind} File", lines[0])
    ):
        raise RecordingError(path, f"is no {kind.lower()} file of BrainVision's")
    sections: Sections = {name: {} for name in _SECTIONS}
    values: dict[str, str] | None = None
    for number, line in enumerate(lines[1:], start=2):
        title = re.fullmatch(r"\[(.*)\]", line.strip())
        if title:
            values = sections.get(title[1].strip().lower())
        elif values is not None and "=" in line and not line.startswith(";"):
            name, _, value = line.partition("=")
            if values.setdefault(name.strip().lower(), value.strip()) != value.strip():
                raise RecordingError(
                    path, f"line {number} sets a value a second time, and otherwise"
                )
    return sections


def _parts(path: Path, common: dict[str, str]) -> tuple[Path, Path | None]:
    """The data file and, where there is one, the file of markers."""
    data = _beside(path, "DataFile", common.get("datafile", ""))
    if data is None:
        raise RecordingError(
            path,
            "the file that its DataFile names is not beside it; put it there under its old name, or write "
            "DataFile=$b.eeg where it is called as the header is",
        )
    return data, _beside(path, "MarkerFile", common.get("markerfile", ""))


def _beside(path: Path, key: str, name: str) -> Path | None:
    """The file that the header calls `name`, or None; upper and lower case may differ.

    The name isn't quoted: it may be the patient's.
    """
    parts = [part for part in name.replace("\\", "/").split("/") if part != "."]
    if not parts or ".." in parts or parts[0] == "" < name or ":" in parts[0] or "\0" in name:
        raise RecordingError(path, f"its {key} lies outside its folder; wanted a file beside it")
    if not name:
        return None
    parts[-1] = re.sub(r"\$b", lambda _: path.stem, parts[-1], flags=re.IGNORECASE)
    exact = path.parent.joinpath(*parts)
    try:
        siblings = list(exact.parent.iterdir())
    except OSError:  # no such folder, or no name that a folder can have
        return None
    alike = [other for other in siblings if _folded(other.name) == _folded(exact.name)]
    alike = [other for other in alike if other.is_file()]
    if exact in alike:
        return exact
    return alike[0] if len(alike) == 1 else None


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _number(path: Path, key: str, text: str, largest: float = 1e12) -> float:
    """A number above zero, and not so near to it that it can't be meant."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 1e-12 < value <= largest:
        raise RecordingError(path, f"its {key} is no number above 0")
    return value


def _sampling_rate(path: Path, common: dict[str, str]) -> float:
    return 1e6 / _number(path, "SamplingInterval", common.get("samplinginterval", ""))


def _binary_format(path: Path, sections: Sections) -> str:
    """How a number is stored, as NumPy has it; refuses what isn't read."""
    common, binary = sections["common infos"], sections["binary infos"]
    for values, key, allowed in (
        (common, "DataFormat", {"BINARY"}),
        (common, "DataOrientation", {"MULTIPLEXED", "VECTORIZED"}),
        (common, "DataType", {"TIMEDOMAIN", ""}),
        (common, "Averaged", {"NO", ""}),
        (binary, "UseBigEndianOrder", {"NO", ""}),
        (binary, "BinaryFormat", set(_FORMATS)),
    ):
        if values.get(key.lower(), "").upper() not in allowed:
            choice = " or ".join(sorted(allowed - {""}))
            raise RecordingError(path, f"its {key} can't be read; wanted {choice}: export it again")
    return _FORMATS[binary["binaryformat"].upper()]


def _channels(path: Path, sections: Sections) -> tuple[list[str], list[float | None], list[str]]:
    """Label of each channel, µV for each step (None where its unit is no voltage), and which units these are.

    A label bears its reference where the references differ.
    """
    count = _number(
        path, "NumberOfChannels", sections["common infos"].get("numberofchannels", ""), 1e5
    )
    listed = sections["channel infos"]
    names, references, factors, faults = [], [], [], []
    for k in range(1, round(count) + 1):
        if f"ch{k}" not in listed:
            raise RecordingError(path, f"lists no Ch{k} of {count:g} channels")
        name, reference, step, unit, *_ = [*listed[f"ch{k}"].split(","), "", "", "", ""]
        names.append(name.replace("\\1", ","))
        references.append(reference.strip())
        stored = _bytes_of(unit)
        factor = microvolts_of(stored)
        faults.append("" if factor is not None else no_voltage(field_text(stored)))
        scale = _number(path, f"resolution of Ch{k}", step or "1")
        factors.append(None if factor is None else scale * factor)
    if len(set(references)) > 1:
        names = [f"{a}-{b}" if b else a for a, b in zip(names, references, strict=True)]
    return names, factors, by_fault(zip(names, faults, strict=True))


def _bytes_of(unit: str) -> bytes:
    """A unit as it stands in a header of any code page, which is read as cp1252 where it is no UTF-8."""
    try:
        return unit.encode("cp1252")
    except UnicodeEncodeError:
        return unit.encode()


def _new_segments(path: Path | None) -> list[tuple[int, datetime | None]]:
    """First sample and, where it is told, date of each segment."""
    if path is None:
        return []
    segments = []
    for value in _sections(path, "Marker")["marker infos"].values():
        kind, _, position, *more = [*value.split(","), "", "", ""]
        if kind.strip().lower() != "new segment":
            continue
        sample = round(_number(path, "New Segment marker", position))
        segments.append((sample - 1, _date(more[2] if len(more) > 2 else "")))
    return sorted(segments, key=lambda segment: segment[0])


def _date(text: str) -> datetime | None:
    """`20200203040506000000`: the last six digits are microseconds."""
    try:
        return datetime.strptime(text.strip()[:20], "%Y%m%d%H%M%S%f")
    except ValueError:
        return None


def _stretches(segments: list[tuple[int, datetime | None]], points: int, rate: float) -> Stretches:
    """Samples recorded, on the recording's own time axis; how long a pause was its segment's date tells."""
    begins = [0, *sorted({sample for sample, _ in segments if 0 < sample < points})]
    dates = dict(segments)
    stretches: list[tuple[int, int]] = []
    shift = 0
    for k, begin in enumerate(begins):
        before, now = dates.get(begins[max(0, k - 1)]), dates.get(begin)
        if k and before is not None and now is not None:
            pause = now - before - timedelta(seconds=(begin - begins[k - 1]) / rate)
            if timedelta(0) < pause <= _LONGEST_PAUSE:
                shift += round(pause.total_seconds() * rate)
        end = begins[k + 1] if k + 1 < len(begins) else points
        stretches.append((begin + shift, end + shift))
    return tuple(stretches)
