"""A detector that also says why: what `secateur.load_detector` opens."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from secateur.detectors import Detector, read_verified
from secateur.detectors.detector import as_recording
from secateur.detectors.network.run import Runtime
from secateur.events import Event
from secateur.explaining.explanation import Explanation, event_at, explain_events
from secateur.explaining.network import ExplainedNetwork
from secateur.explaining.settings import ExplainingSettings
from secateur.settings import checked


class ExplainingDetector(Detector):
    """A detector's file, opened; it detects, streams and explains. Make one with `secateur.load_detector`."""

    def explain(
        self,
        recording: Any,
        event: Event | float,
        *,
        sampling_rate: float | None = None,
        channels: Sequence[str] | None = None,
        float_detector: Detector | None = None,
        **settings: Any,
    ) -> Explanation:
        """Why an event of a recording was called: what its channels, seconds and bands add to its margin.

        `recording`, `sampling_rate`, `channels`: as `detect` takes them. `event`: of this recording, or a
        time in seconds, whose window is explained. `settings`: those of `ExplainingSettings`, such as
        method="shap", samples=512. `float_detector`: for gradients of a detector in 8 bits, the one that it
        was made from. Raises `EventsError` for an event outside of the recording, across a gap,
        or about which no window decides; `SettingsError` where the network doesn't allow the method;
        `RecordingError` where there is no background that could stand in for what is taken away.
        """
        explained = event if isinstance(event, Event) else event_at(self, event)
        source = as_recording(recording, sampling_rate, channels)
        chosen = checked(ExplainingSettings, settings, None)
        network = self._explained
        if float_detector is not None:
            network = ExplainedNetwork.of_both(self, float_detector)
        return explain_events(network, source, [explained], chosen)[0]

    @cached_property
    def _explained(self) -> ExplainedNetwork:
        return ExplainedNetwork(self)


def load_detector(path: Path | str, runtime: Runtime = "onnxruntime") -> ExplainingDetector:
    """Open a detector's file, once its checksum has been recomputed. Raises `DetectorError`."""
    return ExplainingDetector(read_verified(path), path, runtime)
