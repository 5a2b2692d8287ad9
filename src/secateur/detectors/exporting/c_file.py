"""A detector as one C99 file: its chain, its network computed as samples come, its alarm.

The C stands in `template.c`. A `$name` there is filled in; `${N}` is the prefix of all names, `${M}` the same
for macros. Lines between `//@if` and `//@end` are for detectors of which one of the words behind `//@if` is
true. All of it is C99, without any allocation, and nothing depends on the machine but the last bits of float
arithmetic.

The samples of a window are never kept. Each convolution keeps the inputs that its kernels have before
them and computes one new step at a time; the features of the last window stand in a ring. So the
probabilities are those of windows that slide over the signal, where the network's step divides the hop.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass, replace
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secateur.detectors.event_rules import smoothed_over
from secateur.detectors.exporting.layers import Block, Layers, Steps, Weights
from secateur.detectors.file import DetectorInfo
from secateur.errors import DetectorError, SettingsError
from secateur.windows import SignalChain
from secateur.windows.chain import sections_of
from secateur.windows.scaling import FLAT, MEMORY, PRIOR, REACH, TO_DEVIATION, constants

_TEMPLATE = Path(__file__).with_name("template.c")
_C_NAMES = {"float64": "double", "float32": "float", "int8": "int8_t", "int32": "int32_t"}
_PER_SECTION = 5  # products of a second-order section
_MOST_TERMS = (1 << 31) // (255 * 128) - 1
"""Products of 8 bits whose sum surely fits in 32."""


@dataclass(frozen=True)
class CFile:
    """A detector in C and what it costs a chip.

    `numbers`: "float": all in float; "int8 weights": weights in 8 bits and a scale for each kernel,
    arithmetic in float; "int8": weights and activations in 8 bits, sums in 32 bits, and one float product for
    each output, rounded half to even, which is how ONNX Runtime computes such a network. `flash`: bytes of
    constants. `ram`: bytes of the state, `stack`: of what a step keeps beside it. Multiply-accumulates:
    `worst` in one step, `mean` in a second; `filters` are those of each step that are in double.
    """

    text: str
    numbers: str
    flash: int
    ram: int
    stack: int
    worst: int
    mean: float
    filters: int


def identifier(path: Path) -> str:
    """The prefix of all names in the C file `path`. Raises `SettingsError` where there is none."""
    name = re.sub(r"\W", "_", path.stem, flags=re.ASCII).strip("_").lower()
    if not name:
        raise SettingsError(f"--out {path}: its name gives none for C; wanted such as seizure.c")
    return name if name[0].isalpha() else f"detector_{name}"


def c_file(info: DetectorInfo, layers: Layers, name: str, checksum: str) -> CFile:
    """The C file of a detector. `name`: prefix of its names. `checksum`: the detector's, for the comment.

    Raises `DetectorError` where the network's step does not divide the hop.
    """
    _, hop = info.window_and_hop
    if hop % layers.step:
        raise DetectorError(
            f"its network gives a feature every {layers.step} samples, which does not divide the hop of "
            f"{hop} samples, so windows share no features; use a hop or pooling that fits"
        )
    kind = _kind_of(layers)
    layer_arrays, layer_bytes = _weights_and_table(layers, kind, name)
    chain = _chain_numbers(info, name)
    flash = layer_bytes + sum(numbers.nbytes for _, numbers, _ in chain)
    filters = layers.channels * _PER_SECTION * len(sections_of(info.chain))
    worst, mean = _work(info, layers, filters)
    width = int(layers.linear.values.shape[1])
    stack = (2 * _widest(layers) + width) * kind.value_bytes
    ram = _state_bytes(info, layers, kind)
    result = CFile("", kind.name, flash, ram, stack, worst, mean, filters)
    values = {
        **_values(info, layers, kind, name),
        "head": _head(info, result, name, checksum),
        "chain_arrays": "\n".join(_array(*numbers) for numbers in chain).rstrip(),
        "layer_arrays": layer_arrays.rstrip(),
    }
    facts = {kind.name.replace(" ", "_"), info.chain.scaling.replace("-", "_")}
    return replace(result, text=Template(_chosen(_TEMPLATE.read_text(), facts)).substitute(values))


def _chosen(template: str, facts: set[str]) -> str:
    """The lines of the template that hold for a detector of which `facts` are true."""
    lines, holds = [], True
    for line in template.splitlines(keepends=True):
        if line.startswith("//@if "):
            holds = not facts.isdisjoint(line.split()[1:])
        elif line.startswith("//@end"):
            holds = True
        elif holds:
            lines.append(line)
    return "".join(lines)


def _running(info: DetectorInfo) -> bool:
    return info.chain.scaling == "running"


def _chain_numbers(info: DetectorInfo, name: str) -> list[tuple[str, NDArray[Any], str]]:
    sections = sections_of(info.chain)[:, [0, 1, 2, 4, 5]]
    mean, gain = constants(info.scale)
    last = (f"{name}_mean", mean.ravel(), "")
    if _running(info):
        last = (f"{name}_spread", np.log(np.asarray(info.scale.spread, dtype=np.float64)), "")
    return [
        (f"{name}_sections", sections, f"[{len(sections)}][{_PER_SECTION}]"),
        (f"{name}_gain", gain.ravel(), ""),
        last,
    ]


def _values(info: DetectorInfo, layers: Layers, kind: _Kind, name: str) -> dict[str, str]:
    """What is filled in, by the names in the template."""
    length, hop = info.window_and_hop
    rules = info.post_processing
    compressed = "asinhf(value)" if info.chain.compression == "asinh" else "value"
    numbers = {
        "channels": layers.channels,
        "sections": len(sections_of(info.chain)),
        "blocks": len(layers.blocks),
        "features": layers.features,
        "width": layers.linear.values.shape[1],
        "widest": _widest(layers),
        "memory": sum(map(_numbers_of, layers.blocks)),
        "window": length,
        "hop": hop,
        "smoothed": smoothed_over(rules, hop / info.chain.sampling_rate),
        "per_second": round(info.chain.sampling_rate),
        "memory_seconds": MEMORY,
        "prior": PRIOR,
    }
    return {
        "N": name,
        "M": name.upper(),
        "W": kind.weight,
        "T": kind.value,
        "A": kind.sum,
        "threshold": _real(rules.threshold),
        "release": _real(rules.lower),
        "reach": _real(REACH),
        "flat": _real(FLAT),
        "to_deviation": _real(TO_DEVIATION),
        "enter": _entering(layers, compressed, name),
        **_judging(layers, name),
        **{word: str(number) for word, number in numbers.items()},
    }


def _widest(layers: Layers) -> int:
    """The most numbers that a step has anywhere."""
    return max(layers.channels, *(len(block.weights.values) for block in layers.blocks))


def _work(info: DetectorInfo, layers: Layers, filters: int) -> tuple[int, float]:
    """Multiply-accumulates where everything falls on one step; and per second.

    `filters`: those of the filters, for each sample.
    """
    rate = info.chain.sampling_rate
    _, hop = info.window_and_hop
    worst, mean, step = filters, float(filters), 1
    for block in layers.blocks:
        step *= block.stride
        worst += int(block.weights.values.size)
        mean += block.weights.values.size / step
        step *= block.pool
    last = int(layers.linear.values.size) + layers.features * int(layers.linear.values.shape[1])
    return worst + last, (mean + last / hop) * rate


def _state_bytes(info: DetectorInfo, layers: Layers, kind: _Kind) -> int:
    doubles = 2 * len(sections_of(info.chain)) * layers.channels
    words = 3 + 2 * len(layers.blocks)
    if _running(info):
        doubles += layers.channels
        words += 2 + layers.channels * (1 + round(info.chain.sampling_rate))
    values = sum(map(_numbers_of, layers.blocks))
    values += layers.features * int(layers.linear.values.shape[1])
    exact = 8 * doubles + 4 * words + kind.value_bytes * values
    return -(-exact // 8) * 8


def _head(info: DetectorInfo, result: CFile, name: str, checksum: str) -> str:
    """The comment at the head."""
    chain, rules, windows = info.chain, info.post_processing, info.windows
    channels = SignalChain(chain, info.scale).channel_names
    each = chain.montage == "each"
    order = "any one EEG channel; a state for each, and the mean of their probabilities counts"
    origin = info.provenance
    lines = [
        "A seizure detector made by Secateur. Research software, not a medical device.",
        "",
        f"Detector: SHA-256 {checksum}",
        f"Network: {origin.model or 'unnamed'}; numbers: {result.numbers}"
        + ("; trained on SIMULATED EEG" if origin.simulated else ""),
        f"Channels, in order: {order if each else ', '.join(channels)}",
        f"Input: microvolts at {chain.sampling_rate:g} Hz, after the montage; nothing is resampled here",
        f"Chain: band-pass {chain.low:g} to {chain.high:g} Hz of order {chain.order}, "
        f"notch {'none' if chain.notch is None else f'{chain.notch:g} Hz'}, scaling {chain.scaling}, "
        f"compression {chain.compression}",
        f"Windows: {windows.length:g} s every {windows.hop:g} s; a probability speaks for the last hop",
        f"Threshold {rules.threshold:g}; alarm off below {rules.lower:g}; "
        f"smoothed over {rules.smoothing:g} s",
        "Not here: joining events, dropping short ones, refractory time",
        f"Constants {result.flash} bytes; state {result.ram} bytes; at most {result.worst} "
        f"multiply-accumulates in a step, {result.mean:.0f} in a second;",
        f"{result.filters} of each step are the filters', in double",
        "",
        "Compile with -std=c99, link with -lm; not with -ffast-math. Elsewhere, for the declarations alone:",
        f"#define {name.upper()}_DECLARATIONS_ONLY, then include this file.",
    ]
    safe = [re.sub(r"\*/|[^ -~]", "?", line) for line in lines]
    return "/*\n" + "".join(f" * {line}".rstrip() + "\n" for line in safe) + " */"


@dataclass(frozen=True)
class _Kind:
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
    def in_8_bits(self) -> bool:
        """Whether activations have 8 bits."""
        return self.value == "uint8_t"


def _kind_of(layers: Layers) -> _Kind:
    """Which of the three kinds `layers` are."""
    if layers.input is not None:
        return _Kind("int8", "int8_t", "uint8_t", "int32_t")
    if layers.linear.scale is not None:
        return _Kind("int8 weights", "int8_t", "float", "float")
    return _Kind("float", "float", "float", "float")


def _numbers_of(block: Block) -> int:
    """Numbers that a block keeps: its kernels' inputs, and the largest outputs so far."""
    kernels, channels, size = block.weights.values.shape
    return int(channels * size + (kernels if block.pool > 1 else 0))


def _weights_and_table(layers: Layers, kind: _Kind, name: str) -> tuple[str, int]:
    """The arrays and the table of layers; and the arrays' bytes."""
    parts, rows = [], []
    at = total = 0
    before = layers.input
    linear = Block(_long(layers.linear), 1, after=layers.logits)
    for index, block in enumerate((*layers.blocks, linear)):
        if index == len(layers.blocks):
            before = layers.average
        kernels, channels, size = block.weights.values.shape
        if kind.in_8_bits and channels * size > _MOST_TERMS:
            raise DetectorError(
                f"{name}: a kernel of {channels * size} weights is too long for 32 bits"
            )
        numbers = _arrays(block, kind, before)
        parts += [_array(f"{name}_{word}_{index}", values) for word, values in numbers.items()]
        total += sum(values.nbytes for values in numbers.values())
        words = [f"{name}_{word}_{index}" for word in numbers]
        row = at, channels, size, channels * size, kernels, block.stride, block.pool, block.relu
        words += (str(int(number)) for number in row)
        if kind.in_8_bits:
            words.append(str(_known(block.after).zero))
        rows.append(f"    {{{', '.join(words)}}}")
        at += _numbers_of(block)
        before = block.after
    table = f"static const {name}_layer {name}_layers[{len(rows)}] = {{\n" + ",\n".join(rows)
    return "\n".join(parts) + f"\n{table}\n}};\n", total


def _arrays(block: Block, kind: _Kind, before: Steps | None) -> dict[str, NDArray[np.generic]]:
    """Weights as kernels × size × channels, so that inputs stand as they come; bias; scale."""
    weights = block.weights
    result = {"weights": weights.values.transpose(0, 2, 1), "bias": weights.bias}
    if not kind.in_8_bits:
        return result if weights.scale is None else {**result, "scale": weights.scale}
    entering, leaving = _known(before), _known(block.after)
    sums = weights.values.astype(np.int64).reshape(len(weights.values), -1).sum(axis=1)
    bias = weights.bias.astype(np.int64) - entering.zero * sums  # Σ (x − zero) w = Σ x w − zero Σ w
    if np.any(np.abs(bias) >= 1 << 30):
        raise DetectorError("a bias is too large for sums in 32 bits")
    result["bias"] = bias.astype(np.int32)
    assert weights.scale is not None
    result["scale"] = (entering.scale * weights.scale / leaving.scale).astype(np.float32)
    return result


def _long(linear: Weights) -> Weights:
    """The linear layer as a convolution over one step."""
    return Weights(linear.values[:, :, None], linear.bias, linear.scale)


def _known(steps: Steps | None) -> Steps:
    assert steps is not None
    return steps


def _judging(layers: Layers, name: str) -> dict[str, str]:
    """What the mean and the last step need to know of 8 bits."""
    if layers.input is None:
        return {
            "average": f"sum / {_real(np.float32(layers.features))}",
            "gap": "(double)logits[0] - (double)logits[1]",
        }
    before = _known(layers.blocks[-1].after)
    average, logits = _known(layers.average), _known(layers.logits)
    gain = before.scale / (average.scale * np.float32(layers.features))
    shift = before.zero * layers.features
    logit = f"((float)((int)logits[{{}}] - {logits.zero}) * {_real(logits.scale)})"
    return {
        "average": f"{name}_bits((float)(sum - {shift}) * {_real(np.float32(gain))}, {average.zero})",
        "gap": f"(double){logit.format(0)} - (double){logit.format(1)}",
    }


def _entering(layers: Layers, value: str, name: str) -> str:
    """The C expression that takes `value`, scaled and compressed, to the network's first layer."""
    if layers.input is None:
        return value
    return f"{name}_bits({value} / {_real(layers.input.scale)}, {layers.input.zero})"


def _real(value: float | np.floating) -> str:
    """A double, or a float where `value` is float32, in the fewest digits that give it back."""
    if isinstance(value, np.float32):
        digits = np.format_float_scientific(value, unique=True, trim="0")
        return f"{digits}f"
    return repr(float(value))


def _array(name: str, values: NDArray[Any], shape: str = "") -> str:
    """`static const` array `name`; `shape` in brackets where it isn't a single row."""
    flat = values.ravel()
    kind = _C_NAMES[flat.dtype.name]
    words = list(map(_real if flat.dtype.kind == "f" else str, flat))
    lines = textwrap.fill(", ".join(words), 96, break_long_words=False, break_on_hyphens=False)
    if shape:
        rows = values.reshape(len(values), -1)
        lines = ",\n".join(f"{{{', '.join(map(_real, row))}}}" for row in rows)
    return f"static const {kind} {name}{shape or f'[{flat.size}]'} = {{\n{lines}\n}};\n"
