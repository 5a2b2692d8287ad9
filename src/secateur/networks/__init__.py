"""The networks, by name, and their way to ONNX. Needs torch; `settings` alone doesn't."""

from secateur.networks.blocks import BlockNetwork, build_network
from secateur.networks.counting import count_macs, count_parameters
from secateur.networks.onnx_graph import to_onnx
from secateur.networks.settings import NAMES, NetworkSettings

__all__ = [
    "NAMES",
    "BlockNetwork",
    "NetworkSettings",
    "build_network",
    "count_macs",
    "count_parameters",
    "to_onnx",
]
