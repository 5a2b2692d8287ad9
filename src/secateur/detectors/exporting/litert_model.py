"""A LiteRT model, put together operator by operator.

Comes in: tensors' shapes, constants, operators. Goes out: the bytes of a .tflite file. Next: `litert` says
which operators a network is.

The tables are those of the package ai-edge-litert (its flatbuffers schema); it converts nothing here. The
names of operators and options are the schema's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secateur.detectors.network.shapes import Shape
from secateur.errors import MissingExtraError

_SCHEMA_VERSION = 3
_MARK = b"TFL3"
_SMALL_CODES = 127  # codes above don't fit in the field of earlier readers


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
        self._buffers: list[Any] = [
            self._schema.BufferT()
        ]  # the first is empty, for what is computed
        self._operators: list[Any] = []
        self._codes: dict[str, int] = {}

    def tensor(self, name: str, shape: Shape) -> int:
        """A tensor that is computed, or given."""
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
        made = self._schema.TensorT()
        made.name, made.buffer = name.encode(), buffer
        made.shape = np.array(shape, dtype=np.int32)
        made.type = getattr(self._schema.TensorType, kind)
        self._tensors.append(made)
        return len(self._tensors) - 1

    def operate(
        self, kind: str, inputs: Sequence[int], shape: Shape, options: tuple[str, Mapping[str, Any]]
    ) -> int:
        """The operator `kind`; `options`: the name of their table in the schema, and what they are."""
        table, told = options
        made = self._schema.OperatorT()
        made.opcodeIndex = self._codes.setdefault(kind, len(self._codes))
        made.inputs = np.array(inputs, dtype=np.int32)
        output = self.tensor(f"{kind.lower()}{len(self._operators)}", shape)
        made.outputs = np.array([output], dtype=np.int32)
        if table:
            made.builtinOptionsType = getattr(self._schema.BuiltinOptions, table)
            made.builtinOptions = getattr(self._schema, f"{table}T")()
            for name, value in told.items():
                if not hasattr(made.builtinOptions, name):
                    raise AssertionError(f"{table} has no {name}")
                setattr(made.builtinOptions, name, value)
        self._operators.append(made)
        return output

    def permute(self, place: int, order: Sequence[int], shape: Shape) -> int:
        """Axes in another order."""
        axes = self.constant(np.array(order, dtype=np.int32))
        return self.operate("TRANSPOSE", [place, axes], shape, ("TransposeOptions", {}))

    def reshape(self, place: int, shape: Shape) -> int:
        """The same numbers in another shape."""
        told = np.array(shape, dtype=np.int32)
        options = ("ReshapeOptions", {"newShape": told})
        return self.operate("RESHAPE", [place, self.constant(told)], shape, options)

    def pad(self, place: int, edges: Sequence[tuple[int, int]], shape: Shape) -> int:
        """Zeros before and after, by axis."""
        told = self.constant(np.array(edges, dtype=np.int32))
        return self.operate("PAD", [place, told], shape, ("PadOptions", {}))

    def mean(self, place: int, axes: Sequence[int], shape: Shape) -> int:
        """The mean over `axes`, which stay, of length 1."""
        told = self.constant(np.array(axes, dtype=np.int32))
        return self.operate("MEAN", [place, told], shape, ("ReducerOptions", {"keepDims": True}))

    def slide(
        self, kind: str, inputs: Sequence[int], options: Mapping[str, Any], shape: Shape
    ) -> int:
        """A convolution or pooling over all that is there, nothing set in at the edges."""
        table = {"CONV_2D": "Conv2DOptions", "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions"}
        told = {"padding": self._schema.Padding.VALID, **options}
        return self.operate(kind, inputs, shape, (table.get(kind, "Pool2DOptions"), told))

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
        made = self._schema.OperatorCodeT()
        made.builtinCode = getattr(self._schema.BuiltinOperator, kind)
        made.deprecatedBuiltinCode = min(made.builtinCode, _SMALL_CODES)
        made.version = 1
        return made


def run_litert(content: bytes, windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The logits of a .tflite file for windows × channels × samples, one after the other, one thread."""
    module = import_litert("interpreter")
    # LiteRT's own kernels: its faster ones announce themselves on the terminal
    plain = module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = module.Interpreter(
        model_content=content, num_threads=1, experimental_op_resolver_type=plain
    )
    interpreter.allocate_tensors()
    (given,), (told,) = interpreter.get_input_details(), interpreter.get_output_details()
    found = []
    for window in windows:
        interpreter.set_tensor(given["index"], window[None])
        interpreter.invoke()
        found.append(np.array(interpreter.get_tensor(told["index"])[0], dtype=np.float32))
    return np.array(found)
