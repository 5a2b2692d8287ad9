"""Networks with operations that `onnx_graph` doesn't write, by torch's own exporter.

The older exporter of the two (`dynamo=False`): it takes a third of a second, keeps weights inside and
needs no further package. Names in the file are torch's.
"""

from __future__ import annotations

import io
import warnings
from typing import Any

import onnx
import torch

from secateur.detectors.network.shapes import refusal
from secateur.errors import SettingsError
from secateur.networks.network import Network
from secateur.networks.onnx_sheet import INPUT, OUTPUT


def export(network: Network, unknown: str, opset: int) -> bytes:
    """`network`, in evaluation mode, as torch writes it; input and output have the names of `onnx_graph`.

    `unknown`: the operation for whose sake torch is asked. Raises `SettingsError` naming it where torch can't
    write it, or writes an operator that no detector may have.
    """
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
        _require_listed(node, network.settings.name, unknown)
    return bytes(model.SerializeToString(deterministic=True))


def _require_listed(node: onnx.NodeProto, name: str, unknown: str) -> None:
    attributes = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
    texts = {key: one.decode() for key, one in attributes.items() if isinstance(one, bytes)}
    reason = refusal(node.op_type, {**attributes, **texts})
    if reason is not None:
        raise SettingsError(
            f"{name}: no detector can run {unknown} ({reason}); docs/networks.md says what they can"
        )
