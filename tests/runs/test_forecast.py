"""What is left of a job is told once a network has been cut and retrained, from measured times."""

from __future__ import annotations

import pytest

from secateur.cli.progress import PlainProgress
from secateur.runs.forecast import Forecast, in_words
from secateur.runs.plan import Kind

KINDS: dict[tuple[str, str], Kind] = {
    ("fold 1", "baseline"): "baseline",
    ("fold 1", "rung-0.5"): "pruned",
    ("fold 1", "rung-0.75"): "pruned",
    ("fold 1", "retrained"): "retrained",
    ("fold 1", "rung-0.5-scratch-long"): "scratch-long",
    ("fold 2", "baseline"): "baseline",
    ("fold 2", "rung-0.5"): "pruned",
}


class Clock:
    """Stands for the time module."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.mark.parametrize("workers", [1, 2])
def test_time_is_forecast_after_the_first_rung(
    workers: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock()
    monkeypatch.setattr("secateur.runs.forecast.time", clock)
    forecast = Forecast(KINDS, workers, PlainProgress())

    def done(name: tuple[str, str], seconds: float) -> None:
        forecast.begin(name)
        clock.now += seconds
        forecast.end(name)

    first, second, third, *rest = KINDS
    done(first, 1200)
    assert forecast.remaining() is None
    done(second, 600)
    # a rung, the baseline retrained, both for scratch-long, and the second fold
    seconds = 600 + 1200 + (1200 + 600) + 1200 + 600
    assert forecast.remaining() == seconds / workers
    done(third, 300)
    assert forecast.remaining() == (1200 + (1200 + 450) + 1200 + 450) / workers
    for name in rest:
        done(name, 60)
    assert forecast.remaining() == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == [
        "all stages: 1 of 7",
        f"all stages: 2 of 7, about {90 // workers} min left",
    ]
    assert lines[-1] == "all stages: 7 of 7"


def test_durations_in_words() -> None:
    assert [in_words(seconds) for seconds in (4.4, 600, 3600 * 5)] == ["4 s", "10 min", "5 h"]


def test_the_same_count_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    progress = PlainProgress()
    for done in (5, 9, 9, 9):
        progress.step("seconds of EEG", done, 9, "")
    progress.step("baseline", 1, 3, "best 0.5")
    progress.step("baseline", 1, 3, "best 0.6")
    assert capsys.readouterr().err.splitlines() == [
        "seconds of EEG: 5 of 9",
        "seconds of EEG: 9 of 9",
        "baseline: 1 of 3, best 0.5",
        "baseline: 1 of 3, best 0.6",
    ]
