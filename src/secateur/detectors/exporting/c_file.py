"""A detector as one C99 file: its chain, its network computed as samples come, its alarm.

Comes in: a detector's info, its network's `Layers`, a name. Goes out: `CFile`: the text, and what it costs a
chip. Next: `job` writes it.

The samples of a window are never kept. Each convolution keeps the inputs that its kernels have before
them and computes one new step at a time; the features of the last window stand in a ring. So the
probabilities are those of windows that slide over the signal, where the network's step divides the hop.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secateur.detectors.event_rules import smoothed_over
from secateur.detectors.exporting import c_text
from secateur.detectors.exporting.c_layers import (
    Kind,
    entering,
    finish_of,
    judging,
    kind_of,
    layer_type,
    numbers_of,
    weights_and_table,
)
from secateur.detectors.exporting.c_numbers import array, real
from secateur.detectors.exporting.layers import Layers
from secateur.detectors.metadata import DetectorInfo
from secateur.errors import DetectorError, SettingsError
from secateur.windows import SignalChain, window_samples
from secateur.windows.chain import sections_of
from secateur.windows.scaling import FLAT, MEMORY, PRIOR, REACH, TO_DEVIATION, constants

_PER_SECTION = 5  # products of a second-order section


@dataclass(frozen=True)
class CFile:
    """`flash`: bytes of constants. `ram`: bytes of the state, `stack`: of what a step keeps beside it.

    Multiply-accumulates: `worst` in one step, `mean` in a second. `numbers`: the kind, as `c_layers` says.
    """

    text: str
    numbers: str
    flash: int
    ram: int
    stack: int
    worst: int
    mean: float


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
    _, hop = window_samples(info.windows, info.chain.sampling_rate)
    if hop % layers.step:
        raise DetectorError(
            f"its network gives a feature every {layers.step} samples, which does not divide the hop of "
            f"{hop} samples, so windows share no features; use a hop or pooling that fits"
        )
    kind = kind_of(layers)
    places = _places(info, layers, kind, name)
    weights, taken = weights_and_table(layers, kind, name)
    chain = _chain_numbers(info, name)
    parts = [
        c_text.DECLARATIONS,
        f"\n#ifndef {name.upper()}_DECLARATIONS_ONLY\n#include <math.h>\n#include <string.h>\n\n",
        "\n".join(array(*told) for told in chain),
        c_text.CHAIN,
        c_text.RUNNING if _running(info) else c_text.TRAINING_SET,
        layer_type(kind),
        weights,
        finish_of(kind),
        c_text.ROWS,
        c_text.NETWORK,
        c_text.STEP,
        c_text.MAIN,
        "#endif\n",
    ]
    # twice: what stands in a place may hold a name itself
    code = "\n".join(
        Template(Template(part).substitute(places)).substitute(places) for part in parts
    )
    flash = taken + sum(told[1].nbytes for told in chain)
    worst, mean = _work(info, layers)
    made = CFile("", kind.name, flash, _state_bytes(info, layers, kind), 0, worst, mean)
    stack = (2 * int(places["widest"]) + int(places["width"])) * kind.value_bytes
    told = _head(info, layers, made, name, checksum)
    return CFile(told + code, kind.name, flash, made.ram, stack, worst, mean)


def _running(info: DetectorInfo) -> bool:
    return info.chain.scaling == "running"


def _chain_numbers(info: DetectorInfo, name: str) -> list[tuple[str, NDArray[Any], str]]:
    sections = sections_of(info.chain)[:, [0, 1, 2, 4, 5]]
    mean, gain = constants(info.scale)
    found: list[tuple[str, NDArray[Any], str]] = [
        (f"{name}_sections", sections, f"[{len(sections)}][{_PER_SECTION}]")
    ]
    found.append((f"{name}_gain", gain.ravel(), ""))
    if _running(info):
        spread = np.log(np.asarray(info.scale.spread, dtype=np.float64))
        return [*found, (f"{name}_spread", spread, "")]
    return [*found, (f"{name}_mean", mean.ravel(), "")]


def _places(info: DetectorInfo, layers: Layers, kind: Kind, name: str) -> dict[str, str]:
    """What stands in the templates' places."""
    length, hop = window_samples(info.windows, info.chain.sampling_rate)
    rules = info.post_processing
    compressed = "asinhf(value)" if info.chain.compression == "asinh" else "value"
    begin = (
        "    memcpy(state->spread, ${N}_spread, sizeof(state->spread));\n"
        "    memcpy(state->gain, ${N}_gain, sizeof(state->gain));\n"
    )
    running = _running(info)
    whole: dict[str, int | str] = {
        "channels": layers.channels,
        "sections": len(sections_of(info.chain)),
        "blocks": len(layers.blocks),
        "features": layers.features,
        "width": layers.linear.values.shape[1],
        "widest": max(layers.channels, *(len(one.weights.values) for one in layers.blocks)),
        "memory": sum(map(numbers_of, layers.blocks)),
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
        "threshold": real(rules.threshold),
        "release": real(rules.lower),
        "reach": real(REACH),
        "flat": real(FLAT),
        "to_deviation": real(TO_DEVIATION),
        "enter": entering(layers, compressed),
        "scale_state": c_text.RUNNING_STATE if running else "",
        "init": begin if running else "",
        "end_sample": "    ${N}_end_sample(state);\n" if running else "",
        **judging(layers),
        **{word: str(value) for word, value in whole.items()},
    }


def _work(info: DetectorInfo, layers: Layers) -> tuple[int, float]:
    """Multiply-accumulates where everything falls on one step; and per second."""
    rate = info.chain.sampling_rate
    _, hop = window_samples(info.windows, rate)
    chain = layers.channels * _PER_SECTION * len(sections_of(info.chain))
    worst, mean, apart = chain, float(chain), 1
    for block in layers.blocks:
        apart *= block.stride
        worst += int(block.weights.values.size)
        mean += block.weights.values.size / apart
        apart *= block.pool
    last = int(layers.linear.values.size) + layers.features * int(layers.linear.values.shape[1])
    return worst + last, (mean + last / hop) * rate


def _state_bytes(info: DetectorInfo, layers: Layers, kind: Kind) -> int:
    doubles = 2 * len(sections_of(info.chain)) * layers.channels
    words = 3 + 2 * len(layers.blocks)
    if _running(info):
        doubles += layers.channels
        words += 2 + layers.channels * (1 + round(info.chain.sampling_rate))
    values = sum(map(numbers_of, layers.blocks))
    values += layers.features * int(layers.linear.values.shape[1])
    exact = 8 * doubles + 4 * words + kind.value_bytes * values
    return -(-exact // 8) * 8


def _head(info: DetectorInfo, layers: Layers, made: CFile, name: str, checksum: str) -> str:
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
        f"Network: {origin.model or 'unnamed'}; numbers: {made.numbers}"
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
        f"Constants {made.flash} bytes; state {made.ram} bytes; at most {made.worst} "
        f"multiply-accumulates in a step, {made.mean:.0f} in a second",
        "",
        "Compile with -std=c99, link with -lm; not with -ffast-math. Elsewhere, for the declarations alone:",
        f"#define {name.upper()}_DECLARATIONS_ONLY, then include this file.",
    ]
    safe = [re.sub(r"\*/|[^ -~]", "?", line) for line in lines]
    return "/*\n" + "".join(f" * {line}".rstrip() + "\n" for line in safe) + " */\n"
