"""Memory does not grow with the signals."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from secateur.events import Event, Events
from secateur.recordings.montage import BIPOLAR_18
from tests.support.cohorts import eeg, write_edf

SECONDS = 1500
"""Of each recording: 28 MB once prepared."""

_PROGRAM = """
import json, re, sys
from pathlib import Path
from secateur.runs import RunFolder, Source, resolve
from secateur.runs.data import gather
from secateur.runs.plan import Stage
from secateur.runs.stages import StageContext, run_stage
from secateur.windows import Cache

def resident(what):
    return int(re.search(what + r":\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024

settings = resolve(None, json.loads(sys.argv[3]))
before = resident("VmRSS")
material = gather(Source(Path(sys.argv[1])), settings, Cache())
context = StageContext(material, settings, RunFolder(Path(sys.argv[2]), "memory"))
run_stage(Stage("baseline", "baseline"), context)
print(json.dumps({"peak": resident("VmHWM") - before, "windows": sum(map(len, material.sides.values()))}))
"""

SETTINGS = {
    "network.widths": [2, 2, 2],
    "training.epochs": 1,
    "training.windows_per_epoch": 640,
    "training.recalibration": 1,
    "windows.hop": 4.0,
}


def long_cohort(folder: Path, subjects: int) -> Path:
    """Plain EDFs; each but the first is the same bytes with one other sample."""
    folder.mkdir()
    data = eeg(SECONDS, [(300.0, 700.0)], 1)
    for k in range(subjects):
        data[0, 0] = 100 + k
        write_edf(folder / f"p{k:02d}_1.edf", data, BIPOLAR_18)
        events = Events((Event(300.0, 400.0),), float(SECONDS))
        events.write_tsv(folder / f"p{k:02d}_1_events.tsv")
    return folder


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="/proc tells memory on Linux")
@pytest.mark.parametrize("scaling", ["training-set", "running"])
def test_a_cohort_twice_as_large_trains_in_the_same_memory(scaling: str, tmp_path: Path) -> None:
    peaks = {}
    for subjects in (4, 8):
        folder = long_cohort(tmp_path / f"of-{subjects}", subjects)
        words = [sys.executable, "-c", _PROGRAM, folder, tmp_path / f"run-{subjects}"]
        overrides = json.dumps({**SETTINGS, "chain.scaling": scaling})
        done = subprocess.run(
            [*map(str, words), overrides],
            env={**os.environ, "SECATEUR_CACHE": str(tmp_path / "cache")},
            capture_output=True,
            text=True,
            check=True,
        )
        peaks[subjects] = json.loads(done.stdout.splitlines()[-1])
    signals = 4 * 18 * SECONDS * 256 * 4 / 2**20  # what the second cohort has more, in MiB
    assert peaks[8]["windows"] == 2 * peaks[4]["windows"]
    assert peaks[8]["peak"] - peaks[4]["peak"] < 0.15 * signals
