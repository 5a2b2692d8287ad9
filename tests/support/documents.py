"""Commands and code in the documents, as tests read them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`]+)`")


def blocks(text: str, language: str) -> list[str]:
    """Fenced blocks of a language; "" is one of none."""
    return [block for name, block in _FENCED.findall(text) if name == language]


def fenced_commands(text: str) -> list[list[str]]:
    """Words after `secateur` of every command in fenced blocks of shell."""
    shell = [block for name in ("", "bash", "sh") for block in blocks(text, name)]
    lines = "\n".join(shell).replace("\\\n", " ").splitlines()
    return [words for line in lines for words in _commands(line)]


def inline_code(text: str) -> list[str]:
    """What stands in backticks within paragraphs, on one line each."""
    return [" ".join(code.split()) for code in _INLINE.findall(_FENCED.sub("", text))]


def inline_commands(text: str) -> list[list[str]]:
    """Words after `secateur` of commands within paragraphs; they may hold dots and words to be filled in."""
    return [words for code in inline_code(text) for words in _commands(code)]


def _commands(line: str) -> Iterator[list[str]]:
    try:
        words = shlex.split(line, comments=True)
    except ValueError:  # a quote of C or of prose
        return
    command: list[str] | None = None
    for word in [*words, ";"]:
        if word in ("&&", "|", ";", "||"):
            if command:
                yield command
            command = None
        elif command is not None:
            command.append(word)
        elif word == "secateur":
            command = []
