"""`secateur review`: look at recordings and their events on a page, and have the last word."""

from __future__ import annotations

import sys
from pathlib import Path

import typer


def review(
    folder: Path = typer.Argument(..., help="Folder of recordings, or a recording."),
    detector: Path | None = typer.Option(
        None,
        help="A detector's file: its probability is shown, and its events where none are given.",
    ),
    events: Path | None = typer.Option(
        None,
        help="Folder of TSVs, as `secateur detect` or `secateur live` writes it, or one recording's TSV: the "
        "events to look at.",
    ),
    reviewer: str = typer.Option("", metavar="INITIALS", help="Who has the last word."),
    host: str = typer.Option(
        "127.0.0.1", help="The address to listen on; anything else lets other machines in."
    ),
    port: int = typer.Option(8571, min=0, max=65535, help="The port; 0: any that is free."),
    agreement: bool = typer.Option(
        False,
        "--agreement",
        help="Serve nothing; print how far machine and reviewers agree, from the reviewed tables in FOLDER.",
    ),
    as_json: bool = typer.Option(False, "--json", help="With --agreement: JSON instead of tables."),
) -> None:
    """Look at EEG and events in a browser; accept, reject and correct them.

    The page is served on this machine alone, at the address that is printed; Ctrl-C ends it.

    Examples: `secateur review recordings --detector pruned.onnx --reviewer AB`;
    `secateur review recordings --agreement`
    """
    if agreement:
        _agreement(folder, as_json)
        return
    if as_json:
        raise typer.BadParameter("--json goes with --agreement")
    from secateur.errors import MissingExtraError

    try:
        from secateur.review.serving import serve
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in ("starlette", "uvicorn", "anyio"):
            raise
        raise MissingExtraError(package, "review", "the page") from None
    from secateur.explaining.detector import load_detector
    from secateur.review.folder import RecordingsFolder
    from secateur.review.session import ReviewSession

    recordings = RecordingsFolder(folder)
    if not recordings.is_writable:
        print(
            f"secateur: warning: {folder} is read-only: what you say of its events can't be kept",
            file=sys.stderr,
        )
    network = None if detector is None else load_detector(detector)
    session = ReviewSession(recordings, network, events, reviewer)
    if events is not None and not session.fits_tables():
        print(
            f"secateur: warning: {events} holds no table of a recording in {folder} (night_events.tsv of "
            "night.edf, say): events will be the detector's, or none",
            file=sys.stderr,
        )
    serve(session, host, port, lambda address: print(f"open {address}", flush=True))


def _agreement(folder: Path, as_json: bool) -> None:
    """How far machine and reviewers agree, and reviewers among themselves."""
    import json

    from secateur.cli.tables import number, print_table
    from secateur.review.agreement import agreement_in
    from secateur.scoring import TIMESCORING_VERSION

    agreement = agreement_in(folder)
    if as_json:
        print(json.dumps(agreement.as_dict(), allow_nan=False))
        return
    rows = []
    for reviewer, own in agreement.by_reviewer.items():
        counts = (own.recordings, own.complete, own.events, own.open, own.kept, own.moved,
                  own.rejected, own.added)  # fmt: skip
        hours, rate = number(own.complete_seconds / 3600, 2), number(own.false_alarms_a_day, 1)
        rows.append([reviewer or "(no initials)", *(f"{count}" for count in counts), hours, rate])
    print_table(
        "machine and reviewers",
        ["reviewer", "recordings", "to the end", "events", "open", "kept", "moved", "rejected", "added",
         "hours to the end", "false alarms a day"],
        rows,
    )  # fmt: skip
    if agreement.pairs:
        print_table(
            f"the second reviewer scored against the first, by event, timescoring {TIMESCORING_VERSION}",
            ["first, second", "recordings", "first's", "found", "second's alone", "sensitivity",
             "precision", "F1"],
            [
                [f"{pair.first or '-'}, {pair.second or '-'}", f"{pair.recordings}", f"{score.ref}",
                 f"{score.tp}", f"{score.fp}", number(score.sensitivity), number(score.precision),
                 number(score.f1)]
                for pair in agreement.pairs
                for score in (pair.score.events,)
            ],
        )  # fmt: skip
        print(
            "recordings that both have reviewed to the end; Cohen's kappa is not defined for events"
        )
    for problem in agreement.problems:
        print(f"left out: {problem}")
