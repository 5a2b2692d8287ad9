"""The benchmark of sketching runs in small; no time is asserted."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.slow
def test_it_runs_in_small() -> None:
    words = ["-m", "benchmarks.speed.monitoring", "--hours", "0.02", "--rounds", "1"]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "| 16-32-64 kernels | " in done.stdout
