"""A bed: what it writes and tells of a night, and that a process that is killed in it changes nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from secateur.detectors import Detector, load_detector
from secateur.errors import RunError
from secateur.events import Events, read_tsv
from secateur.live.stream import Piece, StreamInfo
from secateur.live.ward import Pace
from tests.support.live_nights import (
    CHANNELS,
    RATE,
    Holed,
    Letters,
    Night,
    alarms_in,
    arrived,
    expected,
    plan_of,
    prepare,
    require_recorded,
    signal,
    ward_of,
    write_detector,
)

SECONDS, GAPS = 1200, 30


@pytest.fixture(scope="session")
def detector_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_detector(tmp_path_factory.mktemp("live") / "D.onnx")


@pytest.fixture(scope="session")
def detector(detector_file: Path) -> Detector:
    return load_detector(detector_file)


def rows(path: Path) -> list[tuple[str, ...]]:
    """Onset, duration, type and confidence, as written."""
    return [tuple(line.split("\t")[:4]) for line in path.read_text().splitlines()[1:]]


def test_closed_events_are_those_of_detect_on_what_arrived(
    detector: Detector, tmp_path: Path
) -> None:
    data = signal(SECONDS, 7)
    plan = plan_of(data.shape[1], 11, GAPS)
    stretches = arrived(plan, data.shape[1])
    assert len(stretches) > GAPS / 2
    ward = ward_of(tmp_path / "out", [Night(data, plan)], detector)
    ward.run(lambda: False)
    alarms = alarms_in(tmp_path / "out" / "alarms.jsonl")
    closed = [alarm for alarm in alarms if alarm.kind == "closed"]
    events = expected(detector, data, plan)
    assert len(events) > 20
    assert [(a.onset, a.duration, a.confidence) for a in closed] == [
        (event.onset, event.duration, event.confidence) for event in events
    ]
    batch = detector.detect(Holed(data, stretches))
    assert list(batch) == events
    Events(batch.events, batch.duration).write_tsv(tmp_path / "batch.tsv")
    assert rows(tmp_path / "out" / "events.tsv") == rows(tmp_path / "batch.tsv")
    assert read_tsv(tmp_path / "out" / "events.tsv").duration == batch.duration
    opened = [alarm.onset for alarm in alarms if alarm.kind == "opened"]
    assert opened == [event.onset for event in events]
    lost = [alarm.words for alarm in alarms if alarm.trouble == "lost"]
    assert len(lost) < GAPS / 2
    assert sum(words.count("samples lost") for words in lost) == len(stretches) - (
        stretches[0][0] == 0
    )
    assert [alarm.key for alarm in alarms] == [f"bed-1-{k:06d}" for k in range(len(alarms))]


def test_several_beds_are_as_if_each_were_alone(detector: Detector, tmp_path: Path) -> None:
    nights = [signal(200, seed) for seed in range(3)]
    plans = [plan_of(data.shape[1], seed, 4) for seed, data in enumerate(nights)]
    sources = [Night(data, plan) for data, plan in zip(nights, plans, strict=True)]
    ward = ward_of(tmp_path / "out", sources, detector)
    ward.run(lambda: False)
    alarms = alarms_in(tmp_path / "out" / "alarms.jsonl")
    for name, data, plan in zip(("bed-1", "bed-1-2", "bed-1-3"), nights, plans, strict=True):
        mine = [a for a in alarms if a.bed == name and a.kind == "closed"]
        assert [a.onset for a in mine] == [e.onset for e in expected(detector, data, plan)]
        written = read_tsv(tmp_path / "out" / name / "events.tsv")
        assert len(written) == len(mine) > 0
    assert all(source.closed for source in sources)


def test_one_bed_that_breaks_leaves_the_others_alone(detector: Detector, tmp_path: Path) -> None:
    class Broken(Night):
        def read(self, timeout: float) -> list[Piece]:
            raise OSError("the amplifier is on fire")

    data = signal(100)
    plan = plan_of(data.shape[1], 1, 1)
    ward = ward_of(tmp_path / "out", [Broken(data, plan), Night(data, plan)], detector)
    ward.run(lambda: False)
    alarms = alarms_in(tmp_path / "out" / "alarms.jsonl")
    (refusal,) = [alarm for alarm in alarms if alarm.bed == "bed-1"]
    assert refusal.kind == "technical"
    assert "on fire" in refusal.words
    assert list(ward.failed()) == ["bed-1"]
    closed = [alarm.onset for alarm in alarms if alarm.kind == "closed"]
    assert closed == [event.onset for event in expected(detector, data, plan)]


@pytest.mark.parametrize(
    ("seconds", "gaps", "most_kills"),
    [
        pytest.param(1200, 30, 4, id="twenty minutes"),
        pytest.param(86_400, 200, 20, id="a day", marks=pytest.mark.long),
    ],
)
def test_nothing_is_lost_in_a_process_that_is_killed_again_and_again(
    seconds: int,
    gaps: int,
    most_kills: int,
    detector_file: Path,
    detector: Detector,
    tmp_path: Path,
) -> None:
    """Killed at times of chance, also in taking in what the last one left; a sink fails half of the time."""
    data, plan = prepare(tmp_path, seconds, gaps)
    (tmp_path / "D.onnx").write_bytes(detector_file.read_bytes())
    command = [sys.executable, "-m", "tests.support.live_nights", str(tmp_path)]
    chance, kills = np.random.default_rng(3), 0
    log = tmp_path / "out" / "alarms.jsonl"
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), *sys.path])}
    while True:
        size = log.stat().st_size if log.exists() else 0
        with subprocess.Popen(
            command, cwd=root, env=environment, stderr=subprocess.PIPE
        ) as process:
            try:
                begun = time.monotonic()
                while process.poll() is None and (not log.exists() or log.stat().st_size == size):
                    time.sleep(0.005)
                    assert time.monotonic() - begun < 120
                if kills < most_kills:
                    time.sleep(chance.uniform(0, seconds / 20_000 + 0.3))
                    process.kill()
                    kills += 1
                _, errors = process.communicate(timeout=1800)
            finally:
                process.kill()
        if process.returncode == 0:
            break
        assert process.returncode == -9, errors.decode()
    events = expected(detector, data, plan)
    alarms = alarms_in(log)
    for kind in ("opened", "closed"):
        assert [a.onset for a in alarms if a.kind == kind] == [e.onset for e in events]
    closed = [(a.duration, a.confidence) for a in alarms if a.kind == "closed"]
    assert closed == [(e.duration, e.confidence) for e in events]
    assert len(read_tsv(tmp_path / "out" / "events.tsv")) == len(events)
    keys = [alarm.key for alarm in alarms]
    assert len(set(keys)) == len(keys)
    sent = [json.loads(line) for line in (tmp_path / "sent.jsonl").read_text().splitlines()]
    assert list(dict.fromkeys(letter["key"] for letter in sent)) == keys
    by_key = {alarm.key: alarm.model_dump(mode="json") for alarm in alarms}
    assert all(by_key[letter["key"]] == letter for letter in sent)
    assert Counter(a.trouble for a in alarms)["restart"] >= kills - 1
    require_recorded(tmp_path / "out" / "bed-1_eeg.edf", data, arrived(plan, data.shape[1]))


def test_another_detector_or_source_is_refused_and_what_is_complete_too(
    detector: Detector, tmp_path: Path
) -> None:
    data = signal(60)
    plan = plan_of(data.shape[1], 1, 1)
    out = tmp_path / "out"
    stopping = iter([False, False, True, True])
    ward_of(out, [Night(data, plan)], detector).run(lambda: next(stopping))
    other = Night(data, plan)
    other.info = StreamInfo("bed 1", ("Fp1", "Cz", "O1"), RATE)
    with pytest.raises((RunError, ValueError), match=r"O1|O2"):
        ward_of(out, [other], detector)
    moved = Night(data, plan)
    moved.address = "dusk"
    with pytest.raises(RunError, match=r"another source.*dusk"):
        ward_of(out, [moved], detector)
    with pytest.raises(RunError, match="another number of sources"):
        ward_of(out, [Night(data, plan), Night(data, plan)], detector)
    ward_of(out, [Night(data, plan)], detector).run(lambda: False)
    with pytest.raises(RunError, match="is complete"):
        ward_of(out, [Night(data, plan)], detector)


def test_every_gap_is_told_in_few_records(detector: Detector, tmp_path: Path) -> None:
    """Also over a stop: what waited for its record then comes with the stop's."""
    data = signal(200)
    plan = [(k, k + 12) for k in range(0, data.shape[1], 14)]
    out = tmp_path / "out"
    ward = ward_of(out, [Night(data, plan)], detector)
    ward.run(lambda: ward.beds[0].seconds > 90)
    ward_of(out, [Night(data, plan)], detector).run(lambda: False)
    words = [a.words for a in alarms_in(out / "alarms.jsonl") if a.trouble == "lost"]
    assert len(words) <= len(plan) / 20
    gaps = [gap for each in words for gap in each.rpartition(" times: ")[2].split("; ")]
    assert gaps == [
        f"2 samples lost, from {(k - 2) / RATE:.2f} to {k / RATE:.2f} s" for k, _ in plan[1:]
    ]


def test_a_stop_leaves_an_open_event_open_and_it_goes_on(
    detector: Detector, tmp_path: Path
) -> None:
    data = signal(120)
    plan = [(k, k + 64) for k in range(0, data.shape[1], 64)]
    events = expected(detector, data, plan)
    middle = events[1].onset + events[1].duration / 2 + 1
    out = tmp_path / "out"
    ward = ward_of(out, [Night(data, plan)], detector)
    ward.run(lambda: ward.beds[0].seconds > middle)
    before = read_tsv(out / "events.tsv")
    ward = ward_of(out, [Night(data, plan)], detector)
    ward.run(lambda: False)
    after = read_tsv(out / "events.tsv")
    assert len(before) <= len(after) == len(events)
    alarms = alarms_in(out / "alarms.jsonl")
    assert [a.onset for a in alarms if a.kind == "opened"] == [e.onset for e in events]
    assert [a.onset for a in alarms if a.kind == "closed"] == [e.onset for e in events]


def test_a_last_line_cut_off_by_a_kill_is_no_alarm(detector: Detector, tmp_path: Path) -> None:
    data = signal(60)
    plan = plan_of(data.shape[1], 1, 1)
    out = tmp_path / "out"
    stopping = iter([False, False, True, True])
    ward_of(out, [Night(data, plan)], detector).run(lambda: next(stopping))
    complete = (out / "alarms.jsonl").read_bytes()
    (out / "alarms.jsonl").write_bytes(complete + b'{"key": "bed-1-0000')
    ward_of(out, [Night(data, plan)], detector).run(lambda: False)
    alarms = alarms_in(out / "alarms.jsonl")
    assert [a.key for a in alarms] == [f"bed-1-{k:06d}" for k in range(len(alarms))]


def test_a_flat_channel_and_one_at_its_limit_are_told_and_told_to_be_over(
    detector: Detector, tmp_path: Path
) -> None:
    data = signal(90)
    data[1, round(20 * RATE) : round(45 * RATE)] = 3.0
    data[2, round(30 * RATE) : round(60 * RATE)] = 3276.7
    plan = [(k, k + 50) for k in range(0, data.shape[1], 50)]
    ward_of(tmp_path / "out", [Night(data, plan)], detector).run(lambda: False)
    alarms = alarms_in(tmp_path / "out" / "alarms.jsonl")
    told = [(a.trouble, a.channels, "no longer" in a.words) for a in alarms
            if a.trouble in ("flat", "railed")]  # fmt: skip
    assert told == [
        ("flat", (CHANNELS[1],), False),
        ("railed", (CHANNELS[2],), False),
        ("flat", (CHANNELS[1],), True),
        ("railed", (CHANNELS[2],), True),
    ]


def test_samples_without_a_value_are_told_and_not_judged(
    detector: Detector, tmp_path: Path
) -> None:
    data = signal(60)
    data[1, 1000:1100] = np.nan
    plan = [(k, k + 50) for k in range(0, data.shape[1], 50)]
    ward_of(tmp_path / "out", [Night(data, plan)], detector).run(lambda: False)
    words = [a.words for a in alarms_in(tmp_path / "out" / "alarms.jsonl") if a.kind == "technical"]
    assert sum("no signal in Cz" in each for each in words) == 2


def test_heartbeats_come_while_nothing_else_does(detector: Detector, tmp_path: Path) -> None:
    class Silent(Night):
        def read(self, timeout: float) -> list[Piece]:
            time.sleep(min(timeout, 0.01))
            return []

    letters = Letters(tmp_path / "sent.jsonl")
    ward = ward_of(tmp_path / "out", [Silent(signal(1), [(0, 64)])], detector, letters,
                   Pace(heartbeat=0.05))  # fmt: skip
    end = time.monotonic() + 0.5
    ward.run(lambda: time.monotonic() > end)
    kinds = [alarm.kind for alarm in alarms_in(tmp_path / "sent.jsonl")]
    assert 5 <= len(kinds) <= 11
    assert set(kinds) == {"heartbeat"}
