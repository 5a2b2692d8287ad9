"""Commands and Python of README and of the page of all verbs, as a newcomer types them; none trains."""

from __future__ import annotations

import re
import shutil
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import secateur
from secateur.certifying.result import LadderOutput
from secateur.cli import main
from secateur.events import Events, read_tsv
from secateur.runs import RunOutput, resolve
from tests.support.cohorts import write_cohort
from tests.support.documents import ROOT, blocks, fenced_commands

README = (ROOT / "README.md").read_text(encoding="utf-8")
AT_A_GLANCE = (ROOT / "docs" / "how-to" / "at-a-glance.md").read_text(encoding="utf-8")
OUTPUTS = (ROOT / "docs" / "reference" / "outputs.md").read_text(encoding="utf-8")
DOWNLOADS = ("fetch",)
TRAINS = ("run", "prune", "study")


def stop(*_: object, **__: object) -> None:
    """In place of training: everything before it has gone well."""
    raise KeyboardInterrupt


async def at_once(*_: object) -> None:
    """In place of serving: the page's address is printed, and that is the end."""


@pytest.fixture
def desk(
    tiny_run: RunOutput, tiny_cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A folder in which everything lies that the examples name, training apart."""
    for name in ("cohort", "other-cohort", "recordings", "recent"):
        (tmp_path / name).symlink_to(tiny_cohort)
    write_cohort(tmp_path / "chbmit", subjects=8, seconds=45, name="chbmit", seed=20)
    write_cohort(tmp_path / "siena", subjects=2, seconds=45, name="siena", seed=40)
    write_cohort(tmp_path / "eegmat", subjects=4, seconds=45, name="eegmat", seed=60)
    for tsv in (tmp_path / "eegmat").rglob("*_events.tsv"):
        tsv.unlink()  # nobody wrote down that nothing happened
    noise = np.random.default_rng(0)
    for letter, name in zip("ZONFS", "ABCDE", strict=True):
        (tmp_path / "bonn" / f"set{name}").mkdir(parents=True)
        for k in range(1, 7):
            text = "\n".join(map(str, noise.integers(-200, 200, 1500)))
            (tmp_path / "bonn" / f"set{name}" / f"{letter}{k:03d}.txt").write_text(text)
    for name in ("configs", "studies"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "runs").mkdir()
    for name in ("first", "small"):
        shutil.copytree(tiny_run.folder.path, tmp_path / "runs" / name)
    first, second, *_ = sorted(tiny_cohort.rglob("*_eeg.edf"))
    shutil.copy(first, tmp_path / "night.edf")
    shutil.copy(
        first.with_name(first.name.replace("_eeg.edf", "_events.tsv")),
        tmp_path / "reference_events.tsv",
    )
    (tmp_path / "ward-7").mkdir()
    shutil.copy(second, tmp_path / "ward-7" / "1.edf")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("uvicorn.Server.main_loop", at_once)  # else it serves until Ctrl-C
    monkeypatch.setattr("secateur.runs.run.run_parts", stop)
    monkeypatch.setattr("secateur.certifying.search.run_parts", stop)
    monkeypatch.setattr("secateur.studies.engine._do_missing", stop)
    return tmp_path


@pytest.mark.slow
def test_commands_do_what_is_said(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = fenced_commands(README)
    assert len(shown) > 4
    known = fenced_commands(AT_A_GLANCE)
    assert len(known) > 20
    for words in [*known, *(each for each in shown if each not in known)]:
        verb, trains = words[0], words[0] in TRAINS and "--plan" not in words
        if verb in DOWNLOADS:
            continue
        if verb == "simulate":  # as typed, but small and beside the cohort that is there
            words = ["simulate", "simulated", "--subjects", "1", "--hours", "0.02", *words[6:]]
        if trains:  # --out is new, as it is for whoever types it
            shutil.rmtree(desk / words[words.index("--out") + 1], ignore_errors=True)
        code = main(words)
        printed = capsys.readouterr()
        assert code == (130 if trains else 0), f"secateur {' '.join(words)}: {printed.err}"
        assert printed.out or trains, f"secateur {' '.join(words)} says nothing"
        if trains and words[words.index("--out") + 1] in ("runs/first", "runs/small"):
            bring_back(desk, words[words.index("--out") + 1])
    for name in (
        "scores.json",
        "night_events.tsv",
        "found/summary.csv",
        "int8.onnx",
        "adapted.onnx",
        "seizure.c",
    ):
        assert (desk / name).is_file()
    assert list((desk / "why").iterdir())


def bring_back(desk: Path, name: str) -> None:
    """What that run would have left."""
    other = "small" if name == "runs/first" else "first"
    shutil.rmtree(desk / name, ignore_errors=True)
    shutil.copytree(desk / "runs" / other, desk / name)


def test_python_does_what_is_said(
    desk: Path, tiny_run: RunOutput, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(data: str, out: str, *, settings: dict[str, Any]) -> RunOutput:
        assert Path(data).is_dir()
        resolve(None, settings)
        assert Path(out, "pruned.onnx").is_file()
        return tiny_run

    monkeypatch.setattr(secateur, "run", run, raising=False)
    (five_lines,), (at_work, pruning) = blocks(README, "python"), blocks(AT_A_GLANCE, "python")
    assert len(five_lines.replace("\n\n", "\n").splitlines()) <= 5
    exec(five_lines, {})
    names: dict[str, Any] = {}
    exec(at_work, names)
    events = read_tsv(desk / "night_events.tsv")
    assert isinstance(events, Events)
    assert events.duration == names["recording"].read(0, 60).shape[1] / 256
    assert names["last"] is not None
    shutil.rmtree(desk / "runs" / "small")
    (desk / "recordings").unlink()
    (desk / "recordings").symlink_to(desk / "chbmit")
    with pytest.raises(KeyboardInterrupt):
        exec(pruning, {"secateur": secateur})
    assert pruning.rstrip().endswith("print(result.certified, result.outcome.answer)")
    assert isinstance(LadderOutput.certified, property)
    assert "outcome" in {each.name for each in fields(LadderOutput)}


def test_the_table_of_outputs_names_all_that_a_run_leaves(tiny_run: RunOutput) -> None:
    table = OUTPUTS.partition("| file | what it is |")[2].partition("\n\n")[0]
    files = [line.split("|")[1] for line in table.splitlines()[2:]]
    named = {name for cell in files for name in re.findall(r"`([^`]+)`", cell)}
    for path in tiny_run.folder.path.iterdir():
        assert named & {path.name, f"{path.name}/"}, f"outputs.md doesn't say what {path.name} is"
    for name in named:
        assert list(tiny_run.folder.path.glob(name.rstrip("/"))), f"a run leaves no {name}"


def test_the_readme_is_read_in_a_minute() -> None:
    assert len(README.splitlines()) <= 150
