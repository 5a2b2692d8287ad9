"""What simulated weeks cost: processor seconds to make, write and sketch a patient's day.

    python -m benchmarks.speed.long_term

Two days each of three patients of configs/drift.toml, before and after their drifts, are made, written as
EDF+ into a folder that is dropped, and sketched without a detector. The table goes to
benchmarks/speed/long_term.md.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from secateur.events import Events
from secateur.files import write_whole
from secateur.monitoring.sketching import Sketcher
from secateur.recordings import map_montage
from secateur.recordings.simulated import (
    LongTerm,
    SimulatedRecording,
    load_drifts,
    simulate_day,
)
from secateur.recordings.simulated.cohort import write_edf

TABLE = Path(__file__).with_suffix(".md")
CONFIG = Path(__file__).parents[2] / "configs" / "drift.toml"
PATIENTS, MEASURED = (1, 8, 18), (5, 20)
SUBJECTS, DAYS = 20, 28
STEPS = ("make", "write as EDF+", "sketch")

PAGE = """# What simulated weeks cost

Command: `python -m benchmarks.speed.long_term`. Processor seconds of one core, mean over
{count} days of 24 recordings of 5 minutes.

| step | s a patient's day | min for {subjects} patients × {all_days} days |
|---|---|---|
"""


def main() -> None:
    ward = LongTerm(SUBJECTS, DAYS, drifts=load_drifts(CONFIG, SUBJECTS, DAYS))
    spent = np.mean(
        [_spent(ward, patient, day) for patient in PATIENTS for day in MEASURED], axis=0
    )
    page = PAGE.format(count=len(PATIENTS) * len(MEASURED), subjects=SUBJECTS, all_days=DAYS)
    for step, seconds in (*zip(STEPS, spent.tolist(), strict=True), ("all", float(spent.sum()))):
        page += f"| {step} | {seconds:.2f} | {seconds * SUBJECTS * DAYS / 60:.1f} |\n"
    print(page)
    write_whole(TABLE, page)


def _spent(ward: LongTerm, patient: int, day: int) -> list[float]:
    """Processor seconds of each step."""
    at = [time.process_time()]
    recordings = list(simulate_day(ward, patient, day))
    at.append(time.process_time())
    with tempfile.TemporaryDirectory() as folder:
        for recording in recordings:
            write_edf(Path(folder) / f"{recording.run}.edf", recording)
        at.append(time.process_time())
        for recording in recordings:
            _sketch(recording)
        at.append(time.process_time())
    return np.diff(at).tolist()


def _sketch(recording: SimulatedRecording) -> None:
    montage = map_montage(recording.channels)
    used = list(montage.used)
    labels = [recording.channels[k] for k in used]
    sketcher = Sketcher(labels, montage, recording.sampling_rate, recording.start)
    sketcher.push(0, recording.data[used])
    nothing = np.zeros(0)
    sketcher.finish(nothing, nothing, Events((), recording.events.duration), 0.5)


if __name__ == "__main__":
    main()
