"""`secateur inspect` on what is no EDF: archives, cohorts without known subjects, lists put right."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from secateur.cli import main
from tests.support.cohorts import eeg, write_edf


def told(capsys: pytest.CaptureFixture[str], path: Path) -> dict[str, object]:
    assert main(["inspect", str(path), "--json"]) == 0
    read: dict[str, object] = json.loads(capsys.readouterr().out)
    assert main(["inspect", str(path)]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in read)
    return read


def test_a_segment_of_bonn_and_its_archive(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with zipfile.ZipFile(tmp_path / "S.zip", "w") as archive:
        archive.writestr("S001.txt", "1\n" * 1000)
    one = told(capsys, tmp_path / "S.zip" / "S001.txt")
    assert (one["channels"], one["sampling_rate_hz"]) == (["EEG"], 173.61)
    whole = told(capsys, tmp_path)
    assert (whole["layout"], whole["subjects_known"], whole["seizures"]) == ("bonn", False, 1)


def test_what_was_put_right_in_a_list_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_edf(tmp_path / "chb01_01.edf", eeg(10, [], 0, channels=2), ["F3-C3", "C3-P3"])
    (tmp_path / "chb01-summary.txt").write_text(
        "File Name: chb01_01.edf\nSeizure Start Time: 5 seconds\nSeizure End Time: 15 seconds\n"
    )
    assert told(capsys, tmp_path)["recording_notes"] == [
        {
            "recording": "chb01/chb01_01",
            "note": "a seizure is listed from 5 to 15 s and the file ends at 10 s: kept as listed",
        }
    ]


def test_labels_are_renamed_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_edf(tmp_path / "a.edf", eeg(10, [], 0, channels=2), ["X1", "C3-P3"])
    words = ["inspect", str(path), "--json", "--rename", "X1=F3-C3", "--rename", "C3-P3=Cz"]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["channels"] == ["F3-C3", "Cz"]
    for word, message in (
        ("X2=F3", "has no channel X2 to rename; it has X1, C3-P3"),
        ("X1=C3-P3", "a channel can't be renamed to 'C3-P3', which is there already"),
        ("X1", "rename (--rename): X1: wanted old=new, each old label once"),
    ):
        assert main(["inspect", str(path), "--rename", word]) == 1
        assert message in capsys.readouterr().err
    assert main(["inspect", str(path), "--gaps", "fill"]) == 1
    assert "'--gaps': 'fill' is not one of 'split', 'refuse'" in capsys.readouterr().err
