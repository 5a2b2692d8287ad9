"""Memory stays the same however long a recording is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from secateur.recordings.montage import BIPOLAR_18
from secateur.runs import RunOutput
from tests.support.cohorts import eeg, write_edf

_PROGRAM = """
import re, sys
from pathlib import Path
from secateur.cli import main

code = main(["monitor", *sys.argv[1:]])
assert code == 0, code
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="/proc tells memory on Linux")
def test_an_hour_is_monitored_in_the_memory_of_ten_minutes(
    tiny_run: RunOutput, tmp_path: Path
) -> None:
    peaks = {}
    data = eeg(3600, [(200.0, 260.0)], 1)
    for minutes in (10, 60):
        folder = tmp_path / f"of-{minutes}"
        write_edf(folder / "p1_1.edf", data[:, : minutes * 60 * 256], BIPOLAR_18)
        words = [folder, "--detector", tiny_run.folder.detector("pruned"), "--workers", "1"]
        words += ["--state", tmp_path / f"of-{minutes}.monitor"]
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, *map(str, words)],
            capture_output=True,
            text=True,
            check=True,
        )
        peaks[minutes] = int(done.stdout.splitlines()[-1]) / 1024
    longer = 50 * 60 * 256 * 18 * 4 / 2**20  # MiB of signal that the hour has more
    assert peaks[60] - peaks[10] < 0.2 * longer, peaks
