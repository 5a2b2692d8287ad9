"""`secateur score`: events against a reference."""

from __future__ import annotations

from pathlib import Path

import typer


def score(
    reference: Path = typer.Argument(..., help="What is true: a TSV, or a tree of TSVs."),
    hypothesis: Path = typer.Argument(..., help="What was detected: a TSV, or a tree of TSVs."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON instead of a table."),
) -> None:
    """Score by event and by sample, the SzCORE way.

    Two TSV files, or two folders whose tables of events are paired by name (other TSVs are passed over);
    counts are summed over recordings.

    Example: `secateur score sub-01_events.tsv detected.tsv --json`
    """
    import json

    from secateur.cli.tables import number, print_table
    from secateur.scoring import TIMESCORING_VERSION, compare_all, pair_files

    pairs = pair_files(reference, hypothesis)
    silent = sum(1 for _, claimed in pairs.values() if not len(claimed))
    comparison = compare_all(pairs.values())
    if as_json:
        print(json.dumps(comparison.as_dict(), allow_nan=False))
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
        f"{len(pairs)} recording{'' if len(pairs) == 1 else 's'}, timescoring {TIMESCORING_VERSION}",
        ["", "by event", "by sample (1 Hz)"],
        [
            [label, number(by_event[key], digits), number(by_sample[key], digits)]
            for key, (label, digits) in names.items()
        ],
    )
    if silent:
        print(
            f"in {silent} of {len(pairs)} nothing was detected, or no file of detections is there"
        )
