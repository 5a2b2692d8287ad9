"""The simulated cohort: the same for the same seed, valid, physiological, and no child's play."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import edfio
import numpy as np
import pytest
import scipy.signal
import scipy.stats
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from secateur.errors import SettingsError
from secateur.events import read_tsv
from secateur.recordings.simulated import (
    SimulatedRecording,
    cohort,
    simulate_cohort,
    simulate_subject,
)
from secateur.recordings.simulated.head import DOUBLE_BANANA, index_of
from secateur.recordings.simulated.look_alikes import ARTEFACTS, BRAIN, add_look_alikes
from secateur.recordings.simulated.seizures import Seizure, plan_seizures, simulate_seizures
from secateur.recordings.simulated.subject import draw_subject

RATE = 256
CLASSIC = {"T7": "T3", "T8": "T4", "P7": "T5", "P8": "T6"}


def bipolar(recording: SimulatedRecording) -> NDArray[np.float32]:
    """The 18 pairs of the double banana, whatever the montage, in one order."""
    rows = dict(zip(recording.channels, recording.data, strict=True))
    if recording.reference == "bipolar":
        old = {"-".join(CLASSIC.get(n, n) for n in name.split("-")): name for name in rows}
        return np.stack([rows[old[f"{a}-{b}".upper()]] for a, b in DOUBLE_BANANA])
    plain = {name.removeprefix("EEG ").removesuffix("-REF"): row for name, row in rows.items()}
    return np.stack([plain[a] - plain[b] for a, b in DOUBLE_BANANA])


def tree(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate_cohort(tmp_path_factory.mktemp("simulated") / "a", 3, 0.05, 7)


@pytest.fixture(scope="module")
def many() -> list[SimulatedRecording]:
    """Twelve subjects of 0.1 h."""
    return [recording for index in range(12) for recording in simulate_subject(index, 0.1, 0)]


def test_the_same_seed_writes_the_same_bytes(written: Path, tmp_path: Path) -> None:
    assert tree(simulate_cohort(tmp_path / "b", 3, 0.05, 7)) == tree(written)


def test_another_seed_makes_other_subjects() -> None:
    first, other = (next(simulate_subject(0, 0.01, seed)) for seed in (1, 2))
    assert not np.array_equal(first.data[:18], other.data[:18])


def test_a_subject_does_not_depend_on_the_size_of_the_cohort(written: Path, tmp_path: Path) -> None:
    alone = tree(simulate_cohort(tmp_path / "c", 1, 0.05, 7) / "sub-01")
    assert alone == tree(written / "sub-01")


@pytest.mark.clause("BIDS names")
@pytest.mark.clause("BIDS description")
@pytest.mark.clause("BIDS participants")
@pytest.mark.clause("BIDS sidecars")
def test_the_folder_is_bids_and_says_simulated(written: Path) -> None:
    description = json.loads((written / "dataset_description.json").read_text())
    assert description["Simulated"] is True
    assert description["Name"] == "Secateur simulated cohort, seed 7"
    assert (written / "README").read_text().startswith("This cohort is SIMULATED")
    people = (written / "participants.tsv").read_text().splitlines()
    assert [row.split("\t")[0] for row in people] == [
        "participant_id",
        "sub-01",
        "sub-02",
        "sub-03",
    ]
    stem = written / "sub-02/ses-01/eeg/sub-02_ses-01_task-szMonitoring_run-00"
    sidecar = json.loads(Path(f"{stem}_eeg.json").read_text())
    assert sidecar["Simulated"] is True
    assert sidecar["SamplingFrequency"] == RATE
    assert sidecar["RecordingDuration"] == 180
    assert sidecar["PowerLineFrequency"] in (50, 60)


def test_the_edf_is_valid_and_holds_what_was_simulated(written: Path) -> None:
    for index in range(3):
        recording = next(simulate_subject(index, 0.05, 7))
        label = f"sub-{recording.subject}"
        stem = written / label / "ses-01" / "eeg" / f"{label}_ses-01_task-szMonitoring_run-00"
        edf = edfio.read_edf(f"{stem}_eeg.edf")
        assert edf.reserved == "EDF+C"
        assert edf.data_record_duration == 1
        assert edf.duration == 180
        assert edf.patient.code == "X"
        assert "simulated" in edf.local_recording_identification
        assert edf.labels == recording.channels
        data = np.stack([signal.data for signal in edf.signals])
        assert np.abs(data - recording.data).max() < 0.051
        events = read_tsv(f"{stem}_events.tsv")
        assert events == recording.events
        assert [(a.onset, a.duration, a.text) for a in edf.annotations] == [
            (event.onset, event.duration, "sz") for event in events
        ]


def test_long_subjects_come_in_runs_of_an_hour_at_most() -> None:
    runs = list(simulate_subject(1, 1.02, 3))
    assert [recording.run for recording in runs] == ["00", "01"]
    assert sum(recording.events.duration for recording in runs) == round(1.02 * 3600)
    assert (runs[1].start - runs[0].start).total_seconds() == runs[0].events.duration
    assert all(recording.data.shape[1] == recording.events.duration * RATE for recording in runs)


def test_both_montages_are_there_and_the_order_varies(many: list[SimulatedRecording]) -> None:
    kinds = [recording.reference for recording in many]
    assert kinds.count("common reference") == 4
    assert {len(recording.channels) for recording in many} == {18, 19}
    assert len({recording.channels for recording in many}) == 12


@pytest.mark.parametrize("seed", range(4))
def test_everyone_has_a_whole_seizure_amid_background_at_a_twentieth_hour(seed: int) -> None:
    for index in range(3):
        events = next(simulate_subject(index, 0.05, seed)).events
        assert len(events) >= 1
        assert all(e.onset >= 10 and e.end <= events.duration - 10 for e in events)
        assert all(25 <= e.duration <= 90 for e in events)
        assert 0.1 < events.seconds / events.duration < 0.35


def test_seizures_come_at_varying_times_and_not_too_often(many: list[SimulatedRecording]) -> None:
    firsts = [recording.events.events[0].onset / recording.events.duration for recording in many]
    assert np.std(firsts) > 0.08
    share = sum(m.events.seconds for m in many) / sum(m.events.duration for m in many)
    assert 0.15 < share < 0.30


def test_a_recording_too_short_for_a_seizure_is_still_valid(tmp_path: Path) -> None:
    folder = simulate_cohort(tmp_path / "short", 1, 0.01, 0)
    (events,) = folder.rglob("*_events.tsv")
    assert len(read_tsv(events)) == 0
    (edf,) = folder.rglob("*.edf")
    assert edfio.read_edf(edf).duration == 36


@pytest.mark.parametrize(
    ("subjects", "hours", "seed", "words"),
    [
        (0, 0.1, 0, "1 subject or more, got 0"),
        (1, 0.0099, 0, "0.01 or more, got 0.0099"),
        (1, float("nan"), 0, "finite number of hours, 0.01 or more, got nan"),
        (1, float("inf"), 0, "got inf"),
        (1, 0.1, -1, "0 or more, got -1"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    tmp_path: Path, subjects: int, hours: float, seed: int, words: str
) -> None:
    with pytest.raises(SettingsError, match=words) as refused:
        simulate_cohort(tmp_path / "x", subjects, hours, seed)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "x").exists()


def test_a_negative_index_is_refused_at_once() -> None:
    with pytest.raises(SettingsError, match="got -1"):
        simulate_subject(-1, 0.1, 0)


def test_a_folder_in_use_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("dear")
    with pytest.raises(SettingsError, match="not empty"):
        simulate_cohort(tmp_path, 1, 0.01, 0)
    with pytest.raises(SettingsError, match="is a file"):
        simulate_cohort(tmp_path / "mine", 1, 0.01, 0)
    assert tree(tmp_path) == {"mine": b"dear"}


def test_an_empty_folder_is_filled_and_progress_told(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    simulate_cohort(tmp_path, 2, 0.01, 0, lambda done, of: steps.append((done, of)))
    assert steps == [(1, 2), (2, 2)]
    assert (tmp_path / "sub-02").is_dir()


def test_nothing_is_left_of_an_interrupted_cohort(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(index: int, hours: float, seed: int) -> Iterator[SimulatedRecording]:
        if index == 1:
            raise KeyboardInterrupt
        return simulate_subject(index, hours, seed)

    monkeypatch.setattr(cohort, "simulate_subject", broken)
    with pytest.raises(KeyboardInterrupt):
        simulate_cohort(tmp_path / "x", 2, 0.01, 0)
    assert list(tmp_path.iterdir()) == []


def test_amplitudes_are_those_of_scalp_eeg(many: list[SimulatedRecording]) -> None:
    for recording in many:
        assert recording.data.dtype == np.float32
        assert np.isfinite(recording.data).all()
        assert np.mean(np.abs(recording.data) < 500) > 0.999
        assert 10 < np.sqrt(np.mean(recording.data**2)) < 100


def test_window_variance_does_not_give_seizures_away(many: list[SimulatedRecording]) -> None:
    sections = scipy.signal.butter(4, (0.5, 40), "bandpass", fs=RATE, output="sos")
    labels, means, largest = [], [], []
    for recording in many:
        signal = scipy.signal.sosfilt(sections, bipolar(recording), axis=1)
        starts = np.arange(0.0, recording.events.duration - 3.5)
        windows = np.stack([signal[:, int(s) * RATE : (int(s) + 4) * RATE] for s in starts])
        variance = np.log(windows.var(axis=2))
        labels.append(recording.events.overlap(starts, starts + 4) >= 2)
        means.append(variance.mean(axis=1))
        largest.append(variance.max(axis=1))
    truth = np.concatenate(labels)
    for statistic in (means, largest):
        assert roc_auc_score(truth, np.concatenate(statistic)) <= 0.85


def lone_seizures(index: int) -> Iterator[tuple[Seizure, NDArray[np.float32]]]:
    ictogenesis = draw_subject(index, 0).ictogenesis
    generator = np.random.default_rng(index)
    seizures = plan_seizures(ictogenesis, 600, 3, generator)
    yield from zip(seizures, simulate_seizures(seizures, ictogenesis, generator), strict=True)


def centre_frequency(wave: NDArray[np.float32]) -> float:
    frequencies, power = scipy.signal.welch(wave, RATE, nperseg=min(RATE, len(wave)))
    heard = (frequencies >= 1) & (frequencies <= 45)
    return float(np.average(frequencies[heard], weights=power[heard]))


def discharges(wave: NDArray[np.float32], begin: float, end: float) -> float:
    """How many a second between two shares of a seizure."""
    part = wave[int(begin * len(wave)) : int(end * len(wave))]
    peaks, _ = scipy.signal.find_peaks(part, prominence=1.5 * part.std(), distance=RATE // 13)
    return float(len(peaks) / len(part) * RATE)


@pytest.mark.parametrize("index", range(3))
def test_a_seizure_begins_fast_slows_and_spreads(index: int) -> None:
    for seizure, potential in lone_seizures(index):
        length = potential.shape[1]
        assert length == seizure.duration * RATE
        wave = potential[seizure.electrodes[0]]
        cuts = (0.01, 0.04, 0.3, 0.6, 0.95)
        parts = [wave[int(a * length) : int(b * length)] for a, b in pairwise(cuts)]
        fast, _, _, slow = (centre_frequency(part) for part in parts)
        assert fast > 15
        assert slow < 10
        early, late = discharges(wave, 0.12, 0.3), discharges(wave, 0.8, 0.95)
        assert late < early - 0.2
        assert 3 < late < early < 6
        reached = [
            int((potential[:, int(a * length) : int(b * length)].std(axis=1) > 5).sum())
            for a, b in ((0.0, 0.04), (0.5, 0.9))
        ]
        assert reached[1] >= reached[0] + 4
        assert wave[: RATE // 4].std() < 0.5 * parts[2].std()


def test_a_seizure_has_spikes_that_a_rhythm_with_its_band_powers_has_not() -> None:
    """Sharpness is in the phases: the same spectrum with phases drawn anew is symmetric."""
    generator = np.random.default_rng(0)
    for index in range(3):
        for seizure, potential in lone_seizures(index):
            length = potential.shape[1]
            wave = potential[seizure.electrodes[0], int(0.3 * length) : int(0.9 * length)]
            spectrum = np.fft.rfft(wave)
            phases = np.exp(2j * np.pi * generator.random(len(spectrum)))
            surrogate = np.fft.irfft(np.abs(spectrum) * phases, len(wave))
            assert float(scipy.stats.skew(wave)) > 1
            assert abs(float(scipy.stats.skew(surrogate))) < 0.3


def alone(kind: str) -> NDArray[np.float32]:
    """Ten minutes of one look-alike of subject 0 and nothing else, µV at the 19 electrodes."""
    potential = np.zeros((19, 600 * RATE), np.float32)
    add_look_alikes(potential, draw_subject(0, 0).look_alikes, [kind], np.random.default_rng(1))
    return potential


@pytest.mark.parametrize(
    ("kind", "electrodes", "others"),
    [
        ("spindle", ("Cz", "Fz", "C3", "C4"), ("O1", "O2", "T5", "T6")),
        ("chewing", ("T3", "T4", "F7", "F8"), ("Cz", "Pz")),
        ("flutter", ("Fp1", "Fp2"), ("O1", "O2", "Cz", "T3")),
    ],
)
def test_a_look_alike_is_where_it_belongs(
    kind: str, electrodes: tuple[str, ...], others: tuple[str, ...]
) -> None:
    size = alone(kind).std(axis=1)
    assert size[index_of(*electrodes)].min() > 2 * size[index_of(*others)].max()


@pytest.mark.parametrize("kind", [*BRAIN, *ARTEFACTS])
def test_a_look_alike_comes_and_goes_at_its_rate_and_size(kind: str) -> None:
    spell = draw_subject(0, 0).look_alikes[kind]
    potential = alone(kind)
    wave = potential[np.argmax(potential.std(axis=1))]
    silent = np.mean(np.abs(potential).max(axis=0) < 1e-3)
    share = np.mean(spell.lasts) / spell.pause
    assert abs(1 - silent - share) < 0.6 * share
    assert 0.3 * spell.amplitude < np.ptp(wave) < 25 * spell.amplitude  # of a source
    frequencies, power = scipy.signal.welch(wave, RATE, nperseg=4 * RATE)
    if kind != "chewing":  # whose power is muscle, in bursts
        assert 0.6 * spell.rate < frequencies[np.argmax(power)] < 1.5 * spell.rate
