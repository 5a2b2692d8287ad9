"""A detector in 8 bits: calibrated on who trained it, fitted on who validated it, judged on the others."""

from __future__ import annotations

import builtins
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from secateur.cli import main
from secateur.detectors import (
    Detector,
    DetectorInfo,
    PostProcessing,
    Provenance,
    load_detector,
    pack,
    write_detector,
)
from secateur.detectors.choosing import choose_rules
from secateur.detectors.eight_bits import Sides, in_eight_bits, sides_of
from secateur.detectors.evaluation import WindowTable, evaluate, window_probability
from secateur.detectors.network.model import parse
from secateur.errors import DetectorError, SettingsError
from secateur.networks import NetworkSettings, build_network, to_onnx
from secateur.recordings import Cohort, load_cohort
from secateur.recordings.simulated import simulate_cohort
from secateur.scoring import (
    Circumstances,
    Constraint,
    best_threshold,
    make_certificate,
    moved_threshold,
)
from secateur.windows import Cache, ChainSettings, Scale, WindowSet, WindowSettings, prepare
from tests.support.shaken import shaken

MODEL = to_onnx(shaken(build_network(NetworkSettings(), 18, 1024, seed=1)))
TRAINED = parse((Path(__file__).parent / "files" / "schema-1.onnx").read_bytes()).to_bytes()
NAME = "Tiny cohort"


def info(
    name: str, trained: Sequence[str], validated: Sequence[str], **changes: Any
) -> DetectorInfo:
    provenance = Provenance(
        model="pruned",
        subjects=tuple(f"{name}/{label}" for label in trained),
        validation_subjects=tuple(f"{name}/{label}" for label in validated),
    )
    return DetectorInfo(
        secateur="0",
        chain=ChainSettings(),
        scale=Scale(mean=(0.0,) * 18, spread=(30.0,) * 18),
        windows=WindowSettings(),
        post_processing=PostProcessing(threshold=0.5, release=0.4),
        provenance=provenance,
        **changes,
    )


@pytest.fixture
def cohort(tiny_cohort: Path) -> Cohort:
    return load_cohort(tiny_cohort)


def test_those_who_made_it_make_it_again_and_the_others_judge(cohort: Cohort) -> None:
    result = sides_of(info(NAME, ["sub-01", "sub-02", "sub-09"], ["sub-03"]), cohort)
    assert result == Sides(
        (f"{NAME}/sub-01", f"{NAME}/sub-02"),
        (f"{NAME}/sub-03",),
        (f"{NAME}/sub-04", f"{NAME}/sub-05", f"{NAME}/sub-06"),
        "unseen subjects",
        ("of 3 subjects who trained it, 2 are here",),
    )


def test_where_nobody_is_unseen_validation_is_judged_and_that_is_said(cohort: Cohort) -> None:
    result = sides_of(
        info(NAME, ["sub-01", "sub-02", "sub-04", "sub-05", "sub-06"], ["sub-03"]), cohort
    )
    assert (result.judged, result.judged_on) == ((f"{NAME}/sub-03",), "validation subjects")


def test_subjects_may_be_named(cohort: Cohort) -> None:
    elsewhere = info("Elsewhere", ["sub-01"], ["sub-02"])
    result = sides_of(elsewhere, cohort, ["sub-01", f"{NAME}/sub-02"], ["sub-03"])
    assert result.calibration == (f"{NAME}/sub-01", f"{NAME}/sub-02")
    assert result.validation == (f"{NAME}/sub-03",)


@pytest.mark.parametrize(
    ("origin", "calibrate", "validate", "reason"),
    [
        (
            ("Elsewhere", ["sub-01"], ["sub-02"]),
            [],
            [],
            "holds nobody who trained .* --calibrate-on",
        ),
        (
            ("Elsewhere", ["sub-01"], ["sub-02"]),
            ["sub-01"],
            [],
            "holds nobody who validated .* --validate-on",
        ),
        ((NAME, [], []), [], [], "its file names nobody"),
        ((NAME, ["sub-01"], ["sub-02"]), ["sub-99"], [], "--calibrate-on sub-99: no such subject"),
        ((NAME, ["sub-01"], ["sub-02"]), ["sub-02"], [], "can't both calibrate and validate"),
        (
            (NAME, ["sub-01", "sub-03"], ["sub-02"]),
            ["sub-01"],
            ["sub-03"],
            "sub-03 trained the network",
        ),
    ],
)
def test_it_refuses_rather_than_guesses(
    origin: Any, calibrate: list[str], validate: list[str], reason: str, cohort: Cohort
) -> None:
    with pytest.raises(SettingsError, match=reason):
        sides_of(info(*origin), cohort, calibrate, validate)


@pytest.fixture(scope="module", params=["simulated", "real"])
def few(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three subjects, simulated and, where they are, of the real clips."""
    if request.param == "simulated":
        return simulate_cohort(tmp_path_factory.mktemp("simulated") / "few", 3, 0.05, 1)
    clips: Path = request.getfixturevalue("clips")
    folder = tmp_path_factory.mktemp("real") / "few"
    folder.mkdir()
    (folder / "dataset_description.json").symlink_to(clips / "dataset_description.json")
    for name in ("sub-01", "sub-03", "sub-05"):
        (folder / name).symlink_to(clips / name)
    return folder


def test_eeg_end_to_end(few: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cohort = load_cohort(few)
    first, two, three = cohort.subjects
    name = first.rpartition("/")[0]
    before = info(name, [first.rpartition("/")[2]], [two.rpartition("/")[2]])
    path, out = tmp_path / "d.onnx", tmp_path / "d8.onnx"
    write_detector(path, TRAINED, before)
    assert main(["quantise", str(path), "--data", str(few), "--out", str(out)]) == 0
    small, original = load_detector(out), load_detector(path)

    # threshold and rules are those that validation gives by the new file's own probabilities
    side = [entry for entry in cohort if entry.subject == two]
    prepared, _ = prepare(side, before.chain, Cache())
    windows = WindowSet(prepared, before.chain, before.windows, before.scale)
    chance = window_probability(small, windows)
    best = [
        best_threshold(windows.labels, window_probability(detector, windows))
        for detector in (original, small)
    ]
    threshold = moved_threshold(original.threshold, *best)
    plain = before.post_processing.moved_to(threshold)
    assert plain.release == pytest.approx(0.8 * threshold)
    table = WindowTable.of(windows)
    result = choose_rules([recording.entry for recording in prepared], table, chance, 1.0, plain)
    assert small.info.post_processing == result.rules

    # nearly the same network, judged on who is left
    assert np.corrcoef(chance, window_probability(original, windows))[0, 1] > 0.99
    provenance = small.info.provenance
    assert (provenance.quantised, provenance.model, provenance.subjects) == (
        True,
        "pruned-int8",
        (first,),
    )
    judged = [entry for entry in cohort if entry.subject == three]
    scores = evaluate(small, Cohort(**{**vars(cohort), "entries": tuple(judged)})).report["test"]
    printed = capsys.readouterr().out
    assert "on 1 unseen subject " in printed
    row = next(line for line in printed.splitlines() if line.startswith("│ AUROC  "))
    assert float(row.split("│")[3]) == pytest.approx(scores["auroc"], abs=2e-4)
    row = next(line for line in printed.splitlines() if line.startswith("│ events"))
    claims = sum(len(small.detect(entry.open())) for entry in judged)
    assert int(row.split("│")[3]) == claims

    # what is quantised already is refused
    assert main(["quantise", str(out), "--data", str(few), "--out", str(tmp_path / "e.onnx")]) == 1
    assert "is quantised already" in capsys.readouterr().err


def certificate(exploratory: str | None) -> Any:
    baseline = {f"s{k:02d}": {"auroc": 0.9} for k in range(12)}
    pruned = {name: {"auroc": 0.9 + 0.001 * (k % 3)} for k, name in enumerate(baseline)}
    circumstances = Circumstances(ladder=("0.5",), exploratory=exploratory)
    return make_certificate(
        Constraint(margins={"auroc": 0.01}), [baseline], [("0.5", [pruned])], circumstances
    )


def test_the_certificate_goes_and_a_later_one_can_only_be_exploratory(
    cohort: Cohort, tmp_path: Path
) -> None:
    path = tmp_path / "d.onnx"
    before = info(NAME, ["sub-01"], ["sub-02"], certificate=certificate(None))
    write_detector(path, MODEL, before)
    result = in_eight_bits(path, cohort, sides_of(before, cohort))
    after = Detector(result.content).info
    assert after.certificate is None
    assert any("certificate was left out" in note for note in result.notes)
    changed = after.model_copy(update={"certificate": certificate("quantised afterwards")})
    assert Detector(pack(MODEL, changed)).info.certificate == changed.certificate
    forged = after.model_copy(update={"certificate": certificate(None)})
    with pytest.raises(DetectorError, match="can only be exploratory"):
        Detector(pack(MODEL, forged))


def test_the_same_detector_and_data_give_the_same_bytes(cohort: Cohort, tmp_path: Path) -> None:
    path = tmp_path / "d.onnx"
    before = info(NAME, ["sub-01", "sub-02"], ["sub-03"])
    write_detector(path, MODEL, before)
    first, second = (
        in_eight_bits(path, cohort, sides_of(before, cohort), choose=False) for _ in range(2)
    )
    assert first.content == second.content
    rules = Detector(first.content).info.post_processing
    assert rules == before.post_processing.moved_to(rules.threshold)
    assert first.report["post_processing"]["criterion"] == "fixed"


def test_without_the_package_onnx_it_says_what_to_install(
    tiny_cohort: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "d.onnx"
    write_detector(path, MODEL, info(NAME, ["sub-01"], ["sub-02"]))
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == "onnxruntime" and rest[2] == ("quantization",):
            raise ImportError("No module named 'onnx'", name="onnx")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    out = tmp_path / "d8.onnx"
    assert main(["quantise", str(path), "--data", str(tiny_cohort), "--out", str(out)]) == 1
    assert "pip install '.[train]'" in capsys.readouterr().err
    assert not out.exists()


def test_it_does_not_write_over_the_detector(
    tiny_cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "d.onnx"
    write_detector(path, MODEL, info(NAME, ["sub-01"], ["sub-02"]))
    content = path.read_bytes()
    assert main(["quantise", str(path), "--data", str(tiny_cohort), "--out", str(path)]) == 1
    assert "is the detector itself" in capsys.readouterr().err
    assert path.read_bytes() == content


def test_it_never_loads_torch(tiny_cohort: Path, tmp_path: Path) -> None:
    path, out = tmp_path / "d.onnx", tmp_path / "d8.onnx"
    write_detector(path, TRAINED, info(NAME, ["sub-01"], ["sub-02"]))
    words = ["quantise", str(path), "--data", str(tiny_cohort), "--out", str(out)]
    code = (
        f"import sys\nfrom secateur.cli import main\nassert main({words!r}) == 0\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=120)
    assert load_detector(out).info.provenance.quantised
