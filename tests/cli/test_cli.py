"""The command line as its user meets it: real processes, exit codes, one line of reproach."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from secateur.cli import VERBS, main
from secateur.cli.arguments import command_line
from secateur.events import Event, Events, read_tsv
from secateur.recordings import load_cohort
from secateur.recordings.montage import BIPOLAR_18
from secateur.runs import RunOutput, resolve
from secateur.windows import Cache, prepare
from tests.support.cohorts import PATIENT, eeg, write_cohort, write_edf


def secateur(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "secateur", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=300,
    )


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """Run in this process; must exit 1 with one line on standard error."""
    assert main([str(word) for word in words]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    lines = [line for line in told.err.splitlines() if line.startswith("secateur: ")]
    assert len(lines) == 1
    assert told.err.splitlines()[-1] == lines[0]
    assert "Traceback" not in told.err
    return lines[0]


def recording_of(cohort: Path) -> Path:
    return sorted(cohort.rglob("*.edf"))[0]


def test_detect_writes_szcores_file(tiny_run: RunOutput, tiny_cohort: Path, tmp_path: Path) -> None:
    edf = recording_of(tiny_cohort)
    detector = tiny_run.folder.detector("pruned")
    done = secateur("detect", edf, "--detector", detector, "--out", tmp_path / "e.tsv")
    assert done.returncode == 0, done.stderr
    events = read_tsv(tmp_path / "e.tsv")
    assert events.duration == 60
    assert (
        main(["detect", str(edf), "--detector", str(detector), "--out", str(tmp_path / "d")]) == 0
    )
    written = tmp_path / "d" / edf.name.replace("_eeg.edf", "_events.tsv")
    assert written.read_text() == (tmp_path / "e.tsv").read_text()


def test_evaluate_writes_json(
    tiny_run: RunOutput, tiny_cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    detector, out = tiny_run.folder.detector("pruned"), tmp_path / "x.json"
    assert (
        main(
            ["evaluate", "--detector", str(detector), "--data", str(tiny_cohort), "--out", str(out)]
        )
        == 0
    )
    told = json.loads(out.read_text())
    assert told["test"]["windows"] == 6 * 57
    assert told["timescoring"] == "0.0.7"
    assert len(told["known_subjects"]) == len(tiny_run.material.split.training) + len(
        tiny_run.material.split.validation
    )
    shown = capsys.readouterr().out
    assert "simulated" in shown
    assert "made with subjects that it is tested on" in shown
    assert str(tmp_path) not in out.read_text()


def test_prepare_fills_the_cache_and_tells_what_was_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SECATEUR_CACHE", str(tmp_path / "cache"))
    folder = write_cohort(tmp_path / "c", subjects=4)
    first, second, *_ = sorted(folder.rglob("*.edf"))
    write_edf(first, eeg(60, [], 0, channels=17), BIPOLAR_18[:17])
    second.write_bytes(second.read_bytes()[:300])
    words = ["prepare", str(folder), "--workers", "2"]
    assert main(words) == 0
    told = capsys.readouterr().out
    assert "left out: sub-01" in told
    assert "lacks T6-O2" in told
    assert "left out: sub-02" in told
    assert "ends unless it gets --missing skip or zero" in told
    assert "2 recordings" in told
    assert "2 of them made now" in told
    assert main([*words, "--missing", "zero"]) == 0
    told = capsys.readouterr().out
    assert "3 recordings" in told
    assert "1 of them made now" in told
    assert "put right in 1 of 3: missing, filled with zeros: T6-O2" in told
    before = sorted((tmp_path / "cache").rglob("*.npy"))
    settings = resolve(None, {"chain.missing": "zero"}).chain
    done, _ = prepare(load_cohort(folder).entries, settings, Cache())
    assert [one.written for one in done] == [False, False, False]
    assert sorted((tmp_path / "cache").rglob("*.npy")) == before


def test_splits_and_montages_reach_the_settings(
    tiny_cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, folds = tmp_path / "c.toml", tmp_path / "folds.csv"
    config.write_text(
        "[training]\nepochs = 1\nrecalibration = 2\nwindows_per_epoch = 64\n"
        "[network]\nwidths = [4, 4, 4]\n"
    )
    folds.write_text("subject,fold\n" + "".join(f"{k},{k % 2}\n" for k in range(1, 7)))
    words = ["run", "--data", tiny_cohort, "--config", config, "--workers", 1]
    flags = ["--folds-file", folds, "--fold", 2, "--prevalence", 0.2, "--allocation", "global"]
    assert main([str(word) for word in [*words, "--out", tmp_path / "a", *flags]]) == 0
    assert "tested on 3 subjects that it had never seen" in capsys.readouterr().out
    settings = resolve(tmp_path / "a" / "config.toml")
    assert settings.pruning.allocation == "global"
    split = json.loads((tmp_path / "a" / "result.json").read_text())["split"]
    assert [name[-2:] for name in split["test"]] == ["01", "03", "05"]
    assert (split["by"], split["fold"], split["folds"]) == ("folds", 2, 2)
    flags = ["--split", "random", "--montage", "each", "--split-seed", 4]
    assert main([str(word) for word in [*words, "--out", tmp_path / "b", *flags]]) == 0
    told = capsys.readouterr()
    assert "6 of the 6 test seizures" in told.err
    assert "6 of the 6 test seizures" in told.out
    assert resolve(tmp_path / "b" / "config.toml").chain.montage == "each"


def test_every_flag_of_run_reaches_the_settings(
    tiny_cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "c.toml"
    config.write_text(
        "[training]\nrecalibration = 2\nwindows_per_epoch = 64\n[network]\nwidths = [4, 4, 4]\n"
    )
    others = write_cohort(tmp_path / "others", subjects=2, name="Others", seed=60)
    words = ["run", "--data", tiny_cohort, "--config", config, "--workers", 1, "--epochs", 1]
    flags = [
        *("--out", tmp_path / "a", "--network", "paper", "--ratio", 0.9, "--scaling", "running"),
        *("--notch", 60, "--missing", "zero", "--background-per-epoch", 20, "--seed", 5),
        *("--split-seed", 2, "--test-data", others, "--strict"),
    ]
    assert main([str(word) for word in [*words, *flags]]) == 0
    assert "report.html" in capsys.readouterr().out
    settings = resolve(tmp_path / "a" / "config.toml")
    assert (settings.network.name, settings.pruning.ratio, settings.seed) == ("paper", 0.9, 5)
    assert (settings.chain.scaling, settings.chain.notch, settings.chain.missing) == (
        "running",
        60,
        "zero",
    )
    assert (settings.training.background_per_epoch, settings.split.seed) == (20, 2)
    result = json.loads((tmp_path / "a" / "result.json").read_text())
    assert result["split"]["test"] == ["Others/sub-01", "Others/sub-02"]
    assert result["models"]["pruned"]["kernels"] == [1, 1, 1]

    assert main([str(word) for word in [*words, "--out", tmp_path / "b", "--ratio", 0]]) == 0
    result = json.loads((tmp_path / "b" / "result.json").read_text())
    assert result["pruning"]["ratio_achieved"] == 0
    assert result["models"]["pruned"]["kernels"] == result["models"]["baseline"]["kernels"]


def test_score_prints_json_and_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Events((Event(100, 60),), 3600).write_tsv(tmp_path / "r.tsv")
    Events((Event(60, 11), Event(2000, 10)), 3600).write_tsv(tmp_path / "h.tsv")
    assert main(["score", str(tmp_path / "r.tsv"), str(tmp_path / "h.tsv"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["events"] == {
        "tp": 1, "fp": 1, "ref": 1, "sensitivity": 1.0, "precision": 0.5,
        "f1": pytest.approx(2 / 3), "fp_per_day": 24.0,
    }  # fmt: skip
    assert main(["score", str(tmp_path / "r.tsv"), str(tmp_path / "h.tsv")]) == 0
    assert "timescoring 0.0.7" in capsys.readouterr().out


def test_a_recording_without_a_table_of_detections_is_no_silent_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in "abc":
        Events((Event(100, 60),), 3600).write_tsv(tmp_path / "ref" / f"{name}_events.tsv")
    for name, events in (("a", (Event(100, 60),)), ("b", ())):
        Events(events, 3600).write_tsv(tmp_path / "hyp" / f"{name}_events.tsv")
    words = ["score", str(tmp_path / "ref"), str(tmp_path / "hyp")]
    assert main(words) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "in 1 of 3 nothing was detected" in printed
    assert "warning: of 1 of 3 no table of detections is there: c;" in printed
    assert main([*words, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["recordings"] == 3
    assert report["without_table"] == ["c"]


def test_inspect_tells_of_recordings_cohorts_and_detectors(
    tiny_run: RunOutput, tiny_cohort: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (recording_of(tiny_cohort), tiny_cohort, tiny_run.folder.detector("baseline")):
        assert main(["inspect", str(path), "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert main(["inspect", str(path), "--full"]) == 0
        shown = capsys.readouterr().out
        assert all(name in shown for name in told)
        assert PATIENT.split()[1] not in shown
    assert told["checksum"] == "holds"
    assert main(["inspect", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 9, "in short: a line for each thing that a user asks first"
    assert lines[0].startswith("detector: baseline.onnx, ")
    assert "valid 4-6-8: " in lines[1]
    assert lines[2].startswith("channels: 18 (montage bipolar-18): Fp1-F3, ")
    assert lines[3].startswith("electrodes: 19: ")
    assert lines[-1] == f"all of it: secateur inspect {path} --full"
    assert told["provenance.subjects"] == list(tiny_run.material.split.training)


def test_doctor_names_versions_and_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    shown = capsys.readouterr().out
    assert "nothing is missing" in shown
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for name in set(extras) - {"all", "dev"}:
        assert f"extra {name}:" in shown
    for one in (*project["dependencies"], *extras["study"], *extras["ray"], *extras["s3"]):
        assert f"  {re.split('[>=<]', one)[0]} " in shown


def test_doctor_tells_once_how_to_get_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def without(package: str) -> str:
        if package in ("mne", "torch", "ray"):
            raise PackageNotFoundError(package)
        return "1"

    monkeypatch.setattr("secateur.cli.doctor.version", without)
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "  torch missing" in lines
    assert "extras of which something is missing: mne, ray, train" in lines
    (line,) = (line for line in lines if "pip install" in line)
    assert line.startswith("get one, here train, with: pip install '.[train]'")


def test_results_tell_the_words_that_were_given_and_not_those_of_the_process(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["inspect", "no such file.edf"]) == 1
    assert command_line() == "secateur inspect 'no such file.edf'"


def test_help_teaches_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("run", "evaluate", "detect", "score", "simulate", "fetch", "inspect", "doctor"):
        assert main([verb, "--help"]) == 0
        assert len(capsys.readouterr().out.splitlines()) > 5
    assert main([]) == 0
    assert main(["--version"]) == 0


@pytest.mark.parametrize("verb", VERBS)
def test_help_cuts_no_word_short_on_a_terminal_of_80_columns(
    verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main([verb, "--help"]) == 0
    printed = capsys.readouterr().out.replace(",…", "")  # which says that a list goes on
    assert "…" not in printed


def test_mistakes_are_one_line_and_exit_1(
    tiny_run: RunOutput, tiny_cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edf, detector = recording_of(tiny_cohort), tiny_run.folder.detector("pruned")
    Events((), 10).write_tsv(tmp_path / "r.tsv")
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(detector.read_bytes()[:-1] + b"x")
    cases: list[tuple[list[object], str]] = [
        (["frobnicate"], "No such command"),
        (["run", "--dta", tiny_cohort], "run has no --dta; did you mean --data?"),
        (["run", "--data", tiny_cohort], "Missing option '--out'"),
        (["run", "--data", tmp_path / "no", "--out", tmp_path / "o"], "no such folder"),
        (["run", "--data", tiny_cohort, "--out", tmp_path / "o.json"], "wanted a folder"),
        (["run", "--data", tiny_cohort, "--out", tmp_path / "o", "--ratio", "1"], "pruning.ratio"),
        (["run", "--data", tiny_cohort, "--out", tmp_path / "o", "--epochs", "many"], "--epochs"),
        (
            ["run", "--data", tiny_cohort, "--out", tmp_path / "o", "--network", "big"],
            "wanted one of valid, paper, eegnet",
        ),
        (
            ["run", "--data", tiny_cohort, "--out", tmp_path / "o", "--config", tmp_path / "no"],
            "no such",
        ),
        (
            ["detect", tmp_path / "no.edf", "--detector", detector, "--out", tmp_path / "e.tsv"],
            "no such file",
        ),
        (["detect", edf, "--detector", damaged, "--out", tmp_path / "e.tsv"], "damaged.onnx"),
        (["detect", edf, "--detector", edf, "--out", tmp_path / "e.tsv"], "not a detector"),
        (["detect", edf, "--detector", detector, "--out", tmp_path / "e.json"], "writes .tsv"),
        (["evaluate", "--detector", detector, "--data", tmp_path / "no"], "no such folder"),
        (["score", tmp_path / "r.tsv", tmp_path / "no.tsv"], "no such file"),
        (["inspect", tmp_path / "no"], "no such file or folder"),
        (["inspect", tmp_path / "r.tsv"], "wanted an .edf, .bdf or .vhdr"),
        (["run", "--data", tiny_cohort, "--out", tmp_path / "o", "--split", "folds:3"], "--fold 1"),
        (["run", "--data", tiny_cohort, "--out", tmp_path / "o", "--split", "x"], "'random'"),
        (
            ["run", "--data", tiny_cohort, "--out", tmp_path / "o", "--montage", "x"],
            "as F7-T3; or bipolar-18",
        ),
        (["prepare", tmp_path / "no"], "no such folder"),
        (["prepare", tiny_cohort, "--montage", "x"], "unipolar-19, as-recorded, each"),
        (["simulate", tiny_cohort, "--subjects", "2"], str(tiny_cohort)),
        (["simulate", tmp_path / "s", "--subjects", "0"], "1 subject or more"),
        (["simulate", tmp_path / "s", "--hours", "-1"], "hours"),
    ]
    for words, said in cases:
        assert said in refused(capsys, *words)
    assert not (tmp_path / "e.tsv").exists()
    assert not (tmp_path / "o").exists()


def test_a_missing_extra_is_named_with_the_way_to_get_it() -> None:
    script = (
        "import sys\n"
        "class NoTorch:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name.split('.')[0] == 'torch':\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, NoTorch())\n"
        "from secateur.cli import main\n"
        "sys.exit(main(['run', '--data', '.', '--out', 'x']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "pip install '.[train]'" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("how", ["ctrl-c", "kill"])
def test_stopped_in_mid_run_the_same_command_goes_on(
    how: str, tiny_cohort: Path, tmp_path: Path
) -> None:
    config, out = tmp_path / "c.toml", tmp_path / "run"
    config.write_text(
        "seed = 1\n[training]\nepochs = 8\nwindows_per_epoch = 160\nrecalibration = 2\n"
        "[network]\nwidths = [4, 4, 4]\n"
    )
    words = ("run", "--data", tiny_cohort, "--out", out, "--config", config, "--workers", 2)
    with subprocess.Popen(
        [sys.executable, "-m", "secateur", *map(str, words)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("pruned: 1 of"):
                break
        if how == "kill":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
            rest = process.stderr.read()
            assert process.wait(timeout=60) == 130, rest
            assert "Traceback" not in rest
            assert rest.splitlines()[-1].startswith("secateur: interrupted")
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and _group_lives(process.pid):
        time.sleep(0.2)
    assert not _group_lives(process.pid)
    assert not (out / "result.json").exists()
    done = secateur(*words)
    assert done.returncode == 0, done.stderr
    assert "baseline: done: found finished" in done.stderr
    assert (out / "report.html").is_file()


def _group_lives(group: int) -> bool:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            return True
    return False
