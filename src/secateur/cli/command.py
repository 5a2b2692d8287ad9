"""The command as it was given: what results say they are made again by."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

_words: list[str] = []


def remember(words: Sequence[str]) -> None:
    """Keep the words after `secateur`, which need not be those of the process: `main` may be given others."""
    _words[:] = words


def command_line() -> str:
    """The command in one line, as a shell takes it."""
    return shlex.join(["secateur", *_words])
