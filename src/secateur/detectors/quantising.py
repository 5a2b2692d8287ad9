"""A network in 8 bits.

A quantised network is another network: whoever quantises chooses its threshold anew.

ONNX Runtime's static quantisation writes it: pairs of quantise and dequantise around each layer,
activations unsigned, weights signed, one scale for each kernel.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secateur.detectors.network.model import parse
from secateur.errors import MissingExtraError


def reduces_range() -> bool:
    """Whether this processor adds products of 8 bits in 16: then weights get 7 bits, or sums overflow."""
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return True
    return not any(name in flags for name in ("avx512_vnni", "avx_vnni", "asimddp"))


def tool() -> Any:
    """ONNX Runtime's quantisation. Raises `MissingExtraError` where the package onnx is missing."""
    try:
        from onnxruntime import quantization
    except ImportError:
        raise MissingExtraError("onnx", "train", "quantising") from None
    return quantization


def quantise(model: bytes, batches: Sequence[NDArray[np.float32]]) -> bytes:
    """`model` in 8 bits, calibrated on `batches`, each windows × channels × samples, scaled.

    Raises `MissingExtraError` where the package onnx is missing.
    """
    quantization = tool()
    settings = {
        "quant_format": quantization.QuantFormat.QDQ,
        "activation_type": quantization.QuantType.QUInt8,
        "weight_type": quantization.QuantType.QInt8,
        "per_channel": True,
        "reduce_range": reduces_range(),
    }
    (name,) = parse(model).inputs
    root = logging.getLogger()
    level = root.level
    with tempfile.TemporaryDirectory(prefix="secateur-") as folder:
        before, after = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        before.write_bytes(model)
        root.setLevel(logging.ERROR)  # it advises on models that are as they are on purpose
        try:
            quantization.quantize_static(before, after, _Reader(name, batches), **settings)
        finally:
            root.setLevel(level)
        return after.read_bytes()


class _Reader:
    """Batches one by one, as the calibration asks for them."""

    def __init__(self, name: str, batches: Sequence[NDArray[np.float32]]) -> None:
        self._left: Iterator[dict[str, Any]] = iter([{name: batch} for batch in batches])

    def get_next(self) -> dict[str, Any] | None:
        """The next batch by the input's name; None when all are read."""
        return next(self._left, None)

    def set_range(self, start_index: int, end_index: int) -> None:
        """Asked of readers of data too large for one go; these are not."""
