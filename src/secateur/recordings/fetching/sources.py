"""Which public data sets there are, where they lie, and which of their files are needed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote

from secateur.errors import FetchError, SettingsError

SUMS = "SHA256SUMS.txt"
"""The list of hashes, in the form of the program sha256sum, at the top of the folder."""

_LINE = re.compile(r"(?P<sha256>[0-9a-fA-F]{64})[ \t]+\*?(?P<path>.+)")


@dataclass(frozen=True)
class RemoteFile:
    """One file: where it goes in the folder, where it comes from (tried in order), its hash if known."""

    path: str
    addresses: tuple[str, ...]
    sha256: str | None


@dataclass(frozen=True)
class Dataset:
    """A public data set. `page` is for people, `base_url` for programs.

    `files` matches the paths that are needed; its group `case` is the case, missing in files that all
    cases share. `archives`, for a data set that publishes no hashes: each file's own addresses.
    `run`: words that `secateur run` needs for it.
    """

    name: str
    title: str
    licence: str
    cite: str
    page: str
    base_url: str
    files: re.Pattern[str]
    archives: tuple[RemoteFile, ...] = ()
    run: tuple[str, ...] = ()


def _physionet(name: str, title: str, licence: str, cite: str, files: str) -> Dataset:
    slug = {"siena": "siena-scalp-eeg"}.get(name, name)
    page = f"https://physionet.org/content/{slug}/1.0.0/"
    base_url = f"https://physionet.org/files/{slug}/1.0.0/"
    return Dataset(name, title, licence, cite, page, base_url, re.compile(files))


_BONN = """
Z bb2c41b0-6c8b-4c9c-b7c0-62f4f87c9b48 9c4a0084-c0d6-3cf6-fe48-8a8767713e67
O ca3563e5-09bb-4373-84b3-c707e724432a f324f98f-1ade-e912-b89d-e313ac362b6a
N 8b2c6173-2538-41ac-bff9-d569755ade66 d4f08e2d-3b27-1a6a-20fe-96dcf644902b
F 91342498-960f-410f-9df8-42f3c4da2b45 8219dcdd-d184-0474-e0e9-1ccbba43aaee
S 500b0f1d-aa9b-49c2-abd8-0410acd4b86c 7647d3f7-c6bb-6d72-57f7-8f12972896a6
"""
"""Each archive with its bitstream in the university's repository and its document on the authors' page."""


def _bonn(letter: str, bitstream: str, document: str) -> RemoteFile:
    """The university's repository first, the authors' page second; both are its present homes."""
    repository = f"https://repositori.upf.edu/server/api/core/bitstreams/{bitstream}/content"
    page = f"https://www.upf.edu/documents/229517819/234490509/{letter}.zip/{document}"
    return RemoteFile(f"{letter}.zip", (repository, page), None)


DATASETS: dict[str, Dataset] = {
    dataset.name: dataset
    for dataset in (
        _physionet(
            "chbmit",
            "CHB-MIT Scalp EEG Database 1.0.0",
            "ODC-By 1.0",
            "Shoeb 2009 and PhysioNet, doi 10.13026/C2K01R",
            r"(?P<case>chb\d\d)/(?:[^/]+\.edf|(?P=case)-summary\.txt)|RECORDS-WITH-SEIZURES",
        ),
        _physionet(
            "siena",
            "Siena Scalp EEG Database 1.0.0",
            "CC BY 4.0",
            "Detti et al. 2020 and PhysioNet, doi 10.13026/5d4a-j060",
            r"(?P<case>PN\d\d)/[^/]+\.(?:edf|txt)|subject_info\.csv",
        ),
        Dataset(
            "bonn",
            "Bonn University EEG time series",
            "free for research",
            "Andrzejak et al. 2001, Phys. Rev. E 64, 061907",
            "https://www.upf.edu/web/ntsa/downloads",
            "https://repositori.upf.edu/",
            re.compile(r"(?P<case>[ZONFS])\.zip"),
            tuple(_bonn(*line.split()) for line in _BONN.split("\n") if line),
            ("--montage", "each", "--split", "recording"),
        ),
    )
}


def dataset_named(name: str) -> Dataset:
    """The data set `name`. Raises `SettingsError` naming those that there are."""
    try:
        return DATASETS[name]
    except KeyError:
        raise SettingsError(f"no data set {name!r}; there are {', '.join(DATASETS)}") from None


def read_sums(text: str, name: str) -> dict[str, str]:
    """Path -> SHA-256 of a list of hashes; `name`: what messages call it.

    Raises `FetchError` where a line is none, or names a path that leads out of the folder.
    """
    sums: dict[str, str] = {}
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        if not line.strip():
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise FetchError(
                f"{name}, line {number}: wanted a SHA-256 and a path; is this the data set's "
                "folder, or a web page?"
            )
        path = match["path"].removeprefix("./")
        parts = PurePosixPath(path).parts
        if not parts or path.startswith("/") or ".." in parts or not path.isprintable():
            raise FetchError(f"{name}, line {number}: refused, its path leads out of the folder")
        if any(sign in path for sign in '\\:"<>|?*'):
            raise FetchError(f"{name}, line {number}: refused, a path with signs that no file has")
        sums[path] = match["sha256"].lower()
    return sums


def write_sums(sums: dict[str, str]) -> str:
    """The text that `read_sums` reads."""
    return "".join(f"{sums[path]}  {path}\n" for path in sorted(sums))


def choose(dataset: Dataset, files: Sequence[RemoteFile], cases: Sequence[str]) -> list[RemoteFile]:
    """Those of `files` that belong to `cases` (none: to all), with what all cases share.

    Raises `SettingsError` naming the cases that there are.
    """
    asked = set(cases)
    of_case: dict[str, list[RemoteFile]] = {}
    shared: list[RemoteFile] = []
    for file in files:
        match = dataset.files.fullmatch(file.path)
        if match is not None:
            case = match["case"]
            (shared if case is None else of_case.setdefault(case, [])).append(file)
    if not of_case:
        raise FetchError(f"{dataset.name}: {SUMS} lists none of its recordings; wrong --base-url?")
    unknown = sorted(asked - of_case.keys())
    if unknown:
        raise SettingsError(
            f"--cases: {dataset.name} has no {', '.join(unknown)}; it has {', '.join(sorted(of_case))}"
        )
    of_asked = [file for case in sorted(asked or of_case) for file in of_case[case]]
    return [*shared, *of_asked]


def listed(sums: dict[str, str], base_url: str) -> list[RemoteFile]:
    """Every file of a list of hashes, with its address below `base_url`."""
    return [
        RemoteFile(path, (address(base_url, path),), sums[path])
        for path in sorted(sums, key=lambda path: PurePosixPath(path).parts)
    ]


def address(base_url: str, path: str) -> str:
    """Where the file `path` lies below `base_url`."""
    return f"{base_url.rstrip('/')}/{quote(path)}"
