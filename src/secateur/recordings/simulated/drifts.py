"""What changes in a simulated patient over days, when and by how much: the file that says so, and its truth.

Sizes that a file leaves out come from published effects, listed in docs/explanation/drift.md with their
sources.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from pydantic import Field

from secateur.errors import SettingsError
from secateur.recordings.simulated.head import ELECTRODES
from secateur.settings import Settings, resolved

Kind = Literal[
    "gain",
    "impedance",
    "moved",
    "medication",
    "power",
    "seizure frequency",
    "seizure spread",
    "seizure length",
    "artefacts",
]

_POWER_SHARE = 0.55
"""Of the electrodes, whose power changes (Sun et al. 2018)."""


@dataclass(frozen=True)
class _Effect:
    """What a kind of drift is by default. `unit`: of its size; `least`, `most`: what a size may be."""

    size: float
    unit: str
    least: float
    most: float
    ramp: int = 0


_EFFECTS: dict[str, _Effect] = {
    "gain": _Effect(0.6, "times", 0.01, 100),
    "impedance": _Effect(15, "µV", 0.1, 500),
    "moved": _Effect(12.7, "mm", 0.1, 60),
    "medication": _Effect(-0.35, "of power", -0.95, 10, ramp=5),
    "power": _Effect(0.5, "of power", -0.95, 10, ramp=30),
    "seizure frequency": _Effect(2.75, "times", 0, 50),
    "seizure spread": _Effect(1.4, "times", 0.2, 4),
    "seizure length": _Effect(1.5, "times", 0.3, 3),
    "artefacts": _Effect(4, "times", 0.1, 50),
}


class DriftSettings(Settings):
    """One table `[[drift]]` of a file of drifts."""

    kind: Kind
    """What changes."""

    onset: int = Field(ge=1)
    """The first day, from 1, on which it has changed."""

    size: float | None = None
    """By how much in the end, in the unit of its kind; without it the published effect."""

    ramp: int | None = Field(default=None, ge=0)
    """Days until it has changed by the whole size; 0: at once."""

    subjects: tuple[int, ...] | None = None
    """Numbers of the patients, from 1; without it all of them."""

    share: float = Field(default=1.0, gt=0, le=1)
    """Of the patients, drawn by the seed, where `subjects` doesn't name them."""

    electrode: str | None = None
    """For gain, impedance and moved: which; without it one drawn for each patient."""


class DriftFile(Settings):
    """A file of drifts."""

    drift: tuple[DriftSettings, ...] = ()
    """Its tables, in order."""


@dataclass(frozen=True)
class Drift:
    """A drift of one patient.

    `onset`: the first changed day, from 1. `ramp`: days from there until `size` is reached. `electrodes`:
    which change, by name; none where it isn't of electrodes.
    """

    kind: Kind
    onset: int
    ramp: int
    size: float
    electrodes: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        """Of `size`."""
        return _EFFECTS[self.kind].unit

    def reached(self, day: int) -> float:
        """How far it has come on a day (from 1), 0 to 1."""
        return min(1.0, max(0.0, (day - self.onset + 1) / (self.ramp + 1)))

    def factor(self, day: int) -> float:
        """By what to multiply on a day, for sizes in times or of power: 1 before the onset."""
        final = self.size if self.unit == "times" else 1 + self.size
        return 1 + (final - 1) * self.reached(day)


def load_drifts(path: Path | str, subjects: int, days: int) -> tuple[DriftSettings, ...]:
    """The drifts that a TOML file names, for a cohort of so many subjects and days.

    Raises `SettingsError` for what the file can't mean, in one line.
    """
    drifts = resolved(DriftFile, Path(path)).drift
    check_drifts(drifts, subjects, days, f"{path}: ")
    return drifts


def check_drifts(
    drifts: Sequence[DriftSettings], subjects: int, days: int, where: str = ""
) -> None:
    """Raise `SettingsError` for drifts that no patient of the cohort could have."""
    for number, drift in enumerate(drifts, start=1):
        name = f"{where}drift {number} ({drift.kind})"
        effect = _EFFECTS[drift.kind]
        if drift.onset > days:
            raise SettingsError(f"{name}: onset on day {drift.onset}, but the cohort has {days}")
        if drift.size is not None and not effect.least <= drift.size <= effect.most:
            raise SettingsError(
                f"{name}: size is {effect.least:g} to {effect.most:g} ({effect.unit}), got {drift.size:g}"
            )
        for subject in drift.subjects or ():
            if not 1 <= subject <= subjects:
                raise SettingsError(f"{name}: subjects are 1 to {subjects}, got {subject}")
        if drift.electrode is not None and drift.kind not in ("gain", "impedance", "moved"):
            raise SettingsError(f"{name}: is not of one electrode, got {drift.electrode}")
        if drift.electrode is not None and drift.electrode not in ELECTRODES:
            raise SettingsError(
                f"{name}: electrodes are {', '.join(ELECTRODES)}, got {drift.electrode}"
            )


def drifts_of(
    drifts: Sequence[DriftSettings], index: int, subjects: int, seed: int
) -> tuple[Drift, ...]:
    """The drifts of patient `index` (from 0) in a cohort of this seed."""
    mine = []
    for number, settings in enumerate(drifts):
        # One stream for all patients says whom it befalls, another for each what befalls them.
        shared = np.random.default_rng([seed, 16, number])
        chosen = {int(k) + 1 for k in shared.permutation(subjects)[: _count(settings, subjects)]}
        if index + 1 in (chosen if settings.subjects is None else settings.subjects):
            generator = np.random.default_rng([seed, 17, number, index])
            mine.append(_drawn(settings, generator))
    return tuple(mine)


def _count(settings: DriftSettings, subjects: int) -> int:
    return max(1, round(settings.share * subjects))


def _drawn(settings: DriftSettings, generator: np.random.Generator) -> Drift:
    effect = _EFFECTS[settings.kind]
    count = {"gain": 1, "impedance": 1, "moved": 1, "power": round(_POWER_SHARE * len(ELECTRODES))}
    order = generator.permutation(len(ELECTRODES))[: count.get(settings.kind, 0)]
    electrodes = tuple(ELECTRODES[k] for k in sorted(order))
    return Drift(
        settings.kind,
        settings.onset,
        effect.ramp if settings.ramp is None else settings.ramp,
        effect.size if settings.size is None else settings.size,
        electrodes if settings.electrode is None else (settings.electrode,),
    )


KINDS: tuple[Kind, ...] = get_args(Kind)
