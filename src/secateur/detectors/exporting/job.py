"""`secateur export` as one call: a detector written in another form, and compared with itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from secateur.detectors.detector import Detector
from secateur.detectors.exporting.c_file import c_file, identifier
from secateur.detectors.exporting.layers import layers_of, weights_in_8_bits
from secateur.detectors.exporting.litert import litert_of, run_litert
from secateur.detectors.file import INFO_KEY, read_verified
from secateur.detectors.network.model import Graph, parse
from secateur.detectors.network.run import OpenVino, import_openvino, open_session
from secateur.errors import DetectorError, SettingsError
from secateur.files import replacing, write_whole
from secateur.windows import probability_of

SUFFIXES: Mapping[str, str] = {"c": ".c", "openvino": ".xml", "litert": ".tflite"}
"""The forms, and how their files end."""

WEIGHTS = ("float", "int8")
_TRIED = 32
"""Random windows on which two ways of running a network are compared."""


@dataclass(frozen=True)
class Exported:
    """`paths`: what was written. `notes`: what there is to know of it, a line each.

    `difference`: the largest in probability from ONNX Runtime on random windows, None where nothing
    was run.
    """

    paths: tuple[Path, ...]
    notes: tuple[str, ...]
    difference: float | None = None

    @property
    def bytes(self) -> int:
        """Of all files together."""
        return sum(path.stat().st_size for path in self.paths)


def export(detector: Path, to: str, out: Path, weights: str | None = None) -> Exported:
    """Write `detector` to the file `out` in the form `to`, one of `SUFFIXES`.

    `weights`, for C alone: "float", "int8", or None for what the detector has. Raises `SettingsError` for
    a form that there isn't, `DetectorError` for a network that the form can't hold, `MissingExtraError`.
    """
    if to not in _WRITERS:
        raise SettingsError(f"--to {to}: wanted one of {', '.join(SUFFIXES)}")
    if weights is not None and (to != "c" or weights not in WEIGHTS):
        raise SettingsError(
            f"--weights {weights}: wanted {' or '.join(WEIGHTS)}, and with --to c alone"
        )
    content = read_verified(detector)
    opened = Detector(content, detector)
    try:
        return _WRITERS[to](opened, parse(content, detector), out, weights)
    except DetectorError as error:
        reason = str(error)
        prefix = "" if reason.startswith(str(detector)) else f"{detector}: "
        raise DetectorError(f"{prefix}{reason}") from None


def _to_c(opened: Detector, graph: Graph, out: Path, weights: str | None) -> Exported:
    layers = layers_of(graph)
    difference = None
    if weights == "float" and layers.input is not None:
        raise SettingsError(f"--weights float: {opened.path} is in 8 bits; its floats aren't there")
    if weights == "int8" and layers.input is None:
        layers = layers.weights_in_8_bits()
        rounded = open_session(replace(graph, weights=weights_in_8_bits(graph)).to_bytes())
        difference = _difference(opened, rounded.run)
    source = c_file(opened.info, layers, identifier(out), opened.fingerprint)
    write_whole(out, source.text)
    seconds = opened.info.windows.hop
    return Exported(
        (out,),
        (
            f"numbers: {source.numbers}",
            f"constants: {source.flash} bytes (flash)",
            f"state: {source.ram} bytes (RAM), and {source.stack} bytes of stack for its rows of numbers",
            f"multiply-accumulates: at most {source.worst} in one step, {source.mean / 1e6:.2f} million a "
            f"second of signal; a probability every {seconds:g} s",
            f"in double: {source.filters} of each step, the filters'; a processor that computes in float "
            "alone does them in software",
        ),
        difference,
    )


def _to_openvino(opened: Detector, graph: Graph, out: Path, _: str | None) -> Exported:
    paths = _write_openvino(graph, out, graph.metadata[INFO_KEY])
    return Exported(paths, (_NETWORK_ALONE,), _difference(opened, OpenVino(out).run))


def _write_openvino(graph: Graph, out: Path, metadata: str) -> tuple[Path, Path]:
    """Write `graph` to `out` (.xml) and to the .bin beside it; returns both.

    `metadata`: the detector's, kept in the model's runtime information as "secateur". Raises
    `MissingExtraError`, or `DetectorError` where OpenVINO doesn't understand the network.
    """
    openvino = import_openvino("export --to openvino")
    try:
        model = openvino.Core().read_model(graph.to_bytes())
    except RuntimeError as error:
        raise DetectorError(f"OpenVINO can't read the network ({type(error).__name__})") from None
    model.set_rt_info(metadata, "secateur")
    weights = out.with_suffix(".bin")
    with replacing(out) as beside:
        # by default it rounds weights to 16 bits
        openvino.save_model(model, str(beside), compress_to_fp16=False)
        beside.with_suffix(".bin").replace(weights)
    return out, weights


def _to_litert(opened: Detector, graph: Graph, out: Path, _: str | None) -> Exported:
    content = litert_of(graph)
    difference = _difference(opened, lambda windows: run_litert(content, windows))
    write_whole(out, content)
    return Exported((out,), (_NETWORK_ALONE,), difference)


_NETWORK_ALONE = (
    "the network alone: the signal chain before it and the threshold after it are yours to add"
)
_WRITERS: Mapping[str, Callable[[Detector, Graph, Path, str | None], Exported]] = {
    "c": _to_c,
    "openvino": _to_openvino,
    "litert": _to_litert,
}


def _difference(
    opened: Detector, run: Callable[[NDArray[np.float32]], NDArray[np.float32]]
) -> float:
    """The largest difference in probability on random windows."""
    shape = (_TRIED, len(opened.info.scale.mean), opened.info.window_and_hop[0])
    windows = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    difference = probability_of(run(windows)) - opened.probability(windows)
    return float(np.abs(difference).max())
