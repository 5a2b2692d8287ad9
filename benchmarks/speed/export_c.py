"""How long one sample takes in C, and how far 8 bits move the probabilities: docs/how-to/export.md's table.

    python -m benchmarks.speed.export_c DETECTOR.onnx [DETECTOR-INT8.onnx ...] --recordings A.edf [B.edf ...]

Comes in: detectors, and recordings at their chain's rate. Goes out: a row for each detector and kind of
numbers, compiled by gcc -O2: bytes, microseconds a sample on this machine, and the largest difference in
probability from what the detector says in ONNX Runtime.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from secateur.detectors import Detector, load_detector
from secateur.detectors.exporting import export
from secateur.recordings import open_recording

_TIMER = """\
#define _POSIX_C_SOURCE 199309L
#include "speed.c"
#include <stdio.h>
#include <time.h>
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e6 + t.tv_nsec * 1e-3;
}
int main(void)
{
    static speed_state state;
    float x[SPEED_CHANNELS], p = 0;
    speed_init(&state);
    while (fread(x, sizeof(float), SPEED_CHANNELS, stdin) == SPEED_CHANNELS) {
        double begin = now();
        int told = speed_step(&state, x, &p);
        printf("%.3f %.9g\\n", now() - begin, told ? p : -1.0);
    }
    return 0;
}
"""


def measured(path: Path, weights: str | None, recordings: Sequence[Path]) -> list[str]:
    """One row of the table."""
    detector = load_detector(path)
    with tempfile.TemporaryDirectory() as folder:
        source, timer = Path(folder) / "speed.c", Path(folder) / "timer.c"
        notes = dict(one.split(": ", 1) for one in export(path, "c", source, weights).notes)
        timer.write_text(_TIMER)
        program = str(timer.with_suffix(""))
        subprocess.run(["gcc", "-std=c99", "-O2", str(timer), "-o", program, "-lm"], check=True)
        taken, apart = zip(*(compared(detector, program, one) for one in recordings), strict=True)
    times = np.concatenate(taken)
    rate = detector.info.chain.sampling_rate
    return [
        path.name,
        notes["numbers"],
        notes["constants"].split()[0],
        notes["state"].split()[0],
        f"{times.mean():.1f}",
        f"{np.median(times):.1f}",
        f"{np.quantile(times, 0.999):.1f}",
        f"{times.mean() * rate / 1000:.2f}",
        f"{max(apart):.1e}",
    ]


def compared(detector: Detector, program: str, path: Path) -> tuple[np.ndarray, float]:
    """Microseconds of each sample of a recording; the largest difference in probability."""
    recording = open_recording(path)
    montage_map = detector.chain.montage_map(recording.channels)
    samples = np.ascontiguousarray(montage_map.apply(recording.read(0.0, None, montage_map.used)).T)
    done = subprocess.run([program], input=samples.tobytes(), capture_output=True, check=True)
    rows = np.array(done.stdout.split(), dtype=float).reshape(-1, 2)
    found = rows[rows[:, 1] >= 0, 1]
    return rows[:, 0], float(
        np.abs(found - detector.window_probabilities(recording).probability).max()
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("detectors", nargs="+", type=Path)
    parser.add_argument("--recordings", type=Path, nargs="+", required=True)
    asked = parser.parse_args()
    heads = ["detector", "numbers", "flash, bytes", "RAM, bytes", "µs a sample, mean", "median",
             "99.9 %", "ms a second of EEG", "largest difference"]  # fmt: skip
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for path in asked.detectors:
        row = measured(path, None, asked.recordings)
        print(f"| {' | '.join(row)} |")
        if row[1] == "float":
            print(f"| {' | '.join(measured(path, 'int8', asked.recordings))} |")


if __name__ == "__main__":
    main()
