"""The ONNX operators of which a detector's network may consist: written by `networks`, read by `network`.

Definitions: https://onnx.ai/onnx/operators/
"""

from __future__ import annotations

from collections.abc import Mapping

ELEMENTWISE = frozenset(
    ("Abs", "Cast", "Clip", "Cos", "DequantizeLinear", "Elu", "Erf", "Exp", "HardSigmoid", "HardSwish",
     "Identity", "LeakyRelu", "Log", "Neg", "PRelu", "QuantizeLinear", "Reciprocal", "Relu", "Sigmoid",
     "Sin", "Softplus", "Sqrt", "Tanh")
)  # fmt: skip
"""Each number by itself; what they read beside the first are settings."""
BROADCAST = frozenset(("Add", "Div", "Max", "Mul", "Pow", "Sub"))
REDUCING = frozenset(("ReduceMax", "ReduceMean", "ReduceSum"))
NORMS = frozenset(
    ("BatchNormalization", "InstanceNormalization", "LayerNormalization", "LogSoftmax", "Softmax")
)
"""They leave the shape as it is."""
RECURRENT: Mapping[str, int] = {"GRU": 3, "LSTM": 4, "RNN": 1}
"""With how many gates each has."""
WINDOWED = frozenset(("AveragePool", "Conv", "MaxPool"))
"""They slide over their axes behind the first two."""
OPERATORS = (
    ELEMENTWISE | BROADCAST | REDUCING | NORMS | frozenset(RECURRENT) | WINDOWED
    | frozenset(("Concat", "Constant", "ConstantOfShape", "Expand", "Flatten", "Gather", "Gemm",
                 "GlobalAveragePool", "GlobalMaxPool", "MatMul", "Pad", "Reshape", "Shape", "Slice",
                 "Split", "Squeeze", "Transpose", "Unsqueeze"))
)  # fmt: skip
"""The list."""
FIXED: Mapping[str, object] = {"auto_pad": "NOTSET", "ceil_mode": 0, "layout": 0}
"""Attributes that may have this one value alone, in any operator."""


def refusal(kind: str, attributes: Mapping[str, object]) -> str | None:
    """Why no detector may hold such a node, in a few words; None where it may.

    `kind`: the operator's name. `attributes`: the node's, by name.
    """
    if kind not in OPERATORS:
        return f"the operator {kind[:60]!r} is not on the list"
    for name, value in FIXED.items():
        setting = attributes.get(name, value)
        if type(setting) is not type(value) or setting != value:
            return f"{kind} with {name}"
    return None
