"""The benchmark of detecting runs in small; what it computes with is right. No time is asserted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.speed.detect import repeat, run
from benchmarks.speed.detect_tables import Found, text_of
from benchmarks.speed.detect_ways import batches, events_of
from benchmarks.speed.hour import CHANNELS, RATE, write_noise
from secateur.recordings import open_recording

SPEED = Path(__file__).parents[2] / "benchmarks" / "speed"


@pytest.mark.slow
def test_it_runs_in_small() -> None:
    before = sorted(SPEED.glob("*.md"))
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.speed.detect", "--quick"],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    for words in ("found the same", "Where the time goes", "What was aimed at", "two processes"):
        assert words in done.stdout
    assert str(Path.cwd()) not in done.stdout
    assert sorted(SPEED.glob("*.md")) == before


def test_recordings_are_repeated_to_the_second(tmp_path: Path) -> None:
    short, long = tmp_path / "short.edf", tmp_path / "long.edf"
    write_noise(short, 3)
    repeat(short, long, 7)
    once, often = open_recording(short).read(), open_recording(long).read()
    assert once.shape == (CHANNELS, 3 * RATE)
    assert np.array_equal(often, np.concatenate((once, once, once[:, :RATE]), axis=1))


def test_events_are_stretches_of_windows_that_speak_for_their_last_second() -> None:
    chance = np.array([0.9, 0.1, 0.6, 0.5, 0.2, 0.8])
    logits = np.stack((np.zeros(6), np.log(chance / (1 - chance))), axis=1).astype(np.float32)
    assert events_of(logits, 0.5 - 1e-6) == [(3, 1), (5, 2), (8, 1)]
    assert events_of(logits, 0.95) == []


def test_windows_come_a_second_apart() -> None:
    scaled = np.arange(2 * 70 * 256, dtype=np.float32).reshape(2, -1)
    first, second = batches(scaled)
    assert first.shape == (64, 2, 1024)
    assert second.shape == (3, 2, 1024)
    assert np.array_equal(second[2], scaled[:, 66 * 256 : 70 * 256])


def test_a_process_that_fails_is_told() -> None:
    assert run("-c", "print(3)") == 3
    with pytest.raises(SystemExit, match="ZeroDivisionError"):
        run("-c", "1 / 0")


def found() -> Found:
    def told(seconds: float, network: float = 0.0) -> dict[str, object]:
        stages = ("reading", "montage", "filter", "scaling", "compression", "network", "writing")
        parts = {**dict.fromkeys(stages, 0.0), "network": network}
        return {"start": 1.0, "seconds": seconds, "resident": 100 * 2**20, "parts": parts}

    bench = {
        "hop": 1.0, "macs_a_hop": 1_000_000, "patients": 7, "file_bytes": 2048,
        "limits": {"multiply": 1e10, "copy": 1e10},
        "window": {"median": 0.1, "p99": 0.2}, "push": {"median": 0.3, "p99": 0.4},
    }  # fmt: skip
    return Found(
        short_seconds=3600.0,
        long_seconds=86400.0,
        what="noise",
        short={
            "a": [told(10.0), told(12.0)],
            **{name: [told(5.0), told(5.0)] for name in ("b", "a, picked", "a, pruned")},
            **{name: [told(2.0, 1.5), told(2.0, 1.5)] for name in ("c", "d", "e")},
        },
        long={name: told(40.0) for name in ("b", "c", "d", "e")},
        bench=dict.fromkeys(("c", "d", "e"), bench),
        imports=[0.5],
        workers={1: [8.0], 2: [4.0]},
        same=True,
        events=3,
        rounds=2,
    )


def test_limits_and_goals_by_hand() -> None:
    one = found()
    # a million products and sums for each of 3600 hops, ten thousand million a second
    assert one.least_network("c") == pytest.approx(0.72)
    # 23 channels of two bytes and 18 of four
    assert one.least_bytes() == pytest.approx(3600 * 256 * 118 / 1e10)
    assert one.of_network("c") == pytest.approx(1.5 / 0.72)
    assert one.of_whole("c") == pytest.approx(2 / (0.72 + one.least_bytes()))
    assert one.times("a", "c") == 5.5
    text = text_of(one)
    for row in (
        "| (c) against (a) | at least 5 times as fast | 5.5 | reached |",
        "| (d) against (a) | at least 12 times as fast | 5.5 | not reached |",
        "| two processes | at least 1.8 times as fast | 2 | reached |",
        "| imports | at most 1 s | 0.5 | reached |",
        "Were the network free, (d) would be 22 times as fast as (a)",
    ):
        assert row in text
