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
        return self.run_many({self.inputs[0]: array})[0]

    def run_many(self, arrays: Mapping[str, Array]) -> list[Array]:
        """See `Session.run_many`."""
        try:
            found: list[Array] = self._session.run(self.outputs, dict(arrays))
        except Exception as error:  # its classes are its own
            raise DetectorError(
                f"ONNX Runtime can't run the network ({type(error).__name__})"
            ) from None
        return found


class OpenVino:
    """A session of OpenVINO on one thread, in full precision."""

    def __init__(self, content: bytes) -> None:
        core = import_openvino("--runtime openvino").Core()
        model = core.read_model(content)
        self._request = core.compile_model(model, "CPU", ONE_THREAD).create_infer_request()
        self.inputs = tuple(one.get_any_name() for one in model.inputs)
        self.outputs = tuple(one.get_any_name() for one in model.outputs)

    def run(self, array: Array) -> Array:
        """See `Session.run`."""
        return self.run_many({self.inputs[0]: array})[0]

    def run_many(self, arrays: Mapping[str, Array]) -> list[Array]:
        """See `Session.run_many`."""
        whole = {name: np.ascontiguousarray(one) for name, one in arrays.items()}
        found = self._request.infer(whole)
        # the request writes its next answers where these stand
        return [np.array(found[index], dtype=np.float32) for index in range(len(self.outputs))]


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
