"""Channels and rate of a recording are chosen once the montage is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from secateur.cli import main
from secateur.errors import RecordingError
from secateur.recordings import FIXED, open_recording
from secateur.windows import ChainSettings, SignalChain
from tests.support.edf_bytes import write_bytes

PAIRS = FIXED["bipolar-18"]
FORMATS = pytest.mark.parametrize("bdf", [False, True], ids=["edf", "bdf"])

OTHERS = {f"{name}-Ref": 64 for name in ("AF3", "AF4", "FC1", "FC2", "CP1", "CP2", "PO3", "PO4",
          "FC3", "FC4", "C1", "C2", "CP3", "CP4", "PO7", "PO8", "FC5", "FC6", "CP5", "CP6")}  # fmt: skip
"""Electrodes that bipolar-18 has no use for, more than it has pairs."""


def write_rates(folder: Path, rates: dict[str, int], *, bdf: bool = False) -> Path:
    """Eight seconds of noise; `rates`: of each label, in Hz."""
    generator = np.random.default_rng(0)
    records = [[generator.integers(-500, 500, rate) for rate in rates.values()] for _ in range(8)]
    return write_bytes(folder / ("a.bdf" if bdf else "a.edf"), list(rates), records, bdf=bdf)


@FORMATS
@pytest.mark.parametrize("rate", [16, 1, 1024])
def test_auxiliary_channels_do_not_outvote_the_eeg(tmp_path: Path, bdf: bool, rate: int) -> None:
    aux = {f"DC{k:02d}": rate for k in range(1, 25)}
    path = write_rates(tmp_path, dict.fromkeys(PAIRS, 256) | aux, bdf=bdf)
    recording = open_recording(path)
    assert recording.channels == PAIRS
    assert recording.sampling_rate == 256
    assert recording.notes == (
        f"DC01, DC02, DC03 and 21 more: sampled at {rate} Hz, left out beside the 256 Hz of others",
    )


@FORMATS
def test_a_montage_is_read_at_its_own_channels_rate(tmp_path: Path, bdf: bool) -> None:
    """More electrodes that the montage doesn't use have another rate."""
    path = write_rates(tmp_path, dict.fromkeys(PAIRS, 256) | OTHERS, bdf=bdf)
    recording = open_recording(path)
    assert recording.sampling_rate == 64
    source, montage_map = SignalChain(ChainSettings()).source(recording)
    assert source.sampling_rate == 256
    assert [source.channels[k] for k in montage_map.used] == list(PAIRS)
    chained = SignalChain(ChainSettings(montage="as-recorded", channels=("AF4-Ref",))).source(
        recording
    )
    assert chained[0].sampling_rate == 64


@FORMATS
def test_a_montage_of_channels_with_different_rates_is_refused(tmp_path: Path, bdf: bool) -> None:
    path = write_rates(
        tmp_path, {name: 256 if k < 9 else 128 for k, name in enumerate(PAIRS)}, bdf=bdf
    )
    with pytest.raises(RecordingError, match=r"different rates: .* at 128 Hz; .* at 256 Hz"):
        SignalChain(ChainSettings()).run(open_recording(path))


def test_each_does_not_take_a_thermometer_for_eeg(tmp_path: Path) -> None:
    path = write_rates(tmp_path, {"EEG Cz": 256, "Resp": 16, "Temp": 16, "Body": 16})
    recording = open_recording(path)
    assert recording.channels == ("EEG Cz",)
    source, montage_map = SignalChain(ChainSettings(montage="each")).source(recording)
    assert (source.sampling_rate, montage_map.names) == (256, ("EEG Cz",))


@FORMATS
def test_inspect_says_at_which_rate_a_montage_is_read(
    tmp_path: Path, bdf: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    half = {name: 256 if k < 9 else 128 for k, name in enumerate(PAIRS)}
    for rates, expected in (
        (half, "channels of one montage have different rates: "),
        (dict.fromkeys(PAIRS, 256) | OTHERS, "at 256 Hz"),
    ):
        path = write_rates(tmp_path, rates, bdf=bdf)
        assert main(["inspect", str(path), "--json"]) == 0
        assert expected in json.loads(capsys.readouterr().out)["montages"]["bipolar-18"]
