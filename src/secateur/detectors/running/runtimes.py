"""What runs a network: ONNX Runtime or OpenVINO.

Comes in: the bytes of an ONNX model. Goes out: a `Session` that takes arrays and gives arrays, on one
thread; lengths that the model leaves open may differ from run to run. Next: `passes` runs windows and whole
recordings through it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from secateur.errors import DetectorError, MissingExtraError, SettingsError

Runtime = Literal["onnxruntime", "openvino"]
RUNTIMES: tuple[str, ...] = get_args(Runtime)
Array = NDArray[np.float32]

ONE_THREAD = {
    "INFERENCE_NUM_THREADS": 1,
    "PERFORMANCE_HINT": "LATENCY",
    # or OpenVINO takes 16 bits where the processor has them
    "INFERENCE_PRECISION_HINT": "f32",
}


class Session(Protocol):
    """A network that can be run."""

    def run(self, array: Array) -> Array:
        """The only input to the only output."""


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
        self._input = self._session.get_inputs()[0].name

    def run(self, array: Array) -> Array:
        """See `Session.run`."""
        try:
            result: Array = self._session.run(None, {self._input: array})[0]
        except Exception as error:  # its classes are its own
            raise DetectorError(
                f"ONNX Runtime can't run the network ({type(error).__name__})"
            ) from None
        return result


class OpenVino:
    """A session of OpenVINO on one thread, in full precision."""

    def __init__(self, content: bytes) -> None:
        core = import_openvino("--runtime openvino").Core()
        model = core.read_model(content)
        self._request = core.compile_model(model, "CPU", ONE_THREAD).create_infer_request()

    def run(self, array: Array) -> Array:
        """See `Session.run`."""
        answer = self._request.infer([np.ascontiguousarray(array)])[0]
        return np.array(
            answer, dtype=np.float32
        )  # the request writes its next answer where this stands


def open_session(
    content: bytes, runtime: Runtime = "onnxruntime", path: Path | str = "detector"
) -> Session:
    """Open an ONNX model. Raises `DetectorError` where the runtime can't.

    `MissingExtraError` where it isn't installed, `SettingsError` where there is no such runtime.
    """
    openers: Mapping[str, tuple[str, type[OnnxRuntime | OpenVino]]] = {
        "onnxruntime": ("ONNX Runtime", OnnxRuntime),
        "openvino": ("OpenVINO", OpenVino),
    }
    if runtime not in openers:
        raise SettingsError(f"runtime {runtime}: wanted one of {', '.join(RUNTIMES)}")
    name, opener = openers[runtime]
    try:
        return opener(content)
    except MissingExtraError:
        raise
    except Exception as error:  # their classes are their own
        raise DetectorError(f"{path}: {name} can't open it ({type(error).__name__})") from None


def import_openvino(purpose: str) -> Any:
    """The package openvino, kept from reporting its import to its maker. Raises `MissingExtraError`.

    `import openvino` sends a message to a counting service on the internet unless the user has opted out
    on this machine. What stands beside patients' EEG doesn't do that; so the package which sends is told
    to be absent, and openvino does without. An openvino that the caller has imported before is left as is.
    """
    if "openvino" not in sys.modules:
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        import openvino
    except ImportError:
        raise MissingExtraError("openvino", "openvino", purpose) from None
    return openvino
