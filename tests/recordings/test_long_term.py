"""Simulated weeks: a day is the same alone, sleeps and wakes, and drifts by what its file says."""

from __future__ import annotations

import shutil
from collections import namedtuple
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Literal

import edfio
import numpy as np
import pytest
import scipy.signal
from numpy.typing import NDArray

from secateur.cli import main
from secateur.errors import SettingsError
from secateur.recordings.simulated import (
    DriftSettings,
    LongTerm,
    SimulatedRecording,
    load_drifts,
    simulate_day,
    simulate_long_term,
)
from secateur.recordings.simulated.drifts import KINDS, Drift
from secateur.recordings.simulated.long_term import plan_day
from secateur.recordings.simulated.subject import FIRST_DAY

CONFIG = Path(__file__).parents[2] / "configs" / "drift.toml"
NO_SEIZURES = DriftSettings(kind="seizure frequency", onset=1, ramp=0, size=0)
SMALL = LongTerm(3, 20, seed=4, drifts=(NO_SEIZURES,), stretches=3, seconds=64)
SEIZING = replace(SMALL, drifts=())
REFERENTIAL = 1  # of seed 4: electrodes are channels


def day_of(cohort: LongTerm, index: int, day: int) -> list[SimulatedRecording]:
    return list(simulate_day(cohort, index, day))


def drifting(kind: str, **settings: object) -> LongTerm:
    drift = DriftSettings.model_validate({"kind": kind, "onset": 10, "ramp": 0, **settings})
    return replace(SMALL, drifts=(NO_SEIZURES, drift))


def band_power(
    data: NDArray[np.float32],
    low: float,
    high: float,
    average: Literal["mean", "median"] = "median",
) -> NDArray[np.float64]:
    hertz, power = scipy.signal.welch(data, 256, nperseg=1024, average=average)
    chosen = (hertz >= low) & (hertz < high)
    return np.asarray(power[:, chosen].sum(axis=1), dtype=np.float64)


def row(recording: SimulatedRecording, electrode: str) -> NDArray[np.float32]:
    (number,) = [k for k, name in enumerate(recording.channels) if electrode in name]
    data: NDArray[np.float32] = recording.data[number]
    return data


def test_a_day_is_the_same_alone_and_begins_when_its_recordings_say() -> None:
    first, again = (day_of(SMALL, 0, 3) for _ in range(2))
    for a, b in zip(first, again, strict=True):
        assert np.array_equal(a.data, b.data)
        assert (a.events, a.start) == (b.events, b.start)
    starts = [recording.start for recording in first]
    midnight = FIRST_DAY + timedelta(days=2)
    for number, start in enumerate(starts):
        assert 8 * number <= (start - midnight) / timedelta(hours=1) < 8 * (number + 1)
    other = day_of(SMALL, 0, 4)
    assert not np.array_equal(first[0].data, other[0].data)


@pytest.mark.parametrize("kind", KINDS)
def test_before_its_onset_a_drift_changes_nothing(kind: str) -> None:
    for a, b in zip(day_of(SMALL, 1, 9), day_of(drifting(kind), 1, 9), strict=True):
        assert np.array_equal(a.data, b.data)
        assert a.events == b.events


def test_sleep_has_more_slow_waves_and_less_alpha_than_waking() -> None:
    cohort = LongTerm(1, 4, seed=1, drifts=(NO_SEIZURES,), stretches=8, seconds=64)
    slow, alpha = [], []
    for day in range(1, 4):
        recordings = day_of(cohort, 0, day)
        for hours in (recordings[:2], recordings[4:6]):
            # Of channels the median: artefacts of waking are slow too, and large where they are.
            slow.append([np.median(band_power(each.data, 1, 4, "mean")) for each in hours])
            alpha.append([np.median(band_power(each.data, 8, 12)) for each in hours])
    assert np.median(slow[::2]) > 1.5 * np.median(slow[1::2])
    assert np.median(alpha[::2]) < 0.7 * np.median(alpha[1::2])


def test_the_gain_of_an_electrode_falls_by_its_size() -> None:
    before, after = day_of(SMALL, 1, 10), day_of(drifting("gain", electrode="T3", size=0.5), 1, 10)
    for a, b in zip(before, after, strict=True):
        assert row(b, "T3").std() == pytest.approx(0.5 * row(a, "T3").std(), rel=0.15)
        assert row(b, "O1").std() == pytest.approx(row(a, "O1").std(), rel=0.05)


def test_impedance_adds_slow_noise_to_its_electrode_alone() -> None:
    cohort = drifting("impedance", electrode="C4", size=20)
    for a, b in zip(day_of(SMALL, 1, 12), day_of(cohort, 1, 12), strict=True):
        added = row(b, "C4") - row(a, "C4")
        assert added.std() == pytest.approx(20, rel=0.1)
        slow, rest = (band_power(added[np.newaxis], *band)[0] for band in ((0, 4), (4, 60)))
        assert slow > 3 * rest
        # The common reference carries a hundredth of it everywhere.
        assert (row(b, "O1") - row(a, "O1")).std() < 0.5


def test_a_moved_electrode_is_more_like_its_neighbour() -> None:
    cohort = drifting("moved", electrode="P3")
    for a, b in zip(day_of(SMALL, 1, 12), day_of(cohort, 1, 12), strict=True):
        likeness = [
            max(
                np.corrcoef(row(each, "P3"), row(each, other))[0, 1]
                for other in ("C3", "Pz", "T5", "O1")
            )
            for each in (a, b)
        ]
        assert likeness[1] > likeness[0]


def test_medication_tapered_takes_a_third_of_delta_and_teager_energy_in_waking() -> None:
    tapered = drifting("medication")
    awake: list[tuple[float, float]] = []
    asleep: list[tuple[float, float]] = []
    for day in (12, 13, 14):
        before, after = day_of(SMALL, 1, day), day_of(tapered, 1, day)
        noon, night = 1, 0
        for place, losses in ((noon, awake), (night, asleep)):
            a, b = before[place].data, after[place].data
            delta = np.median(band_power(b, 1, 4) / band_power(a, 1, 4))
            teager = np.median(
                [
                    np.median(y[1:-1] ** 2 - y[:-2] * y[2:])
                    / np.median(x[1:-1] ** 2 - x[:-2] * x[2:])
                    for x, y in zip(a.astype(np.float64), b.astype(np.float64), strict=True)
                ]
            )
            losses.append((float(delta), float(teager)))
    assert np.mean(awake, axis=0) == pytest.approx([0.65, 0.65], abs=0.12)
    assert np.mean(asleep, axis=0) == pytest.approx([1, 1], abs=0.1)


def test_power_changes_slowly_at_over_half_of_the_electrodes() -> None:
    cohort = drifting("power", ramp=9, size=1.0)
    drift = cohort.drifts_of(1)[-1]
    assert len(drift.electrodes) == 10
    assert [drift.factor(day) for day in (9, 10, 14, 19, 20)] == pytest.approx([1, 1.1, 1.5, 2, 2])
    a, b = day_of(SMALL, 1, 20)[1], day_of(cohort, 1, 20)[1]
    changed = [name for name in drift.electrodes if name not in ("Fp1", "Fp2")]
    ratios = [
        band_power(row(b, name)[None], 4, 13)[0] / band_power(row(a, name)[None], 4, 13)[0]
        for name in changed
    ]
    assert np.median(ratios) == pytest.approx(2, abs=0.3)


def test_seizures_change_how_often_how_long_and_how_far() -> None:
    def seizures(cohort: LongTerm) -> tuple[int, float, float]:
        plans = [plan_day(cohort, index, day) for index in range(3) for day in range(10, 21)]
        every = [seizure for plan in plans for stretch in plan for seizure in stretch]
        lengths = [seizure.duration for seizure in every]
        assert all(each.onset + each.duration <= cohort.seconds - 12 for each in every)
        return len(every), float(np.mean(lengths)), float(np.mean([len(s.delays) for s in every]))

    cohort = replace(SEIZING, seconds=300, stretches=24)
    count, length, reach = seizures(cohort)
    often = seizures(replace(cohort, drifts=drifting("seizure frequency", size=3).drifts[1:]))
    assert often[0] == pytest.approx(3 * count, rel=0.25)
    longer = seizures(replace(cohort, drifts=drifting("seizure length").drifts[1:]))
    assert longer[0] == count
    assert longer[1] == pytest.approx(1.5 * length, rel=0.02)
    wider = seizures(replace(cohort, drifts=drifting("seizure spread", size=1.3).drifts[1:]))
    assert wider[2] > reach + 1


def test_the_seizures_of_a_day_are_those_that_were_planned() -> None:
    day = next(k for k in range(1, 20) if any(plan_day(SEIZING, 0, k)))
    planned = [[(s.onset, s.duration) for s in each] for each in plan_day(SEIZING, 0, day)]
    assert planned == [
        [(event.onset, event.duration) for event in recording.events]
        for recording in simulate_day(SEIZING, 0, day)
    ]


def test_new_artefacts_raise_what_is_not_of_the_brain() -> None:
    before, after = [], []
    for day in (10, 11, 12):
        before += [band_power(each.data, 50, 90).mean() for each in day_of(SMALL, 1, day)]
        after += [
            band_power(each.data, 50, 90).mean() for each in day_of(drifting("artefacts"), 1, day)
        ]
    assert np.mean(after) > 1.5 * np.mean(before)


def test_a_share_of_the_patients_is_drawn_by_the_seed() -> None:
    drift = DriftSettings(kind="medication", onset=5, share=0.8)
    cohort = LongTerm(20, 28, drifts=(drift,))
    having = [bool(cohort.drifts_of(index)) for index in range(20)]
    assert sum(having) == 16
    assert having != [bool(replace(cohort, seed=1).drifts_of(index)) for index in range(20)]


def test_the_folder_has_a_session_a_day_and_the_truth(tmp_path: Path) -> None:
    cohort = replace(drifting("gain", electrode="T3", subjects=[2], onset=2), subjects=2, days=2)
    done: list[tuple[int, int]] = []
    folder = simulate_long_term(tmp_path / "ward", cohort, lambda day, of: done.append((day, of)))
    assert done == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert len(list(folder.rglob("*_eeg.edf"))) == 2 * 2 * 3
    assert (folder / "drift.tsv").read_text() == (
        "participant_id\tkind\tonset\tdate\tramp\tsize\tunit\telectrodes\n"
        "sub-01\tseizure frequency\t1\t2000-01-01\t0\t0\ttimes\tn/a\n"
        "sub-02\tseizure frequency\t1\t2000-01-01\t0\t0\ttimes\tn/a\n"
        "sub-02\tgain\t2\t2000-01-02\t0\t0.6\ttimes\tT3\n"
    )
    path = folder / "sub-02/ses-002/eeg/sub-02_ses-002_task-szMonitoring_run-02_eeg.edf"
    recording = day_of(cohort, 1, 2)[2]
    edf = edfio.read_edf(path)
    assert edf.startdate == recording.start.date()
    assert edf.starttime == recording.start.time()
    assert "2 subjects of 2 days, 3 recordings of 64 s a day" in (folder / "README").read_text()


def test_the_committed_file_names_every_kind_and_leaves_two_patients_alone() -> None:
    drifts = load_drifts(CONFIG, 20, 28)
    assert {drift.kind for drift in drifts} == set(KINDS)
    cohort = LongTerm(20, 28, drifts=drifts)
    assert [bool(cohort.drifts_of(index)) for index in range(20)] == [True] * 18 + [False] * 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[drift]]\nkind = "gian"\nonset = 2\n', "kind"),
        ('[[drift]]\nkind = "gain"\n', "onset"),
        ('[[drift]]\nkind = "gain"\nonset = 9\n', "onset on day 9, but the cohort has 3"),
        ('[[drift]]\nkind = "gain"\nonset = 1\nsize = 0\n', "size is 0.01 to 100 .times., got 0"),
        ('[[drift]]\nkind = "gain"\nonset = 1\nsubjects = [4]\n', "subjects are 1 to 3, got 4"),
        ('[[drift]]\nkind = "gain"\nonset = 1\nelectrode = "T9"\n', "electrodes are Fp1"),
        ('[[drift]]\nkind = "power"\nonset = 1\nelectrode = "T3"\n', "is not of one electrode"),
        ('[[drift]]\nkind = "gain"\nonset = 1\nsizes = 2\n', "sizes"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_in_one_line(
    text: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / "drift.toml").write_text(text)
    with pytest.raises(SettingsError, match=message) as caught:
        load_drifts(tmp_path / "drift.toml", 3, 3)
    assert "\n" not in str(caught.value)


def test_days_and_patients_that_are_not_there_are_refused() -> None:
    with pytest.raises(SettingsError, match="days are 1 to 20, got 21"):
        simulate_day(SMALL, 0, 21)
    with pytest.raises(SettingsError, match="patients are 0 to 2, got 3"):
        simulate_day(SMALL, 3, 1)
    with pytest.raises(SettingsError, match="days are 1 to 9999, got 0"):
        LongTerm(1, 0)


def test_a_disk_without_room_is_refused_before_it_is_filled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9, 10**6))
    with pytest.raises(SettingsError, match="GB; take fewer, or make day by day"):
        simulate_long_term(tmp_path / "ward", SMALL)
    assert not list(tmp_path.iterdir())


def test_the_verb_writes_days_and_refuses_what_contradicts_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["simulate", str(tmp_path / "a"), "--subjects", "1"]
    assert main([*words, "--drift", str(CONFIG)]) == 1
    assert "wants --days" in capsys.readouterr().err
    assert main([*words, "--days", "1", "--hours", "1"]) == 1
    assert "wanted one of them" in capsys.readouterr().err
    assert main([*words, "--days", "1", "--drift", str(tmp_path / "none.toml")]) == 1
    assert "there is no such file" in capsys.readouterr().err


def test_a_ramp_reaches_its_size_on_its_last_day() -> None:
    drift = Drift("medication", onset=5, ramp=4, size=-0.35)
    assert [round(drift.factor(day), 2) for day in (4, 5, 7, 9, 10)] == [1, 0.93, 0.79, 0.65, 0.65]
