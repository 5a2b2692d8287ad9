"""Jobs in processes of this machine: begun in order, tried again, given up, and none outlives its parent."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import jobs_for_backends as jobs
from tests.support.jobs_for_backends import WorkItem, begun_by, do, is_alive, lost, mixed

pytest.importorskip("joblib")

from secateur.studies.backends import local


def wait_until(is_so: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def test_one_worker_does_jobs_in_the_order_given(tmp_path: Path) -> None:
    items = [WorkItem(str(tmp_path), number) for number in (3, 1, 2)]
    assert list(local.carry_out(items, do, lost, 1)) == ["3 done", "1 done", "2 done"]


def test_no_more_jobs_are_begun_than_there_are_workers(tmp_path: Path) -> None:
    items = [WorkItem(str(tmp_path), number) for number in range(12)]
    for finished, _ in enumerate(local.carry_out(items, do, lost, 2), 1):
        begun = len(list(tmp_path.glob("*.began-*")))
        ended = len(list(tmp_path.glob("*.ended")))
        assert finished <= ended <= begun <= ended + 2
        time.sleep(0.02)
    assert finished == 12


def test_a_job_whose_worker_dies_is_tried_again_and_given_up_the_third_time(tmp_path: Path) -> None:
    outcomes = sorted(local.carry_out(mixed(tmp_path), do, lost, 2))
    assert [outcome for outcome in outcomes if "lost" not in outcome] == [
        f"{n} done" for n in (0, 1, 2, 3, 5, 6, 7)
    ]
    (given_up,) = (outcome for outcome in outcomes if "lost" in outcome)
    assert given_up.startswith("4 lost: its worker died 3 times (SIGKILL)")
    assert len(list(tmp_path.glob("2.began-*"))) == 2
    assert len(list(tmp_path.glob("4.began-*"))) == 3


def test_what_a_job_raises_ends_all(tmp_path: Path) -> None:
    items = [
        WorkItem(str(tmp_path), 0, "raise"),
        *(WorkItem(str(tmp_path), n) for n in range(1, 9)),
    ]
    with pytest.raises(ValueError, match="item 0"):
        list(local.carry_out(items, do, lost, 1))
    assert not list(tmp_path.glob("*.ended"))
    wait_until(lambda: not any(map(is_alive, begun_by(tmp_path))))


def test_closing_the_iterator_ends_workers_in_the_middle_of_their_jobs(tmp_path: Path) -> None:
    items = [WorkItem(str(tmp_path), 0), *(WorkItem(str(tmp_path), n, "sleep") for n in (1, 2))]
    outcomes = local.carry_out(items, do, lost, 2)
    assert next(outcomes) == "0 done"
    wait_until(lambda: len(list(tmp_path.glob("*.began-*"))) == 3)
    outcomes.close()
    wait_until(lambda: not any(map(is_alive, begun_by(tmp_path))))


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-m", jobs.__name__, "joblib", str(tmp_path)]
    parent = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: len(begun_by(tmp_path)) == 2)
    finally:
        parent.kill()
        parent.wait()
    wait_until(lambda: not any(map(is_alive, begun_by(tmp_path))))
