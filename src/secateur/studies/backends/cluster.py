"""Jobs done on a cluster of machines, with Ray.

Secateur must be installed on every node, and what jobs read must be found there under the same paths.
Without an address the cluster is this machine alone: nothing listens but on 127.0.0.1, and only who knows
the token, made for the occasion, is answered.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import tempfile
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from secateur.errors import MissingExtraError, RunError, SettingsError
from secateur.processes import show_warning
from secateur.studies.backends.retry_queue import RetryQueue, Task

J = TypeVar("J")
D = TypeVar("D")

_PASSED_ON = ("SECATEUR_CACHE",)
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is sent to Ray's makers
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # else it warns of graphics cards on every start
}
_SHORT = {"RAY_gcs_server_port_wait_time_s": "1", "RAY_py_gcs_connect_timeout_s": "10"}
"""Ray knocks once for ten seconds; else for two minutes where something other than Ray listens."""
_LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""Where this is 0, Ray takes 127.0.0.1 for its address; else, on Linux, it turns one told to it as
`127.0.0.1` into one that others reach, and listens on all."""
_STORE = 80 * 2**20
"""Bytes of shared memory for what goes between processes; jobs and outcomes are small."""
_LOOK = 1.0
"""Seconds between two looks at whether the cluster has grown."""


def carry_out(
    jobs: Sequence[J],
    do: Callable[[J], D],
    lost: Callable[[J, str], D],
    address: str | None = None,
    workers: int | None = None,
) -> Generator[D, None, None]:
    """Do jobs on the processors of a Ray cluster, and yield what came of each as they finish.

    Jobs are begun in their order, each when a processor is free for it. A job whose worker dies, or whose
    node leaves, is tried again, wherever there is room.

    `jobs`: what `do` is called with, pickled. `do`: a function of a module; what it raises is raised
    here, and ends all. `lost(job, reason)` is yielded in the stead of a job whose third worker died.
    `address`: HOST:PORT of a cluster that this machine is a node of; None for one of this machine alone,
    begun and ended here. `workers`: jobs done at once; None for as many as the cluster has processors.

    Raises `MissingExtraError` without Ray, `SettingsError` for an address that is none, `RunError` where no
    cluster answers there or the token is not the cluster's.
    """
    with _joined(address, workers) as ray:
        send = ray.remote(num_cpus=1, max_retries=0)(_work)
        queue = RetryQueue(jobs, lost)
        at_work: dict[Any, Task[J]] = {}
        try:
            while queue or at_work:
                room = _room(ray, workers) - len(at_work)
                for _ in range(min(room, len(queue))):
                    task = queue.take()
                    at_work[send.remote(do, task.job)] = task
                ready, _ = ray.wait(list(at_work), timeout=_LOOK)
                for reference in ready:
                    yield from _outcome(ray, reference, at_work.pop(reference), queue)
        finally:
            for reference in at_work:
                ray.cancel(reference, force=True)


def _work(do: Callable[[J], D], job: J) -> D:
    warnings.showwarning = show_warning
    return do(job)


def _room(ray: Any, workers: int | None) -> int:
    """How many jobs may be at work; one at least, for a node may be on its way."""
    processors = max(1, int(ray.cluster_resources().get("CPU", 0)))
    return processors if workers is None else min(workers, processors)


def _outcome(ray: Any, reference: Any, task: Task[J], queue: RetryQueue[J, D]) -> list[D]:
    """What came of a task, if it isn't to be tried again."""
    kinds = {
        ray.exceptions.OutOfMemoryError: "out of memory",
        ray.exceptions.WorkerCrashedError: "killed",
        ray.exceptions.NodeDiedError: "its node left",
        ray.exceptions.ObjectLostError: "its node left",
        ray.exceptions.RuntimeEnvSetupError: "could not be started",
    }
    try:
        return [ray.get(reference)]
    except tuple(kinds) as error:
        return queue.died(task, next(kinds[kind] for kind in kinds if isinstance(error, kind)))


@contextmanager
def _joined(address: str | None, workers: int | None) -> Iterator[Any]:
    """The module `ray`, joined to a cluster while the block lasts."""
    os.environ.update(_QUIET if address is None else _QUIET | _SHORT)
    if address is None or address.startswith(("127.", "localhost:", "[::1]")):
        os.environ[_LOOPBACK] = "0"
    if address is None:
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    try:
        import ray
    except ModuleNotFoundError:
        raise MissingExtraError("ray", "ray", "--backend ray") from None
    if address is not None:
        _must_answer(address)
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    settings: dict[str, Any] = {
        "logging_level": logging.ERROR,
        "runtime_env": {"env_vars": passed_on},
        "include_dashboard": None if address else False,
    }
    with tempfile.TemporaryDirectory(
        prefix="secateur-", dir=os.environ.get("RAY_TMPDIR", "/tmp"), ignore_cleanup_errors=True
    ) as scratch:
        if address is None:
            settings |= {
                "num_cpus": workers,
                "object_store_memory": _STORE,
                "_temp_dir": scratch,  # a path of a socket is short
            }
        try:
            ray.init(address or "local", **settings)
        except Exception as error:
            raise RunError(_refusal(address, error)) from None
        try:
            yield ray
        finally:
            ray.shutdown()


def _must_answer(address: str) -> None:
    """Raise where nothing listens: Ray would wait for half a minute, and say it in many lines."""
    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isdigit():
        raise SettingsError(
            f"--address {address}: wanted HOST:PORT of a Ray cluster that this machine is a node of"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise RunError(
            f"--address {address}: no Ray cluster answers ({error}); "
            "start one with ray start --head, or leave --address away"
        ) from None


def _refusal(address: str | None, error: Exception) -> str:
    if address and isinstance(error, ConnectionError):
        return (
            f"--address {address}: something listens, but lets nobody in; wanted a Ray cluster that this "
            "machine is a node of, and its token in RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH"
        )
    where = f"--address {address}" if address else "Ray on this machine"
    return f"{where}: {type(error).__name__}: {' '.join(str(error).split())}"
