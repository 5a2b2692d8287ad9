"""A detector in C says what it says here: over any network that fits, any hop, any chain, on real EEG."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from secateur.detectors import DetectorInfo, PostProcessing, load_detector
from secateur.detectors.eight_bits import quantise
from secateur.detectors.event_rules import to_events
from secateur.detectors.exporting import export
from secateur.detectors.exporting.c_file import identifier
from secateur.detectors.exporting.layers import layers_of
from secateur.detectors.network.model import Graph, parse
from secateur.errors import DetectorError, SettingsError
from secateur.networks import NetworkSettings, build_network, to_onnx
from secateur.recordings import ArrayRecording, Recording
from secateur.windows import (
    ChainSettings,
    SignalChain,
    WindowSettings,
    probability_of,
    window_samples,
)
from secateur.windows.chain import sections_of
from tests.support.c_detectors import compiled, detector_file, info_of, model_of, rounded, run_c
from tests.support.cohorts import eeg

CHANNELS = ("A", "B", "C")


def windows_of(info: DetectorInfo, recording: Recording) -> NDArray[np.float32]:
    length, hop = window_samples(info.windows, info.chain.sampling_rate)
    chained = SignalChain(info.chain, info.scale).run(recording)
    view = np.lib.stride_tricks.sliding_window_view(chained, length, axis=1)[:, ::hop]
    return np.ascontiguousarray(view.transpose(1, 0, 2))


def small(**changes: Any) -> ChainSettings:
    return ChainSettings.model_validate(
        {
            "montage": "as-recorded",
            "channels": CHANNELS,
            "sampling_rate": 64.0,
            "high": 25.0,
            **changes,
        }
    )


def signal(seconds: float, seed: int, rate: float = 64.0) -> NDArray[np.float32]:
    data = eeg(seconds, [(seconds / 3, seconds / 2)], seed, channels=3, rate=rate, rhythm=30)
    return (data + 40).astype(np.float32)  # an offset, as amplifiers have


@st.composite
def networks(draw: st.DrawFn) -> tuple[NetworkSettings, int]:
    """A network and a hop in samples that its step divides."""
    blocks = draw(st.integers(1, 3))
    each = st.lists(st.integers(1, 7), min_size=blocks, max_size=blocks)
    pooling = draw(st.lists(st.integers(1, 4), min_size=blocks, max_size=blocks))
    network = NetworkSettings(
        name="valid",
        widths=tuple(draw(each)),
        kernel_sizes=tuple(draw(each)),
        pooling=tuple(pooling),
    )
    step = int(np.prod(pooling))
    return network, step * draw(st.integers(1, 192 // step))


@settings(max_examples=12, phases=(Phase.explicit, Phase.generate))
@given(
    drawn=networks(),
    scaling=st.sampled_from(("training-set", "running")),
    compression=st.sampled_from(("asinh", "none")),
    order=st.integers(1, 5),
    rate=st.sampled_from((64.0, 75.0, 101.0)),
    seed=st.integers(0, 1000),
    weights=st.sampled_from(("float", "int8")),
)
def test_probabilities_are_those_of_sliding_windows(
    drawn: tuple[NetworkSettings, int],
    scaling: str,
    compression: str,
    order: int,
    rate: float,
    seed: int,
    weights: str,
) -> None:
    """No shrinking: each try compiles."""
    network, hop = drawn
    chain = small(scaling=scaling, compression=compression, order=order, sampling_rate=rate)
    info = info_of(chain, WindowSettings(length=256 / rate, hop=hop / rate))
    samples = signal(12, seed, rate)
    samples[0, round(2 * rate) : round(9 * rate)] = 40  # an electrode that is off and comes back
    windows = windows_of(info, ArrayRecording(samples, rate, CHANNELS))
    model = model_of(network, info, windows, seed)
    with tempfile.TemporaryDirectory() as folder:
        file = detector_file(Path(folder) / "d.onnx", model, info)
        out = Path(folder) / "seizure.c"
        export(file, "c", out, weights)
        result, _ = run_c(compiled(out), samples)
        run = rounded(file).run if weights == "int8" else load_detector(file).logits
        expected = probability_of(run(windows))
    assert len(result) == len(expected)
    assert np.abs(result - expected).max() <= 1e-4


@pytest.mark.parametrize("notch", [50, 60])
def test_with_a_notch(notch: int, tmp_path: Path) -> None:
    chain = small(sampling_rate=256.0, high=70.0, notch=notch)
    info = info_of(chain, WindowSettings(length=1, hop=0.25))
    samples = signal(8, 3, 256.0)
    windows = windows_of(info, ArrayRecording(samples, 256.0, CHANNELS))
    network = NetworkSettings(widths=(4, 5, 6))
    file = detector_file(tmp_path / "d.onnx", model_of(network, info, windows), info)
    export(file, "c", tmp_path / "n.c")
    result, _ = run_c(compiled(tmp_path / "n.c"), samples)
    assert np.abs(result - load_detector(file).probability(windows)).max() <= 1e-4


def montaged(info: DetectorInfo, recording: Recording) -> NDArray[np.float32]:
    montage_map = SignalChain(info.chain, info.scale).montage_map(recording.channels)
    return montage_map.apply(recording.read(0.0, None, montage_map.used))


@pytest.mark.parametrize("scaling", ["training-set", "running"])
def test_eeg_gives_the_probabilities_of_detect(
    scaling: str, recording: Recording, tmp_path: Path
) -> None:
    info = info_of(ChainSettings.model_validate({"scaling": scaling}), WindowSettings())
    windows = windows_of(info, recording)
    network = NetworkSettings(widths=(8, 16, 24))
    file = detector_file(tmp_path / "d.onnx", model_of(network, info, windows), info)
    expected = load_detector(file).window_probabilities(recording).probability
    assert np.ptp(expected) > 0.3
    for weights in ("float", "int8"):
        out = tmp_path / f"{weights}.c"
        export(file, "c", out, weights)
        result, _ = run_c(compiled(out), montaged(info, recording))
        if weights == "int8":
            expected = probability_of(rounded(file).run(windows))
        assert np.abs(result - expected).max() <= 1e-4


def test_a_network_in_8_bits_is_computed_in_integers_as_onnx_runtime_does(
    recording: Recording, tmp_path: Path
) -> None:
    info = info_of(ChainSettings(), WindowSettings())
    windows = windows_of(info, recording)
    model = model_of(NetworkSettings(widths=(8, 16, 24)), info, windows)
    file = detector_file(tmp_path / "d8.onnx", quantise(model, [windows]), info)
    export(file, "c", tmp_path / "d8.c")
    text = (tmp_path / "d8.c").read_text()
    assert "uint8_t features" in text
    result, _ = run_c(compiled(tmp_path / "d8.c"), montaged(info, recording))
    gaps = np.abs(result - load_detector(file).probability(windows))
    # the filters differ in the last bits, so now and then a sample is rounded to the other side
    assert np.mean(gaps <= 1e-4) > 0.9
    assert gaps.max() < 0.05


def test_bits_are_rounded_as_onnx_runtime_rounds_them(tmp_path: Path) -> None:
    """Without filters between: scaled windows alone, integer against integer."""
    info = info_of(small(), WindowSettings(length=4, hop=4))
    generator = np.random.default_rng(0)
    windows = generator.normal(0, 2, (60, 3, 256)).astype(np.float32)
    model = model_of(NetworkSettings(widths=(6, 6, 6)), info, windows)
    content = quantise(model, [windows])
    file = detector_file(tmp_path / "d.onnx", content, info)
    source = tmp_path / "bits.c"
    export(file, "c", source)
    # the same file without its chain: what comes in is taken as scaled
    text = source.read_text()
    bare = re.sub(r"value = bits_scale\(.*\);", "value = x[channel];", text).replace(
        "asinhf(value)", "value"
    )
    assert bare != text
    source.write_text(bare)
    program = compiled(source, "-std=c99", "-O2", "-w")
    result = np.concatenate([run_c(program, window)[0] for window in windows])
    expected = load_detector(file).probability(windows)
    assert np.abs(result - expected).max() <= 1e-6
    assert len(set(np.round(expected, 6))) > 5


def test_the_alarm_is_on_while_an_event_lasts(tmp_path: Path) -> None:
    plain = info_of(small(), WindowSettings(length=4, hop=1))
    samples = signal(60, 5)
    windows = windows_of(plain, ArrayRecording(samples, 64.0, CHANNELS))
    model = model_of(NetworkSettings(widths=(4, 5, 6)), plain, windows)
    file = detector_file(tmp_path / "d.onnx", model, plain)
    low, high = np.quantile(load_detector(file).probability(windows), (0.3, 0.6))
    rules = PostProcessing(threshold=high, release=low, smoothing=3, merge_gap=0, shortest=0)
    changed = plain.model_copy(update={"post_processing": rules})
    export(detector_file(file, model, changed), "c", tmp_path / "alarm.c")
    result, on = run_c(compiled(tmp_path / "alarm.c"), samples)
    begin = np.arange(len(result), dtype=np.float64) + 3
    events = to_events(begin, result, 1.0, rules, 60.0)
    expected = [any(e.onset <= b < e.onset + e.duration for e in events) for b in begin]
    assert on.tolist() == expected
    assert 0 < on.sum() < len(on)


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    info = info_of(small(), WindowSettings(length=4, hop=1))
    generator = np.random.default_rng(0)
    windows = generator.normal(0, 1, (20, 3, 256)).astype(np.float32)
    model = model_of(NetworkSettings(widths=(4, 5, 6)), info, windows)
    return detector_file(tmp_path / "d.onnx", model, info)


def test_the_struct_is_as_large_as_told(plain: Path, tmp_path: Path) -> None:
    for name in ("float", "int8"):
        out = tmp_path / f"size_{name}.c"
        notes = export(plain, "c", out, name).notes
        stated = next(int(n.split()[1]) for n in notes if n.startswith("state: "))
        probe = tmp_path / f"probe_{name}.c"
        probe.write_text(
            f'#include "{out.name}"\n#include <stdio.h>\n'
            f'int main(void) {{ printf("0 %d", sizeof(size_{name}_state) == {stated}); return 0; }}\n'
        )
        _, same = run_c(compiled(probe), np.zeros((3, 0), dtype=np.float32))
        assert same.tolist() == [True]


def test_what_the_filters_cost_in_double_is_told(plain: Path, tmp_path: Path) -> None:
    notes = export(plain, "c", tmp_path / "s.c").notes
    (note,) = [note for note in notes if note.startswith("in double: ")]
    sections = len(sections_of(load_detector(plain).info.chain))
    assert note.startswith(f"in double: {3 * sections * 5} of each step")
    assert (
        f"{3 * sections * 5} of each step are the filters', in double"
        in (tmp_path / "s.c").read_text()
    )


def test_two_detectors_live_in_one_program(plain: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        export(plain, "c", tmp_path / f"{name}.c")
    main = tmp_path / "both.c"
    main.write_text(
        '#define ONE_DECLARATIONS_ONLY\n#include "one.c"\n'
        '#define TWO_DECLARATIONS_ONLY\n#include "two.c"\n'
        "#include <math.h>\n#include <stdio.h>\n#include <string.h>\n"
        "int main(void) { static one_state a, before; static two_state b; float p, x[3] = {1, 2, 3};\n"
        "one_init(&a); two_init(&b); one_step(&a, x, &p); two_step(&b, x, &p); before = a; x[1] = NAN;\n"
        'printf("0 %d", one_step(&a, x, &p) == -1 && !memcmp(&a, &before, sizeof a)); return 0; }\n'
    )
    objects = []
    for name in ("one", "two"):
        objects.append(str(tmp_path / f"{name}.o"))
        words = ["gcc", "-std=c99", "-c", str(tmp_path / f"{name}.c"), "-o", objects[-1]]
        compiled_once = compiled(tmp_path / f"{name}.c")
        assert compiled_once.exists()
        subprocess.run(words, check=True)
    program = compiled(main, "-std=c99", "-Wall", "-Werror", *objects)
    _, refused_whole = run_c(program, np.zeros((3, 0), dtype=np.float32))
    assert refused_whole.tolist() == [True]


def test_the_same_detector_gives_the_same_file_and_says_what_it_is(
    plain: Path, tmp_path: Path
) -> None:
    export(plain, "c", tmp_path / "a" / "s.c")
    export(plain, "c", tmp_path / "b" / "s.c")
    text = (tmp_path / "a" / "s.c").read_text()
    assert text == (tmp_path / "b" / "s.c").read_text()
    head = text[: text.index("*/")]
    assert "Research software, not a medical device" in head
    assert load_detector(plain).fingerprint in head
    assert "A, B, C" in head
    assert "64 Hz" in head
    assert str(tmp_path) not in text
    assert "malloc" not in text
    assert max(len(line) for line in text.splitlines()[30:]) <= 130


def test_names_are_safe() -> None:
    assert identifier(Path("a/My detector-2.c")) == "my_detector_2"
    assert identifier(Path("8bit.c")) == "detector_8bit"
    with pytest.raises(SettingsError, match="its name gives none"):
        identifier(Path("--.c"))


def test_what_does_not_fit_is_refused_by_name(plain: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.c"
    info = info_of(small(), WindowSettings(length=4, hop=1))
    cases: list[tuple[bytes, DetectorInfo, str]] = [
        (to_onnx(build_network(NetworkSettings(name=name), 3, 256, 0).eval()), info, reason)
        for name, reason in (
            ("paper", "the operation Conv with padding"),
            ("tcn", "the operation Conv with padding"),
            ("shallow", "the operation Reshape"),
        )
    ]
    odd = info_of(small(), WindowSettings(length=4, hop=60 / 64))
    model = to_onnx(build_network(NetworkSettings(widths=(2, 2, 2)), 3, 256, 0).eval())
    cases.append((model, odd, "every 64 samples, which does not divide the hop of 60"))
    for content, info_, reason in cases:
        file = detector_file(tmp_path / "bad.onnx", content, info_)
        with pytest.raises(DetectorError, match=reason) as caught:
            export(file, "c", out)
        assert str(caught.value).startswith(str(file))
        assert "\n" not in str(caught.value)
        assert not out.exists()
    for words, reason in ((("x", None), "--to x"), (("litert", "int8"), "--weights int8")):
        with pytest.raises(SettingsError, match=reason):
            export(plain, words[0], out, words[1])


def changed(graph: Graph, kind: str, **attributes: Any) -> Graph:
    from dataclasses import replace

    nodes = tuple(
        replace(n, attributes={**n.attributes, **attributes}) if n.kind == kind else n
        for n in graph.nodes
    )
    return replace(graph, nodes=nodes)


@pytest.mark.parametrize(
    ("kind", "attributes", "reason"),
    [
        ("Conv", {"dilations": (2,)}, "dilation"),
        ("Conv", {"group": 3}, "groups"),
        ("MaxPool", {"strides": (2,)}, "overlaps"),
        ("MaxPool", {"ceil_mode": 1}, "rounds up"),
        ("Gemm", {"alpha": 0.5}, "unscaled"),
    ],
)
def test_an_operation_of_another_form_is_refused(
    kind: str, attributes: dict[str, Any], reason: str
) -> None:
    model = to_onnx(build_network(NetworkSettings(widths=(2, 2, 2)), 3, 256, 0).eval())
    with pytest.raises(DetectorError, match=reason):
        layers_of(changed(parse(model), kind, **attributes))
