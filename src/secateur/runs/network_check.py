"""Whether a network that is still untrained could become a detector: asked before hours of training."""

from __future__ import annotations

import warnings

import secateur
from secateur.detectors import Detector, DetectorInfo, pack
from secateur.errors import DetectorError, SettingsError
from secateur.networks import Network, build_network, reinitialised, to_onnx
from secateur.pruning import trace
from secateur.pruning.surgery import cut
from secateur.runs.settings import RunSettings
from secateur.windows import ChainSettings, Scale, SignalChain, window_samples


def check_network(settings: RunSettings, chain: ChainSettings, pruned: bool = True) -> None:
    """Send the untrained network the whole way: export, strict reading, limits, a session; then, for one of
    the user's own, pruning's trace and a cut, the same way for what is left, and new weights for it.

    `chain`: the settings' chain with its channels decided. `pruned`: whether it will be cut. Raises
    `SettingsError` or `SurgeryError`, in a line that says what stands in the way.
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
    if pruned and settings.network.own:
        structure = trace(network, channels, samples)
        half = {group.name: tuple(range((group.size + 1) // 2)) for group in structure.groups}
        smaller = cut(network, structure, half)
        _check_export(smaller, info, f"{settings.network.name}, cut by half")
        reinitialised(smaller, settings.seed)  # as the control from new weights will be


def _check_export(network: Network, info: DetectorInfo, title: str) -> None:
    try:
        with warnings.catch_warnings():
            # what torch's exporter writes is said once, after training
            warnings.simplefilter("ignore")
            content = to_onnx(network)
        Detector(pack(content, info), title)
    except DetectorError as error:
        raise SettingsError(
            f"nothing was trained, for this network could not be a detector: {error}"
        ) from None
