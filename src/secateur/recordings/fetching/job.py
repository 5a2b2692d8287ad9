"""Fetching a data set: the list of hashes first, then each file that the folder lacks.

Comes in: a data set's name, a folder, cases, perhaps another base URL. Goes out: the files in the folder,
each under its name only once its SHA-256 is the listed one, and a `Fetched` that tells what was done.
Next: `load_cohort` reads the folder.

Every file that is here already is hashed again each time (nothing is remembered beside the files), and
left alone where its hash holds. What arrives corrupt is deleted and taken once more. A data set without
published hashes gets its own list in the folder at the first download, and is held to it from then on.
"""

from __future__ import annotations

import fcntl
import logging
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from secateur.errors import FetchError, MissingExtraError
from secateur.files import sha256_of_file, write_whole
from secateur.recordings.fetching.sources import (
    SUMS,
    Dataset,
    Wanted,
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
    """Told how far fetching is."""

    def checking(self, done: int, of: int) -> None:
        """So many of the files that were here have been hashed."""

    def arriving(self, done: int, of: int, note: str) -> None:
        """So many bytes have come, of about so many; `note` at a file's end and when a try fails."""


@dataclass(frozen=True)
class Fetched:
    """What was done: paths within the folder. `recorded` are hashes that nobody has published."""

    downloaded: tuple[str, ...]
    present: tuple[str, ...]
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

    `cases`: only these; none means all. `base_url`: another place that holds the same files.
    Raises `FetchError` where a file can't be had (what has come is kept for the next call),
    `SettingsError` for a name or a case that does not exist, `MissingExtraError` without pooch.
    """
    dataset = dataset_named(name)
    folder = Path(folder).expanduser().absolute()
    told = listener or _Nobody()
    with _session() as session, _alone(folder):
        sums = _sums(dataset, folder, base_url, session)
        wanted = choose(dataset, _wanted(dataset, sums, base_url), cases)
        lacking, present = _compare(folder, wanted, told)
        recorded = _record(folder, sums, [one for one in present if one.sha256 is None])
        tally = Tally([one.path for one in lacking], told.arriving)
        refused: list[str] = []
        for k, one in enumerate(lacking, start=1):
            tally.begin(one.path)
            transfer = Transfer(session, one.addresses, _part(folder / one.path), tally)
            if one.sha256 is None:
                transfer.check = _whole_archive(dataset)
            try:
                _download(one, folder, transfer)
            except RefusedError as error:  # others may still be had
                refused.append(str(error))
            else:
                if one.sha256 is None:
                    recorded |= _record(folder, sums, [one])
            tally.finish(f"{one.path}, {k} of {len(lacking)} files")
    if refused:
        raise FetchError(
            f"{len(refused)} of {len(lacking)} files could not be had, the others are there; "
            f"the first: {refused[0]}"
        )
    return Fetched(tuple(one.path for one in lacking), tuple(one.path for one in present), recorded)


def _wanted(dataset: Dataset, sums: dict[str, str], base_url: str | None) -> Sequence[Wanted]:
    if not dataset.archives:
        return listed(sums, base_url or dataset.base_url)
    found = []
    for one in dataset.archives:
        addresses = (address(base_url, one.path),) if base_url else one.addresses
        found.append(Wanted(one.path, addresses, sums.get(one.path)))
    return found


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
    Transfer(session, (source,), part, Tally([], lambda done, of, note: None)).take()
    try:
        sums = _read(part, source)
    except FetchError:
        part.unlink()
        raise
    part.replace(path)
    return sums


def _read(path: Path, place: str) -> dict[str, str]:
    try:
        return read_sums(path.read_text(encoding="utf-8"), place)
    except UnicodeDecodeError:
        raise FetchError(f"{place}: is no text, wanted a list of SHA-256 and paths") from None


def _compare(
    folder: Path, wanted: Sequence[Wanted], told: Listener
) -> tuple[list[Wanted], list[Wanted]]:
    """Which files are lacking or not what is listed, and which are here."""
    here = [one for one in wanted if (folder / one.path).is_file()]
    present = []
    for k, one in enumerate(here, start=1):
        path = folder / one.path
        if one.sha256 == sha256_of_file(path) or (one.sha256 is None and _is_whole_archive(path)):
            present.append(one)
        told.checking(k, len(here))
    found = {one.path for one in present}
    return [one for one in wanted if one.path not in found], present


def _download(one: Wanted, folder: Path, transfer: Transfer) -> None:
    import pooch

    pool = pooch.Pooch(
        path=folder,
        base_url="",
        registry={one.path: one.sha256 and f"sha256:{one.sha256}"},
        urls={one.path: one.addresses[0]},
        retry_if_failed=1,  # pooch takes again what has another hash; all else `Transfer` retries
    )
    try:
        if one.sha256 is None:
            (folder / one.path).unlink(missing_ok=True)  # damaged, else it would count as present
        pool.fetch(one.path, downloader=transfer)
    except FetchError:
        raise
    except ValueError:
        raise RefusedError(
            f"{one.path}: came twice with another SHA-256 than {SUMS} tells, so it is not kept; "
            f"{one.addresses[0]} may be damaged"
        ) from None


def _record(folder: Path, sums: dict[str, str], files: Sequence[Wanted]) -> dict[str, str]:
    """Write the hashes of `files` into the folder's own list; returns them."""
    new = {one.path: sha256_of_file(folder / one.path) for one in files}
    if new:
        sums |= new
        write_whole(folder / SUMS, write_sums(sums))
    return new


def _part(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _is_whole_archive(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, NotImplementedError):
        return False


def _whole_archive(dataset: Dataset) -> Callable[[Path, str], None]:
    """A check that what came is a whole zip archive: all there is where no hash is published."""

    def check(part: Path, source: str) -> None:
        if not _is_whole_archive(part):
            part.unlink()
            raise RefusedError(
                f"{source}: what came is no whole zip archive (a web page, perhaps); get {part.stem} "
                f"from {dataset.page} with a browser, put it into {part.parent} and run this again"
            )

    return check


@contextmanager
def _session() -> Iterator[requests.Session]:
    try:
        import pooch
        import requests
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "pooch", "fetch", "secateur fetch") from None
    from secateur import __version__

    logger = pooch.get_logger()
    before = logger.level
    logger.setLevel(logging.WARNING)  # what it says, the listener says
    try:
        with requests.Session() as session:
            session.headers["User-Agent"] = f"secateur/{__version__}"
            yield session
    finally:
        logger.setLevel(before)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Nobody else fetches into `folder`: two that append to one `.part` would spoil it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise FetchError(f"{folder}: cannot be written to ({error.strerror})") from None
    try:
        if not os.access(folder, os.W_OK):
            raise FetchError(f"{folder}: cannot be written to (permission denied)")
        _lock(handle, folder)
        yield
    except FetchError:
        raise
    except OSError as error:
        place = error.filename or folder
        raise FetchError(f"{place}: cannot be written to ({error.strerror})") from None
    finally:
        os.close(handle)  # and the lock is gone


def _lock(handle: int, folder: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise FetchError(f"{folder}: another fetch is writing into it") from None
    except OSError:
        return  # a file system without locks
