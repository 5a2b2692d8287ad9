"""The page of the command line, from the commands themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator

import typer

from benchmarks.reference.words import HEAD, row
from secateur.cli import _PANELS, _app

_BRACKETS = re.compile(r"\[(required|default: [^]]*|[\d.]*(?:<=?)?x[<>=\d.]+)\]")

EXIT_CODES = """| exit code | |
|---|---|
| 0 | done |
| 1 | a mistake, told in one line |
| 2 | `secateur prune`: no rung is certified, and the baseline comes back |
| 3 | `secateur monitor`: a fault or drift was called |
| 130 | Ctrl-C; what is finished is kept, and the same command goes on from there |"""


def command_line_page() -> str:
    """Every verb with its arguments and flags."""
    commands = typer.main.get_group(_app(())).commands
    lines = [
        "# Command line",
        HEAD,
        "",
        "What `secateur VERB --help` says. Settings without a flag are given by `--set NAME=VALUE` or in a "
        "file: [settings.md](settings.md).",
        "",
        EXIT_CODES,
    ]
    for panel, verbs in _PANELS.items():
        lines += ["", f"## {panel}"]
        for verb in verbs:
            command = commands[verb]
            context = typer.Context(command, info_name=verb)
            lines += ["", f"### {verb}", "", *_paragraphs(command.help or "")]
            rows = [
                _flag(name, text)
                for each in command.params
                if (record := each.get_help_record(context)) is not None
                for name, text in [record]
            ]
            lines += ["", "| | takes | |", "|---|---|---|", *rows]
    return "\n".join(lines) + "\n"


def _paragraphs(text: str) -> Iterator[str]:
    """A docstring's paragraphs, one a line, with a blank line between."""
    for number, paragraph in enumerate(text.strip().split("\n\n")):
        if number:
            yield ""
        yield " ".join(paragraph.split())


def _flag(name: str, text: str) -> str:
    """A row: the flag, what it takes, what it does."""
    words = re.split(r"(?<!/) (?![-/])", name, maxsplit=1)
    if name.startswith("--workers"):  # else the page would be of the machine that wrote it
        text = re.sub(r"(?<=default: )\d+", "one a processor", text)
        text = re.sub(r"by itself \d+ here", "by itself one a processor", text)
    text = _BRACKETS.sub(r"(\1)", " ".join(text.split()))  # Markdown has links in brackets
    return row(*(f"`{each}`" for each in words), *[""] * (2 - len(words)), text)
