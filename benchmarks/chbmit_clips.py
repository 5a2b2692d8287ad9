"""The table of examples/chbmit_clips.py, made from the clips themselves and from CHB-MIT's lists of seizures.

python -m benchmarks.chbmit_clips > examples/chbmit_clips.tsv

A clip begins at a seizure's first sample or 60 s after it. Where its description says that the seizure
could be another of the same record, every seizure of that length in the record yields a start.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import edfio

from examples.chbmit_clips import Clip, sha256_of_samples
from secateur.recordings.layouts.chbmit import read_summary

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def rows(
    clips: Path = DATA / "chbmit-clips", summaries: Path = DATA / "chbmit-summaries"
) -> list[Clip]:
    """A row for each clip in a folder of them, in the order of their names."""
    return [_row(path, summaries) for path in sorted(clips.rglob("*_eeg.edf"))]


def _row(path: Path, summaries: Path) -> Clip:
    description = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    name = path.name.removesuffix("_eeg.edf")
    events = path.with_name(f"{name}_events.tsv").read_text(encoding="utf-8").splitlines()
    (_, event_seconds, label, *_) = events[1].split("\t")
    record, start = description["SourceRecord"], round(description["SourceStart"])
    starts = [start]
    if description["SourceMapping"] == "ambiguous":
        after = 0 if label == "sz" else 60
        summary = read_summary(summaries / f"{record[:5]}-summary.txt")[Path(record).stem]
        (length,) = {end - onset for onset, end in summary if onset + after == start}
        starts = [round(onset) + after for onset, end in summary if end - onset == length]
    seconds = round(description["RecordingDuration"])
    sha256 = sha256_of_samples(edfio.read_edf(path), 0, seconds)
    written = ",".join(map(str, starts))
    return Clip(name, record, written, seconds, label, round(float(event_seconds)), sha256)


def table(clips: list[Clip]) -> str:
    """The table as it is committed."""
    return "".join("\t".join(map(str, row)) + "\n" for row in [Clip._fields, *clips])


if __name__ == "__main__":
    sys.stdout.write(table(rows()))
