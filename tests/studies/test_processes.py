"""Processes end when they are told to, whatever they are in the middle of."""

from __future__ import annotations

import time
from multiprocessing.util import Finalize

import pytest

from secateur.processes import spawned


def wait_at_the_end() -> None:
    """As does a queue whose lock an interrupted piece of code holds."""
    Finalize(None, time.sleep, args=(600,), exitpriority=10)


def fail() -> None:
    raise ValueError("as asked")


def fail_while_another_works() -> None:
    with spawned(2, wait_at_the_end) as pool:
        pool.submit(time.sleep, 600)
        pool.submit(fail).result()


def test_a_worker_that_cannot_tidy_up_does_not_hold_up_the_rest() -> None:
    began = time.monotonic()
    with pytest.raises(ValueError, match="as asked"):
        fail_while_another_works()
    assert time.monotonic() - began < 300  # the bound of a test, not a promise of speed
