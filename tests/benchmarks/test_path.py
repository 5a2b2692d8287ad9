"""Which values the benchmark of ways takes for the ratio that it follows."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.path import DETECTOR, GOALS, RATIO, carried, carries, circle, detected, returns
from secateur.pruning import PruningSettings


@pytest.mark.parametrize(
    "value",
    [
        RATIO,
        {"ratio": RATIO},
        [0.25, RATIO],
        "43.8 % of the kernels",
        "--ratio 0.4375",
        PruningSettings(ratio=RATIO),
    ],
)
def test_the_ratio_is_found(value: object) -> None:
    assert carries(value, 1)


@pytest.mark.parametrize(
    "value", [0.5, None, "rung-0.4375", "out/rungs/rung-0.4375", "143.8", {"a": {"b": RATIO}}]
)
def test_what_is_not_the_ratio_is_not_taken_for_it(value: object) -> None:
    assert not carries(value, 1)


def test_a_room_is_returned_to_after_another() -> None:
    files = ["cli/run.py", "runs/run.py", "runs/plan.py", "pruning/prune.py", "runs/result.py"]
    assert returns(files) == ["runs/result.py"]


def test_a_recording_comes_to_its_events_by_few_files_and_enters_no_room_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECATEUR_CACHE", str(tmp_path / "cache"))
    files = list(detected(DETECTOR, None, tmp_path))
    assert files[0] == "cli/detect.py"
    assert files[-1] == "events.py"
    assert "recordings/edf.py" in files
    assert len(files) <= GOALS["detect"][1], files
    assert returns(files) == []
    assert circle() == []


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["run", "prune"])
def test_the_ratio_comes_to_the_report_by_few_files_and_enters_no_room_twice(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECATEUR_CACHE", str(tmp_path / "cache"))  # which tracing sets, and leaves
    files = list(carried(verb, tmp_path))
    assert files[0] == f"cli/{verb}.py"
    assert files[-1].startswith("reporting/")
    assert "pruning/prune.py" in files
    assert len(files) <= GOALS["job"][1], files
    assert returns(files) == []
