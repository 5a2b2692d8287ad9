"""Prepared recordings on disk, so that filtering is done once for all runs and any stretch can be read again.

Each is a file whose name is a hash of the recording's contents and of every setting that changes the samples.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from secateur.errors import RunError
from secateur.files import ContentHashes, cache_folder, replacing, write_whole
from secateur.recordings import Recording, files_of
from secateur.windows.chain import ChainedRecording, SignalChain, TooSlow
from secateur.windows.settings import ChainSettings

CHAIN_VERSION = 3
"""Raised whenever the chain gives other samples for the same settings, beyond the last bit of a float32, or
they are stored otherwise."""

_WIDTH = 4  # bytes of a float32

# `montage`, `channels` and `missing` change samples only through their montage_map
_NOT_IN_SAMPLES = {"scaling", "compression", "montage", "channels", "missing"}


@dataclass(frozen=True)
class Signal:
    """Channels × samples, µV, float32, in a file of `rows` × at least `samples`, from its byte `offset` on.

    `first` and `channels`: which of the rows these are.

    The file is a NumPy array in Fortran order, sample after sample, each with all its channels: it is written
    as pieces come, and a window is one read. Reads are plain ones, not a memory map: a large cohort's maps
    count as resident memory, and each would hold a file open.
    """

    path: Path
    offset: int
    rows: int
    samples: int
    first: int
    channels: int

    @property
    def shape(self) -> tuple[int, int]:
        """Channels and samples."""
        return self.channels, self.samples

    def read(self, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
        """Samples [`start`, `stop`) of all channels: channels × samples, not to be written to.

        Raises `RunError` where the file is gone or has shrunk since it was opened.
        """
        end = self.samples if stop is None else stop
        if not 0 <= start <= end <= self.samples:
            raise IndexError(f"samples {start} to {end} of {self.samples}")
        step = self.rows * _WIDTH
        size = (end - start) * step
        raw = b""
        try:
            handle = os.open(self.path, os.O_RDONLY)
            try:
                raw = os.pread(handle, size, self.offset + start * step)
                while len(raw) < size:  # one read gives at most 2 GiB
                    more = os.pread(handle, size - len(raw), self.offset + start * step + len(raw))
                    if not more:
                        break
                    raw += more
            finally:
                os.close(handle)
        except OSError as error:
            raise self._gone(error.strerror or "unreadable") from None
        if len(raw) < size:
            raise self._gone("it has become shorter")
        values: NDArray[np.float32] = np.frombuffer(raw, dtype="<f4").reshape(-1, self.rows)
        return values.T[self.first : self.first + self.channels]

    def pieces(self, samples: int) -> Iterator[NDArray[np.float32]]:
        """The whole signal in pieces of `samples`, the last one shorter."""
        for start in range(0, self.samples, samples):
            yield self.read(start, min(start + samples, self.samples))

    def part(self, start: int, stop: int) -> Signal:
        """Samples [`start`, `stop`) as a signal by themselves."""
        offset = self.offset + start * self.rows * _WIDTH
        return replace(self, offset=offset, samples=stop - start)

    def channel(self, index: int) -> Signal:
        """One channel by itself."""
        return replace(self, first=self.first + index, channels=1)

    def _gone(self, reason: str) -> RunError:
        return RunError(
            f"{self.path}: a prepared recording can't be read any more ({reason}); was the cache deleted? "
            "The same command makes it anew"
        )


def _write_signal(
    path: Path, rows: int, samples: int, pieces: Iterable[NDArray[np.float32]]
) -> None:
    """Write `pieces` (rows × any number, `samples` in all) to `path`, whole or not at all."""
    with replacing(path) as beside, beside.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": True, "shape": (rows, samples)}
        np.lib.format.write_array_header_1_0(file, header)
        written = 0
        for piece in pieces:
            file.write(np.ascontiguousarray(piece.T, dtype="<f4").data)
            written += piece.shape[1]
        if written != samples:
            raise AssertionError(
                f"{written} samples came out of the chain, {samples} were expected"
            )


def _open_signal(path: Path) -> Signal | None:
    """The signal in `path`; None where there is none, or a damaged one."""
    try:
        with path.open("rb") as file:
            if np.lib.format.read_magic(file) != (1, 0):
                return None
            shape, fortran, kind = np.lib.format.read_array_header_1_0(file)
            offset = file.tell()
        size = path.stat().st_size
    except (OSError, ValueError):
        return None
    if not fortran or kind != np.dtype("<f4") or len(shape) != 2:
        return None
    rows, samples = shape
    if size != offset + rows * samples * _WIDTH:
        return None
    return Signal(path, offset, rows, samples, 0, rows)


@dataclass(frozen=True)
class CachedRecording:
    """A recording as it is prepared: a signal for each stretch without a gap.

    `names`: the montage's channels. `stretches`: from and to, in seconds. `notes`: what had to be put right.
    `spread`: its channels' median spread as recorded, µV; None where none moves. `written`: the cache had
    it not.
    """

    names: tuple[str, ...]
    signals: tuple[Signal, ...]
    stretches: tuple[tuple[float, float], ...]
    notes: tuple[str, ...]
    spread: float | None
    written: bool


@dataclass(frozen=True)
class _About:
    """What stands beside a prepared signal: what its amplitudes were."""

    notes: tuple[str, ...]
    spread: float | None


def _beside(path: Path) -> Path:
    return path.with_suffix(".json")


def _about(path: Path) -> _About | None:
    """None where it is not there, or damaged."""
    try:
        content = json.loads(_beside(path).read_text())
        spread = content["spread"]
        return _About(tuple(map(str, content["notes"])), None if spread is None else float(spread))
    except (OSError, ValueError, KeyError, TypeError):
        return None


class Cache:
    """Prepared recordings and content hashes in one folder, safe for several processes at once."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or cache_folder()

    def content_hash(self, path: Path) -> str:
        """SHA-256 of a recording's files, in hexadecimal; see `ContentHashes`."""
        return ContentHashes(self.folder / "hashes").of(files_of(path))

    def recording(
        self, recording: Recording, settings: ChainSettings, too_slow: TooSlow = "refuse"
    ) -> CachedRecording:
        """`recording` through montage, resampling and filters, µV.

        Raises `ChannelsError` where the montage can't be made, `RecordingError` where its rate is too low
        for the band (and `too_slow` is "refuse"), `RunError` where the folder can't be written.
        """
        chained = SignalChain(settings).over(recording, too_slow)
        path = self.folder / "prepared" / f"{self._key(chained, settings)}.npy"
        signal, about = _open_signal(path), _about(path)
        missing = signal is None or about is None
        if missing:
            signal, about = self._prepare(chained, path)
        assert signal is not None
        assert about is not None
        ends = np.cumsum([chained.samples(stretch) for stretch in chained.stretches]).tolist()
        notes = tuple(dict.fromkeys((*chained.notes, *about.notes)))
        return CachedRecording(
            names=chained.montage_map.names,
            signals=tuple(signal.part(first, last) for first, last in pairwise([0, *ends])),
            stretches=tuple(
                (first / chained.rate, last / chained.rate) for first, last in chained.stretches
            ),
            notes=notes,
            spread=about.spread,
            written=missing,
        )

    def _key(self, chained: ChainedRecording, settings: ChainSettings) -> str:
        """The file's name: a hash of all that its samples and notes depend on."""
        montage_map = chained.montage_map
        identity = {
            "chain": CHAIN_VERSION,
            "contents": self.content_hash(chained.recording.path),
            "settings": settings.model_dump(exclude=_NOT_IN_SAMPLES),
            "labels": [chained.recording.channels[k] for k in montage_map.used],
            "rate": chained.rate,
            "stretches": chained.stretches,
            "montage_map": [
                montage_map.used,
                montage_map.plus,
                montage_map.minus,
                montage_map.sign,
                montage_map.average,
            ],
        }
        key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:40]
        return f"{key[:2]}/{key}"

    def _prepare(self, chained: ChainedRecording, path: Path) -> tuple[Signal, _About]:
        samples = sum(map(chained.samples, chained.stretches))
        pieces = chain.from_iterable(map(chained.pieces, chained.stretches))
        try:
            _write_signal(path, len(chained.montage_map.names), samples, pieces)
            about = _About(chained.check.finish(), chained.check.spread)
            write_whole(_beside(path), json.dumps(asdict(about)))
        except OSError as error:
            raise RunError(
                f"{self.folder}: the cache can't be written ({error.strerror}); "
                "set SECATEUR_CACHE to a folder with room"
            ) from None
        signal = _open_signal(path)
        if signal is None:
            raise RunError(f"{path}: was written and can't be read back; is the disk full?")
        return signal, about
