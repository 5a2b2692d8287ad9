"""A path of the wrong sort, or not there: what it is and what was wanted, before any work begins."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from secateur.cli import main
from secateur.files import kind_of, kind_of_content
from secateur.runs import RunOutput


@pytest.fixture(scope="module")
def desk(tiny_run: RunOutput, tiny_cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a user has lying about: a recording, its table of events, a detector, a text, folders."""
    folder = tmp_path_factory.mktemp("desk")
    first = sorted(tiny_cohort.rglob("*_eeg.edf"))[0]
    shutil.copy(first, folder / "F.edf")
    shutil.copy(first.with_name(first.name.replace("_eeg.edf", "_events.tsv")), folder / "T.tsv")
    shutil.copy(tiny_run.folder.detector("pruned"), folder / "D.onnx")
    (folder / "S.toml").write_text("seed = 1\n")
    (folder / "Q.toml").write_text('question = "?"\n[axes]\nseed = [1]\n')
    (folder / "N.toml").write_text('question = "?"\n[axes]\nnetwork = ["valid", "json:build"]\n')
    drifting = 'kind = "drift"\nquestion = "?"\n[settings.network]\nname = "nosuch:build"\n'
    (folder / "W.toml").write_text(drifting)
    (folder / "empty").mkdir()
    (folder / "cohort").symlink_to(tiny_cohort)
    (folder / "run").symlink_to(tiny_run.folder.path)
    return folder


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("score F.edf T.tsv", "F.edf: is an EDF recording, wanted a table of events"),
        ("score T.tsv F.edf", "F.edf: is an EDF recording, wanted a table of events"),
        ("score cohort T.tsv", "cohort is a folder and T.tsv a table (.tsv): wanted two tables"),
        ("verify run", "run: is a folder, wanted a detector's file, its run/pruned.onnx"),
        ("verify empty", "empty: is a folder, wanted a detector's file, such as pruned.onnx"),
        ("verify F.edf", "F.edf: is an EDF recording, not a detector"),
        ("verify none", "none: there is no such file"),
        ("bench T.tsv", "T.tsv: is a table (.tsv), not a detector"),
        ("export empty --to c --out x.c", "empty: is a folder, wanted a detector"),
        ("quantise F.edf --data cohort --out q.onnx", "F.edf: is an EDF recording, not a detector"),
        ("inspect T.tsv", "T.tsv: is a table (.tsv); wanted an .edf"),
        ("detect T.tsv --detector D.onnx --out x", "T.tsv: is a table (.tsv); wanted a folder, or"),
        ("detect F.edf --detector empty --out x", "empty: is a folder, wanted a detector"),
        ("detect none --detector D.onnx --out x", "none: there is no such file or folder"),
        ("detect F.edf --detector none.onnx --out x", "none.onnx: there is no such file"),
        ("detect F.edf none --detector D.onnx --out x", "none: there is no such file or folder"),
        ("detect none --detector D.onnx --out x.tsv", "none: there is no such file"),
        ("evaluate --detector D.onnx --data F.edf", "wanted a folder of recordings, such as ."),
        ("evaluate --detector D.onnx --background none", "none: there is no such folder"),
        ("evaluate --detector D.onnx --data cohort --background none", "none: there is no such"),
        ("evaluate --detector T.tsv --data cohort", "T.tsv: is a table (.tsv), not a detector"),
        ("run --data none --out x", "none: there is no such folder"),
        ("run --data F.edf --out x", "F.edf: is an EDF recording, wanted a folder of recordings"),
        ("run --data cohort --background none --out x", "none: there is no such folder"),
        ("run --data cohort --test-data none --out x", "none: there is no such folder"),
        ("run --data cohort --config F.edf --out x", "F.edf: is an EDF recording, not TOML"),
        ("run --data cohort --config empty --out x", "empty: is a folder, wanted a TOML file"),
        ("run --data cohort --config none.toml --out x", "none.toml: there is no such file"),
        ("run --data cohort --folds-file F.edf --split folds:3 --out x", "F.edf: is an EDF recor"),
        ("run --data cohort --out cohort", "is not empty and holds no run; give another --out"),
        ("prune --data none --out x", "none: there is no such folder"),
        ("prune --data cohort --weights none --out x", "none: there is no such file"),
        ("prune --data cohort --weights empty --out x", "empty: is a folder, wanted weights"),
        ("prune --data cohort --out cohort", "is not empty and holds no run; give another --out"),
        ("prune --data cohort --weights D.onnx --out x", "D.onnx: is an ONNX file, not saf"),
        ("run --data cohort --network nosuch:build --out x", "there is no module nosuch in"),
        ("run --data cohort --network json:build --out x", "json:build: json has no build"),
        ("run --data cohort --network math:pi --out x", "pi is a float, wanted a function of"),
        ("prune --data cohort --network nosuch:build --out x", "there is no module nosuch in"),
        ("prune --data cohort --network json:build --out x", "json:build: json has no build"),
        ("prune --data cohort --network math:pi --out x", "pi is a float, wanted a function of"),
        ("study N.toml --data cohort --out x", "at network json:build: json:build: json has no"),
        ("study W.toml --out x", "nosuch:build: there is no module nosuch in"),
        ("explain --check D.onnx --data cohort --out T.tsv", "--out T.tsv: is a file's name"),
        ("explain F.edf --detector D.onnx --checked none --out x", "none: cannot be read"),
        ("prepare F.edf", "F.edf: is an EDF recording, wanted a folder of recordings"),
        ("study F.edf", "F.edf: is an EDF recording; wanted a study file (.toml), or the folder"),
        ("study none.toml --data cohort --out x", "none.toml: there is no such file"),
        ("study empty", "empty: holds no study"),
        ("study S.toml --data cohort --out out.html", "--out out.html: is a file's name, wanted a"),
        ("study Q.toml --data cohort --out x --known none", "--known none: is not there; wanted a"),
        ("study Q.toml --data cohort --data cohort --out x", "--data data was given twice"),
        ("run --data cohort --data cohort --out x", "cohort: --data names it twice; name each fol"),
        ("prune --data cohort --data cohort --out x", "cohort: --data names it twice; name each f"),
        ("run --data cohort --background cohort --out x", "cohort: is --data and --background; a "),
        ("evaluate --detector D.onnx --data cohort --background cohort", "is --data and --backgr"),
        ("run --data cohort --out out.html", "--out out.html: is a file's name, wanted a folder"),
        ("prune --data cohort --out out.html", "--out out.html: is a file's name, wanted a folder"),
        ("simulate out.html", "secateur: out.html: is a file's name, wanted a folder"),
        ("simulate F.edf", "secateur: F.edf: is a file's name, wanted a folder"),
    ],
)  # fmt: skip
def test_a_path_of_the_wrong_sort_is_named_before_any_work(
    desk: Path,
    words: str,
    why: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(desk)
    assert main(words.split()) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert why in printed.err
    assert len(printed.err.splitlines()) == 1, "nothing is said to begin before paths are looked at"
    assert not (desk / "x").exists()


@pytest.mark.parametrize(
    ("content", "ending", "kind"),
    [
        (b"0       X", ".edf", "an EDF recording"),
        (b"\xffBIOSEMI", "", "a BDF recording"),
        (b"", ".tsv", "an empty file"),
        (b"a = 1", ".toml", "a text file (.toml)"),
        (b"Z\xfcrich", "", "a text file"),
        (b"\0\1", ".dat", "a binary file (.dat)"),
        (b"PK\x03\x04", ".onnx", "a zip archive"),
    ],
)
def test_kinds_of_files(content: bytes, ending: str, kind: str, tmp_path: Path) -> None:
    assert kind_of_content(content, ending) == kind
    path = tmp_path / f"x{ending}"
    path.write_bytes(content)
    assert kind_of(path) == kind
    assert (kind_of(tmp_path), kind_of(tmp_path / "none")) == ("a folder", "not there")
