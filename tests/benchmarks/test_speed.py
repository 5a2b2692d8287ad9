"""The speed benchmarks run from end to end in small; what they compute with is right. No time is asserted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import edfio
import numpy as np
import pytest

from benchmarks.speed.hour import CHANNELS, RATE, join_clips, write_noise
from benchmarks.speed.hours import REST, RETRAINING, STAGES, StageClock, cohort_of
from benchmarks.speed.measuring import in_turns, ratio, spread
from secateur.recordings import load_cohort

SPEED = Path(__file__).parents[2] / "benchmarks" / "speed"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("preparing", ["MNE: read, filter, pick", "Secateur, into its cache", "SHA-256", "512 Hz"]),
        ("training", ["plain loop", "Secateur, like for like", "its defaults", "optimiser"]),
    ],
)
def test_each_benchmark_runs_in_small(name: str, told: list[str]) -> None:
    before = sorted(SPEED.glob("*.md"))
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.speed.{name}", "--quick"],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    for words in (*told, "Where the time goes", "The goal was"):
        assert words in done.stdout
    assert str(Path.cwd()) not in done.stdout
    assert sorted(SPEED.glob("*.md")) == before


@pytest.mark.long
def test_the_cost_of_hours_is_told_by_stage() -> None:
    before = (SPEED / "hours.md").read_text() if (SPEED / "hours.md").exists() else None
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.speed.hours", "--quick"],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    rows = {line.split(" | ")[0].strip("| "): line for line in done.stdout.splitlines()}
    for stage in (*STAGES, *RETRAINING.values()):
        seconds = [float(cell) for cell in rows[stage].split(" | ")[1:3]]
        # in small, the others may take less than the table's digits
        long = stage in ("preparing", "validating and testing", "random forest, fitting", "report")
        assert max(seconds) > 0 if long else min(seconds) >= 0, stage
    assert rows["training"].split(" | ")[3] == "0.00"
    assert "Goal for 1,000 h: at most 21,600 s (6.0 h)" in done.stdout
    assert before == ((SPEED / "hours.md").read_text() if before is not None else None)


def test_stages_are_timed_by_functions_that_are_there() -> None:
    with StageClock().running():
        pass


def test_a_stage_counts_without_those_that_it_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [5.0]
    monkeypatch.setattr("time.process_time", lambda: now[0])

    def busy(seconds: float) -> None:
        now[0] += seconds

    clock = StageClock()
    inner = clock.timed("training", lambda: busy(3))
    judged = clock.timed("validating and testing", lambda: busy(7))

    def outer() -> None:
        busy(1)
        inner()
        busy(1)

    clock.timed("cutting", outer)()
    judged()
    inner()
    again = RETRAINING["training"]
    assert clock.seconds == {
        REST: 5,
        "cutting": 2,
        "training": 3,
        "validating and testing": 7,
        again: 3,
    }


def test_repeated_half_hours_differ_in_a_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.speed.hours.PIECE_HOURS", 0.01)
    monkeypatch.setattr("benchmarks.speed.hours.SUBJECTS", 2)
    cohort = load_cohort(cohort_of(tmp_path / "cohort", 0.06))
    assert len(cohort) == 6
    assert cohort.hours == pytest.approx(0.06)
    first = [entry for entry in cohort if entry.subject.endswith("sub-01")]
    values = [entry.open().read(0, 5) for entry in first]
    for k in (1, 2):
        assert [len(entry.events) for entry in first] == [len(first[0].events)] * 3
        assert np.count_nonzero(values[k] != values[0]) == 1


def test_contestants_take_turns_and_ratios_are_those_of_a_round() -> None:
    order: list[str] = []

    def contestant(name: str, factor: float) -> float:
        order.append(name)
        return factor * len(order)

    took = in_turns({"a": lambda: contestant("a", 3.0), "b": lambda: contestant("b", 1.0)}, 2)
    assert order == ["a", "b", "b", "a"]
    assert took == {"a": [3.0, 12.0], "b": [2.0, 3.0]}
    assert ratio(took["a"], took["b"]) == "2.75 (2.12 to 3.38)×"
    assert spread([1000.0], 0) == "1,000 (1,000 to 1,000)"


def test_clips_of_one_kind_are_joined_and_begin_again(tmp_path: Path) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    for name, seconds in (("a", 3), ("b", 2)):
        write_noise(clips / f"{name}.edf", seconds)
    write_noise(clips / "other.edf", 9, 2 * RATE)
    out = tmp_path / "out.edf"
    assert join_clips(clips, out, 7) == ("real EEG, 2 clips joined, the first 2 s of them twice")
    parts = [
        np.stack([signal.digital for signal in edfio.read_edf(clips / f"{name}.edf").signals])
        for name in "aba"
    ]
    joined = np.stack([signal.digital for signal in edfio.read_edf(out).signals])
    assert joined.shape == (CHANNELS, 7 * RATE)
    assert np.array_equal(joined, np.concatenate(parts, axis=1)[:, : 7 * RATE])
    with pytest.raises(SystemExit, match="no recording of 23 channels"):
        join_clips(tmp_path / "clips" / "none", out, 7)
