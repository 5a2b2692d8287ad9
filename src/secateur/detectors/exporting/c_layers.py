"""A network's layers as C: arrays of weights, a table of layers, and the arithmetic of its kind.

Comes in: `Layers`. Goes out: C text, and the bytes that it takes. Next: `c_file` puts it between the
chain and the step.

There are three kinds. "float": all in float. "int8 weights": weights in 8 bits and a scale for each
kernel, arithmetic in float. "int8": weights and activations in 8 bits, sums in 32 bits, and one float
product for each output, rounded half to even, which is how ONNX Runtime computes such a network.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secateur.detectors.exporting.c_numbers import array, real
from secateur.detectors.exporting.layers import Block, Layers, Steps, Weights
from secateur.errors import DetectorError

_LAYER = """\
typedef struct {
    const $W *weights;   /* kernels x size x channels */
    const $A *bias;
$scale    int at;              /* where its inputs begin in the state's memory */
    int channels, size, count, kernels, stride, pool, relu;
$zero} ${N}_layer;
"""
_FINISH = {
    "float": """\
static float ${N}_finish(const ${N}_layer *layer, int k, float sum)
{
    float value = sum + layer->bias[k];
    return layer->relu && value < 0.0f ? 0.0f : value;
}
""",
    "int8 weights": """\
static float ${N}_finish(const ${N}_layer *layer, int k, float sum)
{
    float value = sum * layer->scale[k] + layer->bias[k];
    return layer->relu && value < 0.0f ? 0.0f : value;
}
""",
    "int8": """\
static uint8_t ${N}_bits(float value, int zero)
{
    value = rintf(value) + (float)zero;
    return (uint8_t)(value < 0.0f ? 0.0f : value > 255.0f ? 255.0f : value);
}

static uint8_t ${N}_finish(const ${N}_layer *layer, int k, int32_t sum)
{
    uint8_t value = ${N}_bits((float)(sum + layer->bias[k]) * layer->scale[k], layer->zero);
    return layer->relu && value < layer->zero ? (uint8_t)layer->zero : value;
}
""",
}
_MOST_TERMS = (1 << 31) // (255 * 128) - 1
"""Products of 8 bits whose sum surely fits in 32."""


@dataclass(frozen=True)
class Kind:
    """How a network is computed. C types: `weight`, `value` (between layers), `sum`."""

    name: str
    weight: str
    value: str
    sum: str

    @property
    def value_bytes(self) -> int:
        """Bytes of one number between two layers."""
        return 1 if self.value == "uint8_t" else 4

    @property
    def whole(self) -> bool:
        """Whether activations have 8 bits."""
        return self.value == "uint8_t"


def kind_of(layers: Layers) -> Kind:
    """Which of the three kinds `layers` are."""
    if layers.input is not None:
        return Kind("int8", "int8_t", "uint8_t", "int32_t")
    if layers.linear.scale is not None:
        return Kind("int8 weights", "int8_t", "float", "float")
    return Kind("float", "float", "float", "float")


def finish_of(kind: Kind) -> str:
    """Template of the function that makes an output of a sum of products."""
    return _FINISH[kind.name]


def layer_type(kind: Kind) -> str:
    """Template of the C struct of a layer."""
    scale = "" if kind.name == "float" else "    const float *scale;\n"
    zero = "    int zero;            /* the integer that stands for 0 */\n" if kind.whole else ""
    return _LAYER.replace("$scale", scale).replace("$zero", zero)


def numbers_of(block: Block) -> int:
    """Numbers that a block keeps: its kernels' inputs, and the largest outputs so far."""
    kernels, channels, size = block.weights.values.shape
    return int(channels * size + (kernels if block.pool > 1 else 0))


def weights_and_table(layers: Layers, kind: Kind, name: str) -> tuple[str, int]:
    """The arrays and the table of layers; and the arrays' bytes."""
    parts, rows = [], []
    at = taken = 0
    before = layers.input
    linear = Block(_long(layers.linear), 1, after=layers.logits)
    for index, block in enumerate((*layers.blocks, linear)):
        if index == len(layers.blocks):
            before = layers.average
        kernels, channels, size = block.weights.values.shape
        if kind.whole and channels * size > _MOST_TERMS:
            raise DetectorError(
                f"{name}: a kernel of {channels * size} weights is too long for 32 bits"
            )
        numbers = _arrays(block, kind, before)
        parts += [array(f"{name}_{word}_{index}", one) for word, one in numbers.items()]
        taken += sum(one.nbytes for one in numbers.values())
        words = [f"{name}_{word}_{index}" for word in numbers]
        told = [at, channels, size, channels * size, kernels, block.stride, block.pool]
        words += [*map(str, told), str(int(block.relu))]
        if kind.whole:
            words.append(str(_known(block.after).zero))
        rows.append(f"    {{{', '.join(words)}}}")
        at += numbers_of(block)
        before = block.after
    table = f"static const {name}_layer {name}_layers[{len(rows)}] = {{\n" + ",\n".join(rows)
    return "\n".join(parts) + f"\n{table}\n}};\n", taken


def _arrays(block: Block, kind: Kind, before: Steps | None) -> dict[str, NDArray[np.generic]]:
    """Weights as kernels × size × channels, so that inputs stand as they come; bias; scale."""
    weights = block.weights
    found: dict[str, NDArray[np.generic]] = {"weights": weights.values.transpose(0, 2, 1)}
    found["bias"] = weights.bias
    if not kind.whole:
        return found if weights.scale is None else {**found, "scale": weights.scale}
    entering, leaving = _known(before), _known(block.after)
    sums = weights.values.astype(np.int64).reshape(len(weights.values), -1).sum(axis=1)
    bias = weights.bias.astype(np.int64) - entering.zero * sums  # Σ (x − zero) w = Σ x w − zero Σ w
    if np.any(np.abs(bias) >= 1 << 30):
        raise DetectorError("a bias is too large for sums in 32 bits")
    found["bias"] = bias.astype(np.int32)
    assert weights.scale is not None
    found["scale"] = (entering.scale * weights.scale / leaving.scale).astype(np.float32)
    return found


def _long(linear: Weights) -> Weights:
    """The linear layer as a convolution over one step."""
    return Weights(linear.values[:, :, None], linear.bias, linear.scale)


def _known(steps: Steps | None) -> Steps:
    assert steps is not None
    return steps


def judging(layers: Layers) -> dict[str, str]:
    """What the mean and the last step need to know of 8 bits."""
    if layers.input is None:
        return {
            "average": f"sum / {real(np.float32(layers.features))}",
            "gap": "(double)logits[0] - (double)logits[1]",
        }
    before = _known(layers.blocks[-1].after)
    average, logits = _known(layers.average), _known(layers.logits)
    gain = before.scale / (average.scale * np.float32(layers.features))
    shift = before.zero * layers.features
    told = f"((float)((int)logits[{{}}] - {logits.zero}) * {real(logits.scale)})"
    return {
        "average": f"${{N}}_bits((float)(sum - {shift}) * {real(np.float32(gain))}, {average.zero})",
        "gap": f"(double){told.format(0)} - (double){told.format(1)}",
    }


def entering(layers: Layers, value: str) -> str:
    """The C expression that takes `value`, scaled and compressed, to the network's first layer."""
    if layers.input is None:
        return value
    return f"${{N}}_bits({value} / {real(layers.input.scale)}, {layers.input.zero})"
