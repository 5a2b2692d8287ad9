"""`secateur adapt`: each method leaves a detector and what it cost; what can't be meant is one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from secateur.cli import main
from secateur.detectors import load_detector
from secateur.events import Events
from secateur.runs import RunOutput
from tests.support.cohorts import write_cohort


@pytest.fixture(scope="module")
def recent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recent") / "recent"
    return write_cohort(folder, subjects=2, name="Recent", seed=50, rhythm=25)


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("others") / "others"
    return write_cohort(folder, subjects=8, name="Others", seed=80, rhythm=12)


def adapt(detector: Path, recent: Path, out: Path, *words: object) -> int:
    command = ["adapt", detector, "--data", recent, "--out", out, "--minutes", 1, *words]
    return main([str(word) for word in command])


@pytest.mark.parametrize("method", ["threshold", "bn", "head", "full"])
def test_each_method_leaves_a_detector_and_says_what_it_forgot(
    method: str,
    tiny_run: RunOutput,
    tiny_cohort: Path,
    recent: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    parent, out = tiny_run.folder.detector("pruned"), tmp_path / "new.onnx"
    assert adapt(parent, recent, out, "--method", method, "--forgetting", tiny_cohort) == 0
    text = capsys.readouterr().out
    assert "who trained the detector" in text
    assert "it has no certificate" in text
    after = load_detector(out)
    assert after.info.provenance.adapted[-1].parent == load_detector(parent).fingerprint
    assert out.with_suffix(".safetensors").exists() == (method != "threshold")
    if method != "threshold":  # and so it can be adapted again
        assert adapt(out, recent, tmp_path / "again.onnx", "--method", "bn") == 0
        again = load_detector(tmp_path / "again.onnx").info.provenance.adapted
        assert [each.method for each in again] == [method, "bn"]


def test_a_certificate_compares_it_with_the_detector_before(
    tiny_run: RunOutput,
    recent: Path,
    others: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    parent, out = tiny_run.folder.detector("pruned"), tmp_path / "new.onnx"
    words = ["--method", "full", "--certify", others, "--margin", "macro_f1=0.45"]
    code = adapt(parent, recent, out, *words)
    certificate = load_detector(out).info.certificate
    assert certificate is not None
    assert code == (0 if certificate.certified else 2)
    assert certificate.kind == "detector"
    assert certificate.circumstances.parent == load_detector(parent).fingerprint
    assert certificate.circumstances.ladder == ("adapted-full",)
    assert len(certificate.subjects) == 8
    assert certificate.baseline != certificate.rungs[0].pruned
    capsys.readouterr()
    assert main(["verify", str(out)]) == 0
    text = capsys.readouterr().out
    assert "little worse than the detector that it was adapted from" in text
    assert "baseline" not in text
    # a threshold moves no rank: losses without any spread show nothing, and that is no certificate
    words = ["--certify", others, "--margin", "auroc=0.45"]
    assert adapt(parent, recent, tmp_path / "same.onnx", *words) == 2
    assert "Not certified" in capsys.readouterr().out


def test_who_taught_either_detector_does_not_judge(
    tiny_run: RunOutput, recent: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parent, out = tiny_run.folder.detector("pruned"), tmp_path / "new.onnx"
    assert adapt(parent, recent, out, "--certify", recent) == 1
    assert "everybody in it has taught one of both detectors" in capsys.readouterr().err
    assert not out.exists()


def test_what_cannot_be_meant_is_one_line(
    tiny_run: RunOutput,
    recent: Path,
    tiny_cohort: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    parent, out = tiny_run.folder.detector("pruned"), tmp_path / "new.onnx"
    other = tiny_run.folder.network("baseline")
    alone = tmp_path / "alone.onnx"
    alone.write_bytes(parent.read_bytes())
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"no")
    quiet = write_cohort(tmp_path / "quiet", subjects=1, name="Quiet")
    for path in quiet.rglob("*_events.tsv"):
        Events((), 60.0).write_tsv(path)
    cases: list[tuple[Path, Path, list[object], str]] = [
        (alone, recent, ["--method", "full"], "alone.safetensors: there is no such file"),
        (parent, recent, ["--method", "bn", "--checkpoint", other], "is not the network of"),
        (parent, recent, ["--method", "bn", "--checkpoint", damaged], "no checkpoint"),
        (parent, recent, ["--checkpoint", other], "--checkpoint goes with --method bn"),
        (parent, recent, ["--epochs", 3], "--epochs goes with"),
        (parent, recent, ["--margin", "auroc=0.1"], "go with --certify"),
        (parent, recent, ["--certify", tiny_cohort], "a certificate needs 8 or more"),
        (parent, recent, ["--forgetting", recent], "holds nobody who trained"),
        (parent, quiet, [], "there is no seizure in these recordings"),
    ]  # fmt: skip
    for detector, data, words, expected in cases:
        assert adapt(detector, data, out, *words) == 1, expected
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert expected in error, error
        assert error.startswith("secateur: ")
        assert not out.exists()
    assert adapt(parent, recent, tmp_path / "new.txt") == 1
    assert "wanted a file that ends in .onnx" in capsys.readouterr().err
    assert adapt(parent, recent, parent) == 1
    assert "is the detector itself" in capsys.readouterr().err
