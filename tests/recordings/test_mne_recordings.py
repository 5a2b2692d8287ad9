"""BDF and BrainVision by way of MNE, Raw in, annotations out, and what is said without MNE."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import edfio
import numpy as np
import pytest
from numpy.typing import NDArray

import secateur
from secateur.errors import CohortError, MissingExtraError, RecordingError
from secateur.events import Event, Events
from secateur.recordings import RawRecording, load_cohort, open_recording
from secateur.recordings.mne_raw import files_of
from secateur.windows.cache import Cache
from tests.support.cohorts import PATIENT, eeg, write_edf

mne = pytest.importorskip("mne")

LABELS = ["F3", "C3", "P3"]
STEM = "sub-01_ses-01_task-szMonitoring_run-00"


def write_bdf(path: Path, data: NDArray[np.float64]) -> Path:
    signals = [
        edfio.BdfSignal(row, 256, label=label, physical_dimension="uV", physical_range=(-3e3, 3e3))
        for row, label in zip(data, LABELS, strict=True)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    edfio.Bdf(
        signals,
        patient=edfio.Patient(name=PATIENT.replace(" ", "_"), birthdate=date(1950, 1, 2)),
        recording=edfio.Recording(startdate=date(2020, 2, 3)),
        starttime=time(4, 5, 6),
    ).write(path)
    return path


def write_brainvision(path: Path, data: NDArray[np.float64]) -> Path:
    """A .vhdr with its .eeg and .vmrk; `data` in µV."""
    path.parent.mkdir(parents=True, exist_ok=True)
    channels = "\n".join(f"Ch{k}={name},,0.1,µV" for k, name in enumerate(LABELS, start=1))
    path.write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={path.stem}.eeg\nMarkerFile={path.stem}.vmrk\nDataFormat=BINARY\n"
        f"DataOrientation=MULTIPLEXED\nNumberOfChannels={len(data)}\nSamplingInterval=3906.25\n"
        f"[Binary Infos]\nBinaryFormat=INT_16\n[Channel Infos]\n{channels}\n",
        encoding="utf-8",
    )
    path.with_suffix(".vmrk").write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={path.stem}.eeg\n[Marker Infos]\nMk1=New Segment,,1,1,0,20200203040506000000\n"
    )
    np.round(data.T * 10).astype("<i2").tofile(path.with_suffix(".eeg"))
    return path


@pytest.fixture
def data() -> NDArray[np.float64]:
    return eeg(10, [(2, 5)], 0, channels=3)


def raw_of(data: NDArray[np.float64], kinds: list[str]) -> Any:
    info = mne.create_info(LABELS, 256.0, kinds)
    return mne.io.RawArray(data * 1e-6, info, verbose="ERROR")


WRITERS = {".bdf": write_bdf, ".vhdr": write_brainvision}


@pytest.mark.parametrize("suffix", sorted(WRITERS))
def test_microvolts_come_out_of_any_stretch_read_on_demand(
    tmp_path: Path, data: NDArray[np.float64], suffix: str
) -> None:
    recording = open_recording(WRITERS[suffix](tmp_path / f"a{suffix}", data))
    assert isinstance(recording, RawRecording)
    assert recording._raw.preload is False
    assert recording.channels == tuple(LABELS)
    assert (recording.sampling_rate, recording.samples) == (256, 2560)
    assert recording.start == datetime(2020, 2, 3, 4, 5, 6)
    whole = recording.read()
    assert whole.dtype == np.float32
    assert np.abs(whole - data).max() < 0.06
    assert np.array_equal(recording.read(1.5, 7.25, [2, 0]), whole[[2, 0], 384:1856])
    assert recording.read(3, 3).shape == (3, 0)
    with pytest.raises(RecordingError, match="it holds 0 to 10"):
        recording.read(0, 11)


@pytest.mark.parametrize("suffix", sorted(WRITERS))
def test_bids_and_plain_folders_may_hold_them(
    tmp_path: Path, data: NDArray[np.float64], suffix: str
) -> None:
    path = WRITERS[suffix](tmp_path / "sub-01" / "ses-01" / "eeg" / f"{STEM}_eeg{suffix}", data)
    Events((Event(2, 3),), 10).write_tsv(path.with_name(f"{STEM}_events.tsv"))
    (entry,) = load_cohort(tmp_path)
    assert (entry.duration, len(entry.events)) == (10, 1)
    assert entry.open().channels == tuple(LABELS)
    plain = WRITERS[suffix](tmp_path / "plain" / f"p1_a{suffix}", data)
    Events((), 10).write_tsv(plain.with_suffix(".tsv"))
    assert load_cohort(tmp_path / "plain").subjects == ("plain/p1",)


def test_a_name_in_a_header_is_not_kept(tmp_path: Path, data: NDArray[np.float64]) -> None:
    path = write_bdf(tmp_path / "a.bdf", data)
    assert PATIENT.split()[1].encode() in path.read_bytes()
    recording = open_recording(path)
    assert isinstance(recording, RawRecording)
    assert recording._raw.info["subject_info"] is None


def test_a_bdf_that_was_cut_off_yields_its_whole_records_and_says_so(
    tmp_path: Path, data: NDArray[np.float64]
) -> None:
    path = write_bdf(tmp_path / "a.bdf", data)
    whole = open_recording(path).read()
    path.write_bytes(path.read_bytes()[:-3000])
    recording = open_recording(path)
    assert 0 < recording.samples < 2560
    assert np.array_equal(recording.read(), whole[:, : recording.samples])
    assert "disagrees with its size" in recording.notes[0]


@pytest.mark.parametrize("suffix", sorted(WRITERS))
def test_a_damaged_file_is_one_line(tmp_path: Path, data: NDArray[np.float64], suffix: str) -> None:
    path = WRITERS[suffix](tmp_path / f"a{suffix}", data)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(RecordingError, match="MNE can't read it") as caught:
        open_recording(path)
    assert "\n" not in str(caught.value)


def test_brainvision_is_three_files_and_all_of_them_count(
    tmp_path: Path, data: NDArray[np.float64]
) -> None:
    """Two headers may be the same to the byte; the cache must not take one recording for the other."""
    one = write_brainvision(tmp_path / "one" / "a.vhdr", data)
    other = write_brainvision(tmp_path / "other" / "a.vhdr", data + 5)
    assert one.read_bytes() == other.read_bytes()
    assert [path.name for path in files_of(one)] == ["a.vhdr", "a.eeg", "a.vmrk"]
    cache = Cache(tmp_path / "cache")
    assert cache.content_hash(one) != cache.content_hash(other)
    one.with_suffix(".eeg").unlink()
    with pytest.raises(RecordingError, match=r"names a\.eeg, which is not beside it"):
        open_recording(one)


def test_bdf_under_the_name_of_an_edf_is_told_apart(
    tmp_path: Path, data: NDArray[np.float64]
) -> None:
    path = write_bdf(tmp_path / "a.edf", data)
    with pytest.raises(RecordingError, match=r"a BDF file that is called \.edf"):
        open_recording(path)


def test_a_raw_in_memory_gives_its_eeg(data: NDArray[np.float64]) -> None:
    raw = raw_of(data, ["eeg", "ecg", "seeg"])
    raw.set_meas_date(datetime(2020, 1, 1, 12, tzinfo=UTC))
    recording = secateur.from_raw(raw.crop(2.0, 6.0, include_tmax=False))
    assert recording.channels == ("F3", "P3")
    assert recording.start == datetime(2020, 1, 1, 12, 0, 2)
    assert recording.notes == ("C3: of type ecg, no EEG",)
    assert np.allclose(recording.read(), data[[0, 2], 512:1536], atol=1e-3)
    with pytest.raises(RecordingError, match="no channel is of type eeg, seeg, ecog"):
        secateur.from_raw(raw_of(data, ["ecg", "eog", "misc"]))
    with pytest.raises(RecordingError, match=r"wanted an mne\.io\.Raw, got ndarray"):
        secateur.from_raw(data)


def test_a_raw_on_disk_is_read_as_the_file_itself_is(
    tmp_path: Path, data: NDArray[np.float64]
) -> None:
    path = write_edf(tmp_path / "a.edf", data, LABELS)
    raw = mne.io.read_raw_edf(path, preload=False, verbose="ERROR")
    recording = secateur.from_raw(raw)
    assert recording.path.name == "a.edf"
    assert np.allclose(recording.read(1, 4), open_recording(path).read(1, 4), atol=1e-3)
    assert raw.preload is False


def test_events_become_annotations_of_their_kind(data: NDArray[np.float64]) -> None:
    events = Events((Event(2.0, 3.0, "sz_foc_ia"), Event(7.0, 1.5)), 10.0)
    annotations = secateur.to_annotations(events)
    assert list(annotations.onset) == [2.0, 7.0]
    assert list(annotations.duration) == [3.0, 1.5]
    assert list(annotations.description) == ["sz_foc_ia", "sz"]
    raw = raw_of(data, ["eeg"] * 3).crop(1.0)
    raw.set_annotations(annotations)
    assert list(raw.annotations.onset - raw.first_time) == [2.0, 7.0]
    assert len(secateur.to_annotations(Events((), 10.0))) == 0


def test_without_mne_each_says_how_to_get_it(
    tmp_path: Path, data: NDArray[np.float64], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, write in (("p1.bdf", write_bdf), ("p2.edf", lambda p, d: write_edf(p, d, LABELS))):
        Events((), 10).write_tsv(write(tmp_path / name, data).with_suffix(".tsv"))
    monkeypatch.setitem(sys.modules, "mne", None)
    get_it = r"pip install 'secateur\[mne\]'"
    with pytest.raises(MissingExtraError, match=get_it):
        secateur.from_raw(object())
    with pytest.raises(MissingExtraError, match=get_it):
        secateur.to_annotations(Events((), 1))
    cohort = load_cohort(tmp_path)
    assert [entry.key for entry in cohort] == ["p2"]
    assert [one.key for one in cohort.problems] == ["p1"]
    assert "reading .bdf files needs the package mne" in cohort.problems[0].reason
    (tmp_path / "p2.edf").unlink()
    with pytest.raises(CohortError, match=get_it):
        load_cohort(tmp_path)


def test_nothing_loads_mne_before_it_is_needed(tmp_path: Path) -> None:
    write_edf(tmp_path / "a.edf", eeg(2, [], 0, channels=2), LABELS[:2])
    code = (
        "import sys, secateur, secateur.cli\n"
        f"secateur.open_recording({str(tmp_path / 'a.edf')!r}).read()\n"
        "secateur.from_raw, secateur.to_annotations\n"
        "assert 'mne' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("name", "said"),
    [("a.gdf", r"is a \.gdf; wanted an \.edf, \.bdf or \.vhdr"), ("none.fif", "no such file")],
)
def test_other_formats_are_refused_with_what_can_be_read(
    tmp_path: Path, name: str, said: str
) -> None:
    (tmp_path / "a.gdf").write_bytes(b"GDF")
    with pytest.raises(RecordingError, match=said):
        open_recording(tmp_path / name)
    with pytest.raises(RecordingError, match="is a folder; wanted"):
        open_recording(tmp_path)
