"""Whose a run's folder is, also after a kill at its very beginning."""

from __future__ import annotations

from pathlib import Path

import pytest

from secateur.errors import RunError
from secateur.files import replacing
from secateur.runs.folder import RunFolder


def test_a_kill_before_the_first_file_leaves_a_folder_that_can_be_used(tmp_path: Path) -> None:
    """Made are the folders and the lock, and the file that says whose it is was being written."""
    path = tmp_path / "run"
    (path / "stages").mkdir(parents=True)
    (path / "stages" / "lock").touch()
    with replacing(path / "stages" / "run.json") as beside:
        beside.write_text("{")
        draft = path / "stages" / beside.name
        kept = draft.read_bytes()
    (path / "stages" / "run.json").unlink()
    draft.write_bytes(kept)
    with RunFolder(path, "name").held():
        assert (path / "stages" / "run.json").is_file()


@pytest.mark.parametrize("name", ["letter.txt", "stages/letter.txt"])
def test_a_folder_with_anything_else_in_it_is_not_taken(tmp_path: Path, name: str) -> None:
    (tmp_path / "stages").mkdir()
    (tmp_path / name).write_text("mine")
    with (
        pytest.raises(RunError, match="not empty and holds no run"),
        RunFolder(tmp_path, "name").held(),
    ):
        pass
    assert (tmp_path / name).read_text() == "mine"
