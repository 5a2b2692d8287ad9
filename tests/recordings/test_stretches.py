"""A recording says which of its samples were recorded, and no read reaches into what was lost."""

import numpy as np
import pytest

from secateur.errors import RecordingError
from secateur.recordings import ArrayRecording, OneChannel


def test_a_recording_without_gaps_is_a_stretch() -> None:
    recording = ArrayRecording(np.zeros((2, 512), dtype=np.float32), 256.0, ("Fz", "Cz"))
    assert recording.stretches == ((0, 512),)
    assert OneChannel(recording, "Cz").stretches == ((0, 512),)


def test_a_read_stays_within_a_stretch() -> None:
    recording = ArrayRecording(np.ones((1, 512), dtype=np.float32), 256.0, ("Cz",))
    recording.stretches = ((0, 128), (256, 512))
    assert recording.read(0.0, 0.5).shape == (1, 128)
    assert recording.read(1.0, 2.0).shape == (1, 256)
    for start, stop in ((0.0, 0.75), (0.25, 1.5), (0.5, 0.75), (0.0, None)):
        with pytest.raises(RecordingError, match="reach into a gap"):
            recording.read(start, stop)
