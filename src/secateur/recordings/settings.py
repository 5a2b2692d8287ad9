"""What to do with a recording that is odd but can be read."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

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
