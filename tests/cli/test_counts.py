"""A count of one is told in the singular."""

from __future__ import annotations

from pathlib import Path

import pytest

from secateur.cli import main
from secateur.cli.tables import print_models
from secateur.counts import plural
from secateur.runs import RunOutput
from secateur.scoring import TIMESCORING_VERSION


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 subjects"), (1, "1 subject"), (1200, "1,200 subjects")]
)
def test_a_count_and_its_noun(count: int, words: str) -> None:
    assert plural(count, "subject") == words


def test_one_simulated_subject(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "cohort"
    assert main(["simulate", str(out), "--subjects", "1", "--hours", "0.05"]) == 0
    assert "simulated cohort of 1 subject, 0.05 h each" in capsys.readouterr().out
    texts = [path.read_text() for path in (out / "README", out / "dataset_description.json")]
    assert not [text for text in texts if "1 subjects" in text]


def test_the_table_of_a_run_says_what_counted_its_events(
    tiny_run: RunOutput, capsys: pytest.CaptureFixture[str]
) -> None:
    print_models(tiny_run.result)
    head = " ".join(capsys.readouterr().out.split())
    assert f"timescoring {TIMESCORING_VERSION}" in head
