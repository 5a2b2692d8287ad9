"""A detector in C on the recordings that Python has: the same probabilities, before any chip is there.

python examples/c_beside_python.py DETECTOR.onnx NIGHT.edf

Exports the detector to C99, compiles it with gcc, gives it the recording after the montage, sample by sample,
and holds its probabilities against the detector's own. The recording must be at the detector's rate (256 Hz):
nothing in the C file resamples. It leaves `seizure.c`, and what it was fed, `montaged.f32`, where it is run.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

import secateur
from secateur.detectors.exporting import export


def main(detector_file: str, recording_file: str) -> None:
    """Say how far the two are apart, in probability."""
    detector = secateur.load_detector(detector_file)
    recording = secateur.open_recording(recording_file)
    if recording.sampling_rate != detector.chain.settings.sampling_rate:
        sys.exit(f"recorded at {recording.sampling_rate:g} Hz, which is not the detector's rate")

    montage = detector.chain.montage_map(recording.channels)
    microvolts = montage.apply(recording.read(channels=montage.used))  # channels × samples
    frames = np.ascontiguousarray(
        microvolts.T, dtype=np.float32
    )  # a sample of each channel, then the next
    frames.tofile("montaged.f32")

    for note in export(Path(detector_file), "c", Path("seizure.c")).notes:
        print(note)
    build = ["gcc", "-std=c99", "-O2", "-DSEIZURE_MAIN", "seizure.c", "-o", "seizure", "-lm"]
    subprocess.run(build, check=True)
    run = subprocess.run(["./seizure"], input=frames.tobytes(), capture_output=True, check=True)
    rows = np.array(run.stdout.split(), dtype=float).reshape(-1, 2)  # probability, alarm
    apart = np.abs(rows[:, 0] - detector.window_probabilities(recording).probability).max()
    print(
        f"{len(rows)} probabilities, at most {apart:.1e} apart; alarm on in {rows[:, 1].sum():.0f}"
    )


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
