"""Tables on standard output."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from secateur.scoring.metrics import METRICS

if TYPE_CHECKING:
    from secateur.results import RunResult

_IN_A_RUN = ("accuracy", "macro_f1", "auroc")
"""What fits a terminal beside the sizes; the report has the rest."""
_INSIDE = ("auroc", "macro_f1")


def number(value: float | None, digits: int = 3) -> str:
    """A number for reading; a dash where it is not defined."""
    return "–" if value is None else f"{value:,.{digits}f}"


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table; the first column reads from the left, numbers from the right."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for index, name in enumerate(header):
        table.add_column(name, justify="left" if index == 0 else "right", no_wrap=index == 0)
    for row in rows:
        table.add_row(*row)
    # piped output must not be folded to a guessed width of 80
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)
    console.print(table)


def print_models(result: RunResult) -> None:
    """All models of a run, side by side."""
    from secateur.reporting.methods import tested_on

    rows = []
    for name, model in result.models.items():
        test, latency = model.test, model.latency_ms
        assert test is not None  # a run tests
        macs = None if model.macs is None else model.macs / 1e6
        size = None if model.file_bytes is None else model.file_bytes / 1000
        rows.append(
            [
                name,
                number(model.parameters, 0),
                number(macs, 2),
                number(size, 1),
                number(latency.median if latency else None),
                *(number(test.scores[score]) for score in _IN_A_RUN),
                *(number(test.mean_of_subjects[score]) for score in _INSIDE),
                number(test.events.scores["event_f1"]),
            ]
        )
    simulated = " (simulated EEG)" if result.data.simulated else ""
    print_table(
        f"{result.data.name}{simulated}: tested on {tested_on(result.split)}",
        [
            "model",
            "parameters",
            "MMACs",
            "kB",
            "ms",
            *(METRICS[score].phrase for score in _IN_A_RUN),
            *(f"{METRICS[score].phrase} by subject" for score in _INSIDE),
            f"event F1 (timescoring {result.versions.timescoring})",
        ],
        rows,
    )


def print_warnings(warnings: Sequence[str]) -> None:
    """One line each."""
    for warning in warnings:
        print(f"warning: {warning}")


def print_by_text(kind: str, rows: Iterable[tuple[str, str]]) -> None:
    """Print each text once, with the first of the recordings that it is said of, and how many more."""
    names: dict[str, list[str]] = {}
    for text, name in rows:
        names.setdefault(text.removeprefix(f"{name}: "), []).append(name)
    for text, concerned in names.items():
        more = f" and {len(concerned) - 1} more" if len(concerned) > 1 else ""
        print(f"{kind}: {concerned[0]}{more}: {text}")
