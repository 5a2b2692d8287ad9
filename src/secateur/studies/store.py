"""Where a study's results are kept: a folder here, or an address that fsspec knows, such as `s3://bucket/ratios`.

A store travels to other processes as its location alone; each opens its own connection.
"""

from __future__ import annotations

import errno
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from secateur.errors import MissingExtraError, RunError, SettingsError
from secateur.files import write_whole

_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota of the disk is used up",
    errno.EROFS: "it is read-only",
    errno.EACCES: "no permission",
    errno.EPERM: "no permission",
    errno.ENOTDIR: "a file stands where a folder was wanted",
    errno.EISDIR: "a folder stands where a file was wanted",
}


@dataclass(frozen=True)
class Store(ABC):
    """Small files by name, each there complete or not at all.

    Names are relative, with `/` between their parts. `location`: the folder or address, as the user wrote it.
    """

    location: str

    @property
    def local(self) -> Path | None:
        """The folder where the files are; None where they are elsewhere."""
        return None

    @abstractmethod
    def put(self, name: str, content: bytes) -> None:
        """Write a file, completely or not at all. Raises `RunError` where that can't be done."""

    @abstractmethod
    def get(self, name: str) -> bytes | None:
        """A file's content; None where there is none. Raises `RunError` where it can't be read."""

    @abstractmethod
    def names(self, prefix: str = "", suffix: str = "") -> list[str]:
        """The sorted names of the files that begin and end so; hidden ones are left out."""

    @abstractmethod
    def delete(self, name: str) -> None:
        """Remove a file, if it is there."""


def store_at(location: str | Path) -> Store:
    """The store at a folder, which need not be there yet, or at an address such as `s3://bucket/study`.

    Raises `SettingsError` for an address of no known kind, `MissingExtraError` where what opens it
    is not installed.
    """
    location = str(location)
    scheme, sign, rest = location.partition("://")
    if not sign:
        return Folder(location)
    if scheme in ("file", "local"):
        return Folder(rest)
    store = Address(location.rstrip("/"))
    store._open()
    return store


@dataclass(frozen=True)
class Folder(Store):
    """A store in a folder of this machine, or of a file system that is shared."""

    @property
    def local(self) -> Path:
        """The folder."""
        return Path(self.location)

    def put(self, name: str, content: bytes) -> None:
        """See `Store`."""
        with self._explained(name, "written"):
            write_whole(self.local / name, content)

    def get(self, name: str) -> bytes | None:
        """See `Store`."""
        with self._explained(name, "read"):
            try:
                return (self.local / name).read_bytes()
            except FileNotFoundError:
                return None

    def names(self, prefix: str = "", suffix: str = "") -> list[str]:
        """See `Store`."""
        start = self.local / prefix.rpartition("/")[0]
        with self._explained(prefix, "read"):
            if self.local.exists() and not self.local.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, "", self.location)
            paths = [path for path in start.rglob("*") if path.is_file()]
        return _chosen((path.relative_to(self.local).as_posix() for path in paths), prefix, suffix)

    def delete(self, name: str) -> None:
        """See `Store`."""
        with self._explained(name, "removed"):
            (self.local / name).unlink(missing_ok=True)

    @contextmanager
    def _explained(self, name: str, action: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = _REASONS.get(error.errno or 0) or error.strerror or type(error).__name__
            raise RunError(
                f"{self.local / name}: cannot be {action}: {reason}; "
                "mend that, or give another place for the results"
            ) from None


@dataclass(frozen=True)
class Address(Store):
    """A store behind fsspec. One file is one object, put in one request."""

    def put(self, name: str, content: bytes) -> None:
        """See `Store`."""
        with self._explained(name, "written"):
            system, root = self._open()
            system.pipe_file(f"{root}/{name}", content)

    def get(self, name: str) -> bytes | None:
        """See `Store`."""
        with self._explained(name, "read"):
            system, root = self._open()
            try:
                return bytes(system.cat_file(f"{root}/{name}"))
            except FileNotFoundError as error:
                if _code(error) == "NoSuchBucket":
                    raise
                return None

    def names(self, prefix: str = "", suffix: str = "") -> list[str]:
        """See `Store`."""
        with self._explained(prefix, "read"):
            system, root = self._open()
            system.invalidate_cache()  # others write here too
            try:
                paths = system.find(f"{root}/{prefix.rpartition('/')[0]}".rstrip("/"))
            except FileNotFoundError as error:
                if _code(error) == "NoSuchBucket":
                    raise
                paths = []
        return _chosen((str(path)[len(root) + 1 :] for path in paths), prefix, suffix)

    def delete(self, name: str) -> None:
        """See `Store`."""
        with self._explained(name, "removed"):
            system, root = self._open()
            try:
                system.rm_file(f"{root}/{name}")
            except FileNotFoundError as error:
                if _code(error) == "NoSuchBucket":
                    raise

    def _open(self) -> tuple[Any, str]:
        """The file system, one a process, and the path of this store in it."""
        scheme = self.location.partition("://")[0]
        try:
            import fsspec
        except ModuleNotFoundError:
            raise MissingExtraError("fsspec", "study", f"a place such as {self.location}") from None
        try:
            system, root = fsspec.core.url_to_fs(self.location)
        except ImportError as error:
            if scheme in ("s3", "s3a"):
                raise MissingExtraError("s3fs", "s3", f"a place such as {self.location}") from None
            raise SettingsError(f"{self.location}: fsspec says: {error}") from None
        except ValueError as error:
            raise SettingsError(
                f"{self.location}: no such kind of address ({error}); "
                "give a folder, or an address such as s3://bucket/study"
            ) from None
        return system, str(root).rstrip("/")

    @contextmanager
    def _explained(self, name: str, action: str) -> Iterator[None]:
        try:
            yield
        except (RunError, SettingsError, MissingExtraError):
            raise
        except Exception as error:  # each file system has its own kinds
            raise RunError(
                f"{self.location}/{name}: cannot be {action}: {_reason(error)}"
            ) from None


def _chosen(names: Iterator[str], prefix: str, suffix: str) -> list[str]:
    return sorted(
        name
        for name in names
        if name.startswith(prefix)
        and name.endswith(suffix)
        and not PurePosixPath(name).name.startswith(".")
    )


def _code(error: BaseException | None) -> str:
    """What S3 calls the error, which fsspec's translation hides; empty where it isn't one of S3's."""
    while error is not None:
        response = getattr(error, "response", None)
        if isinstance(response, dict):
            return str(response.get("Error", {}).get("Code", ""))
        error = error.__cause__
    return ""


def _reason(error: Exception) -> str:
    code = _code(error)
    if code == "NoSuchBucket" or (isinstance(error, FileNotFoundError) and not code):
        return "there is no such bucket; make it first, or give another"
    if isinstance(error, PermissionError) or code in ("AccessDenied", "403"):
        detail = f" ({code})" if code else ""
        return f"no permission{detail}; check the credentials and what they allow"
    if type(error).__name__ in ("NoCredentialsError", "PartialCredentialsError"):
        return (
            "no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or log in another way"
        )
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
