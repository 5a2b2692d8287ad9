"""Networks with operations that aren't written here, by torch's own exporter.

Comes in: a network in evaluation mode and the name of the operation that isn't known. Goes out: the bytes of
an ONNX model of the same input and output as `onnx_graph` writes. Next: `onnx_graph` checks it.

The older exporter of the two (`dynamo=False`): it takes a third of a second, keeps weights inside and
needs no further package. Names in the file are torch's.
"""

from __future__ import annotations

import io
import warnings
from typing import Any

import onnx
import torch

from secateur.errors import SettingsError
from secateur.networks.network import Network
from secateur.networks.onnx_sheet import INPUT, OUTPUT


def export(network: Network, unknown: str, opset: int) -> bytes:
    """`network` as torch writes it. Raises `SettingsError` naming the operation where it can't."""
    buffer: Any = io.BytesIO()  # torch takes it, its types say otherwise
    parameter = next(network.parameters())
    windows = torch.zeros(2, network.channels, network.samples, dtype=parameter.dtype)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of its own age and of every shape it reads
            torch.onnx.export(
                network,
                (windows,),
                buffer,
                dynamo=False,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_axes={INPUT: {0: "n"}, OUTPUT: {0: "n"}},
                opset_version=opset,
            )
    except Exception as error:  # whatever torch raises for an operation that it doesn't know
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise SettingsError(
            f"{network.settings.name}: {unknown} can't be written as ONNX, neither by Secateur nor by "
            f"torch.onnx.export ({lines[0]})"
        ) from None
    model = onnx.load_from_string(buffer.getvalue())
    for node in model.graph.node:
        node.doc_string = ""  # it may hold paths of the machine
    return bytes(model.SerializeToString(deterministic=True))
