"""How recordings are read is a setting of runs: a table in the file, flags before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from secateur.certifying.settings import LadderSettings, resolve_ladder
from secateur.cli import main
from secateur.errors import CohortError, SettingsError
from secateur.recordings import ReadingSettings, open_recording
from secateur.recordings.montage import BIPOLAR_18
from secateur.runs.data import Source, gather
from secateur.runs.settings import RunSettings, resolve
from secateur.settings import overrides_of
from secateur.windows import Cache
from tests.support.cohorts import write_cohort, write_edf


def test_flags_go_before_the_table_of_the_file(tmp_path: Path) -> None:
    config = tmp_path / "run.toml"
    config.write_text('[reading]\ngaps = "refuse"\nrename = {"EEG 1" = "O1", "X.2" = "Cz"}\n')
    reading = ReadingSettings(gaps="refuse", rename={"EEG 1": "O1", "X.2": "Cz"})
    assert resolve(config).reading == reading
    assert resolve(RunSettings(reading=reading).model_dump()).reading == reading
    assert resolve_ladder(config).reading == reading
    flags = {"rename": ["A = B"], "gaps": "split", "force": True}
    assert resolve(config, overrides_of(RunSettings, flags)).reading == ReadingSettings(
        rename={"A": "B"}, too_slow="note"
    )
    ladder = resolve_ladder(config, overrides_of(LadderSettings, flags))
    assert (ladder.reading.gaps, ladder.reading.too_slow, ladder.force) == ("split", "refuse", True)
    config.write_text('[reading]\ngap = "refuse"\n')
    with pytest.raises(SettingsError, match=r"reading\.gap is no setting; there is gaps, rename"):
        resolve(config)


@pytest.mark.parametrize("word", ["A", "A=", "=B", "A=B,A=C"])
def test_a_rename_in_other_words_is_one_line(word: str) -> None:
    with pytest.raises(SettingsError, match="wanted old=new, each old label once"):
        resolve(None, overrides_of(RunSettings, {"rename": word.split(",")}))


def test_runs_from_before_there_was_reading_keep_their_names() -> None:
    """Runs are named by a hash of their settings."""
    assert "reading" not in RunSettings().model_dump(mode="json")
    assert "reading" in RunSettings(reading=ReadingSettings(gaps="refuse")).model_dump(mode="json")
    assert "reading" not in RunSettings().to_toml()


def odd_labels(folder: Path, subjects: int, old: str) -> Path:
    """A cohort in which Fp1-F3 is called otherwise."""
    write_cohort(folder, subjects=subjects, name=folder.name)
    for path in folder.rglob("*.edf"):
        recording = open_recording(path)
        labels = [old if label == "Fp1-F3" else label for label in recording.channels]
        assert set(labels) == {old, *BIPOLAR_18[1:]}
        write_edf(path, recording.read(), labels)
    return folder


def test_a_label_may_be_odd_in_either_of_two_folders(tmp_path: Path) -> None:
    source = Source(odd_labels(tmp_path / "a", 5, "X1"), odd_labels(tmp_path / "b", 2, "X2"))
    reading = ReadingSettings(rename={"X1": "Fp1-F3", "X2": "Fp1-F3"})
    material = gather(source, RunSettings(reading=reading), Cache(tmp_path / "cache"))
    assert not material.problems
    assert {name.partition("/")[0] for name in material.sides["test"].subjects} == {"b"}
    reading = ReadingSettings(rename={**reading.rename, "X3": "ECG"})
    with pytest.raises(CohortError, match="no recording has a channel X3 to rename"):
        gather(source, RunSettings(reading=reading), Cache(tmp_path / "cache"))


def test_prepare_renames_by_file_and_flag(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECATEUR_CACHE", str(tmp_path / "cache"))
    folder = odd_labels(tmp_path / "a", 1, "X1")
    assert main(["prepare", str(folder), "--workers", "1"]) == 1
    assert "lacks Fp1-F3" in capsys.readouterr().out
    (tmp_path / "c.toml").write_text('[reading]\nrename = {X1 = "Fp1-F3"}\n')
    for words in (["--rename", "X1=Fp1-F3"], ["--config", str(tmp_path / "c.toml")]):
        assert main(["prepare", str(folder), "--workers", "1", *words]) == 0
        assert "1 recordings" in capsys.readouterr().out
