"""The network over a whole recording: one pass where that is exact, else window by window.

A pass works on several signals at once, which the network sees by themselves: one, of all channels, or under
montage each as many as there are channels, of one channel each. ONNX Runtime or OpenVINO runs the network.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from secateur.detectors.network.costs import MOST_WINDOWS, SplitNetwork
from secateur.detectors.network.model import Attribute, Graph, Node
from secateur.errors import DetectorError, MissingExtraError, SettingsError
from secateur.windows import probability_of

Runtime = Literal["onnxruntime", "openvino"]
RUNTIMES: tuple[str, ...] = get_args(Runtime)

ONE_THREAD = {
    "INFERENCE_NUM_THREADS": 1,
    "PERFORMANCE_HINT": "LATENCY",
    # or OpenVINO takes 16 bits where the processor has them
    "INFERENCE_PRECISION_HINT": "f32",
}


class Session(Protocol):
    """A network that can be run."""

    def run(self, array: NDArray[np.float32]) -> NDArray[np.float32]:
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
        self._outputs = [output.name for output in self._session.get_outputs()]

    def run(self, array: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Session.run`."""
        return self.run_all(array)[0]

    def run_all(self, array: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The only input to all outputs, in order."""
        try:
            results: list[NDArray[np.float32]] = self._session.run(
                self._outputs, {self._input: array}
            )
        except Exception as error:  # its classes are its own
            raise DetectorError(
                f"ONNX Runtime can't run the network ({type(error).__name__})"
            ) from None
        return results


class OpenVino:
    """A session of OpenVINO on one thread, in full precision; `model`: ONNX, or the path of its own .xml."""

    def __init__(self, model: bytes | Path) -> None:
        core = import_openvino("--runtime openvino").Core()
        compiled = core.compile_model(core.read_model(model), "CPU", ONE_THREAD)
        self._request = compiled.create_infer_request()

    def run(self, array: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Session.run`."""
        answer = self._request.infer([np.ascontiguousarray(array)])[0]
        # copied, for the request writes its next answer where this stands
        return np.array(answer, dtype=np.float32)


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
    on this machine. What stands beside patients' EEG doesn't do that; so the package which sends is marked
    as absent, and openvino does without. An openvino that the caller has imported before is left as is.
    """
    if "openvino" not in sys.modules:
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        import openvino
    except ImportError:
        raise MissingExtraError("openvino", "openvino", purpose) from None
    return openvino


_ALIKE = frozenset(
    ("AveragePool", "BatchNormalization", "Conv", "Elu", "Identity", "LeakyRelu", "MaxPool", "Relu",
     "Sigmoid", "Tanh")
)  # fmt: skip
"""What does to a plane one sample high what it does to a signal."""
_ONE_HIGH = ("dilations", "kernel_shape", "strides")


def in_planes(head: Graph) -> Graph:
    """`head`, which reads and gives windows × channels × samples, with planes one sample high inside.

    Every number is the same to rounding, and it is faster: ONNX Runtime keeps the channels of planes together
    in memory, as many as the processor takes at once; for signals it has no such way. `head` itself comes
    back where something in it isn't known to allow this.
    """
    if not all(_allowed(node, head) for node in head.nodes):
        return head
    (source,), (result,) = head.inputs, head.outputs
    if len(head.outputs[result]) != 3:
        return head
    height = f"{source}.height"
    new = {source: f"{source}.plane", result: f"{result}.plane"}
    weights = dict(head.weights)
    weights[height] = np.array([2], dtype=np.int64)
    nodes = [Node("Unsqueeze", (source, height), (new[source],), {}, new[source])]
    for node in head.nodes:
        attributes = {name: _raised(node, name, value) for name, value in node.attributes.items()}
        if node.kind == "Conv":
            weights[node.inputs[1]] = head.weights[node.inputs[1]][:, :, None]
        inputs, outputs = (
            tuple(new.get(name, name) for name in names) for names in (node.inputs, node.outputs)
        )
        nodes.append(Node(node.kind, inputs, outputs, attributes, node.name))
    nodes.append(Node("Squeeze", (new[result], height), (result,), {}, f"{result}.flat"))
    return replace(head, nodes=tuple(nodes), weights=weights)


def _allowed(node: Node, head: Graph) -> bool:
    if node.kind not in _ALIKE or len(node.outputs) != 1:
        return False
    if node.kind != "Conv":
        return True
    # a weight that two layers share would be raised twice
    readers = sum(node.inputs[1] in other.inputs for other in head.nodes)
    weight = head.weights.get(node.inputs[1])
    return weight is not None and weight.ndim == 3 and readers == 1


def _raised(node: Node, name: str, value: Attribute) -> Attribute:
    """An attribute for planes."""
    if name == "pads":
        begin, end = node.integers(name, (0, 0))
        return (0, begin, 0, end)
    if name in _ONE_HIGH:
        return (1, *node.integers(name, (1,)))
    return value


Logits = NDArray[np.float32]
_NUMBERS_AT_ONCE = 1 << 22
"""In the largest tensor of a batch: 16 MiB."""


def mean_probability(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Windows × signals × 2 logits to one probability a window: the mean over signals."""
    signals = logits.shape[1]
    each = probability_of(logits.reshape(-1, 2))
    return each if signals == 1 else np.asarray(each.reshape(-1, signals).mean(axis=1))


class Pass(Protocol):
    """A network on its way through one recording."""

    def push(self, samples: NDArray[np.float32]) -> Logits:
        """Take in signals × channels × any number of samples; logits of windows × signals × 2."""


@dataclass(frozen=True)
class Grid:
    """Where windows lie: `signals` of `channels`, windows of `length` every `hop` samples.

    `largest`: numbers in the network's largest tensor for one window.
    """

    signals: int
    channels: int
    length: int
    hop: int
    largest: int

    @property
    def batch(self) -> int:
        """Windows that go through the network at once."""
        return max(1, min(MOST_WINDOWS, _NUMBERS_AT_ONCE // self.largest))

    def empty(self) -> Logits:
        """No logits."""
        return np.empty((0, self.signals, 2), dtype=np.float32)


class WindowBuffer:
    """Cuts windows out of a signal that comes in pieces."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._buffer = np.empty((grid.signals, grid.channels, 0), dtype=np.float32)

    def push(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take in signals × channels × any number of samples; give the windows that they complete.

        Windows × signals × channels × length, a view.
        """
        grid = self._grid
        buffer = np.concatenate((self._buffer, samples), axis=2)
        ready = _count_windows(buffer.shape[2], grid.length, grid.hop)
        self._buffer = buffer[:, :, ready * grid.hop :]
        if ready == 0:
            return np.empty((0, *buffer.shape[:2], grid.length), dtype=np.float32)
        return _windows_of(buffer, grid.length, grid.hop, ready)

    def state(self) -> dict[str, NDArray[np.float32]]:
        """The samples of windows that aren't complete."""
        return {"buffer": self._buffer.copy()}

    def restore(self, state: Mapping[str, NDArray[np.float32]]) -> None:
        """Go on where another buffer of the same grid stood. Raises `ValueError` where none can have."""
        buffer = np.asarray(state["buffer"], dtype=np.float32)
        if buffer.shape[:2] != self._buffer.shape[:2] or buffer.shape[2] >= self._grid.length:
            raise ValueError("the network holds a window that is complete")
        self._buffer = buffer


class SlidingPass:
    """Every window by itself, as many in a call of the runtime as fit."""

    def __init__(self, session: Session, grid: Grid) -> None:
        self._session, self._grid = session, grid
        self._buffer = WindowBuffer(grid)

    def push(self, samples: NDArray[np.float32]) -> Logits:
        """See `Pass.push`."""
        return _run_over(self._session, self._buffer.push(samples), self._grid)


class SingleWindows:
    """Windows that go through the network in a call each, so that what else is judged can't change a bit."""

    def __init__(self, session: Session, grid: Grid) -> None:
        self._session, self.grid = session, grid

    def probability(self, window: NDArray[np.float32]) -> float:
        """Of a window, signals × channels × length."""
        return float(mean_probability(_run_over(self._session, window[None], self.grid))[0])


class SharedPass:
    """The head once over all samples, the tail once for each window.

    Steps of the head that padding makes others at a window's edges are computed again for each window, from
    the stub of the window that they depend on.
    """

    def __init__(self, head: Session, tail: Session, parts: SplitNetwork, grid: Grid) -> None:
        self._head, self._tail, self._parts, self._grid = head, tail, parts, grid
        field = parts.field
        self._lead = -(-max(0, -field.first) // field.step)
        """Steps at the beginning of a stretch that reach back before it."""
        self._base = 0  # step at which the stretch to be run next begins
        self._origin = 0  # sample at which the buffer begins; always on a step
        self._buffer = np.empty((grid.signals, grid.channels, 0), dtype=np.float32)
        # from step `_first` on; time is the last axis
        self._steps: NDArray[np.float32] | None = None
        self._first = 0
        self._window = 0  # the first that has no logits yet

    def push(self, samples: NDArray[np.float32]) -> Logits:
        """See `Pass.push`."""
        grid, step = self._grid, self._parts.field.step
        held = self._buffer.shape[2] + samples.shape[2]
        ready = _count_windows(self._origin + held, grid.length, grid.hop) - self._window
        if ready <= 0:
            self._buffer = self._part(samples, 0, held)
            return grid.empty()
        self._run_head(samples, held)
        features = self._windows(ready)
        keep = self._base * step - self._origin
        if self._parts.padded:
            begin = self._window * grid.hop - self._origin
            stretch = self._part(samples, begin, held)
            windows = _windows_of(stretch, grid.length, grid.hop, ready)
            self._mend_edges(features, windows)
            keep = min(keep, begin + ready * grid.hop)
        self._window += ready
        self._buffer = self._part(samples, keep, held)
        self._origin += keep
        return _run_over(self._tail, features, grid)

    def _part(self, samples: NDArray[np.float32], begin: int, end: int) -> NDArray[np.float32]:
        """Samples [`begin`, `end`) of the buffer and what has come behind it: copied once, and to stay."""
        held = self._buffer.shape[2]
        new = samples[:, :, max(0, begin - held) : max(0, end - held)]
        return np.concatenate((self._buffer[:, :, begin:end], new), axis=2)

    def _run_head(self, samples: NDArray[np.float32], held: int) -> None:
        """All steps that can be known by now, behind those that are known already."""
        parts, step = self._parts, self._parts.field.step
        begin = self._base * step - self._origin
        # branches meet with equal lengths where the stretch differs from a window by a multiple of the step
        length = held - begin - (held - begin - self._grid.length) % step
        last = (length - 1 - parts.field.last) // step
        if last < self._lead:
            return
        steps = self._head.run(self._part(samples, begin, begin + length))
        steps = _moved(steps, parts.field.axis, -1)
        if self._steps is None:
            self._steps, self._first = steps[..., : last + 1], 0
        else:
            self._steps = np.concatenate((self._steps, steps[..., self._lead : last + 1]), axis=-1)
        self._base += last + 1 - self._lead

    def _windows(self, ready: int) -> NDArray[np.float32]:
        """The head's steps of each ready window: windows × signals × …, as the tail takes them."""
        assert self._steps is not None
        parts, each = self._parts, self._grid.hop // self._parts.field.step
        begin = self._window * each - self._first
        if begin > 0:
            self._steps, self._first = self._steps[..., begin:], self._first + begin
        # the last steps of a padded window may not be there yet: they are computed for it alone
        lacking = (ready - 1) * each + parts.steps - self._steps.shape[-1]
        known = self._steps
        if lacking > 0:
            known = np.concatenate((known, np.zeros((*known.shape[:-1], lacking), "f4")), axis=-1)
        view = _windows_of(known, parts.steps, each, ready)
        return np.array(_moved(view, -1, parts.field.axis + 1), order="C")  # to be written to

    def _mend_edges(self, features: NDArray[np.float32], windows: NDArray[np.float32]) -> None:
        parts, stub = self._parts, self._parts.stub(self._grid.length)
        both = np.stack((windows[..., :stub], windows[..., windows.shape[-1] - stub :]))
        steps = self._head.run(both.reshape(-1, *both.shape[3:]))
        steps = _moved(steps, parts.field.axis, -1)
        left, right = steps.reshape(*both.shape[:3], *steps.shape[1:])
        mended = _moved(features, parts.field.axis + 1, -1)
        mended[..., : parts.left] = left[..., : parts.left]
        mended[..., parts.steps - parts.right :] = right[..., right.shape[-1] - parts.right :]


def _count_windows(samples: int, length: int, hop: int) -> int:
    """How many complete windows there are in a signal."""
    return (samples - length) // hop + 1 if samples >= length else 0


def _windows_of(
    samples: NDArray[np.float32], length: int, hop: int, count: int
) -> NDArray[np.float32]:
    """The first `count` windows of … × samples, one every `hop` of them: windows × … × length.

    A view: nothing is copied.
    """
    assert (count - 1) * hop + length <= samples.shape[-1]
    if count == 1:
        return samples[None, ..., :length]
    return np.lib.stride_tricks.as_strided(
        samples,
        (count, *samples.shape[:-1], length),
        (hop * samples.strides[-1], *samples.strides),
        writeable=False,
    )


def _moved(values: NDArray[np.float32], source: int, target: int) -> NDArray[np.float32]:
    """`np.moveaxis`, which takes its time also where there is nothing to do."""
    same = source % values.ndim == target % values.ndim
    return values if same else np.moveaxis(values, source, target)


def _run_over(session: Session, windows: NDArray[np.float32], grid: Grid) -> Logits:
    """Windows × signals × … through a network, a batch at a time: windows × signals × 2."""
    count, signals = windows.shape[:2]
    logits = np.empty((count * signals, 2), dtype=np.float32)
    each = max(1, grid.batch // signals)
    for first in range(0, count, each):
        part = windows[first : first + each]
        flat = np.ascontiguousarray(part.reshape(-1, *part.shape[2:]))
        for start in range(0, len(flat), grid.batch):
            begin = first * signals + start
            out = _logits_of(session, flat[start : start + grid.batch])
            logits[begin : begin + len(out)] = out
    return logits.reshape(count, signals, 2)


def _logits_of(session: Session, windows: NDArray[np.float32]) -> Logits:
    out = session.run(windows)
    if out.shape != (len(windows), 2):
        raise DetectorError(f"the network gives {out.shape} for {len(windows)} windows")
    return out
