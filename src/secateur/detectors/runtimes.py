"""What runs a network: ONNX Runtime.

Comes in: the bytes of an ONNX model. Goes out: a `Session` that takes arrays and gives arrays, on one
thread. Next: `passes` runs windows and whole recordings through it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from secateur.errors import DetectorError

Runtime = Literal["onnxruntime"]
Array = NDArray[np.float32]


class Session(Protocol):
    """A network that can be run. `inputs`, `outputs`: names in order."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def run(self, array: Array) -> Array:
        """The only input to the only output."""

    def run_many(self, arrays: Mapping[str, Array]) -> list[Array]:
        """Every input by name to every output in order."""


class OnnxRuntime:
    """A session of ONNX Runtime on one thread: two on a busy machine were many times slower than one."""

    def __init__(self, content: bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = 4
        self._session = onnxruntime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"]
        )
        self.inputs = tuple(one.name for one in self._session.get_inputs())
        self.outputs = tuple(one.name for one in self._session.get_outputs())

    def run(self, array: Array) -> Array:
        """See `Session.run`."""
        result: Array = self._session.run(self.outputs, {self.inputs[0]: array})[0]
        return result

    def run_many(self, arrays: Mapping[str, Array]) -> list[Array]:
        """See `Session.run_many`."""
        found: list[Array] = self._session.run(self.outputs, dict(arrays))
        return found


def open_session(
    content: bytes, runtime: Runtime = "onnxruntime", path: Path | str = "detector"
) -> Session:
    """Open an ONNX model. Raises `DetectorError` where the runtime can't."""
    try:
        return OnnxRuntime(content)
    except Exception as error:  # its classes are its own
        raise DetectorError(
            f"{path}: ONNX Runtime can't open it ({type(error).__name__})"
        ) from None
