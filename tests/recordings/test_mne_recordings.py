"""MNE's Raw in, annotations out, and what is said without MNE."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import edfio
import numpy as np
import pytest
from numpy.typing import NDArray

import secateur
from secateur.errors import MissingExtraError, RecordingError
from secateur.events import Event, Events
from secateur.recordings import ReadingSettings, files_of, load_cohort, open_recording
from secateur.recordings.raw import RawRecording
from secateur.windows import Cache, ChainSettings, SignalChain
from tests.support.brainvision import write_brainvision
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


@pytest.fixture
def data() -> NDArray[np.float64]:
    return eeg(10, [(2, 5)], 0, channels=3)


def raw_of(data: NDArray[np.float64], kinds: list[str]) -> Any:
    info = mne.create_info(LABELS, 256.0, kinds)
    return mne.io.RawArray(data * 1e-6, info, verbose="ERROR")


WRITERS: dict[str, Callable[[Path, NDArray[np.float64]], Path]] = {
    ".bdf": write_bdf,
    ".vhdr": lambda path, data: write_brainvision(path, data, LABELS),
}


def test_microvolts_come_out_of_any_stretch_read_on_demand(
    tmp_path: Path, data: NDArray[np.float64]
) -> None:
    recording = open_recording(write_bdf(tmp_path / "a.bdf", data))
    assert recording.channels == tuple(LABELS)
    assert (recording.sampling_rate, recording.samples) == (256, 2560)
    assert recording.start == datetime(2020, 2, 3, 4, 5, 6)
    signal = recording.read()
    assert signal.dtype == np.float32
    assert np.abs(signal - data).max() < 0.06
    assert np.array_equal(recording.read(1.5, 7.25, [2, 0]), signal[[2, 0], 384:1856])
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


def test_brainvision_is_three_files_and_all_of_them_count(
    tmp_path: Path, data: NDArray[np.float64]
) -> None:
    """Two headers may be the same to the byte; the cache must not take one recording for the other."""
    first = write_brainvision(tmp_path / "one" / "a.vhdr", data, LABELS)
    other = write_brainvision(tmp_path / "other" / "a.vhdr", data + 5, LABELS)
    assert first.read_bytes() == other.read_bytes()
    assert [path.name for path in files_of(first)] == ["a.vhdr", "a.eeg", "a.vmrk"]
    cache = Cache(tmp_path / "cache")
    assert cache.content_hash(first) != cache.content_hash(other)
    first.with_suffix(".eeg").unlink()
    with pytest.raises(RecordingError, match="DataFile names is not beside it"):
        open_recording(first)


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


def test_bad_channels_and_what_is_no_eeg_are_left_out_and_noted(data: NDArray[np.float64]) -> None:
    raw = raw_of(data, ["eeg", "eeg", "misc"])
    raw.info["bads"] = ["F3"]
    recording = secateur.from_raw(raw)
    assert recording.channels == ("C3",)
    assert recording.notes == ("F3: marked as bad", "P3: of type misc, no EEG")
    assert np.allclose(recording.read(), data[[1]], atol=1e-3)
    raw.info["bads"] = ["F3", "C3"]
    with pytest.raises(RecordingError, match="not marked as bad"):
        secateur.from_raw(raw)


class Doubtful(mne.io.BaseRaw):  # type: ignore[misc, name-defined]
    """A raw on disk whose reader warns of each stretch that it reads."""

    def __init__(self, data: NDArray[np.float64]) -> None:
        info = mne.create_info(LABELS, 256.0, "eeg")
        last = data.shape[1] - 1
        super().__init__(
            info, filenames=[None], last_samps=[last], raw_extras=[{"data": data * 1e-6}]
        )

    def _read_segment_file(
        self, data: Any, idx: Any, fi: int, start: int, stop: int, *_: Any
    ) -> None:
        mne.utils.warn("the gain is\nunknown")
        data[:] = self._raw_extras[fi]["data"][idx, start:stop]


def test_what_mne_warns_of_while_it_reads_becomes_a_note(data: NDArray[np.float64]) -> None:
    recording = secateur.from_raw(Doubtful(data))
    assert not recording.notes
    assert np.allclose(recording.read(2, 4), data[:, 512:1024], atol=1e-3)
    recording.read(4, 6)
    assert list(recording.notes) == ["the gain is unknown"]
    chained = SignalChain(ChainSettings(montage="as-recorded")).over(
        secateur.from_raw(Doubtful(data))
    )
    for stretch in chained.stretches:
        list(chained.pieces(stretch))
    assert chained.notes[0] == "the gain is unknown"


@pytest.mark.parametrize("measured", [None, datetime(2020, 1, 1, 12, tzinfo=UTC)])
def test_where_raws_were_joined_is_a_cut(
    data: NDArray[np.float64], measured: datetime | None
) -> None:
    parts = [raw_of(data[:, first:last], ["eeg"] * 3) for first, last in ((0, 1024), (1024, 2560))]
    for part in parts:
        part.set_meas_date(measured)
    joined = mne.concatenate_raws(parts)
    recording = secateur.from_raw(joined)
    assert recording.stretches == ((0, 1024), (1024, 2560))
    assert recording.samples == 2560
    assert "a cut at 4 s" in recording.notes[0]
    assert np.allclose(recording.read(4, 10), data[:, 1024:], atol=1e-3)
    with pytest.raises(RecordingError, match="gap"):
        recording.read(0, 10)
    assert secateur.from_raw(joined.copy().crop(2)).stretches == ((0, 512), (512, 2048))
    with pytest.raises(RecordingError, match="--gaps split"):
        RawRecording(joined, reading=ReadingSettings(gaps="refuse"))


def test_a_skip_of_the_recorder_is_a_gap_of_known_length(data: NDArray[np.float64]) -> None:
    raw = raw_of(data, ["eeg"] * 3)
    raw.set_annotations(mne.Annotations([2, 5], [1.5, 2], ["BAD_ACQ_SKIP", "BAD_movement"]))
    recording = secateur.from_raw(raw)
    assert recording.stretches == ((0, 512), (896, 2560))
    assert recording.notes == ("has gaps, what lies between is taken by itself: 1.5 s at 2 s",)


def test_a_value_of_a_raw_that_is_no_number_is_refused_with_channel_and_time(
    data: NDArray[np.float64],
) -> None:
    data[2, 1280] = np.nan
    recording = secateur.from_raw(raw_of(data, ["eeg", "misc", "eeg"]))
    with pytest.raises(RecordingError, match=r"channel P3 holds .* at 5 s"):
        recording.read(4, 6, [1, 0])
    with pytest.raises(RecordingError, match=r"channel P3 holds .* at 5 s"):
        secateur.ArrayRecording(data, 256, LABELS)


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


def test_without_mne_its_raws_say_how_to_get_it_and_files_are_read(
    tmp_path: Path, data: NDArray[np.float64], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("p1.vhdr", "p2.bdf"):
        path = WRITERS[name[2:]](tmp_path / name, data)
        Events((), 10).write_tsv(path.with_suffix(".tsv"))
    monkeypatch.setitem(sys.modules, "mne", None)
    get_it = r"pip install '\.\[mne\]'"
    with pytest.raises(MissingExtraError, match=get_it):
        secateur.from_raw(object())
    with pytest.raises(MissingExtraError, match=get_it):
        secateur.to_annotations(Events((), 1))
    assert [entry.key for entry in load_cohort(tmp_path)] == ["p1", "p2"]


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
    ("name", "message"),
    [
        ("a.gdf", r"is a text file \(\.gdf\); wanted an \.edf, \.bdf or \.vhdr"),
        ("none.fif", "no such file"),
    ],
)
def test_other_formats_are_refused_with_what_can_be_read(
    tmp_path: Path, name: str, message: str
) -> None:
    (tmp_path / "a.gdf").write_bytes(b"GDF")
    with pytest.raises(RecordingError, match=message):
        open_recording(tmp_path / name)
    with pytest.raises(RecordingError, match="is a folder; wanted"):
        open_recording(tmp_path)
