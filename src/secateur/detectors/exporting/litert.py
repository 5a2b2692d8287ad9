"""A detector's network as a LiteRT (TensorFlow Lite) model.

It takes one window, 1 × channels × samples, and gives 1 × 2 logits. No converter is needed: the file is put
together from the graph with the tables that come with the package ai-edge-litert; names of operators and
options are its schema's. TensorFlow's layers have their channels last. So a tensor that is windows ×
channels × samples in the graph is windows × 1 × samples × channels here, and one with electrodes on an axis
of their own is windows × electrodes × samples × channels.

Format: https://github.com/google-ai-edge/LiteRT/blob/main/tflite/converter/schema/schema.fbs
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secateur.detectors.network.model import Graph, Node
from secateur.detectors.network.shapes import Shape, geometry_of, sizes_of
from secateur.errors import DetectorError, MissingExtraError

_SCHEMA_VERSION = 3
_MARK = b"TFL3"
_SMALL_CODES = 127  # codes above don't fit in the field of earlier readers
_MOVED = (0, 3, 2, 1)
"""From windows × 1 × samples × channels to windows × channels × samples × 1: channels become electrodes."""


def litert_of(graph: Graph) -> bytes:
    """The network of `graph` as a .tflite file.

    Raises `MissingExtraError`, or `DetectorError` naming the operation that isn't written.
    """
    return _Translation(graph).write()


class _Translation:
    """Takes the graph's nodes one after the other to LiteRT's operators."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._shapes = sizes_of(graph).shapes
        self._model = LiteRtModel()
        self._index: dict[str, int] = {}  # a tensor's number in the model, by its name here

    def write(self) -> bytes:
        if any(node.kind == "QuantizeLinear" for node in self._graph.nodes):
            raise DetectorError(
                "in 8 bits it can't be written for LiteRT; export the detector that it was made from"
            )
        (windows,), (logits,) = self._graph.inputs, self._graph.outputs
        _, channels, samples = self._shapes[windows]
        source = self._model.tensor(windows, (1, channels, samples))
        turned = self._model.permute(source, (0, 2, 1), (1, samples, channels))
        self._index[windows] = self._model.reshape(turned, (1, 1, samples, channels))
        for node in self._graph.nodes:
            rule = _RULES.get(node.kind)
            if rule is None:
                raise DetectorError(
                    f"can't be written for LiteRT: the operation {node.kind}; it has "
                    f"{', '.join(sorted(_RULES))}"
                )
            self._index[node.outputs[0]] = rule(self, node)
        return self._model.finish([source], [self._index[logits]])

    def _weight(self, name: str) -> NDArray[np.float32]:
        if name not in self._graph.weights:
            raise DetectorError("can't be written for LiteRT: weights that aren't fixed")
        return self._graph.weights[name].astype(np.float32)

    def _inside(self, name: str) -> Shape:
        """The shape that the tensor `name` has in the model."""
        return inside(self._shapes[name])

    def padded(self, node: Node) -> int:
        """What `node` slides over, with zeros set in at the edges where it wants them."""
        geometry = geometry_of(node, self._shapes)
        index, shape = self._index[node.inputs[0]], self._inside(node.inputs[0])
        if not any((*geometry.begin, *geometry.end)):
            return index
        inner = _two(list(zip(geometry.begin, geometry.end, strict=True)), (0, 0))
        edges = [(0, 0), *inner, (0, 0)]
        longer = tuple(n + sum(edge) for n, edge in zip(shape, edges, strict=True))
        return self._model.pad(index, edges, longer)

    def conv(self, node: Node) -> int:
        geometry = geometry_of(node, self._shapes)
        weight = self._weight(node.inputs[1])
        if weight.ndim == 3:
            weight = weight[:, :, None]
        bias = self._weight(node.inputs[2]) if len(node.inputs) > 2 else np.zeros(len(weight), "f4")
        channels, group = self._inside(node.inputs[0])[3], node.integer("group", 1)
        strides, dilations = _two(geometry.strides, 1), _two(geometry.dilations, 1)
        options = {"strideH": strides[0], "strideW": strides[1],
                   "dilationHFactor": dilations[0], "dilationWFactor": dilations[1]}  # fmt: skip
        if group == 1:
            kind, kernels = "CONV_2D", weight.transpose(0, 2, 3, 1)
        elif group == channels:
            kind, kernels = "DEPTHWISE_CONV_2D", weight.transpose(1, 2, 3, 0)
            options["depthMultiplier"] = len(weight) // channels
        else:
            raise DetectorError("can't be written for LiteRT: the operation Conv in groups")
        inputs = [self.padded(node), self._model.constant(kernels), self._model.constant(bias)]
        return self._model.slide(kind, inputs, options, self._inside(node.outputs[0]))

    def pool(self, node: Node) -> int:
        geometry = geometry_of(node, self._shapes)
        padded = any((*geometry.begin, *geometry.end))
        if len(node.outputs) > 1 or set(geometry.dilations) != {1}:
            raise DetectorError(f"can't be written for LiteRT: {node.kind} that isn't plain")
        if padded and not (node.kind == "AveragePool" and node.integer("count_include_pad", 0)):
            raise DetectorError(f"can't be written for LiteRT: the operation {node.kind}, padded")
        strides, sizes = _two(geometry.strides, 1), _two(geometry.sizes, 1)
        options = {"strideH": strides[0], "strideW": strides[1],
                   "filterHeight": sizes[0], "filterWidth": sizes[1]}  # fmt: skip
        kind = "MAX_POOL_2D" if node.kind == "MaxPool" else "AVERAGE_POOL_2D"
        return self._model.slide(kind, [self.padded(node)], options, self._inside(node.outputs[0]))

    def average(self, node: Node) -> int:
        shape = self._inside(node.inputs[0])
        return self._model.mean(self._index[node.inputs[0]], (1, 2), (1, 1, 1, shape[3]))

    def flatten(self, node: Node) -> int:
        shape, index = self._inside(node.inputs[0]), self._index[node.inputs[0]]
        if math.prod(shape[1:3]) > 1:  # the graph has channels first
            order = (0, 3, 1, 2)
            index = self._model.permute(index, order, tuple(shape[axis] for axis in order))
        return self._model.reshape(index, (1, math.prod(shape)))

    def reshape(self, node: Node) -> int:
        before, after = (self._shapes[name] for name in (node.inputs[0], node.outputs[0]))
        index = self._index[node.inputs[0]]
        if len(before) == 3 and after == (1, 1, *before[1:]):
            shape = inside(before)
            return self._model.permute(index, _MOVED, tuple(shape[axis] for axis in _MOVED))
        if len(before) == 4 and before[2] == 1 and after == (1, before[1], before[3]):
            return index
        if len(after) == 2:
            return self.flatten(node)
        raise DetectorError(f"can't be written for LiteRT: Reshape of {before} to {after}")

    def linear(self, node: Node) -> int:
        plain = all(node.attributes.get(name, 1.0) == 1.0 for name in ("alpha", "beta"))
        if not plain or node.integer("transA", 0):
            raise DetectorError("can't be written for LiteRT: Gemm that is scaled or turned")
        weight = self._weight(node.inputs[1])
        weight = weight if node.integer("transB", 0) else weight.T
        bias = self._weight(node.inputs[2]) if len(node.inputs) > 2 else np.zeros(len(weight), "f4")
        inputs = [self._index[node.inputs[0]], self._model.constant(weight),
                  self._model.constant(np.ravel(bias))]  # fmt: skip
        return self._model.linear(inputs, (1, len(weight)))

    def each(self, kind: str, node: Node) -> int:
        inputs = [self._index.get(name, -1) for name in node.inputs]
        if -1 in inputs:
            raise DetectorError(f"can't be written for LiteRT: {node.kind} with a fixed part")
        return self._model.each(kind, inputs, self._inside(node.outputs[0]))

    def clip(self, node: Node) -> int:
        index, shape = self._index[node.inputs[0]], self._inside(node.inputs[0])
        for kind, name in zip(("MAXIMUM", "MINIMUM"), node.inputs[1:], strict=False):
            if name:
                limit = self._model.constant(self._weight(name).reshape(()))
                index = self._model.each(kind, [index, limit], shape)
        return index


def inside(shape: Shape) -> Shape:
    """The shape that a tensor of the graph has with channels last."""
    if len(shape) == 3:
        return 1, 1, shape[2], shape[1]
    if len(shape) == 4:
        return 1, shape[2], shape[3], shape[1]
    return shape


def _two(settings: Sequence[Any], missing: Any) -> tuple[Any, Any]:
    """Settings along electrodes and time, where the graph may have those along time alone."""
    return (settings[0], settings[1]) if len(settings) == 2 else (missing, settings[0])


def _each(kind: str) -> Callable[[_Translation, Node], int]:
    return lambda translation, node: translation.each(kind, node)


_RULES: Mapping[str, Callable[[_Translation, Node], int]] = {
    "Add": _each("ADD"),
    "AveragePool": _Translation.pool,
    "Clip": _Translation.clip,
    "Conv": _Translation.conv,
    "Elu": _each("ELU"),
    "Flatten": _Translation.flatten,
    "Gemm": _Translation.linear,
    "GlobalAveragePool": _Translation.average,
    "Log": _each("LOG"),
    "MaxPool": _Translation.pool,
    "Mul": _each("MUL"),
    "Relu": _each("RELU"),
    "Reshape": _Translation.reshape,
    "Sigmoid": _each("LOGISTIC"),
    "Tanh": _each("TANH"),
}


def import_litert(module: str) -> Any:
    """A module of the package ai-edge-litert. Raises `MissingExtraError`."""
    import importlib

    try:
        return importlib.import_module(f"ai_edge_litert.{module}")
    except ImportError:
        raise MissingExtraError("ai-edge-litert", "litert", "export --to litert") from None


class LiteRtModel:
    """One graph of float32 tensors. Its methods add an operator and give the number of its output."""

    def __init__(self) -> None:
        self._schema = import_litert("schema_py_generated")
        self._tensors: list[Any] = []
        self._buffers: list[Any] = [self._schema.BufferT()]  # empty, for what is computed
        self._operators: list[Any] = []
        self._codes: dict[str, int] = {}

    def tensor(self, name: str, shape: Shape) -> int:
        """A tensor that is computed, or the input."""
        return self._add(name, shape, "FLOAT32", 0)

    def constant(self, values: NDArray[Any]) -> int:
        """A tensor of fixed numbers, float32 or int32."""
        buffer = self._schema.BufferT()
        kind = "INT32" if values.dtype.kind == "i" else "FLOAT32"
        exact = np.array(values, dtype="<i4" if kind == "INT32" else "<f4", order="C")
        buffer.data = np.frombuffer(exact.tobytes(), dtype=np.uint8)
        self._buffers.append(buffer)
        return self._add(f"fixed{len(self._buffers)}", values.shape, kind, len(self._buffers) - 1)

    def _add(self, name: str, shape: Shape, kind: str, buffer: int) -> int:
        tensor = self._schema.TensorT()
        tensor.name, tensor.buffer = name.encode(), buffer
        tensor.shape = np.array(shape, dtype=np.int32)
        tensor.type = getattr(self._schema.TensorType, kind)
        self._tensors.append(tensor)
        return len(self._tensors) - 1

    def operate(
        self, kind: str, inputs: Sequence[int], shape: Shape, options: tuple[str, Mapping[str, Any]]
    ) -> int:
        """The operator `kind`; `options`: the name of their table in the schema, and what they are."""
        table, settings = options
        operator = self._schema.OperatorT()
        operator.opcodeIndex = self._codes.setdefault(kind, len(self._codes))
        operator.inputs = np.array(inputs, dtype=np.int32)
        output = self.tensor(f"{kind.lower()}{len(self._operators)}", shape)
        operator.outputs = np.array([output], dtype=np.int32)
        if table:
            operator.builtinOptionsType = getattr(self._schema.BuiltinOptions, table)
            operator.builtinOptions = getattr(self._schema, f"{table}T")()
            for name, value in settings.items():
                if not hasattr(operator.builtinOptions, name):
                    raise AssertionError(f"{table} has no {name}")
                setattr(operator.builtinOptions, name, value)
        self._operators.append(operator)
        return output

    def permute(self, index: int, order: Sequence[int], shape: Shape) -> int:
        """Axes in another order."""
        axes = self.constant(np.array(order, dtype=np.int32))
        return self.operate("TRANSPOSE", [index, axes], shape, ("TransposeOptions", {}))

    def reshape(self, index: int, shape: Shape) -> int:
        """The same numbers in another shape."""
        lengths = np.array(shape, dtype=np.int32)
        options = ("ReshapeOptions", {"newShape": lengths})
        return self.operate("RESHAPE", [index, self.constant(lengths)], shape, options)

    def pad(self, index: int, edges: Sequence[tuple[int, int]], shape: Shape) -> int:
        """Zeros before and after, by axis."""
        widths = self.constant(np.array(edges, dtype=np.int32))
        return self.operate("PAD", [index, widths], shape, ("PadOptions", {}))

    def mean(self, index: int, axes: Sequence[int], shape: Shape) -> int:
        """The mean over `axes`, which stay, of length 1."""
        reduced = self.constant(np.array(axes, dtype=np.int32))
        return self.operate("MEAN", [index, reduced], shape, ("ReducerOptions", {"keepDims": True}))

    def slide(
        self, kind: str, inputs: Sequence[int], options: Mapping[str, Any], shape: Shape
    ) -> int:
        """A convolution or pooling over all that is there, nothing set in at the edges."""
        table = {"CONV_2D": "Conv2DOptions", "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions"}
        options = {"padding": self._schema.Padding.VALID, **options}
        return self.operate(kind, inputs, shape, (table.get(kind, "Pool2DOptions"), options))

    def linear(self, inputs: Sequence[int], shape: Shape) -> int:
        """A linear layer: what it reads, weights of outputs × inputs, bias."""
        return self.operate("FULLY_CONNECTED", inputs, shape, ("FullyConnectedOptions", {}))

    def each(self, kind: str, inputs: Sequence[int], shape: Shape) -> int:
        """An operator on each number by itself."""
        table = {"ADD": "AddOptions", "MUL": "MulOptions"}.get(kind, "")
        return self.operate(kind, inputs, shape, (table, {}))

    def finish(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        """The file."""
        import flatbuffers  # comes with ai-edge-litert

        schema = self._schema
        graph, model = schema.SubGraphT(), schema.ModelT()
        graph.name = b"detector"
        graph.tensors, graph.operators = self._tensors, self._operators
        graph.inputs = np.array(inputs, dtype=np.int32)
        graph.outputs = np.array(outputs, dtype=np.int32)
        model.version, model.description = _SCHEMA_VERSION, b"secateur"
        model.subgraphs, model.buffers = [graph], self._buffers
        model.operatorCodes = [self._code(kind) for kind in self._codes]
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), file_identifier=_MARK)
        return bytes(builder.Output())

    def _code(self, kind: str) -> Any:
        code = self._schema.OperatorCodeT()
        code.builtinCode = getattr(self._schema.BuiltinOperator, kind)
        code.deprecatedBuiltinCode = min(code.builtinCode, _SMALL_CODES)
        code.version = 1
        return code


def run_litert(content: bytes, windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The logits of a .tflite file for windows × channels × samples, one after the other, one thread."""
    module = import_litert("interpreter")
    # LiteRT's own kernels: its faster ones announce themselves on the terminal
    plain = module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = module.Interpreter(
        model_content=content, num_threads=1, experimental_op_resolver_type=plain
    )
    interpreter.allocate_tensors()
    (source,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
    logits = []
    for window in windows:
        interpreter.set_tensor(source["index"], window[None])
        interpreter.invoke()
        logits.append(np.array(interpreter.get_tensor(result["index"])[0], dtype=np.float32))
    return np.array(logits)
