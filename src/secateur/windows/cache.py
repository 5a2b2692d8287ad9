"""A place for prepared recordings, so that filtering is done once for all runs.

Comes in: a recording and chain settings. Goes out: a `Signal` of channels × samples in µV, in a file whose
name is a hash of the recording's contents and of every setting that changes the samples. Next: `prepared`
draws windows from it.

The folder is `$SECATEUR_CACHE`, else `$XDG_CACHE_HOME/secateur`, else `~/.cache/secateur`. It can be
deleted at any time. Contents are hashed once and remembered by path, size and time of change.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from secateur.errors import RunError
from secateur.files import sha256_of_file, status_of, write_whole
from secateur.recordings import Recording, files_of
from secateur.windows.chain import SignalChain
from secateur.windows.settings import ChainSettings
from secateur.windows.signals import Signal, open_signal, write_signal

CHAIN_VERSION = 2
"""Raised whenever the chain gives other samples for the same settings, beyond the last bit of a float32, or
they are stored otherwise."""

# `montage`, `channels` and `missing` change samples only through their montage_map
_NOT_IN_SAMPLES = {"scaling", "compression", "montage", "channels", "missing"}


def cache_folder() -> Path:
    """Where prepared recordings are kept."""
    told = os.environ.get("SECATEUR_CACHE")
    if told:
        return Path(told)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "secateur"


class Cache:
    """Prepared recordings and content hashes in one folder, safe for several processes at once."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or cache_folder()

    def content_hash(self, path: Path) -> str:
        """SHA-256 of a recording's files; read once, then remembered until size or time changes."""
        parts = files_of(path)
        statuses = [status_of(part) for part in parts]
        stamp = [number for one in statuses for number in (one.st_size, one.st_mtime_ns)]
        name = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:32]
        memory = self.folder / "hashes" / f"{name}.json"
        try:
            known = json.loads(memory.read_text())
            if known["stamp"] == stamp:
                return str(known["sha256"])
        except (OSError, ValueError, KeyError, TypeError):
            pass  # not there yet, or damaged: made anew
        digests = [sha256_of_file(part) for part in parts]
        digest = digests[0]
        if len(digests) > 1:  # BrainVision: the header alone may be the same for two recordings
            digest = hashlib.sha256("".join(digests).encode()).hexdigest()
        self._write(memory, json.dumps({"stamp": stamp, "sha256": digest}))
        return digest

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

    def _write(self, path: Path, text: str) -> None:
        try:
            write_whole(path, text)
        except OSError as error:
            raise RunError(
                f"{self.folder}: the cache can't be written ({error.strerror}); "
                "set SECATEUR_CACHE to a folder of yours"
            ) from None
