"""A detector's network as OpenVINO's pair of files, .xml and .bin, in full precision."""

from __future__ import annotations

from pathlib import Path

from secateur.detectors.network.model import Graph
from secateur.detectors.network.run import import_openvino
from secateur.errors import DetectorError
from secateur.files import replacing


def write_openvino(graph: Graph, out: Path, metadata: str) -> tuple[Path, Path]:
    """Write `graph` to `out` (.xml) and to the .bin beside it; returns both.

    `metadata`: the detector's, kept in the model's runtime information as "secateur". Raises
    `MissingExtraError`, or `DetectorError` where OpenVINO doesn't understand the network.
    """
    openvino = import_openvino("export --to openvino")
    try:
        model = openvino.Core().read_model(graph.to_bytes())
    except RuntimeError as error:
        raise DetectorError(f"OpenVINO can't read the network ({type(error).__name__})") from None
    model.set_rt_info(metadata, "secateur")
    weights = out.with_suffix(".bin")
    with replacing(out) as beside:
        # by default it rounds weights to 16 bits
        openvino.save_model(model, str(beside), compress_to_fp16=False)
        beside.with_suffix(".bin").replace(weights)
    return out, weights
