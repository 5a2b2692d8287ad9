"""`secateur simulate`: a cohort that anyone can have."""

from __future__ import annotations

from pathlib import Path

import typer


def simulate(
    out: Path = typer.Argument(
        ..., metavar="FOLDER", help="A folder that does not exist yet, or is empty."
    ),
    subjects: int = typer.Option(12, help="How many people."),
    hours: float | None = typer.Option(None, help="Hours for each subject (default: 0.1)."),
    seed: int = typer.Option(0, min=0, help="The same seed gives the same bytes."),
    days: int | None = typer.Option(
        None, help="Instead of hours: days, each of 24 recordings of 5 minutes around the clock."
    ),
    drift: Path | None = typer.Option(
        None, help="With --days: a TOML file that names who changes how and when."
    ),
) -> None:
    """Write a simulated cohort: BIDS, EDF+, seizures from a neural-mass model.

    It is for trying things out: what holds on it need not hold on people.

    Example: `secateur simulate cohort --subjects 12 --hours 0.1 --seed 1`
    """
    from secateur.cli.arguments import folder
    from secateur.cli.progress import progress_display
    from secateur.counts import plural
    from secateur.errors import SettingsError
    from secateur.recordings.simulated import (
        LongTerm,
        load_drifts,
        simulate_cohort,
        simulate_long_term,
    )

    if days is None and drift is not None:
        raise SettingsError(f"--drift {drift}: wants --days, over which something can drift")
    if days is not None and hours is not None:
        raise SettingsError(f"--hours {hours:g} and --days {days}: wanted one of them")
    hours = 0.1 if hours is None else hours
    long_term = None
    if days is not None:
        drifts = () if drift is None else load_drifts(drift, subjects, days)
        long_term = LongTerm(subjects, days, seed, drifts)
    target = folder(out, "")
    with progress_display() as progress:
        progress.begin("simulate", None)

        def show(done: int, of: int) -> None:
            progress.step("simulate", done, of, "")

        if long_term is None:
            written = simulate_cohort(target, subjects, hours, seed, show)
        else:
            written = simulate_long_term(target, long_term, show)
        progress.end("simulate", "")
    each = f"{hours:g} h" if days is None else plural(days, "day")
    print(f"simulated cohort of {plural(subjects, 'subject')}, {each} each: {written}")
