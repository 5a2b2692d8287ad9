"""Nodes of a Ray cluster on this machine's loopback, started and ended by a test."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", ""))),
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": "made-up-token-of-a-test-0123456789",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # else it takes an address that others reach
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_health_check_initial_delay_ms": "500",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
    "OMP_NUM_THREADS": "1",
}


class Cluster:
    """A head and a second node with one processor each; no dashboard, a token, nothing told to anyone."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.ray_nodes"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=ENVIRONMENT,
        )
        assert self._process.stdout is not None
        while not (line := self._process.stdout.readline()).startswith("{"):
            assert line, "no cluster came up"
        told = json.loads(line)
        self.address: str = told["address"]
        self.raylets: list[int] = told["raylets"]

    def all_processes(self) -> list[int]:
        return [self._process.pid, *below(self._process.pid)]

    def second_is_at_work(self) -> bool:
        """Whether the second node does a job; Ray writes into the name of a process what it does."""
        return any(name_of(pid).startswith("ray::_work") for pid in below(self.raylets[1]))

    def kill_second_node(self) -> None:
        """Its raylet, and all that this has begun, as if the machine were gone."""
        kill(self.raylets[1])

    def end(self) -> None:
        kill(self._process.pid)
        self._process.communicate()


def serve() -> None:
    """Hold two nodes until whoever started this is gone."""
    from ray.cluster_utils import Cluster as Nodes

    settings: dict[str, Any] = {
        "num_cpus": 1,
        "object_store_memory": 80 * 2**20,
        "include_dashboard": False,
    }
    nodes = Nodes(shutdown_at_exit=True)
    both = [nodes.add_node(**settings) for _ in range(2)]
    raylets = [node.all_processes["raylet"][0].process.pid for node in both]
    print(json.dumps({"address": nodes.address, "raylets": raylets}), flush=True)
    sys.stdin.read()


def kill(pid: int) -> None:
    """End a process and all that it began, at once."""
    for one in (pid, *below(pid)):
        with suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)


def below(pid: int) -> list[int]:
    """All processes that a process began, and those that they began."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(path.parent.name))
    found, ask = [], [pid]
    while ask:
        for child in children.get(ask.pop(), []):
            found.append(child)
            ask.append(child)
    return found


def name_of(pid: int) -> str:
    """The command line of a process; empty where it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def setting_of(pid: int, name: str) -> str | None:
    """A variable in the environment with which a process began."""
    with suppress(OSError):
        for word in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
            if word.startswith(f"{name}=".encode()):
                return word.partition(b"=")[2].decode()
    return None


def listening(pids: list[int]) -> set[str]:
    """Addresses, as the kernel writes them, on which processes wait for connections."""
    inodes = set()
    for pid in pids:
        with suppress(OSError):
            for link in Path(f"/proc/{pid}/fd").iterdir():
                with suppress(OSError):
                    told = str(link.readlink())
                    if told.startswith("socket:["):
                        inodes.add(told[8:-1])
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                found.add(fields[1].rpartition(":")[0])
    return found


def is_loopback(address: str) -> bool:
    """Of the kernel's hexadecimal: 127.0.0.1, ::1, or 127.0.0.1 in an address of the sixth version."""
    return address in (
        "0100007F",
        "00000000000000000000000001000000",
        "0000000000000000FFFF00000100007F",
    )


if __name__ == "__main__":
    serve()
