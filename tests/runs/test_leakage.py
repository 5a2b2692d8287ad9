"""Runs under every split and montage: what stands where, what crosses, and that it is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from secateur import load_cohort, load_detector
from secateur.detectors import evaluate
from secateur.errors import CohortError, SplitError
from secateur.jobs import run as whole_run
from secateur.results import load
from secateur.runs import RunData, RunOutput, RunSettings, Source, resolve
from secateur.runs.data import gather
from secateur.windows import Cache
from tests.support.cohorts import TINY_SETTINGS, eeg, write_cohort, write_edf

QUICK = {**TINY_SETTINGS, "training.epochs": 1}


def material(folder: Path, **told: Any) -> tuple[RunData, RunSettings]:
    settings = resolve(None, {**QUICK, **{k.replace("__", "."): v for k, v in told.items()}})
    return gather(Source(folder), settings, Cache()), settings


def test_by_subject_nothing_crosses(tiny_cohort: Path) -> None:
    found, _ = material(tiny_cohort)
    assert found.leakage.model_dump() == {
        "subjects": 0, "of_subjects": 2, "recordings": 0, "of_recordings": 2,
        "seizures": 0, "of_seizures": 2, "windows": 0, "of_windows": 114, "known": True,
    }  # fmt: skip
    assert found.leakage.words == ""


def test_by_window_nearly_all_crosses_and_no_window_does(tiny_cohort: Path) -> None:
    found, _ = material(tiny_cohort, split__by="random")
    assert found.leakage.subjects == found.leakage.of_subjects == 6
    assert found.leakage.seizures == found.leakage.of_seizures == 6
    seen: set[tuple[str, int]] = set()
    for windows in found.sides.values():
        own = set(zip(windows.key_of.tolist(), windows.starts.tolist(), strict=True))
        assert not own & seen
        seen |= own
        assert not windows.back.any()
        assert not windows.forth.any()
    assert len(seen) == 6 * 57
    learned = [
        (key, start)
        for side in ("training", "validation")
        for key, start in zip(
            found.sides[side].key_of.tolist(), found.sides[side].starts.tolist(), strict=True
        )
    ]
    tested = zip(
        found.sides["test"].key_of.tolist(), found.sides["test"].starts.tolist(), strict=True
    )
    sharing = sum(
        any(key == other and abs(start - begin) < 1024 for other, begin in learned)
        for key, start in tested
    )
    assert found.leakage.windows == sharing > 0
    assert f"{sharing} of the {found.leakage.of_windows} test windows share" in found.leakage.words
    apart, _ = material(tiny_cohort, split__by="random", windows__hop=4.0)
    assert apart.leakage.windows == 0


def test_people_called_alike_in_two_folders_are_pointed_out(
    tiny_cohort: Path, tmp_path: Path
) -> None:
    others = write_cohort(tmp_path / "others", subjects=2, name="Others", seed=60)
    found = gather(Source(tiny_cohort, others), resolve(None, QUICK), Cache())
    (note,) = found.split.notes
    assert note == "called alike in both folders and taken for different people: sub-01, sub-02"
    with pytest.raises(SplitError, match="nobody else tests"):
        gather(Source(tiny_cohort, others), resolve(None, {**QUICK, "split.by": "random"}), Cache())


def test_the_scale_of_a_random_split_sees_training_windows_alone(tiny_cohort: Path) -> None:
    found, _ = material(tiny_cohort, split__by="random", windows__hop=4.0)
    training = found.sides["training"]
    windows = [
        training.prepared[training.recording[k]].signal.read(start, start + training.length)
        for k, start in enumerate(training.starts.tolist())
    ]
    joined = np.concatenate(windows, axis=1).astype(np.float64)
    assert found.scale.spread == pytest.approx(joined.std(axis=1), rel=1e-6)


@pytest.mark.parametrize("by", ["random", "subject"])
def test_prevalence_is_that_of_all_sides_or_of_training_alone(tiny_cohort: Path, by: str) -> None:
    whole, _ = material(tiny_cohort, split__by=by)
    found, _ = material(tiny_cohort, split__by=by, split__prevalence=0.17)
    natural = found.prevalence["natural"]
    assert natural == whole.prevalence["natural"]
    assert found.prevalence["training"] == pytest.approx(0.17, abs=0.01)
    for side in ("validation", "test"):
        expected = 0.17 if by == "random" else whole.prevalence[side]
        assert found.prevalence[side] == pytest.approx(expected, abs=0.01)


def test_by_recording_a_subject_may_cross_and_a_recording_may_not(tiny_cohort: Path) -> None:
    found, _ = material(tiny_cohort, split__by="recording")
    assert found.split.unit == "recording"
    assert found.leakage.recordings == found.leakage.seizures == 0
    assert {side: len(windows.prepared) for side, windows in found.sides.items()} == {
        "training": 3, "validation": 1, "test": 2,
    }  # fmt: skip


def test_channels_of_one_recording_stay_on_one_side(tiny_cohort: Path) -> None:
    whole, _ = material(tiny_cohort, split__by="recording")
    found, _ = material(tiny_cohort, split__by="recording", chain__montage="each")
    for side, windows in found.sides.items():
        assert set(windows.recordings) == set(whole.sides[side].recordings)
        assert len(windows.prepared) == 18 * len(windows.recordings)
    assert found.leakage.recordings == 0


def test_unknown_subjects_are_never_split_by_subject(bonn_like: Path) -> None:
    with pytest.raises(SplitError, match=r"who was recorded is not known.*--split recording"):
        material(bonn_like, chain__montage="each")
    found, _ = material(bonn_like, chain__montage="each", split__by="recording")
    assert found.leakage.words.startswith("who was recorded is not told")
    assert found.sides["training"].channels == 1


@pytest.fixture(scope="module")
def bonn_like(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sets A and E as Bonn hands them out, made of noise: one integer a line."""
    folder = tmp_path_factory.mktemp("bonn")
    generator = np.random.default_rng(0)
    for name, letter, size in (("setA", "Z", 40), ("setE", "S", 400)):
        (folder / name).mkdir()
        for k in range(1, 7):
            values = generator.normal(0, size, 4097).round().astype(int)
            text = "\n".join(map(str, values.tolist())) + "\n"
            (folder / name / f"{letter}{k:03d}.txt").write_text(text)
    return folder


def test_as_recorded_takes_the_shared_channels_and_the_detector_knows_them(tmp_path: Path) -> None:
    folder = write_cohort(tmp_path / "c", subjects=4)
    labels = ["EMG", "left", "right", "extra"]
    for number, path in enumerate(sorted(folder.rglob("*.edf"))):
        data = eeg(60, [(13.0, 35.0)], number, channels=4)
        chosen = labels if number == 0 else labels[:3][::-1]
        write_edf(path, data[: len(chosen)], chosen)
    result = _run(folder, tmp_path / "run", {"chain.montage": "as-recorded"})
    assert result.material.chain.channels == ("left", "right")  # EMG is no EEG
    detector = load_detector(tmp_path / "run" / "pruned.onnx")
    assert detector.chain.channel_names == ("left", "right")
    _same_scores(result, folder)
    write_edf(path, eeg(60, [], 9, channels=2), ["left", "other"])
    write_edf(sorted(folder.rglob("*.edf"))[0], eeg(60, [], 9, channels=1), ["none"])
    with pytest.raises(CohortError, match=r"none; name them in the config as chain\.channels"):
        material(folder, chain__montage="as-recorded")


def test_each_channel_by_itself_scores_in_the_run_as_in_evaluate(tmp_path: Path) -> None:
    folder = write_cohort(tmp_path / "c", subjects=4)
    for number, path in enumerate(sorted(folder.rglob("*.edf"))):
        write_edf(path, eeg(60, [(13.0, 35.0)], number, channels=3), ["F3", "ECG", "O2"])
    result = _run(folder, tmp_path / "run", {"chain.montage": "each", "chain.scaling": "running"})
    assert result.result.data.recordings == 4
    assert result.result.data.hours == pytest.approx(4 / 60, abs=1e-6)
    assert {key.split("[")[1] for key in result.table.key.tolist()} == {"F3]", "O2]"}
    _same_scores(result, folder)
    detector = load_detector(tmp_path / "run" / "pruned.onnx")
    entry = load_cohort(folder).entries[0]
    one, other = (result_of(detector, entry, channel) for channel in ("F3", "O2"))
    mean = detector.window_probabilities(entry.open()).probability
    assert np.allclose(mean, (one + other) / 2, atol=1e-6)


def result_of(detector: Any, entry: Any, channel: str) -> Any:
    from secateur.recordings import OneChannel

    return detector.window_probabilities(OneChannel(entry.open(), channel)).probability


def _run(folder: Path, out: Path, told: dict[str, Any]) -> RunOutput:
    return whole_run(folder, out, settings={**QUICK, **told})


def _same_scores(result: RunOutput, folder: Path) -> None:
    """What the run says of its test side, `evaluate` says of the same recordings."""
    alone = evaluate(load_detector(result.folder.detector("pruned")), load_cohort(folder))
    ours = dict(zip(zip(result.table.key, result.table.second, strict=True),
                    result.probability["pruned"], strict=True))  # fmt: skip
    theirs = dict(zip(zip(alone.table.key, alone.table.second, strict=True),
                      alone.probability, strict=True))  # fmt: skip
    assert ours
    assert all(theirs[where] == pytest.approx(chance, abs=1e-5) for where, chance in ours.items())


def test_a_random_split_is_told_everywhere(tiny_cohort: Path, tmp_path: Path) -> None:
    result = _run(tiny_cohort, tmp_path / "run", {"split.by": "random", "split.prevalence": 0.3})
    split = result.result.split
    assert load(tmp_path / "run") == result.result
    assert (split.by, split.unit) == ("random", "window")
    assert split.leakage.seizures == 6
    assert split.prevalence["asked"] == 0.3
    assert split.prevalence["natural"] != pytest.approx(0.3, abs=0.02)
    warnings = result.result.warnings
    assert any("6 of the 6 test seizures" in warning for warning in warnings)
    assert any("the test side was thinned" in warning for warning in warnings)
    for name in ("baseline", "random_forest"):
        test = result.result.models[name].test
        assert test is not None
        assert test.events.scores["event_f1"] is None
        assert "different sides" in (test.events.note or "")
    page = (tmp_path / "run" / "report.html").read_text()
    card = (tmp_path / "run" / "model-card.md").read_text()
    for text in (page, card):
        assert "never seen" not in text
        assert "Windows were divided at random" in text
        assert "6 of 6 seizures" in text
        assert "all sides thinned to 30.0" in text
    assert split.notes == ()


def test_global_allocation_cuts_all_kernels_together_and_controls_follow_it(
    tiny_cohort: Path, tmp_path: Path
) -> None:
    result = _run(tiny_cohort, tmp_path / "run", {"pruning.allocation": "global"})
    kernels = {name: model.kernels or () for name, model in result.result.models.items()}
    before, after = kernels["baseline"], kernels["pruned"]
    assert sum(after) == sum(before) - round(0.5 * sum(before))
    assert kernels["random"] == kernels["scratch"] == after
    assert "From all convolutions together" in (tmp_path / "run" / "report.html").read_text()
