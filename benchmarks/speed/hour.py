"""An hour of EEG as an EDF file, for the benchmark of preparing.

Comes in: a folder of real clips, or nothing. Goes out: a file of 23 channels at 256 Hz. Next: `preparing`.
"""

from __future__ import annotations

from pathlib import Path

import edfio
import numpy as np

LABELS = (
    "FP1-F7", "F7-T7", "T7-P7", "P7-O1", "FP1-F3", "F3-C3", "C3-P3", "P3-O1",
    "FP2-F4", "F4-C4", "C4-P4", "P4-O2", "FP2-F8", "F8-T8", "T8-P8", "P8-O2",
    "FZ-CZ", "CZ-PZ", "P7-T7", "T7-FT9", "FT9-FT10", "FT10-T8", "T8-P7",
)  # fmt: skip
CHANNELS = len(LABELS)
RATE = 256


def join_clips(folder: Path, out: Path, seconds: int) -> str:
    """Data records of clips with one and the same header of signals, one clip after the other.

    Begins again with the first where there are too few. Returns what was done, in words.
    """
    head, records, clips = b"", b"", 0
    width = 2 * CHANNELS * RATE
    for path in sorted(folder.rglob("*.edf")):
        raw = path.read_bytes()
        length = 256 * (1 + int(raw[252:256]))
        # the fields from the duration of a data record on, and those of the signals
        if length != 256 * (1 + CHANNELS) or (head and raw[244:length] != head[244:]):
            continue
        head = head or raw[:length]
        records += raw[length : length + (len(raw) - length) // width * width]
        clips += 1
        if len(records) >= seconds * width:
            break
    if not clips:
        raise SystemExit(
            f"there is no recording of {CHANNELS} channels in the folder given by --data"
        )
    real = min(seconds, len(records) // width)
    while len(records) < seconds * width:
        records += records[: seconds * width - len(records)]
    out.write_bytes(
        head[:236] + f"{seconds:<8d}".encode() + head[244:] + records[: seconds * width]
    )
    again = f", the first {seconds - real} s of them twice" if real < seconds else ""
    return f"real EEG, {clips} clip{'s' if clips > 1 else ''} joined{again}"


def write_noise(out: Path, seconds: int, rate: int = RATE) -> str:
    """Noise in the channels of CHB-MIT. Returns what was done, in words."""
    generator = np.random.default_rng(0)
    signals = [
        edfio.EdfSignal(
            np.clip(generator.normal(0, 30, seconds * rate), -800, 800),
            rate,
            label=label,
            physical_dimension="uV",
            physical_range=(-800, 800),
        )
        for label in LABELS
    ]
    edfio.Edf(signals).write(out)
    return "noise"
