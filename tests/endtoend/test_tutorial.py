"""The tutorial, as a newcomer types it: as it stands, and on fewer people with less training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from secateur.cli import main
from secateur.detectors import load_detector
from tests.support.cohorts import write_cohort
from tests.support.documents import ROOT, fenced_commands

PAGE = (ROOT / "docs" / "tutorial" / "first-detector.md").read_text(encoding="utf-8")
COMMANDS = fenced_commands(PAGE)
QUICK = {
    "8": "1",  # epochs
    "0.25,0.5": "0.5",
    "training.windows_per_epoch=1920": "training.windows_per_epoch=320",
    "0.17": "0.05",  # hours
}
"""Words in whose place others stand, so that it takes seconds."""


def check_what_is_there(folder: Path) -> None:
    assert (folder / "runs" / "small" / "report.html").is_file()
    assert list((folder / "found").rglob("*_events.tsv"))
    assert json.loads((folder / "scores.json").read_text())
    assert (folder / "why").is_dir()
    assert "seizure_step" in (folder / "seizure.c").read_text()


def test_it_goes_through_all_that_it_promises() -> None:
    assert [words[0] for words in COMMANDS] == [
        *("simulate", "inspect", "prune", "prune", "verify", "inspect", "simulate"),
        *("detect", "evaluate", "explain", "export"),
    ]


@pytest.mark.slow
def test_the_commands_on_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One epoch is too few for a certificate: exit code 2, and the rest goes on with the baseline."""
    monkeypatch.chdir(tmp_path)
    write_cohort(tmp_path / "cohort", subjects=24, seconds=45)  # as the first command would
    for words in COMMANDS[1:]:
        code = main([QUICK.get(word, word) for word in words])
        assert code in ((0, 2) if words[0] == "prune" else (0,)), words
    check_what_is_there(tmp_path)


@pytest.mark.long
def test_every_command_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SECATEUR_CACHE", str(tmp_path / "cache"))  # which knows of no earlier looks
    for words in COMMANDS:
        assert main(words) == 0, words
    check_what_is_there(tmp_path)
    certificate = load_detector(tmp_path / "runs" / "small" / "pruned.onnx").info.certificate
    assert certificate is not None
    assert certificate.certified
    assert "Certified: 95 % confidence" in capsys.readouterr().out
