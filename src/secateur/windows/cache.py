"""A place for prepared recordings, so that filtering is done once for all runs.

Each is a file whose name is a hash of the recording's contents and of every setting that changes the samples.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from secateur.errors import RunError
from secateur.files import ContentHashes, cache_folder
from secateur.recordings import Recording, files_of
from secateur.windows.chain import SignalChain
from secateur.windows.settings import ChainSettings
from secateur.windows.signals import Signal, open_signal, write_signal

CHAIN_VERSION = 2
"""Raised whenever the chain gives other samples for the same settings, beyond the last bit of a float32, or
they are stored otherwise."""

# `montage`, `channels` and `missing` change samples only through their montage_map
_NOT_IN_SAMPLES = {"scaling", "compression", "montage", "channels", "missing"}


class Cache:
    """Prepared recordings and content hashes in one folder, safe for several processes at once."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or cache_folder()

    def content_hash(self, path: Path) -> str:
        """SHA-256 of a recording's files; see `ContentHashes`."""
        return ContentHashes(self.folder / "hashes").of(files_of(path))

    def prepared(self, recording: Recording, settings: ChainSettings) -> Signal:
        """`recording` through montage, resampling and filters, µV; see `prepared_now`."""
        return self.prepared_now(recording, settings)[0]

    def prepared_now(self, recording: Recording, settings: ChainSettings) -> tuple[Signal, bool]:
        """The prepared recording, and whether it had to be made.

        Raises `ChannelsError` where the montage can't be made, `RunError` where the folder can't be
        written.
        """
        chain = SignalChain(settings)
        recording, montage_map = chain.source(recording)
        told = {
            "chain": CHAIN_VERSION,
            "contents": self.content_hash(recording.path),
            "settings": settings.model_dump(exclude=_NOT_IN_SAMPLES),
            "montage_map": [
                montage_map.used,
                montage_map.plus,
                montage_map.minus,
                montage_map.sign,
                montage_map.average,
            ],
        }
        key = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:40]
        path = self.folder / "prepared" / key[:2] / f"{key}.npy"
        found = open_signal(path)
        if found is not None:
            return found, False
        try:
            samples = chain.samples(recording)
            write_signal(path, len(montage_map.names), samples, chain.pieces(recording))
        except OSError as error:
            raise RunError(
                f"{self.folder}: the cache can't be written ({error.strerror}); "
                "set SECATEUR_CACHE to a folder with room"
            ) from None
        found = open_signal(path)
        if found is None:
            raise RunError(f"{path}: was written and can't be read back; is the disk full?")
        return found, True
