"""What is counted of an explanation is what its graphs do; what is measured is what meters say."""

from __future__ import annotations

import math
import os
import sys
import types
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from secateur.detectors.network.model import parse
from secateur.explaining.backward import with_gradient
from secateur.explaining.energy import Meter, energy_of, meters, modelled
from secateur.explaining.memory import peaks_of
from secateur.explaining.multiplying import Work, gradient_work, inference_work
from secateur.networks import to_onnx
from tests.support.explained import built, packed

MULTIPLYING = ("Conv", "ConvTranspose", "Gemm", "MatMul")


def macs_as_run(content: bytes) -> int:
    """Multiply-accumulates of an ONNX model, from the shapes that its operators read and give when it runs.

    Convolutions with equal weights are averages turned round, which don't count, here as forth.
    """
    model = onnx.load_from_string(content)
    weights = {w.name: tuple(w.dims) for w in model.graph.initializer}
    equal = {w.name for w in model.graph.initializer if np.ptp(onnx.numpy_helper.to_array(w)) == 0}
    nodes = [
        node
        for node in model.graph.node
        if node.op_type in MULTIPLYING and not equal & {*node.input[1:2]}
    ]
    (windows,) = model.graph.input
    names = {name for node in nodes for name in (node.input[0], node.output[0])} - weights.keys()
    names -= {windows.name, *(output.name for output in model.graph.output)}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in sorted(names))
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    shape = tuple(size.dim_value or 1 for size in windows.type.tensor_type.shape.dim)
    results = session.run(None, {windows.name: np.zeros(shape, dtype=np.float32)})
    names_in_order = [output.name for output in session.get_outputs()]
    shapes = dict(zip(names_in_order, (result.shape for result in results), strict=True))
    shapes |= {windows.name: shape, **weights}
    total = 0
    for node in nodes:
        into, out = shapes[node.input[0]], shapes[node.output[0]]
        kernel = math.prod(weights[node.input[1]][1:]) if node.input[1] in weights else 0
        per = {"Conv": math.prod(out) * kernel, "ConvTranspose": math.prod(into) * kernel}
        total += per.get(node.op_type, math.prod(into) * out[-1])
    return total


@pytest.mark.parametrize(
    "name", ["valid", "paper", "eegnet", "shallow", "deep4", "tcn", "separable"]
)
def test_multiply_accumulates_are_those_of_the_graphs_that_run(name: str) -> None:
    graph = parse(to_onnx(built(name)))
    assert inference_work(graph).macs == macs_as_run(graph.to_bytes())
    gradient = gradient_work(graph)
    assert gradient.macs == pytest.approx(macs_as_run(with_gradient(graph).to_bytes()), rel=1e-3)
    assert gradient.bytes_moved == 2 * inference_work(graph).bytes_moved


def test_bytes_are_those_of_tensors_and_weights() -> None:
    graph = parse(to_onnx(built("valid", 2)))
    convolution = next(node for node in graph.nodes if node.kind == "Conv")
    weight = graph.weights[convolution.inputs[1]]
    least = 4 * (2 * 1024 + weight.size)
    assert inference_work(graph).bytes_moved > least
    assert Work(2, 3) * 2 + Work(1, 1) == Work(5, 7)


def test_the_model_is_macs_and_bytes_times_its_picojoules() -> None:
    assert modelled(Work(1_000_000, 0)) == pytest.approx(4.6e-6)
    assert modelled(Work(0, 8)) == pytest.approx(100e-12)


def powercap(folder: Path, microjoules: int) -> Path:
    """As Linux shows it: a package, a part of it, and a package that may not be read."""
    for name, words in (
        ("intel-rapl:0", "package-0"),
        ("intel-rapl:0:0", "core"),
        ("intel-rapl:1", "psys"),
    ):
        zone = folder / name
        zone.mkdir(parents=True)
        (zone / "name").write_text(words)
        (zone / "max_energy_range_uj").write_text("10000000")
        if name != "intel-rapl:1":
            (zone / "energy_uj").write_text(str(microjoules))
    return folder


def test_a_package_is_read_and_its_counter_may_wrap(tmp_path: Path) -> None:
    (meter,) = meters(powercap(tmp_path, 9_000_000))
    assert meter.name == "RAPL package-0"
    energy = tmp_path / "intel-rapl:0" / "energy_uj"
    joules, _ = meter.over(lambda: energy.write_text("2000000"))
    assert joules == pytest.approx(3.0)


def test_without_a_meter_nothing_is_measured(tmp_path: Path) -> None:
    assert meters(tmp_path / "none") == []
    assert energy_of(lambda: None, []) == []


def test_what_is_counted_while_nothing_is_done_stands_beside() -> None:
    """Two watts always, and a joule more for each call."""
    calls = 0
    moment = os.times  # any clock: joules follow from it

    def read() -> float:
        return 2 * moment().elapsed + calls

    def work() -> None:
        nonlocal calls
        calls += 1
        while moment().elapsed < began + 0.05 * calls:
            pass

    began = moment().elapsed + 0.3
    (reading,) = energy_of(work, [Meter("made up", read)], 0.2)
    assert reading.meter == "made up"
    assert reading.busy - reading.idle == pytest.approx(1.0, abs=0.3)
    assert reading.idle > 0


def test_a_graphics_processor_is_told_to_compute_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = types.SimpleNamespace(
        NVMLError=RuntimeError,
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 1,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetName=lambda device: "H200",
        nvmlDeviceGetTotalEnergyConsumption=lambda device: 5000,
    )
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    (meter,) = meters(tmp_path / "none")
    assert meter.name == "NVML H200, on which nothing of this runs"
    assert meter.read() == 5.0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peaks are told on Linux alone")
def test_memory_is_that_of_processes_that_do_one_thing() -> None:
    content = packed(to_onnx(built("valid", 4)))
    peaks = peaks_of(content)
    assert peaks is not None
    assert peaks.keys() >= {"inference", "gradient", "contributions", "shap"}
    assert min(peaks.values()) > 1 << 24
    assert peaks["shap"] > peaks["inference"]
