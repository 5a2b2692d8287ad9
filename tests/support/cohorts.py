"""Small cohorts written as real EDF files, for tests that need no people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import edfio
import numpy as np
from numpy.typing import NDArray

from secateur.events import Event, Events
from secateur.recordings.montage import BIPOLAR_18

CLIPS = Path(__file__).resolve().parents[3] / "shared" / "data" / "chbmit-clips"
LAYOUTS = CLIPS.parent / "layouts"

TINY_SETTINGS: dict[str, Any] = {
    "network.widths": [4, 6, 8],
    "training.epochs": 2,
    "training.windows_per_epoch": 320,
    "training.recalibration": 4,
    "training.averaging": 0.99,
    "training.augmentation.permute_channels": True,
    "training.augmentation.gain": 1.3,
    "training.augmentation.drop_channels": 3,
    "seed": 3,
}
"""A run of seconds, with what training can do beside its defaults."""

PATIENT = "Ludmilla Winterbottom"
"""Stands in every header written here, and may appear nowhere else."""


def write_edf(
    path: Path,
    data: NDArray[np.floating],
    labels: Sequence[str],
    *,
    rate: float = 256.0,
    unit: str = "uV",
) -> Path:
    """Channels × samples in `unit` as EDF+ with a patient's name and birth date in the header."""
    signals = [
        edfio.EdfSignal(
            np.asarray(row, dtype=np.float64),
            rate,
            label=label,
            physical_dimension=unit,
            physical_range=(min(-1.0, float(row.min())), max(1.0, float(row.max()))),
        )
        for row, label in zip(data, labels, strict=True)
    ]
    patient = edfio.Patient(code="X", name=PATIENT.replace(" ", "_"), birthdate=None)
    path.parent.mkdir(parents=True, exist_ok=True)
    edfio.Edf(signals, patient=patient).write(path)
    return path


def eeg(
    seconds: float,
    seizures: Sequence[tuple[float, float]],
    seed: int,
    *,
    channels: int = 18,
    rate: float = 256.0,
    rhythm: float = 60.0,
) -> NDArray[np.float64]:
    """Noise with a 5 Hz rhythm of so many µV during `seizures` (onset, end): channels × samples, µV."""
    generator = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    data = generator.normal(0, 20, (channels, len(time))).cumsum(axis=1) * 0.1
    data += generator.normal(0, 10, data.shape)
    for onset, end in seizures:
        inside = (time >= onset) & (time < end)
        data[:, inside] += rhythm * np.sin(2 * np.pi * 5 * time[inside])
    return np.asarray(data - data.mean(axis=1, keepdims=True))


def write_cohort(
    folder: Path,
    *,
    subjects: int = 6,
    seconds: float = 60.0,
    name: str = "Tiny cohort",
    seed: int = 0,
    rhythm: float = 60.0,
) -> Path:
    """A BIDS tree: `subjects` people with one recording and one seizure each; `rhythm`: its µV."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dataset_description.json").write_text(
        json.dumps({"Name": name, "BIDSVersion": "1.9.0", "Simulated": True})
    )
    for k in range(1, subjects + 1):
        stem = f"sub-{k:02d}_ses-01_task-szMonitoring_run-00"
        inner = folder / f"sub-{k:02d}" / "ses-01" / "eeg"
        onset = 10.0 + 3 * (k % 4)
        seizure = (onset, onset + 22.0)
        data = eeg(seconds, [seizure], seed + k, rhythm=rhythm)
        write_edf(inner / f"{stem}_eeg.edf", data, BIPOLAR_18)
        events = Events((Event(onset, 22.0),), seconds)
        events.write_tsv(inner / f"{stem}_events.tsv")
    return folder
