"""The seizure clips that studies here use, cut from CHB-MIT as PhysioNet hands it out.

python examples/chbmit_clips.py CHB-MIT OUT

CHB-MIT: the data set's folder (https://physionet.org/content/chbmit/1.0.0/), or as much of it as is there;
only the 95 records in chbmit_clips.tsv are needed. OUT: where the clips come to lie, as BIDS.
A clip is written only if the SHA-256 of its samples is the table's. Where a record has two seizures of the
same length, the table holds two starts, and the hash says which is the clip's.
"""

from __future__ import annotations

import csv
import hashlib
import sys
from pathlib import Path
from typing import NamedTuple

import edfio

from secateur.files import write_json, write_whole

TABLE = Path(__file__).with_suffix(".tsv")
_DESCRIPTION = {
    "Name": "CHB-MIT seizure clips",
    "BIDSVersion": "1.9.0",
    "DatasetType": "raw",
    "License": "ODC-By 1.0",
    "ReferencesAndLinks": ["https://doi.org/10.13026/C2K01R"],
}
_EVENTS = "onset\tduration\teventType\tconfidence\tchannels\tdateTime\trecordingDuration\n"


class Clip(NamedTuple):
    """A row of the table. Times in seconds; `label` holds for the first `event_seconds`."""

    clip: str
    record: str
    starts: str
    seconds: int
    label: str
    event_seconds: int
    sha256: str


def read_table(path: Path = TABLE) -> list[Clip]:
    """The table's rows."""
    with path.open(encoding="utf-8", newline="") as file:
        _, *rows = csv.reader(file, delimiter="\t")
    return [
        Clip(clip, record, starts, int(seconds), label, int(event_seconds), sha256)
        for clip, record, starts, seconds, label, event_seconds, sha256 in rows
    ]


def sha256_of_samples(edf: edfio.Edf, start: int, seconds: int) -> str:
    """The hash of digital values as they are stored (int16, little-endian), one signal after the other."""
    digest = hashlib.sha256()
    for signal in edf.signals:
        digest.update(signal.get_digital_slice(start, start + seconds).astype("<i2").tobytes())
    return digest.hexdigest()


def cut(clip: Clip, record: Path, out: Path) -> bool:
    """Write a clip with its events and description. False if no start in the table yields its hash."""
    edf = edfio.read_edf(record)
    starts = [int(start) for start in clip.starts.split(",")]
    inside = [start for start in starts if start + clip.seconds <= edf.duration]
    hashes = {sha256_of_samples(edf, start, clip.seconds): start for start in inside}
    if clip.sha256 not in hashes:
        return False
    start, begun = hashes[clip.sha256], edf.startdatetime
    edf.slice_between_seconds(start, start + clip.seconds)
    edf.startdate, edf.starttime = begun.date(), begun.time()  # headers stay as recorded
    subject, session = clip.clip.split("_")[:2]
    stem = out / subject / session / "eeg" / clip.clip
    stem.parent.mkdir(parents=True, exist_ok=True)
    edf.write(stem.with_name(f"{clip.clip}_eeg.edf"))
    row = f"0.00\t{clip.event_seconds:.2f}\t{clip.label}\tn/a\tall\t{begun}\t{clip.seconds:.2f}\n"
    write_whole(stem.with_name(f"{clip.clip}_events.tsv"), _EVENTS + row)
    description = {
        "TaskName": "szMonitoring",
        "SamplingFrequency": 256,
        "PowerLineFrequency": 60,
        "EEGReference": "n/a",
        "SoftwareFilters": "n/a",
        "RecordingDuration": float(clip.seconds),
        "SourceRecord": clip.record,
        "SourceStart": float(start),
        "SourceMapping": "unique",
    }
    write_json(stem.with_name(f"{clip.clip}_eeg.json"), description)
    return True


def main(chbmit: Path, out: Path, table: Path = TABLE) -> int:
    """Cut the clips of every record that is there, and say what is lacking. Returns the exit code."""
    clips = read_table(table)
    lacking, differing = [], []
    for clip in clips:
        record = chbmit / clip.record[:5] / clip.record
        if not record.is_file():
            lacking.append(f"{record}: not there, wanted for {clip.clip}")
        elif not cut(clip, record, out):
            differing.append(f"{record}: no second of {clip.starts} has the samples of {clip.clip}")
    cases: dict[str, set[str]] = {}
    for clip in clips:
        cases.setdefault(clip.clip.split("_")[0], set()).add(clip.record[:5])
    rows = [f"{subject}\t{','.join(sorted(names))}\n" for subject, names in sorted(cases.items())]
    write_whole(out / "participants.tsv", "participant_id\tsource_cases\n" + "".join(rows))
    write_json(out / "dataset_description.json", _DESCRIPTION)
    for line in [*lacking, *differing]:
        print(line, file=sys.stderr)
    print(f"{len(clips) - len(lacking) - len(differing)} of {len(clips)} clips are in {out}")
    return 1 if lacking or differing else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
