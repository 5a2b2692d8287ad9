"""`secateur fetch` from a mirror on the loopback, to the line that says how to go on."""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from secateur.cli import main
from secateur.recordings.montage import BIPOLAR_18
from tests.support.cohorts import LAYOUTS, eeg, write_edf
from tests.support.mirror import Fault, Mirror, serving

SUMMARY = """File Name: chb01_01.edf
Number of Seizures in File: 1
Seizure Start Time: 3 seconds
Seizure End Time: 7 seconds

File Name: chb01_02.edf
Number of Seizures in File: 0
"""


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving(tmp_path / "served") as served:
        monkeypatch.setenv("SECATEUR_FETCH_URL", served.url)
        yield served


def test_chbmit_comes_checked_and_can_be_run(
    mirror: Mirror, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for k in (1, 2):
        write_edf(mirror.tree / "chb01" / f"chb01_0{k}.edf", eeg(10, [], k), BIPOLAR_18)
    mirror.write("chb01/chb01-summary.txt", SUMMARY.encode())
    mirror.write_sums()
    mirror.spoil("chb01/chb01_02.edf", Fault(break_after=70_000))
    out = tmp_path / "with blanks"
    assert main(["fetch", "chbmit", "--out", str(out), "--cases", " chb01,"]) == 0
    told = capsys.readouterr()
    assert "1 subject, 2 recordings, 1 seizure," in told.out
    assert "ODC-By 1.0" in told.out
    assert told.out.splitlines()[-1] == (
        f"go on with: secateur run --data '{out}' --out runs/chbmit"
    )
    assert "3 of 3 files" in told.err
    assert main(["fetch", "chbmit", "--out", str(out)]) == 0
    told = capsys.readouterr()
    assert "0 files downloaded, 3 were here and are right" in told.out
    assert "check: 3 of 3" in told.err


def test_bonns_recorded_hashes_are_told(
    mirror: Mirror, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(0).integers(-99, 99, 4097)
    for letter in "ZS":
        held = io.BytesIO()
        with zipfile.ZipFile(held, "w") as packed:
            packed.writestr(f"{letter}001.txt", "\n".join(map(str, noise)) + "\n")
        mirror.write(f"{letter}.zip", held.getvalue())
    assert main(["fetch", "bonn", "--out", str(tmp_path / "b"), "--cases", "Z,S"]) == 0
    told = capsys.readouterr().out
    assert told.count("recorded, for no hash is published: ") == 2
    assert "2 recordings, 1 seizure," in told


def test_mistakes_are_one_line(
    mirror: Mirror, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mirror.write("chb01/chb01-summary.txt", SUMMARY.encode())
    mirror.write_sums()
    for words, said in (
        (["tuh", "--out", str(tmp_path / "d")], "there are chbmit, siena, bonn"),
        (["chbmit", "--out", str(tmp_path / "d"), "--cases", "PN00"], "it has chb01"),
        (["chbmit", "--out", str(tmp_path / "d.edf")], "wanted a folder"),
        (["siena", "--out", str(tmp_path / "d")], "lists none of its recordings"),
        (["chbmit", "--out", "/proc/nowhere"], "cannot be written to"),
    ):
        assert main(["fetch", *words]) == 1
        told = capsys.readouterr()
        assert (told.out, told.err.count("\n")) == ("", 1)
        assert said in told.err


@pytest.mark.parametrize(
    ("dataset", "cases", "said"), [("chbmit", "chb05", "39 rec"), ("siena", "PN00,PN16", "7 rec")]
)
def test_the_layouts_of_physionet_can_be_read_when_fetched(
    mirror: Mirror,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    dataset: str,
    cases: str,
    said: str,
) -> None:
    if not LAYOUTS.is_dir():
        pytest.skip(f"the folders of PhysioNet are not here ({LAYOUTS.name} beside the checkout)")
    shutil.copytree(LAYOUTS / dataset, mirror.tree, dirs_exist_ok=True)
    mirror.write_sums()
    assert main(["fetch", dataset, "--cases", cases, "--out", str(tmp_path / "d")]) == 0
    assert said in capsys.readouterr().out
