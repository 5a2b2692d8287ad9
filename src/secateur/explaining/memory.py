"""How much memory it takes to explain a window: of processes that do nothing else.

`python -m secateur.explaining.memory < DETECTOR.onnx` prints bytes by method as JSON. Each method is done in
a process of its own, forked off before anything is opened, so that none finds what another left.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np

from secateur.detectors import Detector
from secateur.detectors.benching import peak_resident
from secateur.errors import SettingsError
from secateur.events import Event
from secateur.explaining.network import ExplainedNetwork
from secateur.explaining.segments import Background, EventWindows
from secateur.explaining.settings import METHODS, ExplainingSettings, Method
from secateur.explaining.shares import Task, shares_of

INFERENCE = "inference"


def peaks_of(detector: bytes) -> dict[str, int] | None:
    """Bytes at the largest by method, "inference" among them. `detector`: its file's content.

    None where the system can't tell.
    """
    if not sys.platform.startswith("linux"):
        return None
    words = [sys.executable, "-m", "secateur.explaining.memory"]
    done = subprocess.run(words, input=detector, capture_output=True, check=False)
    return dict(json.loads(done.stdout)) if done.returncode == 0 else None


def _main() -> None:
    content = sys.stdin.buffer.read()
    names = (INFERENCE, *METHODS)
    peaks = {name: _in_a_process(content, name) for name in names}
    print(json.dumps({name: peak for name, peak in peaks.items() if peak is not None}))


def _in_a_process(content: bytes, name: str) -> int | None:
    """The peak of a fork that does one thing; None where the network doesn't allow it."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reading)
            _do(content, name)
            os.write(writing, str(peak_resident()).encode())
            status = 0
        except SettingsError:
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        words = pipe.read()
    _, status = os.waitpid(child, 0)
    if status:
        raise SystemExit(f"{name} came to no end")
    return int(words) if words else None


def _do(content: bytes, name: str) -> None:
    detector = Detector(content, "detector")
    network, info = ExplainedNetwork(detector), detector.info
    length, _ = info.window_and_hop
    noise = np.random.default_rng(0).standard_normal((5, len(info.scale.mean), length))
    windows = noise.astype(np.float32)
    if name == INFERENCE:
        network.margins(windows[:1])
        return
    method: Method = next(each for each in METHODS if each == name)
    network.require(method)
    rate = info.chain.sampling_rate
    signal = EventWindows(
        Event(0.0, length / rate),
        tuple(f"channel {k + 1}" for k in range(windows.shape[1])),
        windows[0],
        0.0,
        np.zeros(1, dtype=np.int64),
        length,
        rate,
    )
    background = Background(windows[1:], (0.0,) * 4, 0.0)
    shares_of(Task.of(network, signal, ExplainingSettings(method=method), background))


if __name__ == "__main__":
    _main()
