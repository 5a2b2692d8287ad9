"""The day of EEG on which the review page is timed is a recording like any other."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.speed.review import repeat
from secateur.recordings import open_recording
from tests.support.edf_bytes import stamped, write_bytes


def test_records_are_repeated_with_time_stamps(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(-900, 900, (3, 2, 100))
    records = [[*record, stamped(f"+{second}")] for second, record in enumerate(values)]
    labels = ["F3", "F4", "EDF Annotations"]
    source = write_bytes(tmp_path / "source.edf", labels, records, reserved="EDF+C")
    repeat(source, tmp_path / "night.edf", 8)
    recording = open_recording(tmp_path / "night.edf")
    assert recording.stretches == ((0, 800),)
    expected = np.tile(open_recording(source).read(), 3)[:, :800]
    np.testing.assert_array_equal(recording.read(), expected)
