"""What attributions are put through: each measure tells good maps from bad ones."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from markupsafe import escape
from scipy.stats import spearmanr

from secateur.cli import main
from secateur.detectors import write_detector
from secateur.errors import CohortError, SettingsError
from secateur.events import Event, Events
from secateur.explaining import ExplainingDetector, ExplainingSettings
from secateur.explaining.checking import check
from secateur.explaining.network import ExplainedNetwork
from secateur.explaining.segments import Background, Segments
from secateur.explaining.trials import (
    Trial,
    amplitude_of,
    layers_of,
    measured,
    one_window,
    rank_correlation,
)
from secateur.explaining.writing import check_of
from secateur.recordings import load_cohort
from secateur.recordings.simulated import simulate_cohort
from secateur.recordings.simulated.truth import truth_of
from tests.support.explained import looking_at, noise, opened, recording_of


@pytest.fixture(scope="module")
def detector() -> ExplainingDetector:
    return opened(looking_at(2), threshold=0.9999)


@pytest.fixture(scope="module")
def trial(detector: ExplainingDetector) -> Trial:
    """A window in which channel 0, which the network doesn't see, is much the loudest."""
    recording = recording_of(120, loud=(2, 60, 80))
    data = recording.read()
    data[0] *= 30
    loud = type(recording)(data, recording.sampling_rate, recording.channels)
    network = ExplainedNetwork(detector)
    segments = Segments(detector, loud, [Event(60, 20)])
    (signal,), candidates = segments.read(background=True)
    background = segments.background(network, candidates, 2)
    return Trial(network, one_window(signal, 8), background, ExplainingSettings())


def test_an_explanation_of_what_the_network_sees_beats_chance_and_loudness(trial: Trial) -> None:
    measures = measured(trial, np.random.default_rng(0), shuffle=False)
    own, loud, chance = measures.falls
    assert own > 1.2 * chance
    assert own > 1.2 * loud
    assert measures.rises[0] > measures.rises[1]
    assert measures.loudness < 0.5
    assert 0 < measures.shaken < 0.5
    assert measures.shuffled == ()


def test_curves_fall_at_once_where_the_right_seconds_go_first(trial: Trial) -> None:
    game = trial.game()
    seen = np.arange(game.count) // len(game.cells) == 2
    first, last = np.argsort(~seen, kind="stable"), np.argsort(seen, kind="stable")
    (early, _), (late, _) = trial.curves([first, last])
    whole = game.worth(np.ones((1, game.count), dtype=bool), 0) - game.worth(
        np.zeros((1, game.count), dtype=bool), 0
    )
    assert early > late
    assert early <= float(whole[0]) * 1.2


def test_shuffled_layers_change_the_map_from_the_last_to_the_first(trial: Trial) -> None:
    layers = layers_of(trial.network)
    assert len(layers) == 4
    assert layers[0] == ["linear.weight"]
    measures = measured(trial, np.random.default_rng(1), shuffle=True)
    assert len(measures.shuffled) == 4
    assert measures.shuffled[-1] < 0.9
    names = layers[-1]
    before = trial.network.graph.weights[names[0]].copy()
    trial.network.with_weights({names[0]: 0 * before})
    assert np.array_equal(trial.network.graph.weights[names[0]], before)


def test_rank_correlation_is_spearmans() -> None:
    left, right = noise(1, 8, 5)[0].round(1), noise(1, 8, 5, 1)[0].round(1)
    expected = spearmanr(left.ravel(), right.ravel()).statistic
    assert rank_correlation(left, right) == pytest.approx(expected)
    assert rank_correlation(left, np.zeros((8, 5))) == 0


def test_amplitude_is_the_root_mean_square_of_each_second(trial: Trial) -> None:
    loud = amplitude_of(trial.signal)
    assert loud.shape == (4, 4)
    expected = np.sqrt((trial.signal.segment[1, 256:512] ** 2).mean())
    assert loud[1, 1] == pytest.approx(expected, rel=1e-5)
    assert np.array_equal(trial.amplitude(), loud)
    silent = replace(trial.signal, segment=np.zeros_like(trial.signal.segment))
    assert (amplitude_of(silent) == 0).all()


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate_cohort(tmp_path_factory.mktemp("explained") / "cohort", 3, 0.05, 4)


def test_a_simulated_recording_says_where_its_seizures_begin(simulated: Path) -> None:
    cohort = load_cohort(simulated)
    for entry in cohort:
        truths = truth_of(entry.path)
        assert [truth.onset for truth in truths] == [event.onset for event in entry.events]
        for truth in truths:
            assert truth.reached[0] == truth.first
            assert truth.delays[0] == min(truth.delays)
            assert sum(truth.power) == pytest.approx(1, abs=0.01)
    assert truth_of(Path("absent.edf")) == ()


def test_a_check_says_each_measure_beside_its_control_in_words(
    simulated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = looking_at(2, 18)
    info = opened(model, 0.999999, montage="bipolar-18", channels=()).info
    path = tmp_path / "d.onnx"
    write_detector(path, model, info)
    words = [
        "explain",
        "--check",
        str(path),
        "--data",
        str(simulated),
        "--out",
        str(tmp_path / "b"),
    ]
    assert main(words) == 0
    out = capsys.readouterr().out
    for name in ("removed, beside chance", "added, beside amplitude", "completeness error",
                 "change under small noise", "likeness once all layers are shuffled",
                 "in the first 5 s of the simulated seizure, beside power"):  # fmt: skip
        assert name in out
    assert "measures of gradient" in out
    layers = re.search(
        r"one layer after the other is shuffled, the last first: ([\d., ]+)\.\n", out
    )
    assert layers is not None
    assert len(layers[1].split(", ")) == 4
    page = (tmp_path / "b" / "check.html").read_text()
    assert "How far can its explanations be believed?" in page
    for word in ("focus", "onset zone", "http:", "<script"):
        assert word not in page.lower()
    believed = check_of(tmp_path / "b" / "check.json")
    assert believed.verdict in out
    edf = sorted(simulated.rglob("*.edf"))[0]
    words = [
        "explain",
        str(edf),
        "--detector",
        str(path),
        "--at",
        "20",
        "--out",
        str(tmp_path / "w"),
    ]
    assert main([*words, "--checked", str(tmp_path / "b")]) == 0
    page = next((tmp_path / "w").glob("*.html")).read_text()
    assert escape(believed.verdict) in page
    assert all(escape(finding.words) in page for finding in believed.findings)
    assert main([*words, "--checked", str(tmp_path / "b"), "--method", "occlusion"]) == 1
    assert "--checked: is a check of gradient, and --method is occlusion" in capsys.readouterr().err
    write_detector(path, looking_at(1, 18), info)
    assert main([*words, "--checked", str(tmp_path / "b")]) == 1
    assert "--checked: is a check of another detector" in capsys.readouterr().err
    assert main([*words, "--checked", str(edf)]) == 1
    assert "is no check.json of `secateur explain --check`" in capsys.readouterr().err


def test_recordings_that_are_seizure_alone_are_left_out_and_counted(
    detector: ExplainingDetector, simulated: Path
) -> None:
    cohort = load_cohort(simulated)
    ictal = [
        replace(entry, events=Events((Event(0, entry.duration),), entry.duration))
        for entry in cohort
    ]
    with pytest.raises(CohortError, match=r"and 2 more: hold no background beside their seizures"):
        check(detector, replace(cohort, entries=tuple(ictal)))


def test_a_method_without_channels_and_a_folder_without_seizures_are_refused(
    detector: ExplainingDetector, tmp_path: Path, simulated: Path
) -> None:
    cohort = load_cohort(simulated)
    with pytest.raises(SettingsError, match="wanted a method that gives channels × seconds"):
        check(detector, cohort, ExplainingSettings(method="contributions"))
    with pytest.raises(CohortError, match="holds no seizure that could be explained"):
        check(detector, replace(cohort, entries=()))


def test_check_and_data_go_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--check", "d.onnx"]) == 1
    assert "--check and --data go together" in capsys.readouterr().err
    assert main(["explain", "a.edf", "--out", str(tmp_path)]) == 1
    assert "wanted recordings or folders of them, --detector and --out" in capsys.readouterr().err


def test_background_names_where_it_was_taken() -> None:
    background = Background(noise(2, 4, 1024), (12.0, 30.0), 10.0)
    assert background.words.endswith("beginning at 12, 30 s, 10 s or more from any event given")
