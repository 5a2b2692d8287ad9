"""The command line: one file a verb, each thin.

Exit codes: 0 done, 1 the user's mistake (one line, no traceback), 2 a constraint that is not met, 3 a
fault or drift was called, 130 after Ctrl-C. Nothing heavy is imported before a verb needs it.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module

import typer

from secateur.cli.arguments import remember
from secateur.errors import SecateurError
from secateur.processes import keep_memory, show_warning

_PANELS = {
    "Make a detector": ("run", "prune", "study", "quantise", "adapt", "export"),
    "Use a detector": (
        "detect",
        "live",
        "review",
        "explain",
        "monitor",
        "evaluate",
        "score",
        "verify",
        "bench",
    ),
    "Recordings": ("simulate", "fetch", "inspect", "prepare"),
    "This machine": ("doctor",),
}
_PANEL = {verb: panel for panel, verbs in _PANELS.items() for verb in verbs}
VERBS = tuple(_PANEL)


def _version(asked: bool) -> None:
    if asked:
        from secateur import __version__

        typer.echo(f"secateur {__version__}")
        raise typer.Exit


def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version and exit."
    ),
) -> None:
    pass


def _app(words: Sequence[str]) -> typer.Typer:
    """The commands, or the one that `words` ask for, so that no other's modules are loaded."""
    app = typer.Typer(
        name="secateur",
        add_completion=True,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["-h", "--help"]},
        help="""Train a seizure detector on EEG, cut half of its kernels, and see what that cost.

    A first look that needs no data:

    `secateur simulate cohort --subjects 12 --hours 0.1 --seed 1`

    `secateur run --data cohort --out runs/first`

    Research software, not a medical device.""",
    )
    app.callback()(_options)
    for verb in words[:1] if words and words[0] in VERBS else VERBS:
        app.command(verb, rich_help_panel=_PANEL[verb])(
            getattr(import_module(f"secateur.cli.{verb}"), verb)
        )
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    warnings.showwarning = show_warning
    keep_memory()
    words = list(sys.argv[1:] if arguments is None else arguments)
    remember(words)
    try:
        code = _app(words or _to_complete())(words, prog_name="secateur", standalone_mode=False)
    except typer.TyperException as error:
        if message := _misspelt(error, words) or error.format_message():
            return _refuse(message.replace("Value error, ", ""))  # pydantic's prefix
        return 0
    except typer.Abort:
        code = 130
    except SecateurError as error:
        return _refuse(str(error))
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        # whoever read our output went away; there is nobody left to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _refuse(f"{where}{error.strerror or error}")
    if code == 130:  # typer turns Ctrl-C into this code by itself
        kept = "what is finished is kept, and the same command goes on from there"
        print(f"secateur: interrupted; {kept}", file=sys.stderr)
    return int(code or 0)


def _to_complete() -> list[str]:
    """The words typed so far, where a shell's completion asks; typer's scripts put them in variables."""
    typed = os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS") or ""
    return typed.split()[1:] if "_SECATEUR_COMPLETE" in os.environ else []


def _misspelt(error: typer.TyperException, words: Sequence[str]) -> str:
    """A better line on a flag that does not exist; empty for other errors."""
    flag = getattr(error, "option_name", "") if hasattr(error, "possibilities") else ""
    if not flag or words[0] not in VERBS:
        return ""
    from secateur.cli.misspelt import suggestion

    commands = typer.main.get_group(_app(())).commands
    flags = {
        verb: [name for each in command.params for name in each.opts if name.startswith("--")]
        for verb, command in commands.items()
    }
    return suggestion(flag, words[0], flags)


def _refuse(message: str) -> int:
    print(f"secateur: {' '.join(message.split())}", file=sys.stderr)
    return 1
