"""Longest runs are begun first: by what was measured, and before that by what there is to compute."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from secateur.results import StudyRun, read_study_run
from secateur.runs import Source
from secateur.runs.settings import RunSettings
from secateur.studies.costs import longest_first, measured, seconds_left
from secateur.studies.plan import Job

RUNS = Path(__file__).parents[1] / "results" / "files" / "stored-runs"


def job(name: str, ratio: float, seed: int, baseline: str = "b", work: float = 1.0) -> Job:
    settings = RunSettings.model_validate({"seed": seed, "pruning": {"ratio": ratio}})
    at = {"ratio": ratio, "seed": seed}
    return Job(name, at, "run", settings, Source(Path("nowhere")), baseline, work=work)


def result(seconds: dict[str, float]) -> StudyRun:
    path = sorted(RUNS.glob("*.json"))[0]
    run = read_study_run(path.read_bytes(), path.name)
    return run.model_copy(update={"seconds": seconds, "kind": "run"})


def names(ordered: list[tuple[Job, float]]) -> list[str]:
    return [one.name for one, _ in ordered]


def test_before_anything_was_measured_effort_decides_and_equals_keep_their_order() -> None:
    jobs = [
        job("small", 0.9, 1, work=1),
        job("large", 0.1, 1, work=5),
        job("other", 0.9, 2, work=1),
    ]
    assert names(longest_first(jobs, {}, {}, ["b"])) == ["large", "small", "other"]


def test_measured_seconds_decide_against_effort() -> None:
    jobs = [job("a", 0.5, 3, work=9), job("b", 0.9, 3, work=1)]
    seen = [
        (job("done", 0.5, 1), result({"baseline": 90.0, "material": 0.5, "pruned": 1.5})),
        (job("also", 0.9, 1), result({"baseline": 90.0, "material": 0.5, "pruned": 5.5})),
        (job("more", 0.9, 2), result({"baseline": 90.0, "material": 0.5, "pruned": 7.5})),
    ]
    ordered = longest_first(jobs, {}, measured(seen), ["b"])
    assert [(one.name, seconds) for one, seconds in ordered] == [("b", 7.0), ("a", 2.0)]


def test_what_was_never_measured_is_told_from_what_was_by_effort() -> None:
    jobs = [job("known", 0.5, 2, work=2), job("unknown", 0.9, 2, work=1)]
    seen = [(job("done", 0.5, 1), result({"pruned": 4.0}))]
    assert [seconds for _, seconds in longest_first(jobs, {}, measured(seen), ["b"])] == [4.0, 2.0]


def test_the_first_run_of_a_baseline_bears_its_making() -> None:
    jobs = [job("a", 0.5, 1, "one"), job("b", 0.5, 2, "one"), job("c", 0.5, 3, "two")]
    seen = [(job("done", 0.5, 9), result({"pruned": 1.0}))]
    ordered = longest_first(jobs, {"one": 10.0, "two": 20.0}, measured(seen), ["two"])
    assert [(one.name, seconds) for one, seconds in ordered] == [
        ("a", 11.0),
        ("b", 1.0),
        ("c", 1.0),
    ]


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_what_is_left_is_reckoned_by_the_clock_however_many_work(workers: int) -> None:
    """Runs of 30 s of the clock each, on a machine that gives them a tenth of a processor."""
    count, seconds = 40, 30.0
    for done in range(1, count):
        elapsed = (
            seconds * (done + (workers - 1) / 2) / workers
        )  # others are half done, as they are when one ends
        left = seconds_left(elapsed, done, done * 3.0, (count - done) * 3.0, workers)
        truth = seconds * count / workers - elapsed
        assert left == pytest.approx(max(0.0, truth))
    assert seconds_left(10.0, 3, 0.0, 0.0, workers) == 0
