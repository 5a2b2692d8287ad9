"""What is said of epochs while a network trains is about those that may be kept."""

from __future__ import annotations

from secateur.runs.workers import Relay
from secateur.training import Epoch


class _Steps:
    """Keeps what each step said."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def begin(self, stage: str, of: int | None) -> None: ...

    def step(self, stage: str, done: int, of: int, note: str) -> None:
        self.notes.append(note)

    def end(self, stage: str, note: str) -> None: ...


def _notes(scores: list[float], least_epochs: int) -> list[str]:
    steps = _Steps()
    relay = Relay("pruned", steps, least_epochs)
    for number, score in enumerate(scores, 1):
        relay(Epoch(number, 0.5, 0.5, score, 0.8, 1.0), len(scores))
    return steps.notes


def test_the_best_is_of_epochs_that_may_be_kept() -> None:
    assert _notes([0.9, 0.7, 0.8], 2) == [
        "macro-F1 0.900",
        "macro-F1 0.700, best 0.700",
        "macro-F1 0.800, best 0.800",
    ]


def test_of_fewer_epochs_than_that_the_last_is_kept() -> None:
    assert _notes([0.9, 0.7], 6) == ["macro-F1 0.900", "macro-F1 0.700, best 0.700"]
