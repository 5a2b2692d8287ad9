"""A place for prepared recordings, so that filtering is done once for all runs.

Each is a file whose name is a hash of the recording's contents and of every setting that changes the samples.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from itertools import chain, pairwise
from pathlib import Path

import numpy as np

from secateur.errors import RunError
from secateur.files import ContentHashes, cache_folder, write_whole
from secateur.recordings import Recording, files_of
from secateur.windows.chain import ChainedRecording, SignalChain, TooSlow
from secateur.windows.settings import ChainSettings
from secateur.windows.signals import Signal, open_signal, write_signal

CHAIN_VERSION = 3
"""Raised whenever the chain gives other samples for the same settings, beyond the last bit of a float32, or
they are stored otherwise."""

# `montage`, `channels` and `missing` change samples only through their montage_map
_NOT_IN_SAMPLES = {"scaling", "compression", "montage", "channels", "missing"}


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
        """SHA-256 of a recording's files; see `ContentHashes`."""
        return ContentHashes(self.folder / "hashes").of(files_of(path))

    def prepared(self, recording: Recording, settings: ChainSettings) -> Signal:
        """The first stretch of `recording` (all of it, where it has no gap); see `recording`."""
        return self.recording(recording, settings).signals[0]

    def recording(
        self, recording: Recording, settings: ChainSettings, too_slow: TooSlow = "refuse"
    ) -> CachedRecording:
        """`recording` through montage, resampling and filters, µV.

        Raises `ChannelsError` where the montage can't be made, `RecordingError` where its rate is too low
        for the band (and `too_slow` is "refuse"), `RunError` where the folder can't be written.
        """
        chained = SignalChain(settings).over(recording, too_slow)
        path = self.folder / "prepared" / f"{self._key(chained, settings)}.npy"
        signal, about = open_signal(path), _about(path)
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
            write_signal(path, len(chained.montage_map.names), samples, pieces)
            about = _About(chained.check.finish(), chained.check.spread)
            write_whole(_beside(path), json.dumps(asdict(about)))
        except OSError as error:
            raise RunError(
                f"{self.folder}: the cache can't be written ({error.strerror}); "
                "set SECATEUR_CACHE to a folder with room"
            ) from None
        signal = open_signal(path)
        if signal is None:
            raise RunError(f"{path}: was written and can't be read back; is the disk full?")
        return signal, about
