"""The networks, by name, and their way to ONNX. Needs torch for all but its settings."""

from .blocks import BlockNetwork
from .building import build_network, check_code, code_of
from .network import Network, count_macs, count_parameters, kernels_of, reinitialised
from .onnx_export import to_onnx
from .settings import NAMES, NetworkSettings

__all__ = [
    "NAMES",
    "BlockNetwork",
    "Network",
    "NetworkSettings",
    "build_network",
    "check_code",
    "code_of",
    "count_macs",
    "count_parameters",
    "kernels_of",
    "reinitialised",
    "to_onnx",
]
