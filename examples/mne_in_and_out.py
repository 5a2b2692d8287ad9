"""MNE in and out: a detector judges a `Raw`, and what it finds comes back as annotations.

python examples/mne_in_and_out.py RECORDING DETECTOR.onnx OUT_raw.fif

RECORDING: anything that MNE reads. OUT: the recording as FIF, which MNE's browser and MNE-Python open, with
`sz` annotations beside those that were there. Needs the extra `mne`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import mne

import secateur


def annotate(raw: mne.io.BaseRaw, detector_file: Path) -> mne.Annotations:
    """Annotations of the seizures that the detector finds in `raw`'s EEG channels."""
    recording = secateur.from_raw(raw)  # µV; bad channels and BAD_ACQ_SKIP are left out
    detector = secateur.load_detector(detector_file)
    events = detector.detect(recording)
    for note in recording.notes:
        print(f"note: {note}")
    return secateur.to_annotations(events)


def main(recording: Path, detector_file: Path, out: Path) -> None:
    """Read, annotate, write."""
    raw = mne.io.read_raw(recording, preload=False, verbose="error")
    seizures = annotate(raw, detector_file)
    raw.set_annotations(raw.annotations + seizures)
    raw.save(out, overwrite=True, verbose="error")
    for onset, duration in zip(seizures.onset, seizures.duration, strict=True):
        print(f"seizure at {onset:.0f} s, {duration:.0f} s long")
    print(f"{len(seizures)} seizures: {out}")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*map(Path, sys.argv[1:]))
