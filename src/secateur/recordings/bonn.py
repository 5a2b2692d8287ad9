"""A segment of Bonn University's data set: a text file, in a zip archive or not, with one number a line.

The file tells no sampling rate; 173.61 Hz and microvolts are what the data set's description tells
(https://doi.org/10.1103/PhysRevE.64.061907). So only files named as Bonn's are read.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from secateur.errors import RecordingError, RecordingNotFoundError
from secateur.files import MEMBER_LIMIT, open_file
from secateur.recordings.montage import rename_channels
from secateur.recordings.recording import ArrayRecording, ReadingSettings

SAMPLING_RATE = 173.61
CHANNEL = "EEG"
"""What the one channel is called; the data set does not name electrodes."""

SEGMENT = re.compile(r"[FNOSZ]\d{3}\.txt", re.IGNORECASE)
"""How Bonn names its segments: Z001.txt to S100.txt, set C's in capitals."""


class BonnRecording(ArrayRecording):
    """A text file of Bonn's; see `Recording` for what its members mean. Samples are read at once."""

    def __init__(self, path: Path | str, reading: ReadingSettings | None = None) -> None:
        path = Path(path)
        if SEGMENT.fullmatch(path.name) is None:
            raise RecordingError(
                path,
                "a text file of unknown sampling rate; of these only Bonn's are read, "
                "named Z001.txt to S100.txt",
            )
        values = _numbers(path)
        channels = rename_channels((CHANNEL,), (reading or ReadingSettings()).rename, path)
        super().__init__(values[np.newaxis], SAMPLING_RATE, channels, path=path)


def _numbers(path: Path) -> NDArray[np.float32]:
    try:
        with open_file(path) as file:
            content = file.read(MEMBER_LIMIT + 1)
    except FileNotFoundError:
        raise RecordingNotFoundError(path, "there is no such file") from None
    except OSError as error:
        raise RecordingError(path, f"cannot be read ({error.strerror})") from None
    if len(content) > MEMBER_LIMIT:
        raise RecordingError(path, f"larger than {MEMBER_LIMIT} bytes; a segment has some 20,000")
    values = []
    for number, line in enumerate(content.splitlines(), start=1):
        if line.strip():
            try:
                values.append(float(line))
            except ValueError:
                raise RecordingError(path, f"line {number}: wanted one number a line") from None
    if not values:
        raise RecordingError(path, "empty; wanted one number a line")
    return np.array(values, dtype=np.float32)
