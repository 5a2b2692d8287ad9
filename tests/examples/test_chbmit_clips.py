"""Clips cut from made-up records by a made-up table; the committed table against the real clips."""

from __future__ import annotations

import datetime
import hashlib
import json
from pathlib import Path

import edfio
import numpy as np
import pytest

from benchmarks.chbmit_clips import rows, table
from examples.chbmit_clips import TABLE, Clip, main, read_table, sha256_of_samples
from secateur.events import read_tsv
from secateur.recordings import open_recording

RATE = 256


def write_record(folder: Path, name: str, seed: int, seconds: int = 40) -> np.ndarray:
    """A record in PhysioNet's folders, with a channel that stands twice and a dummy; its digital values."""
    values = np.random.default_rng(seed).integers(-2048, 2048, (4, seconds * RATE), np.int16)
    values[2] = 0
    signals = [
        edfio.EdfSignal.from_digital(
            row,
            RATE,
            label=label,
            physical_dimension=unit,
            physical_range=(-800, 800),
            digital_range=(-2048, 2047),
        )
        for row, label, unit in zip(
            values, ("FP1-F7", "T8-P8", "-", "T8-P8"), ("uV", "uV", "", "uV"), strict=True
        )
    ]
    path = folder / name[:5] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    edfio.Edf(
        signals,
        recording=edfio.Recording(startdate=datetime.date(2076, 11, 6)),
        starttime=datetime.time(13, 43, 4),
        data_record_duration=1,
    ).write(path)
    return values


def clip_of(values: np.ndarray, start: int, seconds: int, **other: object) -> Clip:
    samples = values[:, start * RATE : (start + seconds) * RATE]
    row = {
        "clip": "sub-01_ses-01_task-szMonitoring_run-00",
        "record": "chb01_03.edf",
        "starts": str(start),
        "seconds": seconds,
        "label": "sz",
        "event_seconds": 5,
        "sha256": hashlib.sha256(samples.astype("<i2").tobytes()).hexdigest(),
    }
    return Clip(**{**row, **other})  # type: ignore[arg-type]


def write_table(path: Path, clips: list[Clip]) -> Path:
    path.write_text(table(clips), encoding="utf-8")
    return path


def test_a_clip_is_the_seconds_of_its_record(tmp_path: Path) -> None:
    values = write_record(tmp_path / "chbmit", "chb01_03.edf", 0)
    clips = write_table(tmp_path / "table.tsv", [clip_of(values, 7, 9)])
    assert main(tmp_path / "chbmit", tmp_path / "clips", clips) == 0
    (path,) = (tmp_path / "clips").rglob("*.edf")
    assert str(path.relative_to(tmp_path / "clips").parent) == "sub-01/ses-01/eeg"
    edf = edfio.read_edf(path)
    assert edf.labels == ("FP1-F7", "T8-P8", "-", "T8-P8")
    np.testing.assert_array_equal(
        [signal.digital for signal in edf.signals], values[:, 7 * RATE : 16 * RATE]
    )
    events = read_tsv(path.with_name(path.name.replace("_eeg.edf", "_events.tsv")))
    assert [(event.onset, event.end) for event in events] == [(0, 5)]
    assert events.duration == 9
    assert json.loads(path.with_suffix(".json").read_text())["SourceStart"] == 7
    assert (
        open_recording(path).start == open_recording(tmp_path / "chbmit/chb01/chb01_03.edf").start
    )


def test_of_two_starts_the_hash_decides(tmp_path: Path) -> None:
    values = write_record(tmp_path / "chbmit", "chb21_01.edf", 1)
    clips = [
        clip_of(
            values,
            start,
            6,
            record="chb21_01.edf",
            starts="3,20,39",
            clip=f"sub-01_ses-02_run-{start}",
        )
        for start in (20, 3)
    ]
    assert (
        main(tmp_path / "chbmit", tmp_path / "clips", write_table(tmp_path / "t.tsv", clips)) == 0
    )
    for start in (3, 20):
        (path,) = (tmp_path / "clips").rglob(f"*run-{start}_eeg.json")
        assert json.loads(path.read_text())["SourceStart"] == start
    people = (tmp_path / "clips" / "participants.tsv").read_text().splitlines()
    assert people == ["participant_id\tsource_cases", "sub-01\tchb21"]


def test_other_samples_and_missing_records_are_told_and_not_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = write_record(tmp_path / "chbmit", "chb01_03.edf", 2)
    clips = [
        clip_of(values, 7, 9, starts="8"),
        clip_of(values, 7, 9, clip="sub-01_ses-01_run-01"),
        clip_of(values, 7, 9, clip="sub-02_ses-01_run-00", record="chb02_16+.edf"),
    ]
    assert (
        main(tmp_path / "chbmit", tmp_path / "clips", write_table(tmp_path / "t.tsv", clips)) == 1
    )
    printed = capsys.readouterr()
    assert "no second of 8 has the samples of sub-01_ses-01_task" in printed.err
    assert "chb02/chb02_16+.edf: not there" in printed.err
    assert printed.out.startswith("1 of 3 clips are in")
    assert [path.name for path in (tmp_path / "clips").rglob("*.edf")] == [
        "sub-01_ses-01_run-01_eeg.edf"
    ]


def test_the_committed_table_is_what_its_command_makes_of_the_clips(clips: Path) -> None:
    made = rows(clips, clips.parent / "chbmit-summaries")
    assert table(made) == TABLE.read_text(encoding="utf-8")
    assert len(made) == 223
    assert len({row.record for row in made}) == 95


@pytest.mark.parametrize("subject", ["sub-03", "sub-12", "sub-15"])
def test_real_headers_are_kept_as_recorded(clips: Path, tmp_path: Path, subject: str) -> None:
    """A clip laid into a longer record comes out again; some have dummies, or labels that stand twice."""
    row = next(row for row in read_table() if row.clip.startswith(subject))
    (path,) = clips.rglob(f"{row.clip}_eeg.edf")
    edf = edfio.read_edf(path)
    longer = [
        edfio.EdfSignal.from_digital(
            np.pad(signal.digital, (10 * RATE, 5 * RATE), mode="wrap"),
            RATE,
            label=signal.label,
            physical_dimension=signal.physical_dimension,
            physical_range=signal.physical_range,
            digital_range=signal.digital_range,
        )
        for signal in edf.signals
    ]
    record = tmp_path / "chbmit" / row.record[:5] / row.record
    record.parent.mkdir(parents=True)
    edfio.Edf(
        longer,
        patient=edf.patient,
        recording=edf.recording,
        starttime=edf.starttime,
        data_record_duration=1,
    ).write(record)
    short = write_table(tmp_path / "t.tsv", [row._replace(starts="3,10")])
    assert main(tmp_path / "chbmit", tmp_path / "out", short) == 0
    ours, theirs = (
        edfio.read_edf(next(root.rglob(path.name))) for root in (tmp_path / "out", clips)
    )
    assert ours.labels == theirs.labels
    assert (ours.startdatetime, ours.duration) == (theirs.startdatetime, theirs.duration)
    assert [signal.physical_range for signal in ours.signals] == [
        signal.physical_range for signal in theirs.signals
    ]
    assert sha256_of_samples(ours, 0, row.seconds) == row.sha256
    for ending in ("_events.tsv", "_eeg.json"):
        name = f"{row.clip}{ending}"
        written = next((tmp_path / "out").rglob(name)).read_text()
        kept = next(clips.rglob(name)).read_text()
        assert written.replace('"SourceStart": 10.0', f'"SourceStart": {row.starts}.0') == kept
