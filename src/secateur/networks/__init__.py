"""The networks, by name, and their way to ONNX. Needs torch; `settings` alone doesn't."""

from secateur.networks.blocks import BlockNetwork
from secateur.networks.building import build_network
from secateur.networks.counting import count_macs, count_parameters
from secateur.networks.network import Network, kernels_of, reinitialised
from secateur.networks.onnx_graph import to_onnx
from secateur.networks.own import code_of
from secateur.networks.settings import NAMES, NetworkSettings

__all__ = [
    "NAMES",
    "BlockNetwork",
    "Network",
    "NetworkSettings",
    "build_network",
    "code_of",
    "count_macs",
    "count_parameters",
    "kernels_of",
    "reinitialised",
    "to_onnx",
]
