"""`secateur score`: events against a reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from secateur.counts import plural

if TYPE_CHECKING:
    from secateur.scoring import PairedTables

_NAMED = 5
"""Recordings that are named of those that share a reason."""


def score(
    reference: Path = typer.Argument(..., help="What is true: a TSV, or a tree of TSVs."),
    hypothesis: Path = typer.Argument(..., help="What was detected: a TSV, or a tree of TSVs."),
    reviewed: Literal["reference", "hypothesis", "both"] | None = typer.Option(
        None,
        help="The folder in which reviewed tables (_desc-reviewed_events.tsv) count, and no others; "
        "recordings that nobody has reviewed to the end are left out.",
    ),
    reviewer: str | None = typer.Option(
        None,
        metavar="INITIALS",
        help="Whose reviewed tables, where several have reviewed; '' are those without initials.",
    ),
    as_json: bool = typer.Option(False, "--json", help="Print JSON instead of a table."),
) -> None:
    """Score by event and by sample, the SzCORE way.

    Two TSV files, or two folders whose tables of events are paired by name (other TSVs are passed over);
    counts are summed over recordings. A recording of the reference without a table of detections counts as
    one in which nothing was detected, and is named. Of a table that a person has reviewed, what was
    accepted, changed and added counts.

    Examples: `secateur score sub-01_events.tsv detected.tsv --json`;
    `secateur score recordings recordings --reviewed reference --reviewer AB`
    """
    import json
    import sys

    from secateur.cli.tables import number, print_table
    from secateur.scoring import TIMESCORING_VERSION, ReviewChoice, compare_all, pair_files

    paired = pair_files(reference, hypothesis, ReviewChoice(reviewed, reviewer))
    pairs = paired.pairs
    comparison = compare_all(pairs.values())
    if as_json:
        report = comparison.as_dict()
        report["recordings"] = len(pairs)
        report["without_table"] = list(paired.without_table)
        if paired.left_out:
            report["left_out"] = dict(paired.left_out)
        print(json.dumps(report, allow_nan=False))
        for note in paired.notes:
            print(f"note: {note}", file=sys.stderr)
        return
    by_event, by_sample = comparison.events.as_dict(), comparison.samples.as_dict()
    names = {
        "tp": ("found", 0),
        "fp": ("false", 0),
        "ref": ("in the reference", 0),
        "sensitivity": ("sensitivity", 4),
        "precision": ("precision", 4),
        "f1": ("F1", 4),
        "fp_per_day": ("false a day", 2),
    }
    print_table(
        f"{plural(len(pairs), 'recording')}, timescoring {TIMESCORING_VERSION}",
        ["", "by event", "by sample (1 Hz)"],
        [
            [label, number(by_event[key], digits), number(by_sample[key], digits)]
            for key, (label, digits) in names.items()
        ],
    )
    _show_quiet(paired)
    for note in paired.notes:
        print(f"note: {note}")
    _show_left_out(paired.left_out)


def _show_quiet(paired: PairedTables) -> None:
    """In how many recordings nothing was detected, and of which nobody knows."""
    count, without = len(paired.pairs), len(paired.without_table)
    silent = sum(1 for _, claimed in paired.pairs.values() if not len(claimed)) - without
    if silent:
        print(f"in {silent} of {count} nothing was detected")
    if without:
        print(
            f"warning: of {without} of {count} no table of detections is there: "
            f"{_named(paired.without_table)}; they count as nothing detected; if no detector "
            "looked at them, sensitivity and false alarms a day are too low"
        )


def _show_left_out(left_out: Mapping[str, str]) -> None:
    by_reason: dict[str, list[str]] = {}
    for key, reason in left_out.items():
        by_reason.setdefault(reason, []).append(key)
    for reason, keys in by_reason.items():
        print(f"left out: {_named(keys)}: {reason}")


def _named(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
    return f"{', '.join(keys[:_NAMED])}{more}"
