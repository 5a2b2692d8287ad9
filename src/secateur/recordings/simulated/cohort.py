"""The simulated cohort on disk: a BIDS folder of EDF+ files with events, the same bytes for the same seed.

"Simulated" stands in the dataset's description, in every EDF header and beside every recording, so
that nobody takes these subjects for patients.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from secrets import token_hex

import edfio
import numpy as np

from secateur import __version__
from secateur.counts import plural
from secateur.errors import SettingsError
from secateur.files import write_json, write_whole
from secateur.recordings.simulated.background import SAMPLING_RATE
from secateur.recordings.simulated.head import ELECTRODES
from secateur.recordings.simulated.long_term import LongTerm, simulate_day
from secateur.recordings.simulated.subject import (
    FIRST_DAY,
    SimulatedRecording,
    check_settings,
    simulate_subject,
)
from secateur.recordings.simulated.truth import KEY

_TASK = "szMonitoring"
_RESOLUTION = 0.1  # µV a digital step: fine enough for scalp EEG, and ±3.2 mV fit
_LOWEST, _HIGHEST = -32768, 32767

_README = """This cohort is SIMULATED. Nobody was recorded.

Made by Secateur {version} with {amount} and the seed {seed}; the same
version, numbers and seed make the same files. Background: 1/f noise, alpha, slow waves, rhythms of
drowsiness, spindles. Artefacts: blinks, muscle, movement, electrode pops, line noise; chewing, tapped
electrodes, eyelid flutter and rocking, in rhythm. Seizures: neural masses after Wendling et al. (2002),
Eur J Neurosci 15:1499-1508, with spikes, spreading from a focus, mixed onto the electrodes. The background
has the band powers of seizures, and not their waveform.

It is meant for first runs, tests and demonstrations. A number measured on it says nothing of patients.
"""


def simulate_cohort(
    folder: Path,
    subjects: int,
    hours: float,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write a cohort of `subjects` simulated subjects with `hours` of EEG each; returns `folder`.

    `progress` is told how many subjects are done, and of how many, after each.

    The tree is made beside `folder` and renamed when it is complete. Raises `SettingsError` where
    `subjects` is under 1, `hours` is under 0.01 or not finite, `seed` is negative, or `folder` is
    there and not empty.
    """
    folder = Path(folder)
    if subjects < 1:
        raise SettingsError(f"a simulated cohort has 1 subject or more, got {subjects}")
    check_settings(hours, seed)
    with _whole_folder(folder) as beside:
        montages = []
        for index in range(subjects):
            kinds = {_write_recording(beside, run) for run in simulate_subject(index, hours, seed)}
            montages.append(kinds.pop())
            if progress is not None:
                progress(index + 1, subjects)
        amount = f"{plural(subjects, 'subject')} of {hours:g} h"
        _write_papers(beside, montages, amount, seed)
    return folder


def simulate_long_term(
    folder: Path, cohort: LongTerm, progress: Callable[[int, int], None] | None = None
) -> Path:
    """Write a cohort over days, a session a day, and `drift.tsv`, the truth of its drifts; returns `folder`.

    `progress` is told how many days are done, and of how many, after each.

    Raises `SettingsError` where `folder` is there and not empty, or its disk has not the room.
    """
    folder = Path(folder)
    with _whole_folder(folder) as beside:
        _check_room(beside, cohort)
        montages, done = [], 0
        for index in range(cohort.subjects):
            kinds = set()
            for day in range(1, cohort.days + 1):
                kinds |= {_write_recording(beside, run) for run in simulate_day(cohort, index, day)}
                done += 1
                if progress is not None:
                    progress(done, cohort.subjects * cohort.days)
            montages.append(kinds.pop())
        amount = (
            f"{plural(cohort.subjects, 'subject')} of {plural(cohort.days, 'day')}, "
            f"{plural(cohort.stretches, 'recording')} of "
            f"{cohort.seconds} s a day,"
        )
        _write_papers(beside, montages, amount, cohort.seed)
        write_whole(beside / "drift.tsv", drift_table(cohort))
    return folder


def drift_table(cohort: LongTerm) -> str:
    """The truth of a cohort's drifts as a table: who, what, from when on, how fast, by how much, where."""
    rows = [("participant_id", "kind", "onset", "date", "ramp", "size", "unit", "electrodes")]
    for index in range(cohort.subjects):
        for drift in cohort.drifts_of(index):
            date = (FIRST_DAY + timedelta(days=drift.onset - 1)).date().isoformat()
            what = (drift.kind, str(drift.onset), date, str(drift.ramp), f"{drift.size:g}")
            where = ",".join(drift.electrodes) or "n/a"
            rows.append((f"sub-{index + 1:02d}", *what, drift.unit, where))
    return "".join("\t".join(row) + "\n" for row in rows)


def _check_room(folder: Path, cohort: LongTerm) -> None:
    seconds = cohort.subjects * cohort.days * cohort.stretches * cohort.seconds
    needed = seconds * SAMPLING_RATE * len(ELECTRODES) * 2
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise SettingsError(
            f"{plural(cohort.subjects, 'subject')} of {plural(cohort.days, 'day')} take "
            f"{needed / 1e9:.1f} GB, and the disk has {free / 1e9:.1f} GB; "
            "take fewer, or make day by day in Python (simulate_day)"
        )


@contextmanager
def _whole_folder(folder: Path) -> Iterator[Path]:
    """A folder beside `folder` to fill; renamed to `folder` if the block ends without an error."""
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        what = "is not empty" if folder.is_dir() else "is a file"
        raise SettingsError(f"{folder}: {what}; a simulated cohort wants an empty or a new folder")
    target = folder.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.{token_hex(8)}.part")
    beside.mkdir()  # fails where another's has that name
    try:
        yield beside
        if target.exists():
            target.rmdir()  # empty, as seen above; not every system renames onto a folder
        beside.replace(target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _write_recording(root: Path, run: SimulatedRecording) -> str:
    """One run: EDF, events and description. Returns the kind of its reference."""
    folder = root / f"sub-{run.subject}" / f"ses-{run.session}" / "eeg"
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"sub-{run.subject}_ses-{run.session}_task-{_TASK}_run-{run.run}"
    write_edf(folder / f"{stem}_eeg.edf", run)
    run.events.write_tsv(folder / f"{stem}_events.tsv")
    write_json(
        folder / f"{stem}_eeg.json",
        {
            "TaskName": _TASK,
            "SamplingFrequency": run.sampling_rate,
            "PowerLineFrequency": run.line_frequency,
            "EEGReference": run.reference,
            "EEGChannelCount": len(run.channels),
            "SoftwareFilters": "n/a",
            "RecordingDuration": run.events.duration,
            "Manufacturer": "Secateur (simulated)",
            "Simulated": True,
            KEY: [truth.as_json() for truth in run.truth],
        },
    )
    return run.reference


def write_edf(path: Path, run: SimulatedRecording) -> None:
    """Write a run as EDF+ with its seizures as annotations; 16 bits, records of one second."""
    signals = [
        edfio.EdfSignal.from_digital(
            np.clip(np.rint(row / np.float32(_RESOLUTION)), _LOWEST, _HIGHEST).astype(np.int16),
            run.sampling_rate,
            label=name,
            transducer_type="simulated electrode",
            physical_dimension="uV",
            physical_range=(_LOWEST * _RESOLUTION, _HIGHEST * _RESOLUTION),
            digital_range=(_LOWEST, _HIGHEST),
        )
        for name, row in zip(run.channels, run.data, strict=True)
    ]
    edfio.Edf(
        signals,
        patient=edfio.Patient(),
        recording=edfio.Recording(
            startdate=run.start.date(), equipment_code="simulated", additional=("Secateur",)
        ),
        starttime=run.start.time(),
        data_record_duration=1,
        annotations=[
            edfio.EdfAnnotation(event.onset, event.duration, event.kind) for event in run.events
        ],
    ).write(path)


def _write_papers(root: Path, references: list[str], amount: str, seed: int) -> None:
    """The files at the top of the tree."""
    write_json(
        root / "dataset_description.json",
        {
            "Name": f"Secateur simulated cohort, seed {seed}",
            "BIDSVersion": "1.9.0",
            "DatasetType": "raw",
            "Simulated": True,
            "GeneratedBy": [{"Name": "secateur", "Version": __version__}],
        },
    )
    rows = [f"sub-{index:02d}\t{kind}" for index, kind in enumerate(references, start=1)]
    write_whole(root / "participants.tsv", "\n".join(["participant_id\treference", *rows]) + "\n")
    write_json(
        root / "participants.json",
        {"reference": {"Description": "What the simulated channels are measured against"}},
    )
    write_whole(
        root / "README",
        _README.format(version=__version__, amount=amount, seed=seed),
    )
