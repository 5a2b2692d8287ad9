"""Streams of EEG on this machine through the real LSL: samples that say which they are."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from secrets import token_hex
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secateur.live.lsl import load_pylsl

RATE = 256.0


class Sender:
    """An outlet of float32; sample k, stamped `origin + k / RATE`, holds k in its first channel."""

    def __init__(
        self,
        name: str | None = None,
        labels: Sequence[str] = ("C3", "C4"),
        unit: str | Sequence[str] = "microvolts",
        *,
        count: int | None = None,
        rate: float = RATE,
        form: str = "float32",
        source_id: str | None = None,
    ) -> None:
        self._pylsl = load_pylsl("a test")
        self.name = name or f"EEG-{token_hex(4)}"
        self.count = count or len(labels)
        self.source_id = source_id or f"{self.name}-id"
        info = self._pylsl.StreamInfo(self.name, "EEG", self.count, rate, form, self.source_id)
        channels = info.desc().append_child("channels")
        units = [unit] * len(labels) if isinstance(unit, str) else unit
        for label, each in zip(labels, units, strict=True):
            channel = channels.append_child("channel")
            channel.append_child_value("label", label)
            channel.append_child_value("unit", each)
        self.outlet: Any = self._pylsl.StreamOutlet(info, max_buffered=60)
        self.origin = float(self._pylsl.local_clock())

    def wait_for_listener(self) -> None:
        assert self.outlet.wait_for_consumers(5.0)

    def values(self, first: int, count: int) -> NDArray[np.float32]:
        numbers = np.arange(first, first + count, dtype=np.float32)
        return np.stack([numbers + 1000 * k for k in range(self.count)], axis=1)

    def push(self, first: int, count: int = 32, moved: float = 0.0) -> None:
        """Send samples `first` and on, whatever the time is; their stamps say when they were sampled."""
        last = self.origin + (first + count - 1) / RATE + moved
        self.outlet.push_chunk(self.values(first, count), last)

    def close(self) -> None:
        self.outlet = None


@contextmanager
def sender(*words: Any, **more: Any) -> Iterator[Sender]:
    stream = Sender(*words, **more)
    try:
        yield stream
    finally:
        stream.close()


_PROCESS = """
import sys, time, numpy as np
from secateur.live.lsl import load_pylsl
pylsl = load_pylsl("a test")
info = pylsl.StreamInfo(sys.argv[1], "EEG", 2, 256.0, "float32", sys.argv[1] + "-id")
channels = info.desc().append_child("channels")
for label in ("C3", "C4"):
    channel = channels.append_child("channel")
    channel.append_child_value("label", label)
    channel.append_child_value("unit", "uV")
outlet = pylsl.StreamOutlet(info)
print("there", flush=True)
begun, sent = pylsl.local_clock(), 0
while True:
    due = int((pylsl.local_clock() - begun) * 256)
    if due - sent >= 16:
        clock = begun + (due - 1) / 256
        numbers = np.arange(sent, due) / 256 + begun
        outlet.push_chunk(np.stack([numbers % 1000, numbers * 0], axis=1).astype(np.float32), clock)
        sent = due
    time.sleep(0.01)
"""
"""A sender whose first channel holds each sample's own time, modulo 1000 s."""


@contextmanager
def sending_process(name: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", _PROCESS, name], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
        try:
            yield process
        finally:
            process.kill()
