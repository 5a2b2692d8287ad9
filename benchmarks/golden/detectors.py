"""The detectors whose results are held: `python -m benchmarks.golden.detectors` writes them anew.

Three networks of random weights, each for the montages bipolar-18 and each: padded ("paper"), unpadded
("valid"), and an unpadded one in 8 bits. Chains and event rules differ, so that some detector uses every
stage. They judge nothing well; what counts is that their probabilities go from low to high.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.golden.driver import DETECTORS
from secateur.detectors import DetectorInfo, PostProcessing, pack
from secateur.detectors.eight_bits import quantise
from secateur.networks import NetworkSettings, build_network, to_onnx
from secateur.networks.network import Network
from secateur.recordings import open_recording
from secateur.recordings.simulated import simulate_cohort
from secateur.windows import ChainSettings, Scale, SignalChain, WindowSettings, window_samples

NETWORKS: dict[str, dict[str, Any]] = {
    "padded": {"name": "paper", "widths": (6, 8, 10)},
    "unpadded": {"name": "valid", "widths": (6, 8, 10)},
    "int8": {"name": "valid", "widths": (8, 8, 8)},
}
CHAINS: dict[str, dict[str, Any]] = {
    "padded": {},
    "unpadded": {"sampling_rate": 128.0, "notch": 50, "scaling": "running"},
    "int8": {"high": 70.0, "notch": 60, "order": 3},
}
RULES: dict[str, dict[str, Any]] = {
    "padded": {},
    "unpadded": {"threshold": 0.55, "release": 0.4, "smoothing": 2.0},
    "int8": {"threshold": 0.6, "merge_gap": 2.0, "shortest": 1.0, "refractory": 9.0},
}


def main() -> None:
    """Write all six."""
    DETECTORS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        cohort = simulate_cohort(Path(folder) / "cohort", 2, 0.04, 1)
        recordings = sorted(cohort.rglob("*_eeg.edf"))
        for name in NETWORKS:
            for montage, suffix in (("bipolar-18", ""), ("each", "-each")):
                content = detector_of(name, montage, recordings)
                path = DETECTORS / f"{name}{suffix}.onnx"
                path.write_bytes(content)
                print(f"{path.name}: {len(content)} bytes")


def detector_of(name: str, montage: str, recordings: list[Path]) -> bytes:
    """A detector's file: random weights, its output layer fitted so that probabilities spread."""
    chain = ChainSettings(montage=montage, **CHAINS[name])
    channels = 1 if montage == "each" else 18
    robust = chain.scaling == "running"
    mean = tuple(0.0 if robust else 0.5 * k for k in range(channels))
    scale = Scale(mean=mean, spread=tuple(18.0 + 0.5 * k for k in range(channels)))
    info = DetectorInfo(
        secateur="0",
        chain=chain,
        scale=scale,
        windows=WindowSettings(),
        post_processing=PostProcessing(**RULES[name]),
    )
    windows = windows_of(info, recordings)
    model = to_onnx(network_of(name, channels, windows))
    if name == "int8":
        with patch("secateur.detectors.eight_bits.reduces_range", lambda: True):  # any processor's
            model = quantise(model, [windows])
    return pack(model, info)


def windows_of(info: DetectorInfo, recordings: list[Path]) -> NDArray[np.float32]:
    """Scaled windows of the recordings: windows × channels × samples."""
    length, hop = window_samples(info.windows, info.chain.sampling_rate)
    parts = []
    for path in recordings:
        chained = SignalChain(info.chain, info.scale).run(open_recording(path))
        view = np.lib.stride_tricks.sliding_window_view(chained, length, axis=1)
        parts.append(view[:, ::hop].transpose(1, 0, 2))
    if info.chain.montage == "each":
        parts = [part[:, ::4].reshape(-1, 1, length) for part in parts]
    windows = np.concatenate(parts)
    return np.ascontiguousarray(windows)


def network_of(name: str, channels: int, windows: NDArray[np.float32]) -> Network:
    """A network in evaluation mode whose BatchNorms are as training leaves them."""
    settings = NetworkSettings(**NETWORKS[name])
    network: Any = build_network(settings, channels, windows.shape[2], 0)
    network.train()
    with torch.no_grad():
        for _ in range(60):  # statistics of BatchNorm
            network(torch.from_numpy(windows))
        network.eval()
        logits = network(torch.from_numpy(windows))
        gap = logits[:, 1] - logits[:, 0]
        factor = 1.5 / float(gap.std())
        network.linear.weight *= factor
        network.linear.bias *= factor
        network.linear.bias[1] -= factor * gap.mean()
    evaluated: Network = network
    return evaluated


if __name__ == "__main__":
    main()
