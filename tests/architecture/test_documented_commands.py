"""Commands and flags that the documents show are those of the command line."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import typer

from secateur.cli import VERBS, _app
from tests.support.documents import (
    DOCUMENTS,
    ROOT,
    blocks,
    fenced_commands,
    inline_code,
    inline_commands,
)

FOR_USERS = [path for path in DOCUMENTS if path.name != "CONTRIBUTING.md"]
"""CONTRIBUTING speaks of flags of benchmarks, too."""


@cache
def flags() -> dict[str, set[str]]:
    """Flags of every verb, those that switch off among them."""
    commands = typer.main.get_group(_app(())).commands
    return {
        verb: {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
        | {"--help"}
        for verb, command in commands.items()
    }


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_shown_commands_are_understood(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    group = typer.main.get_group(_app(()))
    for words in fenced_commands(text):
        verb, *rest = words
        assert verb in VERBS, f"secateur {' '.join(words)}"
        group.commands[verb].make_context(verb, list(rest))  # raises what a user would be told
    for verb, *rest in (words for words in inline_commands(text) if words):
        if verb in VERBS:
            unknown = {word.split("=")[0] for word in rest if word.startswith("--")} - flags()[verb]
            assert not unknown, f"secateur {verb} {' '.join(rest)}"


@pytest.mark.parametrize("path", FOR_USERS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_flags_in_prose_belong_to_some_verb(path: Path) -> None:
    known = set().union(*flags().values()) | {"--version"}
    for code in inline_code(path.read_text(encoding="utf-8")):
        if code.startswith("--"):
            assert code.replace("=", " ").split()[0].rstrip(",") in known, code


def test_the_documents_are_read() -> None:
    """Else the tests above could pass by finding nothing."""
    text = (ROOT / "docs" / "how-to" / "at-a-glance.md").read_text(encoding="utf-8")
    assert {words[0] for words in fenced_commands(text)} >= {"run", "prune", "detect", "evaluate"}
    assert len(blocks(text, "python")) >= 2
    assert sum(len(inline_commands(path.read_text(encoding="utf-8"))) for path in DOCUMENTS) > 20
