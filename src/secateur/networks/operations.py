"""Every operation of torch that Secateur knows, each once: how it is called, what it does with feature maps,
whether a search for the next ReLU goes past it, and how it is written as ONNX.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import fx, nn

from secateur.networks import onnx_operations as onnx
from secateur.networks.layers import Dropout, MaxPool1d
from secateur.networks.onnx_convolutions import convolution
from secateur.networks.onnx_graph import OnnxGraph
from secateur.networks.tracing import function_of

Effect = Literal[
    "", "about shape", "along one axis", "attribute", "convolution", "division", "elementwise",
    "indexing", "interpolation", "joining", "layer norm", "linear", "norm", "padding", "pooling",
    "prelu", "recurrent", "reduction", "shaping",
]  # fmt: skip
"""What becomes of feature maps: `pruning.following` has a rule for each; "": they can't be followed."""


@dataclass(frozen=True)
class Operation:
    """`names`: its functions and methods; `layers`: its classes.

    `write`: puts a call of it into an ONNX graph and returns the tensor's name; None where torch's exporter
    is asked. `axes`: along how many of the last axes neighbours are mixed. `relu`, for who looks for the
    next ReLU: it "is" one; it leaves numbers the "same" once training is over; it takes the "largest" of
    some, which may as well be taken behind a ReLU; others are looked "past"; at "" the search ends.
    """

    effect: Effect
    names: str = ""
    layers: tuple[type[nn.Module], ...] = ()
    write: Callable[[OnnxGraph, fx.Node], str] | None = None
    axes: int = 0
    relu: Literal["", "is", "same", "largest", "past"] = ""


# fmt: off
OPERATIONS = (
    # layers that make or scale feature maps
    Operation("convolution", "", (nn.Conv1d, nn.Conv2d), convolution),
    Operation("linear", "", (nn.Linear,), onnx.linear),
    Operation("norm", "", (nn.BatchNorm1d, nn.BatchNorm2d), onnx.batch_norm, relu="past"),
    Operation("norm", "", (nn.InstanceNorm1d, nn.InstanceNorm2d)),
    Operation("layer norm", "", (nn.LayerNorm,), onnx.layer_norm),
    Operation("prelu", "", (nn.PReLU,), onnx.prelu),
    Operation("recurrent", "", (nn.GRU, nn.LSTM, nn.RNN)),
    # each number by itself
    Operation("elementwise", "relu", (nn.ReLU,), onnx.plain("Relu"), relu="is"),
    Operation("elementwise", "relu6", (nn.ReLU6,), onnx.bounded(0.0, 6.0), relu="is"),
    Operation("elementwise", "hardtanh", (nn.Hardtanh,), onnx.bounded(-1.0, 1.0)),
    Operation("elementwise", "elu", (nn.ELU,), onnx.sloped("Elu", "alpha", 1.0)),
    Operation("elementwise", "leaky_relu", (nn.LeakyReLU,), onnx.sloped("LeakyRelu", "negative_slope", 0.01)),
    Operation("elementwise", "gelu", (nn.GELU,), onnx.gelu),
    Operation("elementwise", "silu", (nn.SiLU,), onnx.silu),
    Operation("elementwise", "sigmoid", (nn.Sigmoid,), onnx.plain("Sigmoid")),
    Operation("elementwise", "tanh", (nn.Tanh,), onnx.plain("Tanh")),
    Operation("elementwise", "hardswish", (nn.Hardswish,), onnx.plain("HardSwish")),
    Operation("elementwise", "hardsigmoid", (nn.Hardsigmoid,), onnx.hard_sigmoid),
    Operation("elementwise", "softplus", (nn.Softplus,), onnx.softplus),
    Operation("elementwise",
              "selu celu rrelu mish softsign logsigmoid tanhshrink softshrink hardshrink threshold",
              (nn.SELU, nn.CELU, nn.RReLU, nn.Mish, nn.Softsign, nn.LogSigmoid, nn.Tanhshrink, nn.Softshrink,
               nn.Hardshrink, nn.Threshold)),
    Operation("elementwise", "dropout dropout1d dropout2d alpha_dropout",
              (Dropout, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout), onnx.dropout, relu="same"),
    Operation("elementwise", "dropout3d feature_dropout feature_alpha_dropout", (nn.FeatureAlphaDropout,),
              relu="same"),
    Operation("elementwise", "contiguous", (nn.Identity,), onnx.same, relu="same"),
    Operation("elementwise", "detach clone", (), onnx.same, relu="same"),
    Operation("elementwise", "log", (), onnx.plain("Log")),
    Operation("elementwise", "exp", (), onnx.plain("Exp")),
    Operation("elementwise", "sqrt", (), onnx.plain("Sqrt")),
    Operation("elementwise", "abs", (), onnx.plain("Abs")),
    Operation("elementwise", "neg", (), onnx.plain("Neg")),
    Operation("elementwise", "square", (), onnx.square),
    Operation("elementwise", "pow", (), onnx.power),
    Operation("elementwise", "clamp", (), onnx.clamp),
    Operation("elementwise", "add", (), onnx.binary("Add"), relu="past"),
    Operation("elementwise", "sub", (), onnx.binary("Sub")),
    Operation("elementwise", "mul multiply", (), onnx.binary("Mul")),
    Operation("elementwise", "div truediv", (), onnx.binary("Div")),
    Operation("elementwise",
              "log1p log2 log10 exp2 expm1 rsqrt absolute negative reciprocal sign sin cos tan erf clamp_min "
              "clamp_max clip floor ceil round nan_to_num subtract rsub divide true_divide floordiv "
              "floor_divide maximum minimum lerp addcmul addcdiv where masked_fill eq ne lt le gt ge isnan "
              "isfinite float double half to requires_grad_ xlogy logaddexp zeros_like ones_like full_like"),
    # shapes
    Operation("shaping", "reshape view flatten unflatten squeeze unsqueeze", (nn.Flatten, nn.Unflatten),
              onnx.reshaped),
    Operation("shaping", "permute", (), onnx.permuted),
    Operation("shaping", "transpose", (), onnx.transposed),
    Operation("shaping", "swapaxes swapdims movedim moveaxis expand"),
    Operation("about shape", "size dim ndimension numel nelement is_floating_point stride"),
    Operation("attribute", "getattr"),
    Operation("indexing", "getitem", (), onnx.indexed),
    Operation("division", "chunk split narrow select unbind"),
    Operation("joining", "cat concat", (), onnx.joined),
    Operation("joining", "concatenate stack"),
    Operation("padding", "pad", (nn.ConstantPad1d, nn.ConstantPad2d, nn.ZeroPad1d, nn.ZeroPad2d),
              onnx.padded),
    Operation("padding", "", (nn.ReflectionPad1d, nn.ReplicationPad1d, nn.CircularPad1d, nn.ReflectionPad2d,
                              nn.ReplicationPad2d, nn.CircularPad2d)),
    # along axes
    Operation("pooling", "max_pool1d", (nn.MaxPool1d, MaxPool1d), onnx.max_pool, 1, "largest"),
    Operation("pooling", "max_pool2d", (nn.MaxPool2d,), onnx.max_pool, 2, "largest"),
    Operation("pooling", "avg_pool1d", (nn.AvgPool1d,), onnx.average_pool, 1, "past"),
    Operation("pooling", "avg_pool2d", (nn.AvgPool2d,), onnx.average_pool, 2, "past"),
    Operation("pooling", "adaptive_avg_pool1d", (nn.AdaptiveAvgPool1d,), onnx.adaptive("Average"), 1),
    Operation("pooling", "adaptive_avg_pool2d", (nn.AdaptiveAvgPool2d,), onnx.adaptive("Average"), 2),
    Operation("pooling", "adaptive_max_pool1d", (nn.AdaptiveMaxPool1d,), onnx.adaptive("Max"), 1),
    Operation("pooling", "adaptive_max_pool2d", (nn.AdaptiveMaxPool2d,), onnx.adaptive("Max"), 2),
    Operation("pooling", "lp_pool1d", (nn.LPPool1d,), None, 1),
    Operation("pooling", "lp_pool2d", (nn.LPPool2d,), None, 2),
    Operation("interpolation", "interpolate", (nn.Upsample,)),
    Operation("reduction", "mean", (), onnx.reduced("ReduceMean")),
    Operation("reduction", "sum", (), onnx.reduced("ReduceSum", as_attribute=False)),
    Operation("reduction", "amax", (), onnx.reduced("ReduceMax")),
    Operation("reduction", "var", (), onnx.variance(root=False)),
    Operation("reduction", "std", (), onnx.variance(root=True)),
    Operation("reduction", "amin max min prod logsumexp median nanmean nansum argmax argmin norm any all"),
    Operation("along one axis", "softmax", (nn.Softmax,), onnx.softmax("Softmax")),
    Operation("along one axis", "log_softmax", (nn.LogSoftmax,), onnx.softmax("LogSoftmax")),
    Operation("along one axis", "softmin cumsum cumprod logcumsumexp", (nn.Softmin,)),
    Operation("", "matmul bmm", (), onnx.binary("MatMul")),
)
# fmt: on
_BY_NAME = {name: operation for operation in OPERATIONS for name in operation.names.split()}
_BY_LAYER = {layer: operation for operation in OPERATIONS for layer in operation.layers}
_OF_PYTHON = {"iadd": "add", "isub": "sub", "imul": "mul", "itruediv": "truediv", "ipow": "pow"}


def operation_of(node: fx.Node, traced: fx.GraphModule) -> Operation | None:
    """The operation that a node calls, in place or not; None where Secateur doesn't know it.

    A layer that inherits its `forward` is taken for what it inherits from.
    """
    if node.op == "call_module":
        kinds = type(traced.get_submodule(str(node.target))).__mro__
        return next((_BY_LAYER[kind] for kind in kinds if kind in _BY_LAYER), None)
    name = function_of(node) or ""
    return _BY_NAME.get(plain_name(name))


def written_operation(node: fx.Node, traced: fx.GraphModule) -> Operation | None:
    """The same, of torch's and Secateur's own layers alone, and of no method that changes what it reads."""
    if node.op == "call_module":
        return _BY_LAYER.get(type(traced.get_submodule(str(node.target))))
    name = function_of(node) or ""
    in_place = name.endswith("_") and name != "relu_"
    return None if in_place else operation_of(node, traced)


def plain_name(name: str) -> str:
    """In-place and operator forms under the name of the plain operation."""
    name = _OF_PYTHON.get(name, name)
    return name if name.startswith("__") or name == "requires_grad_" else name.rstrip("_")
