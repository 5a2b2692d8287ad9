"""Arguments that several verbs share: how recordings are read, and what an `--out` means."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from secateur.recordings import ReadingSettings
from secateur.errors import SettingsError

Rename = Annotated[
    list[str] | None,
    typer.Option(
        help="A channel's label as recorded and the label that is meant, old=new; may be given often."
    ),
]
Gaps = Annotated[
    str | None,
    typer.Option(
        help="Recordings with gaps: split (judge each stretch) or refuse. [default: split]"
    ),
]
Force = Annotated[
    bool, typer.Option(help="Go on where a sampling rate is too low for the filters, and note it.")
]


def reading_settings(
    rename: list[str] | None,
    gaps: str | None,
    force: bool = False,
    config: Path | None = None,
) -> ReadingSettings:
    """The table [reading] of `config` with these flags before it. Raises `SettingsError`."""
    from secateur.recordings import ReadingSettings
    from secateur.settings import checked, pairs_of, put_over, read_toml

    tables = {} if config is None else {"reading": read_toml(config).get("reading", {})}
    flags = {
        "reading.rename": pairs_of("--rename", rename),
        "reading.gaps": gaps,
        "reading.too_slow": "note" if force else None,
    }
    put_over(tables, flags, config)
    return checked(ReadingSettings, tables.get("reading", {}), config)


FILES = (".tsv", ".json", ".edf", ".c", ".xml", ".tflite", ".onnx")


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


def folder(out: Path) -> Path:
    """`out` as a folder. Raises `SettingsError` where it names or is a file."""
    if out.suffix.lower() in FILES or out.is_file():
        raise SettingsError(f"--out {out}: is a file's name, wanted a folder")
    return out
