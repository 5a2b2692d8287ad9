"""Jobs that wait to be begun, and those that come back because their worker died."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

J = TypeVar("J")
D = TypeVar("D")

TRIES = 3
"""How often a job may take its worker down before it is given up."""


@dataclass
class Task(Generic[J]):
    """A job, and how the workers ended that it took down."""

    job: J
    deaths: list[str] = field(default_factory=list)


class RetryQueue(Generic[J, D]):
    """The tasks that wait, in the order in which they are to be begun.

    `lost(job, reason)` answers for a job that is given up.
    """

    def __init__(self, jobs: Sequence[J], lost: Callable[[J, str], D]) -> None:
        self._lost = lost
        self._tasks = deque(Task(job) for job in jobs)

    def __len__(self) -> int:
        return len(self._tasks)

    def take(self) -> Task[J]:
        """Remove and return the first task. Raises `IndexError` where none waits."""
        return self._tasks.popleft()

    def died(self, task: Task[J], how: str) -> list[D]:
        """Queue a task again whose worker died, or give it up after the third time.

        It goes to the end, because what killed it (mostly the want of memory) may pass. `how`: the worker
        ended, in a word or a sentence. Returns what `lost` answers for a task that is given up, else nothing.
        """
        task.deaths.append(how)
        if len(task.deaths) < TRIES:
            self._tasks.append(task)
            return []
        deaths = ", ".join(dict.fromkeys(task.deaths))
        reason = f"its worker died {TRIES} times ({deaths}); if memory ran out, take fewer workers"
        return [self._lost(task.job, reason)]
