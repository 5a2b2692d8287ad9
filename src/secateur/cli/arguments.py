"""What was typed: the command as a whole, the folders of recordings, and what an `--out` means."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from secateur.errors import SettingsError

Data = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[NAME=]FOLDER",
        help="Folder of recordings: CHB-MIT, Siena or Bonn as handed out, BIDS-EEG, "
        "or plain with TSVs beside the EDFs. Several times for several data sets.",
    ),
]
Background = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[NAME=]FOLDER",
        help="Folder of recordings without seizures, as you declare: needs no TSVs, and takes part "
        "in training, validation and testing. Any number of times.",
    ),
]
TestBackground = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[NAME=]FOLDER",
        help="As --background, but everybody in it tests: nobody trains or validates.",
    ),
]

SeizureFree = Annotated[
    bool,
    typer.Option(
        "--background",
        help="The folder is one of recordings without seizures, as you declare: needs no TSVs.",
    ),
]

_words: list[str] = []


def remember(words: Sequence[str]) -> None:
    """Keep the words after `secateur`, which need not be the process's: `main` may be called with others."""
    _words[:] = words


def command_line() -> str:
    """The command in one line, as a shell takes it: what results say they are made again by."""
    return shlex.join(["secateur", *_words])


FILES = (
    ".tsv", ".json", ".edf", ".c", ".xml", ".tflite", ".onnx",
    ".bdf", ".csv", ".html", ".md", ".ods", ".parquet", ".pdf", ".tex", ".toml", ".txt", ".vhdr", ".xls",
    ".xlsx", ".zip",
)  # fmt: skip
"""How names of files end: no folder is made that is called so."""


def file_in(out: Path, suffix: str, name: str) -> Path:
    """`out` itself where it is a file of kind `suffix`, else `name` in the folder `out`."""
    kind = out.suffix.lower()
    if kind == suffix:
        if out.is_dir():
            raise SettingsError(f"--out {out}: is a folder, wanted a file")
        return out
    if kind in FILES:
        raise SettingsError(f"--out {out}: this writes {suffix} files, or into a folder")
    return folder(out) / name


def folder(out: Path, flag: str = "--out") -> Path:
    """`out` as a folder. Raises `SettingsError` where it names or is a file. `flag`: that gave it."""
    if out.suffix.lower() in FILES or out.is_file():
        raise SettingsError(f"{flag} {out}: is a file's name, wanted a folder".lstrip())
    return out
