"""What other packages' detectors of drift call on the patients of `drift_patients`: river and online-cp.

Each at its defaults; fed an hour at a time, less the mean of the same hour of the clock on the reference
days, or a day's mean of that at a time. The martingales' limit is Ville's for ten numbers together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from online_cp.martingale import SimpleJumper
from river.drift import ADWIN, KSWIN, PageHinkley

from benchmarks.guarantee.drift_patients import Kind, draw
from secateur.monitoring.drift import MOST_NUMBERS

PATIENTS, REFERENCE, MONTH = 10, 7, 30
KIND = Kind(0.3, 0.5)
SHIFT, WITHIN = 3.0, 7
_SIMPLE_JUMPER: Any = SimpleJumper  # has no types
LIMIT = float(np.log(MOST_NUMBERS / 0.05))

Stream = NDArray[np.float64]
"""One number's values in order: the reference's, then the month's."""

Detect = Callable[[Stream, int], list[int]]
"""From a stream and how many values of it are the reference's to the places of the alarms."""


def _river(make: Callable[[], Any]) -> Detect:
    def detect(stream: Stream, reference: int) -> list[int]:
        detector = make()
        alarms = []
        for place, value in enumerate(stream):
            detector.update(float(value))
            if detector.drift_detected and place >= reference:
                alarms.append(place)
        return alarms

    return detect


def _martingale(fixed: bool) -> Detect:
    """An alarm where the martingale is above Ville's limit for the first time.

    `fixed`: p-values against the reference alone, else against all that came before.
    """

    def detect(stream: Stream, reference: int) -> list[int]:
        martingale: Any = _SIMPLE_JUMPER(store_p_values=False)
        for place in range(reference if fixed else 1, len(stream)):
            before = stream[: reference if fixed else place]
            # Half of the value itself stands for a tie, in place of a random part of it.
            martingale.update(float(((before > stream[place]).sum() + 0.5) / (len(before) + 1)))
            if martingale.logM > LIMIT and place >= reference:
                return [place]
        return []

    return detect


DETECTORS: dict[str, Detect] = {
    "river ADWIN": _river(ADWIN),
    "river Page-Hinkley": _river(PageHinkley),
    "river KSWIN": _river(lambda: KSWIN(seed=0)),
    "online-cp SimpleJumper, online p-values": _martingale(fixed=False),
    "online-cp SimpleJumper, fixed reference": _martingale(fixed=True),
}


def alarms_of_others() -> dict[str, Any]:
    """Rows of the table, by detector and what it is fed with."""
    rows = []
    for fed, length in (("hours", 24), ("days", 1)):
        still = list(_streams(length, 0.0))
        shifted = list(_streams(length, SHIFT))
        for name, detect in DETECTORS.items():
            by_patient = [
                sum(len(detect(stream, REFERENCE * length)) for stream in patient)
                for patient in still
            ]
            last = (REFERENCE + WITHIN) * length
            seen = [
                any(place < last for place in detect(patient[0], REFERENCE * length))
                for patient in shifted
            ]
            rows.append(
                {
                    "name": name,
                    "fed": fed,
                    "patients": float(np.mean([count > 0 for count in by_patient])),
                    "alarms": float(np.mean(by_patient)),
                    "seen": float(np.mean(seen)),
                }
            )
            print(rows[-1], flush=True)
    design = {"patients": PATIENTS, "month": MONTH}
    return {"design": design, "rows": rows}


def _streams(length: int, shift: float) -> Iterator[list[Stream]]:
    """By patient, the streams of its numbers; `length` values a day."""
    generator = np.random.default_rng(11)
    values = draw(KIND, PATIENTS, REFERENCE + MONTH, REFERENCE, generator).astype(np.float64)
    values[:, REFERENCE:, :, 0] += shift
    values -= values[:, :REFERENCE].mean(axis=1, keepdims=True)
    if length == 1:
        values = values.mean(axis=2, keepdims=True)
    for patient in values:
        yield [patient[:, :, number].reshape(-1) for number in range(patient.shape[2])]
