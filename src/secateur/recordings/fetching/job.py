"""Fetching a data set: the list of hashes first, then each file that the folder lacks.

Every file that is here already is hashed again each time (nothing is remembered beside the files), and
left alone where its hash holds. What arrives corrupt is deleted and taken once more. A data set without
published hashes gets its own list in the folder at the first download, and is held to it from then on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from secateur.errors import FetchError, MissingExtraError
from secateur.files import is_intact_archive, locked, sha256_of_file, write_whole
from secateur.recordings.fetching.sources import (
    SUMS,
    Dataset,
    RemoteFile,
    address,
    choose,
    dataset_named,
    listed,
    read_sums,
    write_sums,
)
from secateur.recordings.fetching.transfer import RefusedError, Tally, Transfer

if TYPE_CHECKING:
    import requests


class Listener(Protocol):
    """Hears how far fetching is."""

    def checking(self, done: int, of: int) -> None:
        """So many of the files that were here have been hashed."""

    def arriving(self, done: int, of: int, note: str) -> None:
        """So many bytes have come, of about so many; `note` at a file's end and when a try fails."""


@dataclass(frozen=True)
class Fetched:
    """What was done: paths within the folder.

    `damaged`: those of `downloaded` that were here and not what they should be. `recorded`: hashes that
    nobody has published.
    """

    downloaded: tuple[str, ...]
    present: tuple[str, ...]
    damaged: tuple[str, ...]
    recorded: dict[str, str]


class _Nobody:
    def checking(self, done: int, of: int) -> None: ...

    def arriving(self, done: int, of: int, note: str) -> None: ...


def fetch(
    name: str,
    folder: Path | str,
    cases: Sequence[str] = (),
    base_url: str | None = None,
    listener: Listener | None = None,
) -> Fetched:
    """Download what a run needs of the data set `name` (see `DATASETS`) into `folder`.

    `cases`: only these; none means all. `base_url`: another address that holds the same files.
    Raises `FetchError` where a file can't be had (what has come is kept for the next call),
    `SettingsError` for a name or a case that does not exist, `MissingExtraError` without requests.
    """
    dataset = dataset_named(name)
    folder = Path(folder).expanduser().absolute()
    listener = listener or _Nobody()
    with _session() as session, _alone(folder):
        sums = _sums(dataset, folder, base_url, session)
        files = choose(dataset, _remote_files(dataset, sums, base_url), cases)
        present = _right(folder, files, listener)
        lacking = [file for file in files if file not in present]
        damaged = tuple(file.path for file in lacking if (folder / file.path).is_file())
        recorded = _record(folder, sums, [file for file in present if file.sha256 is None])
        tally = Tally(len(lacking), listener.arriving)
        refused: list[str] = []
        for number, file in enumerate(lacking, start=1):
            check = _check(dataset, file)
            part = _part(folder / file.path)
            try:
                Transfer(session, file.addresses, part, tally, check).take()
            except RefusedError as error:  # others may still be had
                refused.append(str(error))
            else:
                part.replace(folder / file.path)
                if file.sha256 is None:
                    recorded |= _record(folder, sums, [file])
            tally.finish(f"{file.path}, {number} of {len(lacking)} files")
    if refused:
        raise FetchError(
            f"{len(refused)} of {len(lacking)} files could not be had, the others are there; "
            f"the first: {refused[0]}"
        )
    downloaded, right = (tuple(file.path for file in some) for some in (lacking, present))
    return Fetched(downloaded, right, damaged, recorded)


def _remote_files(
    dataset: Dataset, sums: dict[str, str], base_url: str | None
) -> Sequence[RemoteFile]:
    if not dataset.archives:
        return listed(sums, base_url or dataset.base_url)
    files = []
    for file in dataset.archives:
        addresses = (address(base_url, file.path),) if base_url else file.addresses
        files.append(RemoteFile(file.path, addresses, sums.get(file.path)))
    return files


def _sums(
    dataset: Dataset, folder: Path, base_url: str | None, session: requests.Session
) -> dict[str, str]:
    """The data set's list of hashes, left in the folder; or the folder's own, where it has none."""
    path = folder / SUMS
    if dataset.archives:
        return _read(path, str(path)) if path.exists() else {}
    source = address(base_url or dataset.base_url, SUMS)
    part = _part(path)
    part.unlink(missing_ok=True)  # the list has no hash of its own: never join two halves
    Transfer(session, (source,), part, Tally(1, lambda done, of, note: None)).take()
    try:
        sums = _read(part, source)
    except FetchError:
        part.unlink()
        raise
    part.replace(path)
    return sums


def _read(path: Path, name: str) -> dict[str, str]:
    try:
        return read_sums(path.read_text(encoding="utf-8"), name)
    except UnicodeDecodeError:
        raise FetchError(f"{name}: is no text, wanted a list of SHA-256 and paths") from None


def _right(folder: Path, files: Sequence[RemoteFile], listener: Listener) -> list[RemoteFile]:
    """Those of `files` that are here and what is listed; archives without a hash: that can be unpacked."""
    here = [file for file in files if (folder / file.path).is_file()]
    right = []
    for number, file in enumerate(here, start=1):
        path = folder / file.path
        if is_intact_archive(path) if file.sha256 is None else sha256_of_file(path) == file.sha256:
            right.append(file)
        listener.checking(number, len(here))
    return right


def _check(dataset: Dataset, file: RemoteFile) -> Callable[[Path, str], str]:
    """What is wrong with a file that has come from an address, in words; empty where nothing is."""

    def hashed(part: Path, source: str) -> str:
        if sha256_of_file(part) == file.sha256:
            return ""
        return (
            f"{file.path}: came twice with another SHA-256 than {SUMS} lists, so it is not kept; "
            f"{source} may be damaged"
        )

    def archive(part: Path, source: str) -> str:
        if is_intact_archive(part):
            return ""
        return (
            f"{source}: what came is no whole zip archive (a web page, perhaps); get {file.path} "
            f"from {dataset.page} with a browser, put it into {part.parent} and run this again"
        )

    return archive if file.sha256 is None else hashed


def _record(folder: Path, sums: dict[str, str], files: Sequence[RemoteFile]) -> dict[str, str]:
    """Write the hashes of `files` into the folder's own list; returns them."""
    new = {file.path: sha256_of_file(folder / file.path) for file in files}
    if new:
        sums |= new
        write_whole(folder / SUMS, write_sums(sums))
    return new


def _part(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


@contextmanager
def _session() -> Iterator[requests.Session]:
    try:
        import requests
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "requests", "fetch", "secateur fetch") from None
    from secateur import __version__

    with requests.Session() as session:
        session.headers["User-Agent"] = f"secateur/{__version__}"
        yield session


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Nobody else fetches into `folder`: two that append to one `.part` would spoil it."""
    try:
        with locked(folder / ".secateur-fetch.lock"):
            yield
    except FetchError:
        raise
    except BlockingIOError:
        raise FetchError(f"{folder}: another fetch is writing into it") from None
    except OSError as error:
        path = error.filename or folder
        raise FetchError(f"{path}: cannot be written to ({error.strerror})") from None
