"""The examples do what they say; those for clusters are read as their systems would read them."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import mne
import pytest
import typer
import yaml

from secateur.cli import _app
from secateur.events import read_tsv
from secateur.runs import RunOutput
from tests.support.cohorts import TINY_SETTINGS
from tests.support.documents import ROOT, fenced_commands

EXAMPLES = ROOT / "examples"
SHORT = {**TINY_SETTINGS, "training.epochs": 1}
SHORT.pop("network.widths")


def run(name: str, *words: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `python examples/name.py words` does."""
    monkeypatch.setattr(sys, "argv", [name, *map(str, words)])
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")


@pytest.fixture(scope="module")
def detector(tiny_run: RunOutput) -> Path:
    return tiny_run.folder.path / "pruned.onnx"


def test_mne_in_and_out(
    tiny_cohort: Path,
    detector: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path, out = sorted(tiny_cohort.rglob("*_eeg.edf"))[0], tmp_path / "night_raw.fif"
    run("mne_in_and_out", path, detector, out, monkeypatch=monkeypatch)
    raw = mne.io.read_raw(out, verbose="error")
    seizures = [each for each in raw.annotations if each["description"] == "sz"]
    truth = read_tsv(path.with_name(path.name.replace("_eeg.edf", "_events.tsv")))
    assert f"{len(seizures)} seizures" in capsys.readouterr().out
    assert [each["onset"] for each in seizures] == pytest.approx(
        [event.onset for event in truth], abs=4
    )


def test_scikit_learn_style(
    tiny_cohort: Path,
    detector: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run("scikit_learn_style", tiny_cohort, detector, monkeypatch=monkeypatch)
    printed = dict(line.split() for line in capsys.readouterr().out.splitlines())
    assert float(printed["roc_auc_score"]) > 0.9
    assert float(printed["brier_score_loss"]) < 0.25
    names = runpy.run_path(str(EXAMPLES / "scikit_learn_style.py"))
    from sklearn.base import clone

    assert clone(names["SeizureClassifier"]("a.onnx")).get_params() == {"path": "a.onnx"}


def test_results_with_pandas(
    tiny_run: RunOutput, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run("results_with_pandas", tiny_run.folder.path, monkeypatch=monkeypatch)
    printed = capsys.readouterr().out
    names = runpy.run_path(str(EXAMPLES / "results_with_pandas.py"))
    models = names["models"](tiny_run.folder.path)
    expected = tiny_run.result.models["pruned"]
    assert models.loc["pruned", "parameters"] == expected.parameters
    assert expected.test is not None
    assert models.loc["pruned", "auroc"] == expected.test.mean_of_subjects["auroc"]
    table = names["by_subject"](tiny_run.folder.path)
    assert set(table.index) == set(tiny_run.material.split.test)
    assert (table["baseline", "seizure"] > table["baseline", "background"]).all()
    assert "validation_auroc" in printed


def test_c_beside_python(
    tiny_cohort: Path,
    detector: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recording = sorted(tiny_cohort.rglob("*_eeg.edf"))[0]
    monkeypatch.chdir(tmp_path)
    run("c_beside_python", detector, recording, monkeypatch=monkeypatch)
    printed = capsys.readouterr().out
    match = re.search(r"^(\d+) probabilities, at most (\S+) apart", printed, re.MULTILINE)
    assert match
    assert int(match[1]) > 10
    assert float(match[2]) < 1e-4
    montaged = (tmp_path / "montaged.f32").read_bytes()
    cut = subprocess.run([tmp_path / "seizure"], input=montaged[:-4], capture_output=True)
    assert cut.returncode == 2  # the input ends within a sample


@pytest.mark.slow
@pytest.mark.parametrize("name", ["own_network", "custom_montage"])
def test_what_trains(
    name: str,
    tiny_cohort: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.setitem(sys.modules, "own_network", sys)  # so that it is as before afterwards
    del sys.modules["own_network"]  # another test may have loaded a module of that name
    names = runpy.run_path(str(EXAMPLES / f"{name}.py"))
    small = {} if name == "own_network" else {"network.widths": [4, 4, 4]}
    names["main"](str(tiny_cohort), str(tmp_path / "run"), **SHORT, **small)
    printed = capsys.readouterr().out
    if name == "own_network":
        assert re.search(r"^pruned: \d+ parameters, kernels \(8, 8\)$", printed, re.MULTILINE)
    else:
        assert f"channels: {', '.join(names['PAIRS'])}" in printed
        assert printed.count("F7") == 2


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_an_example_is_short_and_says_how_it_is_called(path: Path) -> None:
    text = path.read_text()
    assert f"\npython examples/{path.name} " in text
    if path.name != "chbmit_clips.py":
        assert 20 <= len([line for line in text.splitlines() if line.strip()]) <= 60


def test_the_slurm_script_is_bash_and_calls_what_there_is() -> None:
    script = EXAMPLES / "slurm" / "study.sh"
    assert "NOT RUN here" in script.read_text()
    assert shutil.which("bash")
    checked = subprocess.run(["bash", "-n", script], capture_output=True, text=True)
    assert (checked.returncode, checked.stderr) == (0, "")
    group = typer.main.get_group(_app(()))
    ((verb, *rest),) = [
        words for words in fenced_commands(f"```bash\n{script.read_text()}```\n") if words
    ]
    group.commands[verb].make_context(verb, list(rest))
    assert (ROOT / rest[0]).is_file()


def test_the_manifest_is_yaml_of_a_cluster() -> None:
    text = (EXAMPLES / "kubernetes" / "ray-cluster.yaml").read_text()
    assert "NOT RUN here" in text
    manifest = yaml.safe_load(text)
    assert manifest["kind"] == "RayCluster"
    (worker,) = manifest["spec"]["workerGroupSpecs"]
    (container,) = worker["template"]["spec"]["containers"]
    assert {"name": "SECATEUR_CACHE", "value": "/shared/secateur-cache"} in container["env"]
