"""How recordings are read is a setting of runs: a table in the file, flags before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from secateur.errors import SettingsError
from secateur.recordings import ReadingSettings
from secateur.studies.flags import prune_settings, run_settings
from secateur.studies.ladder.settings import resolve_ladder
from secateur.studies.settings import RunSettings, resolve


def test_flags_go_before_the_table_of_the_file(tmp_path: Path) -> None:
    config = tmp_path / "run.toml"
    config.write_text('[reading]\ngaps = "refuse"\nrename = {"EEG 1" = "O1", "X.2" = "Cz"}\n')
    reading = ReadingSettings(gaps="refuse", rename={"EEG 1": "O1", "X.2": "Cz"})
    assert resolve(config, run_settings({})).reading == reading
    assert resolve(RunSettings(reading=reading).model_dump()).reading == reading
    assert resolve_ladder(config, prune_settings({})).reading == reading
    flags = {"rename": ["A = B"], "gaps": "split", "force": True}
    assert resolve(config, run_settings(flags)).reading == ReadingSettings(
        rename={"A": "B"}, too_slow="note"
    )
    ladder = resolve_ladder(config, prune_settings(flags))
    assert (ladder.reading.gaps, ladder.reading.too_slow, ladder.force) == ("split", "refuse", True)
    config.write_text('[reading]\ngap = "refuse"\n')
    with pytest.raises(SettingsError, match=r"reading\.gap is no setting; there is gaps, rename"):
        resolve(config)


@pytest.mark.parametrize("word", ["A", "A=", "=B", "A=B,A=C"])
def test_a_rename_in_other_words_is_one_line(word: str) -> None:
    with pytest.raises(SettingsError, match="wanted old=new, each old label once"):
        run_settings({"rename": word.split(",")})


def test_runs_from_before_there_was_reading_keep_their_names() -> None:
    """Runs are named by a hash of their settings."""
    assert "reading" not in RunSettings().model_dump(mode="json")
    assert "reading" in RunSettings(reading=ReadingSettings(gaps="refuse")).model_dump(mode="json")
    assert "reading" not in RunSettings().to_toml()
