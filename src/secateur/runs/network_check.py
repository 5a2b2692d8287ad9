"""Whether a network that is still untrained could become a detector: asked before hours of training."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

import secateur
from secateur.detectors import Detector, DetectorInfo, pack
from secateur.detectors.eight_bits import quantise
from secateur.errors import DetectorError, SettingsError
from secateur.networks import Network, build_network, reinitialised, to_onnx
from secateur.pruning import CalibrationData
from secateur.pruning.prune import prune
from secateur.runs.settings import RunSettings
from secateur.windows import ChainSettings, Scale, SignalChain, window_samples

_WINDOWS = 8


def check_network(settings: RunSettings, chain: ChainSettings, pruned: bool = True) -> None:
    """Send the untrained network the whole way: export, strict reading, limits, a session; then pruning as it
    is set but by half, on noise, the same way for what is left, and new weights for it.

    `chain`: the settings' chain with its channels decided. `pruned`: whether it will be cut. Raises
    `SettingsError` or `SurgeryError`, in a line that says what stands in the way: a layer that can't be
    followed, an importance that this network has nothing for, a target out of reach.
    """
    samples, _ = window_samples(settings.windows, chain.sampling_rate)
    unit = Scale(mean=(0.0,), spread=(1.0,))
    channels = len(SignalChain(chain, unit).channel_names)
    network = build_network(settings.network, channels, samples, settings.seed)
    info = DetectorInfo(
        secateur=secateur.__version__,
        chain=chain,
        scale=unit.repeated(channels),
        windows=settings.windows,
        post_processing=settings.post_processing.moved_to(0.5),
    )
    _check_export(network, info, settings.network.name)
    if not pruned:
        return
    noise = np.random.default_rng(0).normal(size=(_WINDOWS, channels, samples)).astype(np.float32)
    labels = np.arange(_WINDOWS, dtype=np.int64) % 2
    calibration = CalibrationData(noise, lambda: iter([(noise, labels)]), settings.seed)
    by_half = settings.pruning.model_copy(update={"ratio": 0.5})
    smaller = prune(network, by_half, calibration).network
    batches = [noise] if settings.eight_bits else None
    _check_export(smaller, info, f"{settings.network.name}, cut", batches)
    reinitialised(smaller, settings.seed)  # as the control from new weights will be


def _check_export(
    network: Network,
    info: DetectorInfo,
    title: str,
    batches: list[NDArray[np.float32]] | None = None,
) -> None:
    """`batches`: to calibrate the network in 8 bits by, where it will be quantised."""
    try:
        with warnings.catch_warnings():
            # what torch's exporter writes is said once, after training
            warnings.simplefilter("ignore")
            content = to_onnx(network)
        Detector(pack(content, info), title)
        if batches is not None:
            Detector(pack(quantise(content, batches), info), f"{title}, in 8 bits")
    except DetectorError as error:
        raise SettingsError(
            f"nothing was trained, for this network could not be a detector: {error}"
        ) from None
