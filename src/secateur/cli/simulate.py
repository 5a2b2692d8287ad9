"""`secateur simulate`: a cohort that anyone can have."""

from __future__ import annotations

from pathlib import Path

import typer


def simulate(
    folder: Path = typer.Argument(..., help="A folder that does not exist yet, or is empty."),
    subjects: int = typer.Option(12, help="How many people."),
    hours: float = typer.Option(0.1, help="Hours for each subject."),
    seed: int = typer.Option(0, min=0, help="The same seed gives the same bytes."),
) -> None:
    """Write a simulated cohort: BIDS, EDF+, seizures from a neural-mass model.

    It is for trying things out: what holds on it need not hold on people.

    Example: `secateur simulate cohort --subjects 12 --hours 0.1 --seed 1`
    """
    from secateur.cli.progress import progress_display
    from secateur.recordings.simulated import simulate_cohort

    with progress_display() as progress:
        written = simulate_cohort(
            folder,
            subjects,
            hours,
            seed,
            lambda done, of: progress.step("simulate", done, of, ""),
        )
        progress.end("simulate", "")
    print(f"simulated cohort of {subjects} subjects, {hours:g} h each: {written}")
