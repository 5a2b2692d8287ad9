"""A detector at work: from a recording to probabilities and events. Needs no torch.

Comes in: a detector's file and recordings. Goes out: `Verdicts` (a probability for each hop) and
`Events`. Next: `evaluation` scores them, `cli` writes them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from secateur.detectors.file import parse_info, read_verified
from secateur.detectors.metadata import DetectorInfo
from secateur.detectors.postprocessing import to_events
from secateur.errors import DetectorError
from secateur.events import Events
from secateur.recordings import Recording, duration_of
from secateur.scoring import probability_of
from secateur.windows import SignalChain, spoken_for, window_samples, window_starts

_BATCH = 64


@dataclass(frozen=True)
class Verdicts:
    """One probability of seizure for each window of a recording.

    `begin`: where the stretch that a window speaks for begins (seconds, shape (n,)); it lasts `hop`
    seconds. `notes`: what had to be put right to read the recording.
    """

    begin: NDArray[np.float64]
    probability: NDArray[np.float64]
    hop: float
    duration: float
    start: datetime | None
    notes: tuple[str, ...]


class Detector:
    """A detector's file, opened. Make one with `load_detector`."""

    def __init__(self, content: bytes, path: Path | str = "detector") -> None:
        self.path = Path(path)
        self.file_bytes = len(content)
        options = onnxruntime.SessionOptions()
        # one thread a process: two on a busy machine were many times slower than one
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise DetectorError(
                f"{path}: ONNX Runtime can't open it ({type(error).__name__})"
            ) from None
        metadata = self._session.get_modelmeta().custom_metadata_map
        self.info: DetectorInfo = parse_info(metadata, path)
        self.chain = SignalChain(self.info.chain, self.info.scale)
        self._check_shape()

    def _check_shape(self) -> None:
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        length, _ = window_samples(self.info.windows, self.info.chain.sampling_rate)
        wanted = [len(self.info.scale.mean), length]
        if len(inputs) != 1 or list(inputs[0].shape[1:]) != wanted or len(outputs) != 1:
            raise DetectorError(
                f"{self.path}: its network does not take windows of {wanted[0]} channels × "
                f"{wanted[1]} samples, as its metadata says"
            )
        self._input, self._output = inputs[0].name, outputs[0].name

    @property
    def threshold(self) -> float:
        """At or above it a window is called ictal."""
        return self.info.post_processing.threshold

    def logits(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """The network alone: windows × channels × samples, scaled, to windows × 2."""
        result: NDArray[np.float32] = self._session.run([self._output], {self._input: windows})[0]
        return result

    def probability(self, windows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probability of seizure for scaled windows (windows × channels × samples)."""
        return probability_of(self.logits(windows))

    def verdicts(
        self, recording: Recording, progress: Callable[[float], None] | None = None
    ) -> Verdicts:
        """A probability for each hop of `recording`; memory doesn't grow with its length.

        A network of one channel (montage each) looks at every EEG channel of the recording by itself, and
        the mean of their probabilities counts. `progress` is told how many seconds are done. Raises
        `ChannelsError` or `RecordingError`.
        """
        settings, rate = self.info.windows, self.info.chain.sampling_rate
        length, hop = window_samples(settings, rate)
        wiring = self.chain.wiring(recording.channels, recording.path)
        buffer = np.empty((len(wiring.names), 0), dtype=np.float32)
        found: list[NDArray[np.float64]] = []
        seen = 0
        for piece in self.chain.pieces(recording):
            buffer = np.concatenate((buffer, piece), axis=1)
            seen += piece.shape[1]
            ready = (buffer.shape[1] - length) // hop + 1 if buffer.shape[1] >= length else 0
            if ready:
                found.append(self._slide(buffer, ready, length, hop))
                buffer = buffer[:, ready * hop :]
            if progress:
                progress(seen / rate)
        probability = np.concatenate(found) if found else np.empty(0)
        begin, _ = spoken_for(window_starts(seen, settings, rate), settings, rate)
        return Verdicts(
            begin,
            probability,
            hop / rate,
            duration_of(recording),
            recording.start,
            recording.notes + wiring.notes,
        )

    def _slide(
        self, buffer: NDArray[np.float32], count: int, length: int, hop: int
    ) -> NDArray[np.float64]:
        view = np.lib.stride_tricks.sliding_window_view(buffer, length, axis=1)[:, ::hop]
        parts = []
        for first in range(0, count, _BATCH):
            chosen = view[:, first : min(first + _BATCH, count)]
            if self.info.chain.montage == "each":
                each = [self.probability(np.ascontiguousarray(row[:, None])) for row in chosen]
                parts.append(np.mean(each, axis=0))
            else:
                parts.append(self.probability(np.ascontiguousarray(chosen.transpose(1, 0, 2))))
        return np.concatenate(parts)

    def events(self, verdicts: Verdicts) -> Events:
        """Verdicts as events, by the post-processing that the file carries."""
        return to_events(
            verdicts.begin,
            verdicts.probability,
            verdicts.hop,
            self.info.post_processing,
            verdicts.duration,
            verdicts.start,
        )

    def detect(self, recording: Recording) -> Events:
        """The seizures in `recording`."""
        return self.events(self.verdicts(recording))


def load_detector(path: Path | str) -> Detector:
    """Open a detector's file, once its checksum has been recomputed. Raises `DetectorError`."""
    return Detector(read_verified(path), path)
