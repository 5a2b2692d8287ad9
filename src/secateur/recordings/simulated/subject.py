"""A simulated subject: who they are, and their recordings, run by run.

Every subject draws from a random stream named by (seed, index) and every run from one named by
(seed, index, run), so subject k is the same whoever else is in the cohort.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from secateur.errors import SettingsError
from secateur.events import Event, Events
from secateur.recordings.simulated.artefacts import Nuisances, add_artefacts, draw_nuisances
from secateur.recordings.simulated.background import (
    SAMPLING_RATE,
    Rhythms,
    draw_rhythms,
    simulate_background,
)
from secateur.recordings.simulated.head import Montage, draw_montage
from secateur.recordings.simulated.look_alikes import (
    ARTEFACTS,
    BRAIN,
    Spell,
    add_look_alikes,
    draw_look_alikes,
)
from secateur.recordings.simulated.seizures import (
    Ictogenesis,
    Seizure,
    draw_ictogenesis,
    hush,
    plan_seizures,
    simulate_seizures,
)
from secateur.recordings.simulated.truth import SeizureTruth

SHORTEST_HOURS = 0.01
"""Hours a subject must have at least: a handful of windows."""

FIRST_DAY = datetime(2000, 1, 1)
"""When the first subject's first recording begins."""

_LONGEST_RUN = 3600  # seconds


@dataclass(frozen=True)
class SimulatedRecording:
    """One run of a simulated subject.

    `data` is in µV, float32, of shape (channels, samples). `subject`, `run` and `session` are BIDS labels;
    `reference` is "bipolar" or "common reference"; `line_frequency` in Hz. `truth`: of each seizure.
    """

    subject: str
    run: str
    channels: tuple[str, ...]
    data: NDArray[np.float32]
    sampling_rate: int
    events: Events
    start: datetime
    reference: str
    line_frequency: int
    truth: tuple[SeizureTruth, ...] = ()
    session: str = "01"


@dataclass(frozen=True)
class Subject:
    """All that stays the same from one run of a subject to the next."""

    montage: Montage
    rhythms: Rhythms
    nuisances: Nuisances
    ictogenesis: Ictogenesis
    look_alikes: Mapping[str, Spell]


def draw_subject(index: int, seed: int) -> Subject:
    """Subject `index` (from 0) of the cohort of this seed."""
    generator = stream(seed, index)
    # Every third is referential, beginning at a place that depends on the seed: three subjects
    # are enough to have both.
    kind = "referential" if (index + seed) % 3 == 2 else "bipolar"
    return Subject(
        draw_montage(kind, generator),
        draw_rhythms(generator),
        draw_nuisances(generator),
        draw_ictogenesis(generator),
        draw_look_alikes(generator),
    )


def simulate_subject(index: int, hours: float, seed: int) -> Iterator[SimulatedRecording]:
    """The runs of subject `index` (from 0; subject 0 is sub-01), in order, made one at a time.

    `hours` in all, in equal runs of at most one. From 0.05 h up there is at least one whole seizure.

    Raises `SettingsError` at once where `index`, `hours` or `seed` cannot be meant.
    """
    check_settings(hours, seed)
    if index < 0:
        raise SettingsError(f"a simulated subject's index is 0 or more, got {index}")
    return _runs(index, hours, seed)


def check_settings(hours: float, seed: int) -> None:
    """Raise `SettingsError` where a subject of so many hours or of this seed cannot be made."""
    if not (math.isfinite(hours) and hours >= SHORTEST_HOURS):
        raise SettingsError(
            f"a simulated subject has a finite number of hours, {SHORTEST_HOURS} or more, got {hours}"
        )
    if seed < 0:
        raise SettingsError(f"a seed is a whole number, 0 or more, got {seed}")


def _runs(index: int, hours: float, seed: int) -> Iterator[SimulatedRecording]:
    subject = draw_subject(index, seed)
    start = FIRST_DAY + timedelta(days=index % 3650)  # EDF's dates end in 2084
    for run, seconds in enumerate(_lengths(hours)):
        generator = stream(seed, index, run)
        yield _simulate_run(subject, seconds, (index, run), start, generator)
        start += timedelta(seconds=seconds)


def stream(seed: int, *names: int) -> np.random.Generator:
    """The random stream of this seed and these names."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=names)))


def _lengths(hours: float) -> list[int]:
    """Whole seconds of each run, as equal as can be."""
    seconds = round(hours * 3600)
    runs = math.ceil(seconds / _LONGEST_RUN)
    return [seconds // runs + (run < seconds % runs) for run in range(runs)]


def _seizure_count(seconds: int, run: int, generator: np.random.Generator) -> int:
    """How many seizures a run has: rare in long runs, dense in short ones so that they can teach."""
    pause = float(np.interp(seconds, (360, 3600), (180, 1500)))
    count = int(seconds / pause + generator.random())
    return max(count, 1) if run == 0 else count


def _simulate_run(
    subject: Subject,
    seconds: int,
    indices: tuple[int, int],
    start: datetime,
    generator: np.random.Generator,
) -> SimulatedRecording:
    """One run: seizures over a background that they hush, artefacts over all, then montage."""
    index, run = indices
    count = _seizure_count(seconds, run, generator)
    seizures = plan_seizures(subject.ictogenesis, seconds, count, generator)
    potential = simulate_brain(subject, seconds * SAMPLING_RATE, generator)
    added = simulate_seizures(seizures, subject.ictogenesis, generator)
    add_seizures(potential, seizures, added)
    spoil(potential, subject, generator)
    names = (f"{index + 1:02d}", "01", f"{run:02d}")
    return as_recording(potential, subject, names, start, list(zip(seizures, added, strict=True)))


def simulate_brain(
    subject: Subject, samples: int, generator: np.random.Generator
) -> NDArray[np.float32]:
    """What a brain without seizures gives at the electrodes, µV, shape (19, samples)."""
    potential = simulate_background(subject.rhythms, samples, generator)
    add_look_alikes(potential, subject.look_alikes, BRAIN, generator)
    return potential


def add_seizures(
    potential: NDArray[np.float32],
    seizures: Sequence[Seizure],
    added: Sequence[NDArray[np.float32]],
) -> None:
    """Lay seizures over a background that they hush, in place; `added`: of each, µV, shape (19, n)."""
    for seizure, ictal in zip(seizures, added, strict=True):
        first = int(seizure.onset * SAMPLING_RATE)
        stretch = potential[:, first : first + ictal.shape[1]]
        stretch *= hush(seizure)
        stretch += ictal


def spoil(potential: NDArray[np.float32], subject: Subject, generator: np.random.Generator) -> None:
    """Add all that is not of the brain, in place."""
    add_artefacts(potential, subject.nuisances, generator)
    add_look_alikes(potential, subject.look_alikes, ARTEFACTS, generator)


def as_recording(
    potential: NDArray[np.float32],
    subject: Subject,
    names: tuple[str, str, str],
    start: datetime,
    seizures: Sequence[tuple[Seizure, NDArray[np.float32]]],
) -> SimulatedRecording:
    """A recording in the subject's montage. `names`: labels of subject, session and run; `seizures`: each
    with what it added at the electrodes.
    """
    events = tuple(Event(seizure.onset, seizure.duration) for seizure, _ in seizures)
    return SimulatedRecording(
        subject=names[0],
        run=names[2],
        channels=subject.montage.channels,
        data=subject.montage.matrix @ potential,
        sampling_rate=SAMPLING_RATE,
        events=Events(events, potential.shape[1] / SAMPLING_RATE, start),
        start=start,
        reference="bipolar" if subject.montage.kind == "bipolar" else "common reference",
        line_frequency=subject.nuisances.line_frequency,
        truth=tuple(SeizureTruth.of(seizure, ictal) for seizure, ictal in seizures),
        session=names[1],
    )
