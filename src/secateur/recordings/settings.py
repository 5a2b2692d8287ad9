"""What to do with a recording that is odd but can be read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from secateur.errors import SettingsError
from secateur.settings import Settings


class ReadingSettings(Settings):
    """How recordings are read; the table `[reading]` of a configuration.

    `gaps`: "split" takes each stretch without a gap by itself and notes it, "refuse" refuses the file.
    `rename`: the label as recorded and the label that is meant. `too_slow`: what to do with a sampling rate
    that is too low for the filters' band: "refuse" it, or "note" it and go on.
    """

    gaps: Literal["split", "refuse"] = "split"
    rename: dict[str, str] = Field(default_factory=dict)
    too_slow: Literal["refuse", "note"] = "refuse"

    def __hash__(self) -> int:
        return hash(self.model_dump_json())


def reading_words(
    rename: Sequence[str] | None, gaps: str | None, force: bool = False
) -> dict[str, Any]:
    """Flags as settings by dotted names (None: not given). Raises `SettingsError` where one isn't old=new."""
    labels: dict[str, str] = {}
    for word in rename or ():
        old, sign, new = (part.strip() for part in word.partition("="))
        if not (old and sign and new) or labels.setdefault(old, new) != new:
            raise SettingsError(f"--rename {word}: wanted old=new, each old label once")
    return {
        "reading.rename": labels or None,
        "reading.gaps": gaps,
        "reading.too_slow": "note" if force else None,
    }
