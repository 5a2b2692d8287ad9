"""Flags that say how recordings are read, the same for every verb."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from secateur.recordings import ReadingSettings

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
    from secateur.recordings.recording import reading_words
    from secateur.settings import checked, put_over, read_toml

    tables = {} if config is None else {"reading": read_toml(config).get("reading", {})}
    put_over(tables, reading_words(rename, gaps, force), config)
    return checked(ReadingSettings, tables.get("reading", {}), config)
