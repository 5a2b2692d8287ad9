"""Time stamps to sample indices: jitter moves nothing, losses are gaps, nothing is taken twice."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from secateur.live.sources.sample_clock import Placed, SampleClock

RATE = 256.0
RANDOM = np.random.default_rng(3)
Chunk = tuple[NDArray[np.float64], NDArray[np.float32], float]


@dataclass
class Taken:
    """What a clock made of chunks: for each sample that was taken its index and its value."""

    clock: SampleClock
    indices: list[int] = field(default_factory=list)
    samples: list[float] = field(default_factory=list)
    troubles: list[tuple[str, str]] = field(default_factory=list)

    def push(self, stamps: NDArray[np.float64], values: NDArray[np.float32], now: float) -> Placed:
        placed = self.clock.assign(stamps, values, now)
        for at, begin, end in placed.slices:
            self.indices += range(at, at + end - begin)
            self.samples += values[begin:end, 0].tolist()
        self.troubles += placed.troubles
        return placed

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.troubles]


def taken(correction: float = 0.0) -> Taken:
    clock = SampleClock(RATE)
    clock.correct(correction)
    return Taken(clock)


def chunk(first: int, count: int = 32, rate: float = RATE, offset: float = 0.0) -> Chunk:
    """Samples `first` and on, whose value is their number, stamped 1000 s and on; arrival of the last."""
    numbers = np.arange(first, first + count)
    stamps = 1000 + numbers / rate
    values = np.stack([numbers, RANDOM.normal(size=count)], axis=1).astype(np.float32)
    return stamps + offset, values, float(stamps[-1]) + 0.01


def test_regular_samples_are_counted() -> None:
    result = taken()
    for k in range(0, 25_600, 32):
        result.push(*chunk(k))
    assert result.indices == result.samples == list(range(25_600))
    assert result.troubles == []


@pytest.mark.parametrize("size", [1, 8, 32, 200])
def test_jitter_of_arrival_moves_nothing(size: int) -> None:
    """Chunks stamped when they were pushed, up to 90 ms late, so that they overlap in time."""
    result, pushed = taken(), 0.0
    for k in range(0, 6400, size):
        stamps, values, now = chunk(k, size)
        late = RANDOM.uniform(0, 0.09)
        pushed = max(pushed + 1e-4, now + late)  # pushed one after the other
        result.push(stamps + (pushed - now), values, pushed)
    assert result.indices == list(range(len(result.samples)))
    assert result.samples == result.indices
    assert result.troubles == []


@pytest.mark.parametrize("rate", [255.9, 256.1, 256.5])
def test_a_sender_whose_clock_runs_otherwise_gets_no_gaps(rate: float) -> None:
    result = taken()
    for k in range(0, 3600 * 32, 32):
        result.push(*chunk(k, rate=rate))
    assert result.indices == list(range(3600 * 32))
    assert result.troubles == []


def test_lost_samples_are_a_gap_of_their_length() -> None:
    result = taken()
    kept = [k for k in range(0, 12_800, 32) if k not in (3200, 3232, 9600)]
    for k in kept:
        result.push(*chunk(k))
    assert result.indices == result.samples  # each stands at its own number


def test_a_gap_within_what_came_together() -> None:
    result = taken()
    first, second = chunk(0, 40), chunk(100, 40)
    result.push(
        np.concatenate([first[0], second[0]]), np.concatenate([first[1], second[1]]), second[2]
    )
    assert result.indices == [*range(40), *range(100, 140)]


@pytest.mark.parametrize("size", [1, 8, 64])
def test_a_chunk_that_comes_twice_is_taken_once(size: int) -> None:
    result = taken()
    for k in range(0, 2560, size):
        one_chunk = chunk(k, size)
        result.push(*one_chunk)
        if k % (5 * size) == 0:
            result.push(*one_chunk)
    assert result.indices == result.samples == list(range(result.clock.next))
    assert set(result.kinds) == {"disorder"}
    assert "came again" in result.troubles[0][1]


def test_a_repeated_chunk_that_comes_together_with_the_first() -> None:
    result = taken()
    stamps, values, now = chunk(0)
    result.push(np.concatenate([stamps, stamps]), np.concatenate([values, values]), now)
    assert result.indices == list(range(32))
    assert result.kinds == ["disorder"]


@pytest.mark.parametrize("size", [8, 64])
def test_chunks_out_of_order_are_never_joined_wrongly(size: int) -> None:
    result = taken()
    order = list(range(0, 40 * size, size))
    order[10], order[11] = order[11], order[10]
    for k in order:
        result.push(*chunk(k, size))
    assert result.kinds == ["disorder"]
    assert f"{size} samples came out of order" in result.troubles[0][1]
    assert len(result.samples) == 39 * size
    exact = [i == s for i, s in zip(result.indices, result.samples, strict=True)]
    assert all(exact[: 10 * size])
    assert all(exact[11 * size :])  # a small chunk too early is jitter, until the cut behind it
    assert result.indices == sorted(set(result.indices))


def test_a_buffer_filled_meanwhile_and_sent_at_once_is_not_new() -> None:
    """Thirty seconds, stamped when they were pushed: nobody can say when they were sampled."""
    result = taken()
    for k in range(0, 2560, 32):
        result.push(*chunk(k))
    stamps, values, now = chunk(2560, 30 * 256)
    pushed = np.asarray(now + np.arange(len(stamps)) * 1e-5, np.float64)
    result.push(pushed, values, float(pushed[-1]))
    for k in range(2560 + 30 * 256, 2560 + 40 * 256, 32):
        result.push(*chunk(k))
    assert 1 <= result.kinds.count("disorder") <= 4
    assert result.indices == sorted(set(result.indices))
    late = [
        (i, s) for i, s in zip(result.indices, result.samples, strict=True) if i > 2560 + 31 * 256
    ]
    assert all(abs(index - sample) <= 2 for index, sample in late)
    stored = [s for s in result.samples if 2560 <= s < 2560 + 30 * 256]
    assert len(stored) <= 32 + 0.1 * RATE


def test_samples_that_come_late_stand_in_their_place_and_are_told() -> None:
    result = taken()
    for k in range(0, 2560, 32):
        result.push(*chunk(k))
    for k in range(2560, 5120, 32):
        stamps, values, now = chunk(k)
        result.push(stamps, values, now + 10)
    for k in range(5120, 7680, 32):
        result.push(*chunk(k))
    assert result.indices == result.samples == list(range(7680))
    assert result.troubles == [
        ("lag", "what comes is 10.0 s old"),
        ("lag", "what comes is no longer late"),
    ]


@pytest.mark.parametrize("jump", [-3.0, 7.0])
def test_a_clock_that_jumps_is_told_and_moves_nothing(jump: float) -> None:
    """The sender's clock steps; LSL notices after two seconds and states another correction."""
    result = taken()
    for k in range(0, 2560, 32):
        result.push(*chunk(k))
    for k in range(2560, 2560 + 512, 32):
        stamps, values, now = chunk(k)
        result.push(stamps + jump, values, now)
    result.troubles += result.clock.correct(-jump)
    for k in range(2560 + 512, 10_240, 32):
        stamps, values, now = chunk(k)
        result.push(stamps + jump, values, now)
    assert "clock" in result.kinds
    assert f"moved by {jump:+.2f} s" in next(
        w for kind, w in result.troubles[::-1] if kind == "clock"
    )
    after = [(i, s) for i, s in zip(result.indices, result.samples, strict=True) if s >= 4096]
    assert all(abs(index - sample) <= 1 for index, sample in after)
    assert result.indices == sorted(set(result.indices))


def test_a_correction_that_is_estimated_wrongly_moves_nothing() -> None:
    result = taken(correction=50.0)
    for k in range(0, 2560, 32):
        if k == 1280:
            result.troubles += result.clock.correct(51.0)
        if k == 1920:
            result.troubles += result.clock.correct(50.0)
        stamps, values, now = chunk(k)
        result.push(stamps, values, now + 50.0)
    assert result.indices == result.samples == list(range(2560))
    assert result.kinds == ["clock", "clock"]


def test_after_a_reconnection_time_says_where_samples_stand() -> None:
    result = taken()
    for k in range(0, 2560, 32):
        result.push(*chunk(k))
    result.clock.reconnect()
    assert result.clock.correct(-500.0) == []  # another machine's clock
    for k in range(2560 + 777, 5120, 32):
        stamps, values, now = chunk(k)
        result.push(stamps + 500.0, values, now)
    assert result.indices == result.samples
    assert result.troubles == []


def test_what_was_taken_before_a_reconnection_is_not_taken_again() -> None:
    result = taken()
    for k in range(0, 2560, 32):
        result.push(*chunk(k))
    result.clock.reconnect()
    result.clock.correct(0.0)
    for k in range(1280, 5120, 32):  # the sender has kept some, and sends it once more
        result.push(*chunk(k))
    assert set(result.kinds) == {"disorder"}
    assert "of a time that was taken in already" in result.troubles[0][1]
    assert len(result.samples) == 5120
    assert result.indices == sorted(set(result.indices))
    assert all(abs(i - s) <= 1 for i, s in zip(result.indices, result.samples, strict=True))


def test_a_new_process_goes_on_where_time_says() -> None:
    result = taken()
    result.clock.go_on(1000, 1000 + 1000 / RATE)
    for k in range(512, 5120, 32):
        result.push(*chunk(k))
    assert result.indices[0] in (1000, 1001)
    assert all(abs(i - s) <= 1 for i, s in zip(result.indices, result.samples, strict=True))
