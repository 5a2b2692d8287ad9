"""What is known of a simulated seizure because it was made: where it begins, where it goes, its rhythm.

It stands in the sidecar of the recording, so that it is that of the version which simulated it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secateur.recordings.simulated.background import SAMPLING_RATE
from secateur.recordings.simulated.head import ELECTRODES
from secateur.recordings.simulated.seizures import Seizure

KEY = "SimulatedSeizures"
_HIGHEST = 45
"""Hz up to which power is told."""


@dataclass(frozen=True)
class SeizureTruth:
    """A simulated seizure: seconds from the recording's start, and electrodes of the 10-20 system.

    `first`: the electrode above the patch that begins. `reached`: all that it reaches, in their order, and
    after how many seconds (`delays`). `power`: shares of what it adds at the first electrode, by whole Hz.
    """

    onset: float
    duration: float
    first: str
    reached: tuple[str, ...]
    delays: tuple[float, ...]
    power: tuple[float, ...]

    @classmethod
    def of(cls, seizure: Seizure, added: NDArray[np.float32]) -> SeizureTruth:
        """`added`: what the seizure adds at the electrodes, µV, 19 × samples."""
        names = tuple(ELECTRODES[k] for k in seizure.electrodes)
        wave = added[seizure.electrodes[0]].astype(np.float64)
        spectrum = np.abs(np.fft.rfft(wave)) ** 2
        hertz = np.fft.rfftfreq(len(wave), 1 / SAMPLING_RATE)
        power, _ = np.histogram(hertz, np.arange(_HIGHEST + 1), weights=spectrum)
        shares = tuple(round(float(value), 4) for value in power / max(power.sum(), 1e-30))
        delays = tuple(round(delay, 2) for delay in seizure.delays)
        return cls(seizure.onset, seizure.duration, names[0], names, delays, shares)

    def as_json(self) -> dict[str, Any]:
        """For the sidecar."""
        return {
            "Onset": self.onset,
            "Duration": self.duration,
            "First": self.first,
            "Reached": list(self.reached),
            "Delays": list(self.delays),
            "PowerByHertz": list(self.power),
        }


def truth_of(recording: Path) -> tuple[SeizureTruth, ...]:
    """What the sidecar of a simulated recording says of its seizures; nothing where none says anything."""
    try:
        content = json.loads(recording.with_suffix(".json").read_text(encoding="utf-8"))
        return tuple(
            SeizureTruth(
                float(each["Onset"]),
                float(each["Duration"]),
                str(each["First"]),
                tuple(map(str, each["Reached"])),
                tuple(map(float, each["Delays"])),
                tuple(map(float, each["PowerByHertz"])),
            )
            for each in content.get(KEY, ())
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ()
