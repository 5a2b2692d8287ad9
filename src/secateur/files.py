"""Files that appear complete or not at all, locks and content hashes, and files inside zip archives.

A path to read may lead into an archive as if that were a folder (`Z.zip/Z001.txt`).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import io
import json
import os
import platform
import re
import struct
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from secrets import token_hex

MEMBER_LIMIT = 64 * 2**20
"""Bytes of the largest file that is read out of an archive: it is read into memory at once."""

ABANDONED = 86400.0
"""Seconds without a change after which a file that another machine began to write counts as left behind."""

_BESIDE = re.compile(r"\..*\.(?P<writer>[0-9a-f-]+)\.part(\.[^.]*)?")
"""How `replacing` calls a file that is being written."""

DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    RuntimeError,  # encrypted; NotImplementedError: packed in a way that Python can't undo
    ValueError,
    struct.error,
)
"""What reading a damaged zip archive raises."""


_SIGNATURES = {
    b"0       ": "an EDF recording",
    b"\xffBIOSEMI": "a BDF recording",
    b"Brain Vision Data Exchange": "a BrainVision file",
    b"PK\x03\x04": "a zip archive",
    b"%PDF": "a PDF",
}
_BY_ENDING = {
    ".onnx": "an ONNX file",
    ".safetensors": "a file of weights (.safetensors)",
    ".html": "an HTML page",
    ".tsv": "a table (.tsv)",
    ".csv": "a table (.csv)",
}


def kind_of(path: Path | str) -> str:
    """What lies at `path`, in words for an error: "a folder", "an EDF recording", "a text file (.toml)".

    Known by its first bytes, then by the end of its name.
    """
    path = Path(path)
    if not path.is_file():
        return "a folder" if path.is_dir() else "no ordinary file" if path.exists() else "not there"
    with contextlib.suppress(OSError), path.open("rb") as file:
        return kind_of_content(file.read(1024), path.suffix.lower())
    return "a file that can't be read"


def kind_of_content(content: bytes, ending: str = "") -> str:
    """What a file is that begins with `content` and whose name ends in `ending`, as `kind_of` says it."""
    for signature, kind in _SIGNATURES.items():
        if content.startswith(signature):
            return kind
    if not content:
        return "an empty file"
    if ending in _BY_ENDING:
        return _BY_ENDING[ending]
    # only what is no text in any usual encoding holds a zero byte
    kind = "a binary file" if b"\0" in content else "a text file"
    return f"{kind} ({ending})" if ending else kind


@cache
def _machine() -> str:
    """Eight signs that all containers of this machine share, until it is started anew."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()
    except OSError:
        boot = platform.node()
    return hashlib.sha256(boot.encode()).hexdigest()[:8]


@contextmanager
def replacing(path: Path | str, *, durable: bool = True) -> Iterator[Path]:
    """A new, empty file beside `path` to write to; renamed to `path` when the block ends without an error.

    Its name is random and its own, and it is locked while the block lasts, so that neither another writer
    nor `sweep` touches it. It is on the disk before it is renamed, unless `durable` is False: such a file may
    be empty after a power cut.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside, handle = path, -1
    try:
        beside, handle = _reserved(path)
        yield beside
        if durable:
            _sync(beside)
        beside.replace(path)
        if durable:
            with contextlib.suppress(OSError):  # not every file system takes it
                _sync(path.parent)
    except OSError as error:
        if Path(str(error.filename)).name.startswith(f".{path.stem[:40]}."):
            raise OSError(error.errno, error.strerror, str(path)) from None  # known to the reader
        raise
    finally:
        if handle >= 0:
            beside.unlink(missing_ok=True)
            os.close(handle)


def _reserved(path: Path) -> tuple[Path, int]:
    """A new file beside `path`, locked; the suffix stays last because writers look at it."""
    while True:
        name = f".{path.stem[:40]}.{_machine()}-{token_hex(8)}.part{path.suffix}"
        beside = path.with_name(name)
        try:
            handle = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            continue
        with contextlib.suppress(BlockingIOError):  # `sweep` was here first
            _lock(handle, wait=False)
            if os.fstat(handle).st_nlink:
                return beside, handle
        os.close(handle)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_whole(path: Path | str, content: bytes | str, *, durable: bool = True) -> None:
    """Write `content` (text as UTF-8) to `path` by way of a file beside it; see `replacing`."""
    with replacing(path, durable=durable) as beside:
        beside.write_bytes(content.encode() if isinstance(content, str) else content)


def write_json(path: Path | str, content: object) -> None:
    """Write `content` as JSON, complete or not at all."""
    write_whole(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def write_over(path: Path | str, content: bytes | str) -> None:
    """`write_whole`; where the folder takes no new file, but `path` is there and may be written: into it.

    Whoever runs a container may hand it an empty file to fill, in a folder that is not the container's.
    """
    path = Path(path)
    try:
        write_whole(path, content)
    except OSError:
        if not (path.is_file() and os.access(path, os.W_OK)):
            raise
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def walk_linked(
    folder: Path, unreadable: Callable[[str], object] | None = None
) -> Iterator[tuple[Path, list[str], list[str]]]:
    """`os.walk` through linked folders too, each visited once: links in a circle end.

    The caller may take names out of the list of inner folders. `unreadable`: called with each folder that
    can't be looked into.
    """

    def refused(error: OSError) -> None:
        if unreadable is not None:
            unreadable(error.filename)

    visited: set[str] = set()
    for parent, inner, names in os.walk(folder, followlinks=True, onerror=refused):
        real = os.path.realpath(parent)
        if real in visited:
            inner[:] = []
            continue
        visited.add(real)
        yield Path(parent), inner, names


def is_draft(path: Path) -> bool:
    """Whether a file is one that `replacing` was writing when its process ended, or is writing now."""
    return _BESIDE.fullmatch(path.name) is not None


def sweep(folder: Path) -> None:
    """Remove what writers left half written below `folder` when they were killed.

    A living writer holds a lock on its file. Not every network file system carries locks between machines:
    a file of another machine, or of this one before it was started anew, must also be `ABANDONED`.
    """
    for parent, _, names in os.walk(folder):
        for name in names:
            match = _BESIDE.fullmatch(name)
            if match is not None:
                with contextlib.suppress(OSError):
                    _remove_abandoned(Path(parent, name), match["writer"].startswith(_machine()))


def _remove_abandoned(path: Path, ours: bool) -> None:
    handle = os.open(path, os.O_RDWR)
    try:
        old = time.time() - os.fstat(handle).st_mtime > ABANDONED
        carried = _lock(handle, wait=False)
        if old or (ours and carried):
            path.unlink()
    finally:
        os.close(handle)


@contextmanager
def locked(path: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold the lock file `path` against all other processes, also of containers and machines that share it.

    The lock ends with its process, and the file is gone when the block ends. `wait`: until it is free, else
    raises `BlockingIOError`. Where the file system carries no locks nobody is kept out. Raises `OSError`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(handle, wait)
            if _is_at(handle, path):  # else whoever held it has removed it meanwhile
                try:
                    yield
                finally:
                    path.unlink(missing_ok=True)
                return
        finally:
            os.close(handle)


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _lock(handle: int, wait: bool) -> bool:
    """Lock an open file; False where the file system has no locks. Raises `BlockingIOError`."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            raise BlockingIOError(error.errno, "held by another process") from None
        return False
    return True


def archive_of(path: Path | str) -> tuple[Path, str] | None:
    """The zip archive that `path` leads into and its member's name; None for any other path."""
    path = Path(path)
    for outer in path.parents:
        if outer.suffix.lower() == ".zip" and outer.is_file():
            return outer, path.relative_to(outer).as_posix()
    return None


def status_of(path: Path | str) -> os.stat_result:
    """Size and times of a file; those of its archive for a file inside one."""
    inside = archive_of(path)
    return (Path(path) if inside is None else inside[0]).stat()


def members_of(archive: Path) -> list[str]:
    """Names of the files in a zip archive. Raises `OSError` where it is damaged."""
    try:
        with zipfile.ZipFile(archive) as opened:
            names = {member.filename for member in opened.infolist() if member.filename}
            return sorted(name for name in names if not name.endswith("/"))
    except DAMAGED as error:
        raise OSError(errno.EIO, f"damaged archive: {error}", str(archive)) from None


def is_intact_archive(path: Path) -> bool:
    """Whether a file is a zip archive of which every member can be unpacked and has its checksum."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (*DAMAGED, OSError):
        return False


def open_file(path: Path | str) -> io.BufferedReader | io.BytesIO:
    """Open a file to read, also one inside a zip archive.

    Raises `OSError` where that can't be done, and where a file in an archive is damaged, encrypted or
    larger than `MEMBER_LIMIT`.
    """
    inside = archive_of(path)
    return Path(path).open("rb") if inside is None else io.BytesIO(_member(*inside))


def _member(archive: Path, name: str) -> bytes:
    path = f"{archive}/{name}"
    try:
        with zipfile.ZipFile(archive) as opened:
            info = opened.getinfo(name)
            if info.file_size > MEMBER_LIMIT:
                reason = f"{info.file_size} bytes, at most {MEMBER_LIMIT} are read of an archive"
                raise OSError(errno.EFBIG, reason, path)
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                # the other ways can't be unpacked in bounded steps
                raise OSError(errno.EIO, "packed in a way that is not read", path)
            with opened.open(info) as file:
                return file.read(info.file_size + 1)  # with a number: no more is ever unpacked
    except KeyError:
        raise FileNotFoundError(errno.ENOENT, "not in the archive", path) from None
    except DAMAGED as error:
        reason = f"damaged or locked archive ({type(error).__name__})"
        raise OSError(errno.EIO, reason, path) from None


def sha256_of_file(path: Path | str) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits. Memory does not grow with the file."""
    with open_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cache_folder() -> Path:
    """Where work is kept for next time: `$SECATEUR_CACHE`, `$XDG_CACHE_HOME/secateur` or `~/.cache/secateur`.

    It can be deleted at any time; with it goes what certificates know of earlier looks.
    """
    own = os.environ.get("SECATEUR_CACHE")
    if own:
        return Path(own)
    xdg = os.environ.get("XDG_CACHE_HOME")
    return (Path(xdg) if xdg else Path.home() / ".cache") / "secateur"


class ContentHashes:
    """SHA-256 of recordings' contents, remembered in `folder` so that what hasn't changed is read once.

    A recording is known again by its path and by each file's size, inode and times of change in
    nanoseconds; the time of the inode's change (ctime) can't be set back, as copying tools set back mtime.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def of(self, parts: Sequence[Path]) -> str:
        """The hash of the files `parts` of one recording, as 64 hexadecimal digits. Raises `OSError`.

        Of a single file it is its own SHA-256, else that of all their digests. Where `folder` can't be
        written, nothing is remembered.
        """
        name = hashlib.sha256(str(parts[0].resolve()).encode()).hexdigest()[:32]
        memory, stamp = self.folder / f"{name}.json", stamp_of(parts)
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
        if stamp_of(parts) == stamp:  # else it is being written at this moment
            with contextlib.suppress(OSError):
                write_whole(memory, json.dumps({"stamp": stamp, "sha256": digest}), durable=False)
        return digest


def stamp_of(parts: Sequence[Path]) -> list[int]:
    """Size, times of change and inode of each file: equal as long as none is written or replaced."""
    statuses = [status_of(part) for part in parts]
    return [n for s in statuses for n in (s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino)]
