"""Jobs on a Ray cluster: the same outcomes as here, whatever dies, and nobody else hears of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from secateur.errors import MissingExtraError, RunError, SettingsError
from secateur.studies.backends import cluster
from tests.support import jobs_for_backends as jobs
from tests.support.moto_servers import free_port
from tests.support.ray_nodes import (
    ENVIRONMENT,
    ROOT,
    Cluster,
    below,
    is_loopback,
    listening,
    name_of,
    setting_of,
)

pytest.importorskip("ray")
pytestmark = pytest.mark.slow

WANTED = [f"{number} done" for number in (0, 1, 2, 3, 5, 6, 7)]


@pytest.fixture(autouse=True)
def no_setting_is_left() -> Iterator[None]:
    """What is told to Ray in the environment stays there, and would hide what another test looks for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "environ", os.environ.copy())
        yield


@pytest.fixture(scope="module")
def two_nodes() -> Iterator[Cluster]:
    nodes = Cluster()
    yield nodes
    nodes.end()


def doing(environment: dict[str, str], *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", jobs.__name__, "ray", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def outcomes(text: str) -> tuple[list[str], list[str]]:
    """Done, and given up."""
    outcomes: list[str] = json.loads(text.splitlines()[-1])
    lost = [outcome for outcome in outcomes if "lost" in outcome]
    return [outcome for outcome in outcomes if outcome not in lost], lost


def test_a_cluster_of_this_machine_alone_does_all_and_listens_to_nobody_else(
    tmp_path: Path,
) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    process = doing(environment, str(tmp_path))
    heard: set[str] = set()
    began: set[int] = set()
    reports: set[str | None] = set()
    end = time.monotonic() + 150
    while process.poll() is None and time.monotonic() < end:
        family = [process.pid, *below(process.pid)]
        began |= set(family)
        heard |= listening(family)
        servers = [pid for pid in family if "/gcs_server\0" in name_of(pid)]
        reports |= {setting_of(pid, "RAY_USAGE_STATS_ENABLED") for pid in servers}
        time.sleep(0.1)
    process.kill()
    told, errors = process.communicate()
    done, given_up = outcomes(told)
    assert done == WANTED, errors
    assert [outcome[:24] for outcome in given_up] == ["4 lost: its worker died "]
    assert heard
    assert all(map(is_loopback, heard)), heard
    assert reports == {"0"}, "something is reported to Ray's makers"
    end = time.monotonic() + 20
    while any(map(jobs.is_alive, began)) and time.monotonic() < end:
        time.sleep(0.1)
    assert not [pid for pid in began if jobs.is_alive(pid)]


def test_two_nodes_do_the_same_and_listen_to_nobody_else(
    two_nodes: Cluster, tmp_path: Path
) -> None:
    process = doing(ENVIRONMENT, str(tmp_path), two_nodes.address)
    told, errors = process.communicate(timeout=150)
    done, given_up = outcomes(told)
    assert done == WANTED, errors
    assert len(given_up) == 1
    heard = listening(two_nodes.all_processes())
    assert heard
    assert all(map(is_loopback, heard)), heard


def test_who_has_not_the_token_is_told_so(two_nodes: Cluster, tmp_path: Path) -> None:
    wrong = ENVIRONMENT | {"RAY_AUTH_TOKEN": "another-token-that-nobody-gave-0123"}
    process = doing(wrong, str(tmp_path), two_nodes.address)
    _, errors = process.communicate(timeout=150)
    assert process.returncode != 0
    last = errors.strip().splitlines()[-1]
    assert f"--address {two_nodes.address}" in last
    assert "its token in RAY_AUTH_TOKEN" in last
    assert not list(tmp_path.iterdir())


def test_an_address_where_nobody_answers_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no Ray cluster answers"):
        next(
            cluster.carry_out(jobs.mixed(tmp_path), jobs.do, jobs.lost, f"127.0.0.1:{free_port()}")
        )


def test_who_has_no_ray_is_told_so_before_any_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    for address in (None, f"127.0.0.1:{free_port()}"):
        with pytest.raises(MissingExtraError, match="ray"):
            next(cluster.carry_out(jobs.mixed(tmp_path), jobs.do, jobs.lost, address))


@pytest.mark.parametrize("address", ["here", "ray://127.0.0.1:10001", "127.0.0.1:port"])
def test_what_is_no_address_is_refused(address: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="wanted HOST:PORT"):
        next(cluster.carry_out(jobs.mixed(tmp_path), jobs.do, jobs.lost, address))


def test_a_study_survives_a_node_and_has_the_same_table(
    two_nodes: Cluster, small_study: Path, tiny_cohort: Path, tmp_path: Path
) -> None:
    ordinary, out = tmp_path / "ordinary", tmp_path / "out"
    program = [
        sys.executable,
        "-m",
        "secateur",
        "study",
        str(small_study),
        "--data",
        str(tiny_cohort),
    ]
    environment = ENVIRONMENT | {"SECATEUR_CACHE": str(tmp_path / "cache-1")}
    subprocess.run([*program, "--out", str(ordinary)], check=True, env=environment, timeout=150)

    environment |= {"SECATEUR_CACHE": str(tmp_path / "cache-2")}
    with (tmp_path / "told").open("w") as told:
        process = subprocess.Popen(
            [*program, "--out", str(out), "--backend", "ray", "--address", two_nodes.address],
            env=environment,
            stdout=told,
            stderr=told,
        )
    try:
        end = time.monotonic() + 150
        while not (list(out.glob("runs/*.json")) and two_nodes.second_is_at_work()):
            assert time.monotonic() < end
            assert process.poll() is None, (tmp_path / "told").read_text()
            time.sleep(0.05)
        two_nodes.kill_second_node()
        assert process.wait(timeout=150) == 0, (tmp_path / "told").read_text()
    finally:
        process.kill()
        process.wait()
    assert (out / "runs.csv").read_bytes() == (ordinary / "runs.csv").read_bytes()
