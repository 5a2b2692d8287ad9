"""A detector's network as OpenVINO's pair of files, .xml and .bin.

Comes in: a `Graph`, a path. Goes out: the two files, in full precision. Next: OpenVINO opens them; so does
`secateur export`, to compare what they say.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from secateur.detectors.network.model import Graph
from secateur.detectors.network.run import ONE_THREAD, import_openvino
from secateur.errors import DetectorError
from secateur.files import replacing


def write_openvino(graph: Graph, out: Path, told: str) -> tuple[Path, Path]:
    """Write `graph` to `out` (.xml) and to the .bin beside it; returns both.

    `told`: the detector's metadata, kept in the model's runtime information as "secateur". Raises
    `MissingExtraError`, or `DetectorError` where OpenVINO doesn't understand the network.
    """
    openvino = import_openvino("export --to openvino")
    try:
        model = openvino.Core().read_model(graph.to_bytes())
    except RuntimeError as error:
        raise DetectorError(f"OpenVINO can't read the network ({type(error).__name__})") from None
    model.set_rt_info(told, "secateur")
    weights = out.with_suffix(".bin")
    with replacing(out) as beside:
        # it halves weights to 16 bits unless told not to
        openvino.save_model(model, str(beside), compress_to_fp16=False)
        beside.with_suffix(".bin").replace(weights)
    return out, weights


def run_openvino(path: Path, windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The logits of the model in `path` for windows × channels × samples."""
    openvino = import_openvino("export --to openvino")
    compiled = openvino.Core().compile_model(str(path), "CPU", ONE_THREAD)
    return np.array(compiled(windows)[0], dtype=np.float32)
