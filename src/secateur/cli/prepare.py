"""`secateur prepare`: fill the cache ahead."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import typer

from secateur.cli.arguments import SeizureFree
from secateur.cli.flags import with_flags
from secateur.runs.settings import RunSettings
from secateur.settings import checked, put_over, read_toml


@with_flags(
    RunSettings, "montage", "notch", "missing", "rename", "gaps", "force", "labels", "reviewer"
)
def prepare(
    overrides: dict[str, Any],
    data: Path = typer.Argument(..., help="Folder of recordings, as for `secateur run`."),
    background: SeizureFree = False,
    config: Path | None = typer.Option(
        None,
        help="The TOML file that the run will get; its [chain], [reading] and [labels] count here.",
    ),
    workers: int = typer.Option(min(2, os.cpu_count() or 1), min=1, help="Processes at once."),
) -> None:
    """Run every recording through montage, resampling and filters and keep the outcome in the cache.

    Later runs with the same chain find it there. Tells what was left out, and why. Interrupted, it
    keeps what is finished. The cache is $SECATEUR_CACHE, else ~/.cache/secateur; it can be deleted at
    any time.

    Example: `secateur prepare chbmit --workers 2`
    """
    from secateur.cli.progress import progress_display
    from secateur.errors import CohortError
    from secateur.recordings import check_folder, load_cohort
    from secateur.windows import Cache, with_channels
    from secateur.windows.filling import fill

    tables = {} if config is None else read_toml(config)
    tables = {name: tables[name] for name in ("chain", "reading", "labels") if name in tables}
    put_over(tables, overrides, config)
    settings = checked(RunSettings, tables, config)
    cache = Cache()
    check_folder(data)
    with progress_display() as progress:
        progress.begin("prepare", None)
        cohort = load_cohort(
            data, reading=settings.reading, seizure_free=background, labels=settings.labels
        )
        filled = fill(
            cohort,
            with_channels(settings.chain, cohort),
            cache,
            workers,
            lambda done, of: progress.step("prepare", done, of, ""),
        )
        progress.end("prepare", f"{filled.recordings} recordings")
    reasons: dict[str, list[str]] = {}
    for problem in filled.problems:
        reasons.setdefault(problem.reason, []).append(problem.key)
    for reason, keys in reasons.items():
        print(f"left out: {', '.join(keys)}: {reason}")
    for note, keys in filled.notes.items():
        print(f"put right in {len(keys)} of {len(cohort)}: {note}")
    if not filled.recordings:
        raise CohortError(f"{data}: none of its {len(cohort)} recordings could be prepared")
    if filled.problems and settings.chain.missing == "error":
        print("where a channel is missing, `run` ends unless it gets --missing skip or zero")
    print(
        f"{cohort.name}: {filled.recordings} recordings, {filled.hours:.2f} h, "
        f"{filled.bytes / 1e6:,.1f} MB in {cache.folder}; {filled.written} of them made now"
    )
