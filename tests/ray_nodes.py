"""Nodes of a Ray cluster on this machine's loopback, started and ended by a test."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from moto_servers import free_port

TESTS = Path(__file__).parent
_STORE = str(80 * 2**20)


class Cluster:
    """A head and nodes with one processor each; no dashboard, a token, nothing told to anyone."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.folder = folder
        self.environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join((str(TESTS), os.environ.get("PYTHONPATH", ""))),
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": "made-up-token-of-a-test-0123456789",
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
            "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
            "RAY_health_check_period_ms": "500",
            "RAY_health_check_timeout_ms": "1000",
            "RAY_health_check_failure_threshold": "3",
            "OMP_NUM_THREADS": "1",
        }
        self.nodes: list[subprocess.Popen[bytes]] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def add(self) -> subprocess.Popen[bytes]:
        """Start the head, or one more node."""
        where = (
            [f"--address={self.address}"]
            if self.nodes
            else [
                "--head",
                f"--port={self.port}",
                "--include-dashboard=false",
                f"--temp-dir={self.folder}",
            ]
        )
        command = [
            str(Path(sys.executable).with_name("ray")),
            "start",
            *where,
            "--node-ip-address=127.0.0.1",
            "--num-cpus=1",
            f"--object-store-memory={_STORE}",
            "--disable-usage-stats",
            "--block",
        ]
        with (self.folder.parent / f"{self.folder.name}-{len(self.nodes)}.log").open("wb") as log:
            node = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=self.environment,
                start_new_session=True,
            )
        self.nodes.append(node)
        self._wait(node)
        return node

    def _wait(self, node: subprocess.Popen[bytes]) -> None:
        """Until the head listens, or the node has its raylet."""
        end = time.monotonic() + 90
        while time.monotonic() < end:
            assert node.poll() is None, "a node ended"
            if any(name_of(pid) == "raylet" for pid in below(node.pid)):
                with suppress(OSError):
                    socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                    return
            time.sleep(0.2)
        raise AssertionError("a node has not come up")

    def end(self) -> None:
        for node in reversed(self.nodes):
            kill(node)


def kill(node: subprocess.Popen[bytes]) -> None:
    """End a process and all that it began, at once."""
    family = [node.pid, *below(node.pid)]
    for pid in family:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    node.wait()


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
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


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
