"""`secateur study` with a study of drift: what can't be meant is one line, before anything is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from secateur.cli import main

SHIPPED = Path(__file__).parents[2] / "studies" / "drift.toml"


def test_what_cannot_be_meant_is_one_line(
    tmp_path: Path, tiny_cohort: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    begun = tmp_path / "begun"
    begun.mkdir()
    (begun / "study.json").write_text("{}")
    cases: list[tuple[list[object], str]] = [
        ([SHIPPED], "--out is needed: a folder of this machine"),
        ([SHIPPED, "--out", "s3://bucket/study"], "--out is needed: a folder of this machine"),
        ([SHIPPED, "--out", out, "--retry"], "--known, --retry and --backend ray are not for"),
        ([SHIPPED, "--out", out, "--data", tmp_path / "nobody"], "nobody"),
        ([SHIPPED, "--out", out, "--data", f"a={tiny_cohort}", "--data", f"b={tiny_cohort}"],
        "takes one --data"), ([SHIPPED, "--out", begun], "holds a study with other networks, patients or "
        "drifts"),
        ([begun], "holds a study of drift, which goes on by its file"),
    ]  # fmt: skip
    for words, expected in cases:
        assert main(["study", *map(str, words)]) == 1, expected
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert expected in error, error
        assert error.startswith("secateur: ")
        assert not out.exists()
