"""What `secateur bench` tells fits together; what a network does is counted right. No time is asserted."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from secateur.cli import main
from secateur.detectors import Detector, DetectorInfo, PostProcessing, pack
from secateur.detectors.benching import (
    Bench,
    BenchSettings,
    MachineLimits,
    bench,
    channel_labels,
    measure_limits,
    peak_resident,
    simulated,
)
from secateur.errors import SettingsError
from secateur.networks import NetworkSettings, build_network, to_onnx
from secateur.networks.network import count_macs
from secateur.recordings.montage import BIPOLAR_18
from secateur.windows import ChainSettings, Scale, WindowSettings

SMALL = NetworkSettings(widths=(4, 4, 4))


def packed(
    settings: NetworkSettings = SMALL, channels: int = 18, montage: str = "bipolar-18"
) -> bytes:
    built = build_network(settings, channels, 1024, 1).eval()
    info = DetectorInfo(
        secateur="0",
        chain=ChainSettings.model_validate({"montage": montage}),
        scale=Scale(mean=(0.0,) * channels, spread=(20.0,) * channels),
        windows=WindowSettings(),
        post_processing=PostProcessing(threshold=0.5),
    )
    return pack(to_onnx(built), info)


def test_the_numbers_fit_together() -> None:
    measured = bench(Detector(packed()), BenchSettings(seconds=60, hops=20))
    assert (measured.channels, measured.signals, measured.hop) == (18, 1, 1.0)
    assert measured.way == "one pass"
    for latency in (measured.window, measured.push):
        assert 0 < latency["median"] <= latency["p99"]
    assert measured.hours_a_second == pytest.approx(60 / 3600 / measured.bulk_seconds)
    assert measured.patients == math.floor(1000 / measured.push["p99"])
    assert 0 < measured.resident_bytes <= peak_resident()
    flops = 2 * measured.macs_a_hop * 60 / measured.network_seconds
    assert measured.share_of_limit == pytest.approx(flops / measured.limits.multiply)


def test_a_bench_by_hand() -> None:
    measured = Bench(
        way="one pass", file_bytes=1, channels=4, signals=4, seconds=3600.0, hop=2.0,
        window={"median": 1.0, "p99": 2.0}, push={"median": 1.0, "p99": 3.0},
        bulk_seconds=4.0, network_seconds=2.0, resident_bytes=1, macs=9, macs_a_hop=1000,
        limits=MachineLimits(multiply=1e7, copy=1.0),
    )  # fmt: skip
    assert measured.hours_a_second == 0.25
    assert measured.patients == 666
    # 4 signals, 1800 hops of 1000 products and sums, in 2 s, of ten million a second
    assert measured.share_of_limit == pytest.approx(4 * 1800 * 2000 / 2 / 1e7)
    assert measured.as_dict()["patients"] == 666


@pytest.mark.parametrize(
    ("network", "joined"),
    [("valid", False), ("paper", False), ("tcn", False), ("separable", False), ("shallow", True)],
)
def test_products_are_counted_as_the_layers_of_the_network_say(network: str, joined: bool) -> None:
    settings = NetworkSettings(name=network)
    own = Detector(packed(settings))
    layers = count_macs(build_network(settings, 18, 1024, 1), 18, 1024)
    # where two convolutions follow each other with nothing between, the file has one that does both
    assert own.macs < layers if joined else own.macs == layers
    if own.way == "sliding":
        assert own.macs_a_hop == own.macs
    else:
        assert own.macs_a_hop < own.macs


def test_a_hop_costs_each_layer_its_steps_in_a_hop() -> None:
    # valid 4-4-4 over 18 channels: kernels of 7, 5, 3; poolings of 4, 4, 4; 256 samples a hop
    by_hand = 256 * 4 * 18 * 7 + 64 * 4 * 4 * 5 + 16 * 4 * 4 * 3 + 2 * 4
    assert Detector(packed()).macs_a_hop == by_hand


def test_channels_are_the_montages_or_as_many_as_asked() -> None:
    fixed, each = Detector(packed()), Detector(packed(channels=1, montage="each"))
    assert tuple(channel_labels(fixed, None)) == BIPOLAR_18
    assert len(channel_labels(each, None)) == 18
    assert len(channel_labels(each, 3)) == 3
    with pytest.raises(SettingsError, match="takes 18"):
        channel_labels(fixed, 3)
    with pytest.raises(SettingsError, match="1 to 19"):
        channel_labels(each, 20)
    measured = bench(each, BenchSettings(channels=3, seconds=60, hops=2))
    assert (measured.channels, measured.signals) == (3, 3)


def test_too_short_a_recording_says_nothing() -> None:
    with pytest.raises(SettingsError, match="at least 60 seconds"):
        bench(Detector(packed()), BenchSettings(seconds=5))


def test_the_simulated_signal_is_as_long_and_as_large_as_told() -> None:
    recording = simulated(("A", "B"), 200.0, 90.5)
    values = recording.read()
    assert values.shape == (2, 18100)
    assert np.allclose(values[:, :12000].std(axis=1), 30, rtol=1e-3)
    assert np.array_equal(values[:, 12000:], values[:, :6100])


def test_limits_are_rates() -> None:
    limits = measure_limits(1)
    assert limits.multiply > 0
    assert limits.copy > 0
    assert MachineLimits(100.0, 1.0).share(25, 1.0) == 0.5


def test_the_command_prints_a_table_and_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "d.onnx"
    file.write_bytes(packed())
    assert main(["bench", str(file), "--seconds", "60", "--json"]) == 0
    output = json.loads(capsys.readouterr().out)
    assert output["detector"] == "d.onnx"
    assert output["signal"] == "simulated"
    assert output["file_bytes"] == file.stat().st_size
    assert output["patients"] == math.floor(output["hop"] * 1000 / output["push"]["p99"])
    assert main(["bench", str(file), "--seconds", "60"]) == 0
    table = capsys.readouterr().out
    for words in ("simulated EEG", "patients that a core can follow", "one pass", "GFLOP/s"):
        assert words in table
    assert main(["bench", str(file), "--channels", "4"]) == 1
