"""The network of a detector fitted to other recordings, by the checkpoint from which the detector was
made.
"""

from __future__ import annotations

from pathlib import Path

from secateur.detectors import Detector
from secateur.detectors.adapting import AdaptingSettings, Relearned
from secateur.detectors.eight_bits import refuse_quantised
from secateur.detectors.network.model import parse
from secateur.errors import SettingsError
from secateur.networks import to_onnx
from secateur.training import load_network, save_network
from secateur.training.adapting import adapt_network
from secateur.windows import WindowSet


class CheckpointLearner:
    """Relearns the network of `detector` from its checkpoint.

    `checkpoint` None: the one that stands beside it under the same name. Raises `SettingsError` where there
    is none or it is of another network, `TrainingError` where it is damaged, `DetectorError` for 8 bits.
    """

    def __init__(
        self, detector: Detector, checkpoint: Path | None, settings: AdaptingSettings
    ) -> None:
        refuse_quantised(detector.network, detector.path)
        path = checkpoint or detector.path.with_suffix(".safetensors")
        if not path.is_file():
            raise SettingsError(
                f"{path}: there is no such file, and --method {settings.method} needs the checkpoint from "
                f"which {detector.path.name} was made; name it with --checkpoint, or take --method threshold"
            )
        self._network = load_network(path)
        self._settings = settings
        if parse(to_onnx(self._network)).to_bytes() != detector.network.to_bytes():
            raise SettingsError(
                f"{path}: is not the network of {detector.path.name}; wanted the checkpoint from which it "
                "was made (for pruned.onnx of a ladder one of rungs/)"
            )

    def __call__(self, windows: WindowSet) -> Relearned:
        """Learn from `windows`, the network in place."""
        method, settings = self._settings.method, self._settings
        assert method != "threshold"
        macs = adapt_network(self._network, windows, method, settings.epochs, settings.seed)
        return Relearned(to_onnx(self._network), macs)

    def save(self, path: Path) -> None:
        """Write the checkpoint of what was learned, so that it can be adapted again."""
        save_network(self._network, path)
