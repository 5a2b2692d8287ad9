"""Files, whole or not at all, and files inside archives.

Comes in: bytes or a function that writes a path; or a path to read, which may lead into a zip archive
as if that were a folder (`Z.zip/Z001.txt`). Goes out: a file that whoever looks sees in its old state
or its new one, never half written; or an open file. Next: every room that leaves something on disk.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEMBER_LIMIT = 64 * 2**20
"""Bytes of the largest file that is read out of an archive: it is read into memory whole."""


_BESIDE = re.compile(r"\..+\.(?P<writer>\d+)\.part(\.[^.]*)?")
"""How `replacing` calls a file that is being written."""


@contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """A path beside `path` to write to; renamed to `path` when the block ends without an error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The process id keeps two writers apart; the suffix stays last because writers look at it.
    beside = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield beside
        beside.replace(path)
    except OSError as error:
        if error.filename == str(beside):  # whoever reads this knows `path` alone
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise
    finally:
        beside.unlink(missing_ok=True)


def write_whole(path: Path | str, content: bytes | str) -> None:
    """Write `content` (text as UTF-8) to `path` by way of a file beside it."""
    with replacing(path) as beside:
        beside.write_bytes(content.encode() if isinstance(content, str) else content)


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


def is_draft(path: Path) -> bool:
    """Whether a file is one that `replacing` was writing when its process ended, or is writing now."""
    return _BESIDE.fullmatch(path.name) is not None


def sweep(folder: Path) -> None:
    """Remove what writers left half written below `folder` when they were killed on this machine."""
    for place, _, names in os.walk(folder):
        for name in names:
            match = _BESIDE.fullmatch(name)
            if match is not None and not _writes(int(match["writer"])):
                Path(place, name).unlink(missing_ok=True)


def _writes(process: int) -> bool:
    """Whether a process of that number lives, other than this one: it has not begun to write."""
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
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
            return [one.filename for one in opened.infolist() if not one.is_dir()]
    except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error) as error:
        raise OSError(errno.EIO, f"damaged archive: {error}", str(archive)) from None


def open_file(path: Path | str) -> io.BufferedReader | io.BytesIO:
    """Open a file to read, also one inside a zip archive.

    Raises `OSError` where that can't be done, and where a file in an archive is damaged, encrypted or
    larger than `MEMBER_LIMIT`.
    """
    inside = archive_of(path)
    return Path(path).open("rb") if inside is None else io.BytesIO(_member(*inside))


def _member(archive: Path, name: str) -> bytes:
    shown = f"{archive}/{name}"
    try:
        with zipfile.ZipFile(archive) as opened:
            info = opened.getinfo(name)
            if info.file_size > MEMBER_LIMIT:
                reason = f"{info.file_size} bytes, at most {MEMBER_LIMIT} are read of an archive"
                raise OSError(errno.EFBIG, reason, shown)
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                # the other ways can't be unpacked in bounded steps
                raise OSError(errno.EIO, "packed in a way that is not read", shown)
            with opened.open(info) as file:
                return file.read(info.file_size + 1)  # with a number: no more is ever unpacked
    except KeyError:
        raise FileNotFoundError(errno.ENOENT, "not in the archive", shown) from None
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        RuntimeError,
        ValueError,
        struct.error,
    ) as error:
        # RuntimeError: encrypted; NotImplementedError, one of its kind: a packing that Python can't undo
        raise OSError(
            errno.EIO, f"damaged or locked archive ({type(error).__name__})", shown
        ) from None


def sha256_of_file(path: Path | str) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits. Memory does not grow with the file."""
    with open_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
