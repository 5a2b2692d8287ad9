"""Weeks of a simulated patient, a day at a time: sleep and wake, days that differ, drifts with known truth.

A day is stretches around the clock, each a recording. Every day draws from a random stream of its own, so
that a day is the same whichever others are made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from secateur.errors import SettingsError
from secateur.recordings.simulated.artefacts import Nuisances
from secateur.recordings.simulated.background import SAMPLING_RATE, one_over_f, shaped_noise
from secateur.recordings.simulated.drifts import Drift, DriftSettings, check_drifts, drifts_of
from secateur.recordings.simulated.head import DISTANCES, index_of
from secateur.recordings.simulated.seizures import (
    Seizure,
    plan_seizures,
    simulate_seizures,
)
from secateur.recordings.simulated.subject import (
    FIRST_DAY,
    SimulatedRecording,
    Subject,
    add_seizures,
    as_recording,
    check_settings,
    draw_subject,
    simulate_brain,
    spoil,
    stream,
)

# In the names of random streams, where runs of ordinary recordings have their number.
_DAYS_STREAM, _SEIZURES_STREAM = 1_000_000, 1_000_001
_HOURLY_SPREAD = 0.15  # standard deviation of the logarithm of an hour's amplitudes
_DEPENDENCE = 0.5  # of an hour's amplitude on the hour before
_BEDTIME_SPREAD = 0.75  # hours, from day to day
_FALLING_ASLEEP = 0.25  # hours
_SEIZURES_A_DAY = (1.5, 5.0)  # least and most, in the stretches of a day
_HEAD_RADIUS = 83.0  # mm: 79 to 87 (Towle et al. 1993)
_EDGE = 12.0  # seconds without seizure at both ends of a stretch
_SHORTEST_STRETCH = 64  # seconds: a seizure of the shortest kind fits


@dataclass(frozen=True)
class LongTerm:
    """A cohort over days.

    `day_effect`: by how many hourly deviations whole days differ. `stretches`: recordings a day, evenly
    around the clock; `seconds`: of each. `drifts`: who changes when.
    """

    subjects: int
    days: int
    seed: int = 0
    drifts: tuple[DriftSettings, ...] = ()
    day_effect: float = 0.3
    stretches: int = 24
    seconds: int = 300

    def __post_init__(self) -> None:
        check_settings(1.0, self.seed)
        for name, least, most in (
            ("subjects", 1, 9999),
            ("days", 1, 9999),
            ("stretches", 1, 24),
            ("seconds", _SHORTEST_STRETCH, 3600),
        ):
            value = getattr(self, name)
            if not least <= value <= most:
                raise SettingsError(
                    f"a long-term cohort's {name} are {least} to {most}, got {value}"
                )
        if not 0 <= self.day_effect <= 5:
            raise SettingsError(f"a day effect is 0 to 5, got {self.day_effect}")
        check_drifts(self.drifts, self.subjects, self.days)

    def drifts_of(self, index: int) -> tuple[Drift, ...]:
        """The drifts of patient `index` (from 0)."""
        return drifts_of(self.drifts, index, self.subjects, self.seed)


class _Hours(NamedTuple):
    """A day by stretch: when each begins, how much of it is slept, and amplitudes against the subject's own.

    `amplitudes`: stretches × 3, of noise, alpha and slow waves.
    """

    starts: list[datetime]
    asleep: NDArray[np.float64]
    amplitudes: NDArray[np.float64]


def simulate_day(cohort: LongTerm, index: int, day: int) -> Iterator[SimulatedRecording]:
    """The recordings of a patient's day, in order, made one at a time.

    `index`: of the patient, from 0; `day`: from 1. Raises `SettingsError` at once where there is none such.
    """
    if not 0 <= index < cohort.subjects:
        raise SettingsError(f"patients are 0 to {cohort.subjects - 1}, got {index}")
    if not 1 <= day <= cohort.days:
        raise SettingsError(f"days are 1 to {cohort.days}, got {day}")
    return _recordings(cohort, index, day)


def _recordings(cohort: LongTerm, index: int, day: int) -> Iterator[SimulatedRecording]:
    subject = draw_subject(index, cohort.seed)
    drifts = cohort.drifts_of(index)
    generator = stream(cohort.seed, index, _DAYS_STREAM, day)
    hours = _draw_hours(cohort, index, day, generator)
    planned = plan_day(cohort, index, day)
    seizures_of_day = [seizure for seizures in planned for seizure in seizures]
    # All at once: the model takes as long for one as for all.
    ictal = iter(simulate_seizures(seizures_of_day, subject.ictogenesis, generator))
    for run, seizures in enumerate(planned):
        added = [next(ictal) for _ in seizures]
        own = stream(cohort.seed, index, _DAYS_STREAM, day, run)
        sleep = float(hours.asleep[run])
        now = _in_its_hour(_asleep(subject, sleep), hours.amplitudes[run])
        potential = simulate_brain(now, cohort.seconds * SAMPLING_RATE, own)
        _change_power(potential, drifts, day, 1 - sleep)
        add_seizures(potential, seizures, added)
        spoil(potential, _with_artefacts(now, _product(drifts, "artefacts", day)), own)
        _change_electrodes(potential, drifts, day, own)
        names = (f"{index + 1:02d}", f"{day:03d}", f"{run:02d}")
        pairs = list(zip(seizures, added, strict=True))
        yield as_recording(potential, subject, names, hours.starts[run], pairs)


def _draw_hours(cohort: LongTerm, index: int, day: int, generator: np.random.Generator) -> _Hours:
    """When a day's stretches are, who sleeps, and how amplitudes stand."""
    usual = stream(cohort.seed, index, _DAYS_STREAM)
    rises, rests = usual.uniform(6, 8), usual.uniform(21.5, 23.5)
    up = rises + _BEDTIME_SPREAD * generator.standard_normal()
    down = rests + _BEDTIME_SPREAD * generator.standard_normal()
    length = 24 / cohort.stretches
    spare = max(0, int(60 * length - cohort.seconds / 60))
    minutes = 60 * length * np.arange(cohort.stretches) + generator.integers(
        0, spare + 1, cohort.stretches
    )
    clock = minutes / 60 + cohort.seconds / 7200
    asleep = 1 / (1 + np.exp((clock - up) / (_FALLING_ASLEEP / 4)))
    asleep += 1 / (1 + np.exp((down - clock) / (_FALLING_ASLEEP / 4)))
    own = generator.standard_normal((cohort.stretches, 3))
    for hour in range(1, cohort.stretches):
        own[hour] = _DEPENDENCE * own[hour - 1] + np.sqrt(1 - _DEPENDENCE**2) * own[hour]
    whole_day = cohort.day_effect * generator.standard_normal(3)
    midnight = FIRST_DAY + timedelta(days=day - 1)
    starts = [midnight + timedelta(minutes=int(minute)) for minute in minutes]
    return _Hours(starts, np.minimum(asleep, 1), np.exp(_HOURLY_SPREAD * (own + whole_day)))


def plan_day(cohort: LongTerm, index: int, day: int) -> list[list[Seizure]]:
    """The seizures of each stretch of a patient's day, at most one in each, without their EEG."""
    subject, drifts = draw_subject(index, cohort.seed), cohort.drifts_of(index)
    usual = stream(cohort.seed, index, _SEIZURES_STREAM)
    generator = stream(cohort.seed, index, _SEIZURES_STREAM, day)
    rate = usual.uniform(*_SEIZURES_A_DAY) * _product(drifts, "seizure frequency", day)
    count = min(int(generator.poisson(rate)), cohort.stretches)
    seized = set(generator.permutation(cohort.stretches)[:count].tolist())
    reach = round(subject.ictogenesis.reach * _product(drifts, "seizure spread", day))
    ictogenesis = replace(subject.ictogenesis, reach=reach)
    longer = _product(drifts, "seizure length", day)
    return [
        [
            _lengthened(seizure, longer, cohort.seconds)
            for seizure in plan_seizures(ictogenesis, cohort.seconds, int(run in seized), generator)
        ]
        for run in range(cohort.stretches)
    ]


def _lengthened(seizure: Seizure, factor: float, seconds: int) -> Seizure:
    """The same seizure that lasts so much longer, as far as it fits; whole quarters of a second."""
    if factor == 1:
        return seizure
    duration = min(np.floor(4 * factor * seizure.duration) / 4, seconds - 2 * _EDGE)
    onset = min(seizure.onset, seconds - _EDGE - duration)
    return replace(
        seizure,
        onset=float(onset),
        duration=float(duration),
        delays=tuple(delay * duration / seizure.duration for delay in seizure.delays),
    )


def _asleep(subject: Subject, sleep: float) -> Subject:
    """A subject of whom a share of the time is slept: no alpha, more slow waves and spindles, few
    artefacts.
    """
    rhythms, spells = subject.rhythms, subject.look_alikes
    between = float(np.clip(sleep, 0, 1))
    rarer = {"chewing": 20.0, "flutter": 10.0, "rocking": 3.0, "tapping": 5.0, "drowsy": 2.0}
    pauses = {kind: 1 + (factor - 1) * between for kind, factor in rarer.items()}
    pauses["spindle"] = 8 - 7.3 * between
    return replace(
        subject,
        rhythms=replace(
            rhythms,
            noise_amplitude=rhythms.noise_amplitude * (1 + 0.3 * between),
            noise_exponent=rhythms.noise_exponent + 0.3 * between,
            alpha_amplitude=rhythms.alpha_amplitude * (1 - 0.85 * between),
            slow_amplitude=rhythms.slow_amplitude * (0.35 + 0.95 * between),
        ),
        nuisances=_rarer(subject.nuisances, 1 + 4 * between, 1 + 20 * between),
        look_alikes={
            kind: replace(spell, pause=spell.pause * pauses[kind]) for kind, spell in spells.items()
        },
    )


def _rarer(nuisances: Nuisances, factor: float, blinks: float) -> Nuisances:
    """Muscle and movement so many times rarer, and blinks."""
    return replace(
        nuisances,
        blink_pause=nuisances.blink_pause * blinks,
        muscle_pause=nuisances.muscle_pause * factor,
        movement_pause=nuisances.movement_pause * factor,
    )


def _in_its_hour(subject: Subject, amplitudes: NDArray[np.float64]) -> Subject:
    """A subject with amplitudes of noise, alpha and slow waves as they are in one hour, against their own."""
    rhythms, (noise, alpha, slow) = subject.rhythms, amplitudes.tolist()
    return replace(
        subject,
        rhythms=replace(
            rhythms,
            noise_amplitude=rhythms.noise_amplitude * noise,
            alpha_amplitude=rhythms.alpha_amplitude * alpha,
            slow_amplitude=rhythms.slow_amplitude * slow,
        ),
    )


def _with_artefacts(subject: Subject, often: float) -> Subject:
    """A subject whose muscle, movement, chewing, tapping and rocking come so many times as often."""
    if often == 1:
        return subject
    return replace(
        subject,
        nuisances=_rarer(subject.nuisances, 1 / often, 1.0),
        look_alikes={
            kind: replace(spell, pause=spell.pause / often)
            if kind in ("chewing", "tapping", "rocking")
            else spell
            for kind, spell in subject.look_alikes.items()
        },
    )


def _product(drifts: Sequence[Drift], kind: str, day: int) -> float:
    """By what all drifts of a kind multiply on a day."""
    return float(np.prod([drift.factor(day) for drift in drifts if drift.kind == kind]))


def _change_power(
    potential: NDArray[np.float32], drifts: Sequence[Drift], day: int, awake: float
) -> None:
    """What medication and months do to the brain's power, in place; potential in µV, 19 × samples.

    Power in every band and Teager energy go with the square of the amplitude. Medication counts `awake`.
    """
    medication = _product(drifts, "medication", day)
    if medication != 1:
        potential *= np.float32(np.sqrt(1 + (medication - 1) * awake))
    for drift in drifts:
        if drift.kind == "power" and drift.reached(day):
            potential[index_of(*drift.electrodes)] *= np.float32(np.sqrt(drift.factor(day)))


def _change_electrodes(
    potential: NDArray[np.float32],
    drifts: Sequence[Drift],
    day: int,
    generator: np.random.Generator,
) -> None:
    """What becomes of single electrodes, in place; potential in µV, 19 × samples."""
    for drift in drifts:
        reached = drift.reached(day)
        if not (drift.electrodes and reached):
            continue
        row = index_of(drift.electrodes[0])[0]
        if drift.kind == "gain":
            potential[row] *= np.float32(drift.factor(day))
        elif drift.kind == "impedance":
            # Skin potentials: slow, and the electrode's own.
            noise = shaped_noise(1, potential.shape[1], one_over_f(2.0), generator)[0]
            potential[row] += np.float32(drift.size * reached) * noise
        elif drift.kind == "moved":
            neighbour = int(np.argsort(DISTANCES[row])[1])
            way = drift.size * reached / (DISTANCES[row, neighbour] * _HEAD_RADIUS)
            share = np.float32(min(way, 1.0))
            potential[row] = (1 - share) * potential[row] + share * potential[neighbour]
