"""People recorded several times, for tests of earlier and later recordings."""

from __future__ import annotations

import json
from datetime import date, time, timedelta
from pathlib import Path

import edfio
import numpy as np

from secateur.events import Event, Events
from secateur.recordings.montage import BIPOLAR_18
from tests.support.cohorts import eeg

SECONDS = 40.0


def write_followed(
    folder: Path, *, subjects: int = 6, recordings: int = 4, later_seed: int = 0
) -> Path:
    """A BIDS tree: `subjects` people with so many recordings, one a day, each with a seizure; the last person
    has a single one. Names run against the days. `later_seed`: other signals and other seizures in the later
    half of everybody's recordings.
    """
    folder.mkdir(parents=True)
    (folder / "dataset_description.json").write_text(
        json.dumps({"Name": "Followed", "BIDSVersion": "1.9.0", "Simulated": True})
    )
    for person in range(1, subjects + 1):
        for day in range(1 if person == subjects else recordings):
            stem = f"sub-{person:02d}_ses-01_task-szMonitoring_run-{recordings - day:02d}"
            inner = folder / f"sub-{person:02d}" / "ses-01" / "eeg"
            inner.mkdir(parents=True, exist_ok=True)
            more = later_seed if day >= recordings // 2 else 0
            onset = 6.0 + (person + day + 3 * more) % 5
            data = eeg(SECONDS, [(onset, onset + 16)], 100 * person + day + 1000 * more)
            _write(inner / f"{stem}_eeg.edf", data, day)
            Events((Event(onset, 16.0),), SECONDS).write_tsv(inner / f"{stem}_events.tsv")
    return folder


def _write(path: Path, data: np.ndarray, day: int) -> None:
    signals = [
        edfio.EdfSignal(
            row,
            256.0,
            label=label,
            physical_dimension="uV",
            physical_range=(float(row.min()), float(row.max())),
        )
        for row, label in zip(data, BIPOLAR_18, strict=True)
    ]
    recorded = edfio.Recording(startdate=date(2020, 1, 1) + timedelta(days=day))
    edfio.Edf(signals, recording=recorded, starttime=time(9)).write(path)
