"""The networks, by name, and their way to ONNX. Needs torch for all but its settings."""

from .blocks import BlockNetwork
from .building import build_network
from .counting import count_macs, count_parameters
from .network import Network, kernels_of, reinitialised
from .onnx_graph import to_onnx
from .own import code_of
from .settings import NAMES, NetworkSettings

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
