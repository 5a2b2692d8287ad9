"""Whether a network that is still untrained could become a detector: asked before hours of training."""

from __future__ import annotations

import warnings

import secateur
from secateur.detectors import Detector, DetectorInfo, pack
from secateur.errors import DetectorError, SettingsError
from secateur.networks import build_network, to_onnx
from secateur.pruning import trace
from secateur.studies.settings import RunSettings
from secateur.windows import ChainSettings, Scale, SignalChain, window_samples


def check_network(settings: RunSettings, chain: ChainSettings, pruned: bool = True) -> None:
    """Send the untrained network the whole way: export, strict reading, limits, a session, pruning's trace.

    `chain`: the settings' chain with its channels decided. `pruned`: whether it will be cut. Raises
    `SettingsError` or `SurgeryError`, in a line that says what stands in the way.
    """
    samples, _ = window_samples(settings.windows, chain.sampling_rate)
    one = Scale(mean=(0.0,), spread=(1.0,))
    channels = len(SignalChain(chain, one).channel_names)
    network = build_network(settings.network, channels, samples, settings.seed)
    info = DetectorInfo(
        secateur=secateur.__version__,
        chain=chain,
        scale=one.repeated(channels),
        windows=settings.windows,
        post_processing=settings.post_processing.moved_to(0.5),
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # what torch's exporter writes is said once, after training
            content = to_onnx(network)
        Detector(pack(content, info), settings.network.name)
    except DetectorError as error:
        raise SettingsError(
            f"nothing was trained, for this network could not be a detector: {error}"
        ) from None
    if pruned and settings.network.own:
        trace(network, channels, samples)
