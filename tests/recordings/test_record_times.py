"""The records' time stamps: rounding is no gap, a gap is told with its place, time never goes back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from secateur.errors import RecordingError
from secateur.recordings import ReadingSettings, duration_of, open_recording
from tests.support.edf_bytes import stamped, write_bytes

KINDS = pytest.mark.parametrize("kind", ["EDF+C", "EDF+D", "BDF+C", "BDF+D"])


def write_stamped(
    folder: Path,
    onsets: Sequence[str],
    kind: str = "EDF+D",
    *,
    duration: str = "1",
    per_record: int = 256,
) -> Path:
    """A file whose numbers count up, so that each sample says where it stood."""
    bdf = kind.startswith("BDF")
    label, width = ("BDF Annotations", 3) if bdf else ("EDF Annotations", 2)
    records = [
        [np.arange(k * per_record, (k + 1) * per_record) % 30_000, stamped(onset, 30, width)]
        for k, onset in enumerate(onsets)
    ]
    ends = [("-32768", "32767"), ("-1", "1")]
    return write_bytes(
        folder / f"a.{kind[:3].lower()}", ["Cz", label], records,
        bdf=bdf, units=["uV", ""], physical=ends, digital=[ends[0], ("-32768", "32767")],
        duration=duration, reserved=kind,
    )  # fmt: skip


@pytest.mark.clause("EDF+ 2.2.4")
@KINDS
@pytest.mark.parametrize(
    ("onsets", "duration", "per_record"),
    [
        ([f"+{k}" for k in range(20)], "1", 256),
        ([f"+{k}.000000" for k in range(20)], "1", 256),
        ([f"+{k}.0000000000000000000001" for k in range(20)], "1", 256),
        ([f"+{k}," for k in range(20)], "1", 256),
        ([f"+{k / 3:.3f}" for k in range(3000)], "0.333333", 128),
        ([f"+{k / 3:.6f}" for k in range(3000)], "0.333333", 128),
        ([f"+{k / 3:.7f}" for k in range(20_000)], ".3333333", 128),
        ([f"+{k / 3:.7f}" for k in range(20_000)], "0.333333", 128),
        ([f"+{k * 85 / 256:.3f}" for k in range(3000)], "0.332031", 85),
        ([f"+{sum([0.1] * k)!r}" if k else "+0" for k in range(200)], "0.1", 26),
        ([f"+{k + 0.001 * (k % 2):g}" for k in range(20)], "1", 256),
        ([f"+{k + 0.001 * (k % 2):g}" for k in range(20)], "1", 4000),
        ([f"+{k * 1.000412:.6f}" for k in range(500)], "1.000412", 256),
        ([f"{86400.25 + k:+.2f}" for k in range(20)], "1", 256),
        ([f"+{k / 3:.2f}" for k in range(3000)], ".3333333", 128),
        ([f"+{k // 4}" for k in range(100)], "0.25", 64),
        ([f"{k - 10:+d}" for k in range(20)], "1", 256),
    ],
    ids="case {}".format,
)
def test_rounding_is_no_gap_however_many_digits_and_records(
    tmp_path: Path, kind: str, onsets: list[str], duration: str, per_record: int
) -> None:
    path = write_stamped(tmp_path, onsets, kind, duration=duration, per_record=per_record)
    recording = open_recording(path)
    assert recording.stretches == ((0, len(onsets) * per_record),)
    assert recording.notes == ()


@pytest.mark.clause("EDF+ 2.1.2")
@KINDS
def test_a_gap_divides_the_recording_on_its_own_axis_of_time(tmp_path: Path, kind: str) -> None:
    onsets = [f"+{k + (3600 if k >= 10 else 0) + (7 if k >= 15 else 0)}" for k in range(20)]
    recording = open_recording(write_stamped(tmp_path, onsets, kind))
    assert recording.stretches == (
        (0, 2560),
        (3610 * 256, 3615 * 256),
        (3622 * 256, 3627 * 256),
    )
    assert duration_of(recording) == 3627
    assert recording.notes == (
        "has gaps, what lies between is taken by itself: 3600 s at 10 s, 7 s at 3615 s",
    )
    for first, last, record in ((0.0, 10.0, 0), (3610.5, 3615.0, 10), (3622.0, 3627.0, 15)):
        samples = recording.read(first, last)[0]
        begin = record * 256 + 128 * (first % 1 > 0)
        assert np.array_equal(samples, np.arange(begin, begin + round((last - first) * 256)))
    for first, last in ((5.0, 12.0), (100.0, 200.0), (3614.0, 3623.0)):
        with pytest.raises(RecordingError, match="reach into a gap"):
            recording.read(first, last)


@KINDS
def test_a_gap_is_refused_where_the_settings_say_so(tmp_path: Path, kind: str) -> None:
    path = write_stamped(tmp_path, ["+0", "+1", "+2.5", "+3.5"], kind)
    with pytest.raises(RecordingError, match=r"has gaps \(0\.5 s at 2 s\)"):
        open_recording(path, ReadingSettings(gaps="refuse"))
    assert len(open_recording(path, ReadingSettings(gaps="split")).stretches) == 2


@pytest.mark.clause("EDF+ 2.1.2")
@KINDS
@pytest.mark.parametrize(
    "onsets",
    [
        [*range(10, 20), *range(10)],
        [0.5 * k for k in range(20)],
        [0.0, 1.0, 1.99, 2.99],
        [0.0, 1.0, 0.0, 1.0],
    ],
)
def test_time_that_goes_back_or_overlaps_is_refused(
    tmp_path: Path, kind: str, onsets: list[float]
) -> None:
    path = write_stamped(tmp_path, [f"+{onset:g}" for onset in onsets], kind)
    with pytest.raises(RecordingError, match=r"begins .* s before the one before it ends"):
        open_recording(path)


@pytest.mark.parametrize("late", [0.4, 0.1])
def test_a_little_late_every_time_adds_up_to_a_gap(tmp_path: Path, late: float) -> None:
    """Each record alone is less than half a sample late."""
    onsets = [f"+{k * (1 + late / 256):.9f}" for k in range(40)]
    recording = open_recording(write_stamped(tmp_path, onsets))
    assert len(recording.stretches) > 1
    for (first, _), onset in zip(recording.stretches[1:], [onsets], strict=False):
        at = min(range(40), key=lambda k: abs(float(onset[k]) * 256 - first))
        assert abs(float(onset[at]) * 256 - first) <= 0.5


@KINDS
@pytest.mark.parametrize("ppm", [20, -20, 80, -80])
def test_the_drift_of_two_clocks_is_no_gap_and_is_noted(
    tmp_path: Path, kind: str, ppm: float
) -> None:
    drift = 1 + ppm * 1e-6
    onsets = [k * drift for k in range(3000)]
    steady = open_recording(write_stamped(tmp_path, [f"+{t:.6f}" for t in onsets], kind))
    assert steady.stretches == ((0, 3000 * 256),)
    (note,) = steady.notes
    side, most = "ahead of" if ppm > 0 else "behind", f"{abs(ppm) * 1e-6 * 2999:.2g}"
    assert note.startswith(f"its time stamps run {side} its samples, by {most} s at most")
    paused = [t + (3600 if k >= 2000 else 0) for k, t in enumerate(onsets)]
    recording = open_recording(write_stamped(tmp_path, [f"+{t:.6f}" for t in paused], kind))
    assert recording.stretches[0] == (0, 2000 * 256)
    assert recording.stretches[1][0] == round((3600 + 2000 * drift) * 256)
    assert len(recording.stretches) == 2


@pytest.mark.parametrize("ppm", [20, -20])
def test_beside_a_drift_a_lost_sample_is_a_gap_and_a_step_back_is_refused(
    tmp_path: Path, ppm: float
) -> None:
    onsets = [k * (1 + ppm * 1e-6) for k in range(3000)]
    late = [f"+{t + (1 / 256 if k >= 2000 else 0):.6f}" for k, t in enumerate(onsets)]
    recording = open_recording(write_stamped(tmp_path, late))
    assert [first for first, _ in recording.stretches] == [
        0,
        max(2000 * 256, round(float(late[2000]) * 256)),
    ]
    back = [f"+{t - (1 / 256 if k >= 2000 else 0):.6f}" for k, t in enumerate(onsets)]
    with pytest.raises(RecordingError, match=r"data record 2001 begins .* before the one before"):
        open_recording(write_stamped(tmp_path, back))


def test_a_stamp_that_is_a_little_early_every_time_is_refused(tmp_path: Path) -> None:
    onsets = [f"+{k * (1 - 0.1 / 256):.9f}" for k in range(40)]
    with pytest.raises(RecordingError, match=r"begins .* s before the one before it ends"):
        open_recording(write_stamped(tmp_path, onsets))


@pytest.mark.parametrize(("digits", "lost"), [(0, 1), (1, 0.1), (2, 0.01), (2, 0.02)])
def test_a_gap_of_one_unit_of_the_stamps_last_digit_is_seen(
    tmp_path: Path, digits: int, lost: float
) -> None:
    onsets = [f"+{k + (lost if k >= 10 else 0):.{digits}f}" for k in range(20)]
    recording = open_recording(write_stamped(tmp_path, onsets))
    assert recording.stretches == ((0, 2560), (2560 + round(256 * lost), 5120 + round(256 * lost)))


def test_a_gap_of_a_few_samples_among_rounded_stamps_is_seen(tmp_path: Path) -> None:
    onsets = [f"+{k / 3 + (0.01 if k >= 2000 else 0):.6f}" for k in range(3000)]
    recording = open_recording(write_stamped(tmp_path, onsets, duration="0.333333", per_record=128))
    assert len(recording.stretches) == 2
    assert recording.stretches[0] == (0, 2000 * 128)


@pytest.mark.clause("EDF+ 2.1.1")
@pytest.mark.clause("EDF+ 2.2.4")
def test_records_of_d_files_must_tell_when_they_begin(tmp_path: Path) -> None:
    path = write_stamped(tmp_path, ["+0", "+1", "", "+3"])
    with pytest.raises(RecordingError, match=r"EDF\+D, and data record 3 does not tell"):
        open_recording(path)
    numbers = [[np.zeros(16, dtype=np.int64)]] * 2
    path = write_bytes(tmp_path / "b.bdf", ["Cz"], numbers, bdf=True, reserved="BDF+D")
    with pytest.raises(RecordingError, match=r"BDF\+D, and nothing in it tells"):
        open_recording(path)


@pytest.mark.clause("EDF+ 2.1.1")
def test_records_of_c_files_that_tell_nothing_follow_on_and_are_noted(tmp_path: Path) -> None:
    recording = open_recording(write_stamped(tmp_path, ["", "+1", "", "+3"], "EDF+C"))
    assert recording.stretches == ((0, 4 * 256),)
    assert recording.notes == (
        "2 of 4 data records do not tell when they begin: taken to follow on the one before",
    )


def test_years_between_records_are_not_believed(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="years apart"):
        open_recording(write_stamped(tmp_path, ["+0", "+900000000"]))


@pytest.mark.parametrize("every", [1, 10**9], ids=["a gap at each record", "none"])
def test_a_hundred_thousand_records_open_at_once(tmp_path: Path, every: int) -> None:
    onsets = [f"+{0.25 * k + 2 * (k // every)}" for k in range(100_000)]
    path = write_stamped(tmp_path, onsets, duration="0.25", per_record=64)
    begin = time.process_time()
    recording = open_recording(path)
    assert time.process_time() - begin < 3  # 0.3 s on the machine that this was written on
    assert len(recording.stretches) == len(range(0, 100_000, every))
    last = recording.stretches[-1]
    seconds = last[0] / recording.sampling_rate, last[1] / recording.sampling_rate
    assert recording.read(*seconds).shape == (1, last[1] - last[0])
