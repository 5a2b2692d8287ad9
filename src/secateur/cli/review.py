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
        None, help="Folder of TSVs, as `secateur detect` writes it: the events to look at."
    ),
    reviewer: str = typer.Option("", metavar="INITIALS", help="Who has the last word."),
    host: str = typer.Option(
        "127.0.0.1", help="The address to listen on; anything else lets other machines in."
    ),
    port: int = typer.Option(8571, min=0, max=65535, help="The port; 0: any that is free."),
) -> None:
    """Look at EEG and events in a browser; accept, reject and correct them.

    The page is served on this machine alone, at the address that is printed; Ctrl-C ends it.

    Example: `secateur review recordings --detector pruned.onnx --reviewer AB`
    """
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
    serve(session, host, port, lambda address: print(f"open {address}", flush=True))
