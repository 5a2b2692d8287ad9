"""OpenVINO and LiteRT say what ONNX Runtime says, on files that hold the same network."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from secateur.cli import main
from secateur.detectors import load_detector
from secateur.detectors.eight_bits import quantise
from secateur.detectors.exporting import export
from secateur.detectors.network.run import RUNTIMES, import_openvino, open_session
from secateur.errors import DetectorError, MissingExtraError, SettingsError
from secateur.networks import NetworkSettings, build_network, to_onnx
from secateur.recordings import Recording
from secateur.windows import ChainSettings, SignalChain, WindowSettings, probability_of
from tests.support.c_detectors import detector_file, info_of, model_of
from tests.support.shaken import shaken

INFO = info_of(ChainSettings(), WindowSettings())


def have(package: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(package) is not None


openvino = pytest.mark.skipif(
    not have("openvino"), reason="the extra openvino is not installed (pip install '.[openvino]')"
)
litert = pytest.mark.skipif(
    not have("ai_edge_litert"), reason="the extra litert is not installed (pip install '.[litert]')"
)


@pytest.fixture(scope="module")
def windows(recording: Recording) -> NDArray[np.float32]:
    """Windows of EEG, chained."""
    chained = SignalChain(INFO.chain, INFO.scale).run(recording)
    view = np.lib.stride_tricks.sliding_window_view(chained, 1024, axis=1)[:, ::256]
    return np.ascontiguousarray(view.transpose(1, 0, 2))


@pytest.fixture
def floats(windows: NDArray[np.float32], tmp_path: Path) -> Path:
    model = model_of(NetworkSettings(widths=(8, 16, 24)), INFO, windows)
    return detector_file(tmp_path / "whole.onnx", model, INFO)


@pytest.fixture
def bits(windows: NDArray[np.float32], tmp_path: Path) -> Path:
    model = quantise(model_of(NetworkSettings(widths=(8, 16, 24)), INFO, windows), [windows])
    return detector_file(tmp_path / "bits.onnx", model, INFO)


def alike(kind: str, result: NDArray[np.float64], expected: NDArray[np.float64]) -> bool:
    """In 8 bits a sum that lies between two steps is now and then rounded to the other one."""
    gaps = np.abs(result - expected)
    if kind == "bits":
        return bool(np.mean(gaps <= 1e-4) > 0.9 and gaps.max() < 0.15)
    return bool(gaps.max() <= 1e-4)


@openvino
@pytest.mark.parametrize("kind", ["floats", "bits"])
def test_openvino_detects_what_onnx_runtime_detects(
    kind: str, recording: Recording, request: pytest.FixtureRequest
) -> None:
    path = request.getfixturevalue(kind)
    expected = load_detector(path).window_probabilities(recording).probability
    result = load_detector(path, runtime="openvino").window_probabilities(recording).probability
    assert np.ptp(expected) > 0.3
    assert alike(kind, result, expected)


@openvino
@pytest.mark.parametrize("kind", ["floats", "bits"])
def test_openvinos_files_hold_the_network_in_full_and_what_was_told(
    kind: str, windows: NDArray[np.float32], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    path = request.getfixturevalue(kind)
    out = tmp_path / "new" / "d.xml"
    done = export(path, "openvino", out)
    assert done.paths == (out, out.with_suffix(".bin"))
    assert sorted(out.parent.iterdir()) == sorted(done.paths)
    assert done.difference is not None
    assert done.difference <= 1e-4
    core = import_openvino("a test").Core()
    model = core.read_model(str(out))
    assert json.loads(model.get_rt_info("secateur").astype(str))["schema"] >= 1
    compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    result = probability_of(compiled(windows)[0])
    assert alike(kind, result, load_detector(path).probability(windows))


@openvino
def test_openvino_is_kept_from_reporting_that_it_was_imported(tmp_path: Path) -> None:
    code = (
        "from secateur.detectors.network.run import import_openvino\n"
        "import_openvino('a test')\nimport sys\n"
        "assert not [m for m in sys.modules if m.startswith('openvino_telemetry.')]\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_runtime_takes_any_length_and_keeps_its_answers(runtime: str, tmp_path: Path) -> None:
    if runtime == "openvino" and not have("openvino"):
        pytest.skip("the extra openvino is not installed (pip install '.[openvino]')")
    from dataclasses import replace

    from secateur.detectors.network.model import parse

    graph = parse(to_onnx(shaken(build_network(NetworkSettings(widths=(3, 4, 5)), 2, 256, 0))))
    longer = replace(graph, inputs={"windows": (None, 2, None)})
    session = open_session(longer.to_bytes(), runtime)  # type: ignore[arg-type]
    generator = np.random.default_rng(0)
    batches = [
        generator.normal(size=(n, 2, t)).astype("f4") for n, t in ((1, 256), (5, 1000), (2, 300))
    ]
    first = [session.run(batch) for batch in batches]
    assert [logits.shape for logits in first] == [(1, 2), (5, 2), (2, 2)]
    again = [session.run(batch) for batch in batches]
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    with pytest.raises(DetectorError, match="can't open it"):
        open_session(b"no model", runtime)  # type: ignore[arg-type]


def test_a_runtime_that_there_is_not() -> None:
    with pytest.raises(SettingsError, match="wanted one of onnxruntime, openvino"):
        open_session(b"", "tensorrt")  # type: ignore[arg-type]


@litert
def test_litert_says_the_same_on_windows_of_eeg(
    floats: Path, windows: NDArray[np.float32], tmp_path: Path
) -> None:
    from secateur.detectors.exporting.litert import run_litert

    out = tmp_path / "d.tflite"
    done = export(floats, "litert", out)
    assert done.difference is not None
    assert done.difference <= 1e-4
    result = probability_of(run_litert(out.read_bytes(), windows))
    assert np.abs(result - load_detector(floats).probability(windows)).max() <= 1e-4
    export(floats, "litert", tmp_path / "again.tflite")
    assert out.read_bytes() == (tmp_path / "again.tflite").read_bytes()


@litert
@pytest.mark.parametrize(
    "name", ["valid", "paper", "eegnet", "shallow", "deep4", "tcn", "separable"]
)
def test_litert_holds_every_network_that_has_a_name(name: str, tmp_path: Path) -> None:
    model = to_onnx(shaken(build_network(NetworkSettings(name=name), 18, 1024, 1)))
    done = export(detector_file(tmp_path / "d.onnx", model, INFO), "litert", tmp_path / "d.tflite")
    assert done.difference is not None
    assert done.difference <= 1e-5


@litert
def test_litert_refuses_8_bits_in_one_line(bits: Path, tmp_path: Path) -> None:
    with pytest.raises(DetectorError, match="export the detector that it was made from"):
        export(bits, "litert", tmp_path / "d.tflite")
    assert not (tmp_path / "d.tflite").exists()


@pytest.mark.parametrize(
    ("form", "package", "extra"),
    [("openvino", "openvino", "openvino"), ("litert", "ai_edge_litert", "litert")],
)
def test_an_extra_that_is_missing_is_told(
    form: str, package: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = to_onnx(build_network(NetworkSettings(widths=(2, 2, 2)), 18, 1024, 0).eval())
    file = detector_file(tmp_path / "d.onnx", model, INFO)
    for name in [
        module for module in sys.modules if module == package or module.startswith(f"{package}.")
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"pip install '\.\[{extra}\]'"):
        export(file, form, tmp_path / "d.out")


def test_the_verb_says_what_it_wrote(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    model = to_onnx(build_network(NetworkSettings(widths=(2, 2, 2)), 18, 1024, 0).eval())
    file = detector_file(tmp_path / "tiny.onnx", model, INFO)
    out = tmp_path / "out"
    words = ["export", str(file), "--to", "c", "--out"]
    assert main([*words, str(out)]) == 0
    assert (out / "tiny.c").is_file()
    output = capfd.readouterr().out
    for expected in ("bytes (flash)", "bytes (RAM)", "at most", "numbers: float"):
        assert expected in output
    assert main([*words, str(tmp_path / "s.c"), "--weights", "int8"]) == 0
    assert "numbers: int8 weights" in capfd.readouterr().out
    for bad in (["--to", "rust"], ["--to", "c", "--weights", "int4"]):
        assert main(["export", str(file), "--out", str(out), *bad]) == 1
        error = capfd.readouterr().err
        assert error.count("\n") == 1
        assert "wanted" in error
    assert main([*words, str(tmp_path / "x.tflite")]) == 1
    assert "this writes .c files" in capfd.readouterr().err
