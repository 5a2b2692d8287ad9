"""Recordings marked: nothing stale or overwritten, resumed; one bad recording spoils nothing else."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import edfio
import numpy as np
import pytest

from secateur.cli import main
from secateur.detectors import (
    DetectorInfo,
    PostProcessing,
    WindowProbabilities,
    load_detector,
    write_detector,
)
from secateur.errors import DetectorError, RecordingError, SecateurError, SettingsError
from secateur.events import Event, Events, read_tsv
from secateur.files import replacing, sha256_of_file
from secateur.marking import THERE, ExecutionOptions, Outputs, mark_file, mark_folder
from secateur.marking.batch import work_items
from secateur.marking.worker import Worker, WorkItem, failure, per_second
from secateur.networks import NetworkSettings, build_network, to_onnx
from secateur.recordings import open_recording
from secateur.recordings.montage import BIPOLAR_18
from secateur.windows import ChainSettings, Scale, WindowSettings
from tests.support.cohorts import PATIENT, eeg, write_edf
from tests.support.edf_bytes import write_bytes

MODEL = to_onnx(build_network(NetworkSettings(widths=(4, 4, 4)), 18, 1024, 1).eval())
ALL = ExecutionOptions(Outputs(annotated=True, probabilities=True))


def detector_file(path: Path, threshold: float = 0.5) -> Path:
    """A detector that has learned nothing; at so low a threshold it finds something all the same."""
    rules = PostProcessing(threshold=threshold, merge_gap=0, shortest=0)
    fields: dict[str, Any] = {
        "secateur": "0",
        "chain": ChainSettings(),
        "scale": Scale(mean=(0.0,) * 18, spread=(20.0,) * 18),
        "windows": WindowSettings(),
        "post_processing": rules,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_detector(path, MODEL, DetectorInfo.model_validate(fields))
    return path


def recording(path: Path, seconds: float = 8, seed: int = 0) -> Path:
    return write_edf(path, eeg(seconds, [(2, 6)], seed), BIPOLAR_18)


def rows(out: Path) -> dict[str, dict[str, str]]:
    with (out / "summary.csv").open(newline="") as file:
        return {row["path"]: row for row in csv.DictReader(file)}


def contents(out: Path) -> dict[str, bytes]:
    """Every file's bytes; of the summary what doesn't tell when a file was done."""
    present = {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }
    if "summary.csv" not in present:  # killed before the first recording
        return present
    table = [{**row, "status": ""} for row in rows(out).values()]
    return {**present, "summary.csv": json.dumps(table).encode()}


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its threshold is the median of what it says of the ward's night, so that there are events."""
    folder = tmp_path_factory.mktemp("detector")
    opened = load_detector(detector_file(folder / "any.onnx"))
    heard = opened.window_probabilities(open_recording(recording(folder / "a.edf", 12, 1)))
    return detector_file(folder / "d.onnx", float(np.median(heard.probability)))


@pytest.fixture
def ward(tmp_path: Path) -> Path:
    """A folder as it comes: two nights, one in a folder of its own, and what is no recording."""
    folder = tmp_path / "ward"
    recording(folder / "a" / "b" / "night.edf", 12, 1)
    recording(folder / "day.edf", 9, 2)
    recording(folder / "short.edf", 2, 3)
    (folder / "notes.txt").write_text("slept badly")
    (folder / "day.tsv").write_text("onset\tduration\teventType\n1\t2\tsz\n")
    return folder


def test_a_plain_folder_is_mirrored_and_told(ward: Path, detector: Path, tmp_path: Path) -> None:
    out = tmp_path / "found"
    summary = mark_folder([ward], out, detector, ALL)
    assert (summary.done, summary.failed) == (3, [])
    opened = load_detector(detector)
    for name in ("a/b/night", "day", "short"):
        source = open_recording(ward / f"{name}.edf")
        assert (out / f"{name}_events.tsv").read_text() == opened.detect(source).tsv()
        assert (out / f"{name}_events.edf").is_file()
    assert len(read_tsv(out / "a" / "b" / "night_events.tsv")) > 0
    assert (out / "day_probabilities.tsv").read_text().startswith("second\tprobability\n0\tn/a\n")
    assert json.loads((out / "day_probabilities.json").read_text())["HopSeconds"] == 1
    table = rows(out)
    assert list(table) == ["a/b/night.edf", "day.edf", "short.edf"]
    night = table["a/b/night.edf"]
    assert (night["status"], night["reason"], night["seconds"]) == ("done", "", "12.00")
    assert int(night["events"]) == len(read_tsv(out / "a" / "b" / "night_events.tsv"))
    assert "shorter than a window of 4 s" in table["short.edf"]["notes"]
    for path in out.rglob("*"):
        if path.suffix in (".json", ".csv", ".tsv"):
            assert str(tmp_path) not in path.read_text()
            assert PATIENT.split()[1] not in path.read_text()


@pytest.mark.clause("BIDS kinds")
def test_what_is_a_recording_and_passed_over_is_noted(
    ward: Path, detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("c.edf.gz", "d.EDF.gz", "a/e.set", "sub-1_task-x_ecg.edf"):
        (ward / name).touch()
    words = ["--detector", str(detector), "--out"]
    assert main(["detect", str(ward), *words, str(tmp_path / "found")]) == 0
    assert list(rows(tmp_path / "found")) == ["a/b/night.edf", "day.edf", "short.edf"]
    kinds = (
        "no EEG by their names, passed over: 1 _ecg",
        "of formats that can't be read, passed over: 2 .edf.gz, 1 .set",
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[:-1] == [f"note: {ward}: {kind}" for kind in kinds]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "c.edf.gz").touch()
    assert main(["detect", str(tmp_path / "other"), *words, str(tmp_path / "none")]) == 1
    assert "passed over: 1 .edf.gz" in capsys.readouterr().err


@pytest.mark.clause("BIDS description")
@pytest.mark.clause("BIDS sidecars")
@pytest.mark.clause("BIDS derivatives")
def test_a_bids_folder_becomes_bids_derivatives(
    tiny_cohort: Path, detector: Path, tmp_path: Path
) -> None:
    out = tmp_path / "found"
    assert mark_folder([tiny_cohort], out, detector, ALL).done == 6
    base = "sub-01/ses-01/eeg/sub-01_ses-01_task-szMonitoring_run-00"
    assert (out / f"{base}_events.tsv").is_file()
    assert (out / f"{base}_desc-secateur_eeg.edf").is_file()
    described = json.loads((out / "dataset_description.json").read_text())
    assert (described["DatasetType"], described["BIDSVersion"]) == ("derivative", "1.9.0")
    by = described["GeneratedBy"][0]
    assert by["Detector"]["SHA256"] == hashlib.sha256(detector.read_bytes()).hexdigest()
    sidecar = json.loads((out / f"{base}_events.json").read_text())
    assert sidecar["GeneratedBy"] == [by]
    header = (out / f"{base}_events.tsv").read_text().splitlines()[0].split("\t")
    assert all(name in sidecar for name in header)


def test_a_bdf_file_gets_its_events_and_an_annotated_copy_that_is_bdf(
    detector: Path, tmp_path: Path
) -> None:
    numbers = np.random.default_rng(0).integers(-3000, 3000, (20, len(BIPOLAR_18), 256))
    source = tmp_path / "ward" / "night.bdf"
    source.parent.mkdir()
    write_bytes(source, BIPOLAR_18, list(numbers), bdf=True, reserved="24BIT")
    out = tmp_path / "found"
    assert mark_folder([source], out, detector, ALL).done == 1
    events = read_tsv(out / "night_events.tsv")
    marks = edfio.read_bdf(out / "night_events.bdf").annotations
    assert [(a.onset, a.duration) for a in marks] == [(e.onset, e.duration) for e in events]


def test_no_two_recordings_share_a_file(tmp_path: Path) -> None:
    names = ["night.edf", "night.bdf", "NIGHT_eeg.edf", "night_edf.edf", "x/night.edf", "Z001.txt"]
    folders = [tmp_path / "a" / "ward", tmp_path / "b" / "ward"]
    for folder in folders:
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()
    single = tmp_path / "night.edf"
    single.touch()
    for inputs, count in (([folders[0]], 6), ([*folders, single], 13), ([*folders] * 2, 12)):
        targets, _ = work_items(inputs, tmp_path / "out")
        assert len(targets) == count
        files = [str(path).casefold() for target in targets for path in target.files]
        assert len(set(files)) == len(files)
        assert len({target.name for target in targets}) == count
        assert work_items(inputs, tmp_path / "out")[0] == targets
    (item,), _ = work_items([single], tmp_path / "out")
    assert item.events == tmp_path / "out" / "night_events.tsv"
    assert {target.name.split("/")[0] for target in work_items(folders, tmp_path / "out")[0]} == {
        "ward",
        "ward-2",
    }


def test_a_rerun_does_what_is_missing_and_no_more(
    ward: Path, detector: Path, tmp_path: Path
) -> None:
    out = tmp_path / "found"
    mark_folder([ward], out, detector, ALL)
    before = contents(out)
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*_*")}
    (out / "day_events.tsv").unlink()
    (out / "short_events.edf").unlink()
    night = {path: time for path, time in times.items() if path.name.startswith("night")}
    assert len(night) == 5
    summary = mark_folder([ward], out, detector, ALL)
    assert [item.status for item in summary.outcomes] == ["already there", "done", "done"]
    assert contents(out) == before
    assert {path: path.stat().st_mtime_ns for path in night} == night
    assert times[out / "short_events.tsv"] == (out / "short_events.tsv").stat().st_mtime_ns

    recording(ward / "day.edf", 11, 7)  # another recording under the same name
    (ward / "late.edf").write_bytes((ward / "short.edf").read_bytes())
    summary = mark_folder([ward], out, detector, ALL)
    assert [item.status for item in summary.outcomes] == [
        "already there", "done", "done", "already there",
    ]  # fmt: skip
    assert read_tsv(out / "day_events.tsv").duration == 11


def test_the_tsv_of_one_recording_gives_way_to_that_of_another_with_a_note(
    ward: Path, detector: Path, tmp_path: Path
) -> None:
    first, second = sorted(ward.rglob("*.edf"))[:2]
    target = tmp_path / "x.tsv"
    assert mark_file(first, target, detector, ExecutionOptions()).notes == ()
    notes = mark_file(second, target, detector, ExecutionOptions()).notes
    assert f"in place of the events of {first.name}" in notes
    assert json.loads(target.with_suffix(".json").read_text())["Source"]["Path"] == second.name
    target.write_text(target.read_text() + "changed by hand\n")
    with pytest.raises(SettingsError, match="changed"):
        mark_file(first, target, detector, ExecutionOptions())


def test_another_detectors_folder_is_refused_unless_it_is_to_be_redone(
    ward: Path, detector: Path, tmp_path: Path
) -> None:
    out, other = tmp_path / "found", detector_file(tmp_path / "other.onnx", 0.9)
    mark_folder([ward], out, detector, ALL)
    before = contents(out)
    with pytest.raises(SettingsError, match=r"another detector .* or --redo"):
        mark_folder([ward], out, other, ALL)
    assert contents(out) == before
    redo = ExecutionOptions(ALL.outputs, redo=True)
    assert mark_folder([ward], out, other, redo).done == 3
    fresh = tmp_path / "fresh"
    mark_folder([ward], fresh, other, ALL)
    assert contents(out) == contents(fresh)
    renamed = tmp_path / "renamed.onnx"
    shutil.copy(other, renamed)
    assert mark_folder([ward], out, renamed, ALL).done == 0


def test_what_others_wrote_is_never_overwritten(ward: Path, detector: Path, tmp_path: Path) -> None:
    out = tmp_path / "found"
    out.mkdir()
    for name in ("day_events.tsv", "dataset_description.json"):
        (out / name).write_text("{}")
        for redo in (False, True):
            with pytest.raises(SettingsError, match="choose"):
                mark_folder([ward], out, detector, ExecutionOptions(redo=redo))
        assert [path.name for path in out.iterdir()] == [name]
        (out / name).unlink()
    with pytest.raises(SettingsError, match="is what is to be read"):
        mark_folder([ward], ward, detector, ALL)
    inside = ward / "derivatives" / "secateur"
    assert mark_folder([ward], inside, detector, ALL).done == 3
    assert mark_folder([ward], inside, detector, ALL).done == 0


def test_a_bad_recording_fails_alone_with_a_reason(
    ward: Path, detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (ward / "cut.edf").write_bytes((ward / "day.edf").read_bytes()[:700])
    write_edf(ward / "few.edf", eeg(8, [], 0, channels=3), BIPOLAR_18[:3])
    out = tmp_path / "found"
    words = ["detect", str(ward), "--detector", str(detector), "--out", str(out)]
    assert main([*words, "--workers", "2"]) == 1
    output = capsys.readouterr()
    assert output.err.splitlines()[-1] == (
        "secateur: 2 of 5 failed, the first cut.edf: " + rows(out)["cut.edf"]["reason"] + "; all "
        f"reasons: {out / 'summary.csv'}"
    )
    assert "3 of 5 recordings done" in output.out
    table = rows(out)
    assert {name: row["status"] for name, row in table.items()} == {
        "a/b/night.edf": "done", "cut.edf": "failed", "day.edf": "done", "few.edf": "failed",
        "short.edf": "done",
    }  # fmt: skip
    assert "cut off inside the header" in table["cut.edf"]["reason"]
    assert "lacks" in table["few.edf"]["reason"]
    assert not (out / "cut_events.tsv").exists()
    assert main(words) == 1
    assert rows(out)["day.edf"]["status"] == "already there"
    recording(ward / "cut.edf")
    (ward / "few.edf").unlink()
    assert main(words) == 0
    capsys.readouterr()


def test_a_recording_that_went_bad_loses_what_was_found_in_it(
    ward: Path, detector: Path, tmp_path: Path
) -> None:
    out = tmp_path / "found"
    mark_folder([ward], out, detector, ALL)
    (ward / "day.edf").write_bytes((ward / "day.edf").read_bytes()[:700])
    ((target, outcome),) = mark_folder([ward], out, detector, ALL).failed
    assert target.name == "day.edf"
    assert outcome.events is None
    assert not target.events.exists()


def test_a_recording_without_a_place_for_annotations_has_its_tsv(
    detector: Path, tmp_path: Path
) -> None:
    data = np.concatenate((eeg(8, [], 0), eeg(8, [], 1, channels=110)))
    folder = tmp_path / "wide"
    labels = [*BIPOLAR_18, *(f"X{k}" for k in range(110))]
    write_edf(folder / "wide.edf", data, labels)
    out = tmp_path / "found"
    low = detector_file(tmp_path / "low.onnx", 0.0)
    ((_, outcome),) = mark_folder([folder], out, low, ALL).failed
    assert "events are in the TSV" in outcome.reason
    assert "at most 61440" in outcome.reason
    assert (outcome.seconds, outcome.events) == (8, 1)
    assert (out / "wide_events.tsv").is_file()


def test_probabilities_are_the_largest_of_each_second() -> None:
    def seconds(begin: list[float], hop: float, probability: list[float], length: float) -> str:
        probabilities = WindowProbabilities(
            np.array(begin), np.array(probability), hop, length, None, ()
        )
        return " ".join("-" if np.isnan(p) else f"{p:g}" for p in per_second(probabilities))

    assert seconds([3, 4], 1, [0.1, 0.2], 5.5) == "- - - 0.1 0.2 -"
    assert seconds([2, 2.5, 3, 3.5], 0.5, [0.1, 0.3, 0.9, 0.2], 4) == "- - 0.3 0.9"
    assert seconds([2, 4], 2, [0.1, 0.3], 6) == "- - 0.1 0.1 0.3 0.3"
    assert seconds([], 1, [], 2) == "- -"


def start(*words: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "secateur", "detect", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def workers_of(process: int) -> list[int]:
    """Processes that `process` has spawned to work, not the one that tracks resources."""
    present = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
            words = (stat.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[1]) == process and b"spawn_main" in words and fields[0] != "Z":
            present.append(int(stat.parent.name))
    return present


@pytest.fixture(scope="module")
def thirty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("thirty") / "eeg"
    for k in range(30):
        recording(folder / f"ward-{k % 3}" / f"n{k}.edf", 60 + 30 * (k % 5), k)
    return folder


@pytest.fixture(scope="module")
def undisturbed(thirty: Path, detector: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed") / "found"
    assert mark_folder([thirty], out, detector, ALL).done == 30
    return out


@pytest.mark.slow
def test_killed_at_any_moment_nothing_is_half_written_and_a_rerun_ends_the_same(
    thirty: Path, detector: Path, undisturbed: Path, tmp_path: Path
) -> None:
    out, expected = tmp_path / "found", contents(undisturbed)
    words = (thirty, "--detector", detector, "--out", out, "--format", "tsv,edf", "--probabilities")
    generator = random.Random(5)
    stopped_in_mid_work = 0
    for workers in (1, 2, 2, 1, 2):
        with start(*words, "--workers", workers) as process:
            _wait_for_more(out, process)
            time.sleep(generator.random() * 0.15)
            with contextlib.suppress(ProcessLookupError):  # it was done sooner
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate(timeout=60)
        present = contents(out)
        for name, content in present.items():
            if not name.endswith(".lock") and ".part" not in name and name != "summary.csv":
                assert content == expected[name], name
        stopped_in_mid_work += len(list(out.rglob("*_events.tsv"))) < 30
    assert stopped_in_mid_work
    kill = "import os, sys, secateur.files as f\nwith f.replacing(sys.argv[1]):\n os.abort()"
    subprocess.run([sys.executable, "-c", kill, str(out / "x.edf")], stderr=subprocess.DEVNULL)
    (half,) = out.glob(".x*.part.edf")
    with replacing(out / "ward-0" / "n1_events.edf.bak") as own:  # a living writer's
        with start(*words, "--workers", 2) as process:
            _, output = process.communicate(timeout=120)
            assert process.returncode == 0, output
        assert not half.exists()
        assert own.exists()
    (out / "ward-0" / "n1_events.edf.bak").unlink()
    assert contents(out) == expected


def _wait_for_more(out: Path, process: subprocess.Popen[str]) -> None:
    """Until one more recording is done than there are now."""
    before = len(list(out.rglob("*_events.tsv")))
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if len(list(out.rglob("*_events.tsv"))) > before:
            return
        time.sleep(0.005)


@pytest.mark.slow
def test_a_worker_that_dies_takes_no_recording_with_it(
    thirty: Path, detector: Path, undisturbed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "found"
    words = (thirty, "--detector", detector, "--out", out, "--format", "tsv,edf", "--probabilities")
    with start(*words, "--workers", 2) as process:
        _wait_for_more(out, process)
        victims = workers_of(process.pid)
        assert victims
        os.kill(victims[0], signal.SIGKILL)
        _, output = process.communicate(timeout=120)
        assert process.returncode == 0, output
    assert contents(out) == contents(undisturbed)


@pytest.mark.slow
def test_the_commonest_reason_stands_at_the_end(
    ward: Path, detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("few.edf", "a/few.edf"):
        write_edf(ward / name, eeg(8, [], 0, channels=17), BIPOLAR_18[:17])
    out = tmp_path / "found"
    words = ["detect", str(ward), "--detector", str(detector), "--out", str(out)]
    assert main(words) == 1
    end = f"2 of 5 failed: {rows(out)['few.edf']['reason']}; all reasons: {out / 'summary.csv'}"
    assert capsys.readouterr().err.splitlines()[-1] == f"secateur: {end}"
    (ward / "cut.edf").write_bytes((ward / "day.edf").read_bytes()[:700])
    assert main(words) == 1
    end = end.replace("2 of 5 failed", "3 of 6 failed, 2 of them")
    assert capsys.readouterr().err.splitlines()[-1] == f"secateur: {end}"


@pytest.mark.parametrize("name", ["e.csv", "x.txt", "x.XLSX", "x.edf"])
def test_events_are_written_into_tsv_files_alone(
    ward: Path, detector: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / name
    words = ["detect", str(ward / "day.edf"), "--detector", str(detector), "--out", str(out)]
    assert main(words) == 1
    assert f"--out {out}: this writes .tsv files, or into a folder" in capsys.readouterr().err
    assert not out.exists()


def test_a_recording_that_kills_its_worker_fails_alone(
    thirty: Path, detector: Path, tmp_path: Path
) -> None:
    script = (
        "import os, sys\n"
        "from secateur.marking.worker import Worker\n"
        "from secateur.files import replacing, sha256_of_file\n"
        "mark = Worker.mark\n"
        "def deadly(self, item, *rest):\n"
        "    if item.name.endswith('n7.edf'):\n"
        "        with replacing(item.events) as beside:\n"
        "            beside.write_text('half')\n"
        "            os.kill(os.getpid(), 9)\n"
        "    return mark(self, item, *rest)\n"
        "Worker.mark = deadly\n"
        "from secateur.cli import main\n"
        "if __name__ == '__main__':\n"
        "    sys.exit(main(sys.argv[1:]))\n"
    )
    (tmp_path / "deadly.py").write_text(script)
    out = tmp_path / "found"
    words = ["detect", thirty, "--detector", detector, "--out", out, "--workers", 2]
    done = subprocess.run(
        [sys.executable, str(tmp_path / "deadly.py"), *map(str, words)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert "ward-1/n7.edf: the process that worked on it ended twice" in done.stderr
    assert not list(out.rglob("*.part*"))
    assert sum(row["status"] == "done" for row in rows(out).values()) == 29


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_finished_and_says_so(
    thirty: Path, detector: Path, undisturbed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "found"
    with start(thirty, "--detector", detector, "--out", out, "--workers", 2) as process:
        _wait_for_more(out, process)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
        _, output = process.communicate(timeout=60)
        assert process.returncode == 130, output
    assert "Traceback" not in output
    assert output.splitlines()[-1].startswith("secateur: interrupted")
    table = rows(out)
    assert len(table) == 30
    assert {row["status"] for row in table.values()} <= {"done", "waiting"}
    for name, row in table.items():
        if row["status"] == "done":
            tsv = Path(name).with_suffix("").as_posix() + "_events.tsv"
            assert (out / tsv).read_bytes() == (undisturbed / tsv).read_bytes()
    assert not list(out.rglob("*.part*"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["{ward}", "--out", "x.tsv"], "holds one recording's events"),
        (["{ward}/day.edf", "{ward}/short.edf", "--out", "x.tsv"], "holds one recording's events"),
        (["{ward}/day.edf", "--out", "x.tsv", "--format", "edf"], "holds one recording's events"),
        (["{ward}", "--out", "x", "--format", "xml"], "wanted tsv, or tsv,edf"),
        (["{ward}", "--out", "x", "--runtime", "magic"], "'onnxruntime', 'openvino'"),
        (["{ward}/none", "--out", "x"], "no such file or folder"),
        (["{ward}/day.tsv", "--out", "x"], "wanted a folder, or an .edf"),
        (["{empty}", "--out", "x"], "there is no recording in it"),
        (["--out", "x"], "wanted recordings or folders"),
        (["{ward}"], "and --out"),
        (["{ward}", "--data-root", "{ward}"], "go together"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(
    words: list[str],
    message: str,
    ward: Path,
    detector: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    filled = [word.format(ward=ward, empty=empty) for word in words]
    assert main(["detect", *filled, "--detector", str(detector)]) == 1
    output = [
        line for line in capsys.readouterr().err.splitlines() if line.startswith("secateur: ")
    ]
    assert len(output) == 1
    assert message in output[0]
    assert list(empty.iterdir()) == []


def test_a_folders_name_may_have_a_dot(ward: Path, detector: Path, tmp_path: Path) -> None:
    out = tmp_path / "found.2026"
    assert main(["detect", str(ward), "--detector", str(detector), "--out", str(out)]) == 0
    assert (out / "day_events.tsv").is_file()


def test_a_detector_that_is_none_leaves_no_folder(ward: Path, tmp_path: Path) -> None:
    with pytest.raises(SecateurError, match="not a detector"):
        mark_folder([ward], tmp_path / "found", ward / "day.edf", ALL)
    assert not (tmp_path / "found").exists()


def test_the_annotated_copy_tells_what_the_tsv_tells(
    ward: Path, detector: Path, tmp_path: Path
) -> None:
    out = tmp_path / "found"
    mark_folder([ward], out, detector, ALL)
    output = read_tsv(out / "a" / "b" / "night_events.tsv")
    marks = edfio.read_edf(out / "a" / "b" / "night_events.edf").annotations
    assert [(a.onset, a.duration) for a in marks] == [(e.onset, e.duration) for e in output]
    assert output == Events(tuple(Event(*_of(event)) for event in output), 12, output.start)


def _of(event: Event) -> tuple[float, float, str, float | None]:
    return event.onset, event.duration, event.kind, event.confidence


def replace_keeping_size_and_time(path: Path, other: Path) -> None:
    before = path.stat()
    assert other.stat().st_size == before.st_size
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)


def test_a_recording_replaced_by_one_of_equal_size_and_time_is_marked_anew(
    ward: Path, detector: Path, tmp_path: Path
) -> None:
    out, target = tmp_path / "out", tmp_path / "one.tsv"
    mark_folder([ward], out, detector, ALL)
    mark_file(ward / "day.edf", target, detector, ExecutionOptions())
    other = write_edf(tmp_path / "other.edf", 20 * eeg(9, [(0, 5)], 22), BIPOLAR_18)
    replace_keeping_size_and_time(ward / "day.edf", other)
    expected = load_detector(detector).detect(open_recording(ward / "day.edf")).tsv()
    assert expected != (out / "day_events.tsv").read_text() == target.read_text()
    summary = mark_folder([ward], out, detector, ALL)
    assert [outcome.status for outcome in summary.outcomes] == [THERE, "done", THERE]
    assert mark_file(ward / "day.edf", target, detector, ExecutionOptions()).status == "done"
    assert (out / "day_events.tsv").read_text() == target.read_text() == expected
    sidecar = json.loads((out / "day_events.json").read_text())
    assert sidecar["Source"]["SHA256"] == sha256_of_file(ward / "day.edf")


def test_a_rerun_reads_no_recording_that_has_not_changed(
    ward: Path, detector: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark_folder([ward], tmp_path / "out", detector, ALL)
    hashed: list[Path] = []
    monkeypatch.setattr("secateur.files.sha256_of_file", hashed.append)
    assert mark_folder([ward], tmp_path / "out", detector, ALL).count(THERE) == 3
    assert hashed == []


def test_a_recording_that_changes_while_it_is_read_is_not_marked(
    ward: Path, detector: Path, tmp_path: Path
) -> None:
    def change(done: float, total: float) -> None:
        os.utime(ward / "day.edf")

    with pytest.raises(RecordingError, match="changed while it was read"):
        mark_file(ward / "day.edf", tmp_path / "x.tsv", detector, ExecutionOptions(), change)
    assert not (tmp_path / "x.tsv").exists()


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str]:
    """The exit code, and what is printed but for progress."""
    code = main(["detect", *map(str, words)])
    printed = capsys.readouterr()
    errors = [line for line in printed.err.splitlines() if line.startswith("secateur: ")]
    return code, printed.out + "\n".join(errors)


def test_an_experts_tsv_is_not_overwritten_by_a_single_recordings(
    ward: Path, detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = ward / "day_events.tsv"
    expert = "onset\tduration\teventType\n1.00\t2.00\tsz_foc\n"
    target.write_text(expert)
    words = (ward / "day.edf", "--detector", detector, "--out", target)
    for redo in ((), ("--redo",)):
        code, text = run(capsys, *words, *redo)
        assert (code, text.count("\n")) == (1, 0)
        assert "not made by `secateur detect`" in text
        assert target.read_text() == expert
    target.unlink()
    (ward / "day_events.json").write_text("{}")  # a data set's own description of its events
    assert run(capsys, *words)[0] == 1
    assert (ward / "day_events.json").read_text() == "{}"
    assert {path.name for path in ward.iterdir()} == {
        "a", "day.edf", "day.tsv", "day_events.json", "notes.txt", "short.edf",
    }  # fmt: skip


def test_a_single_recordings_tsv_belongs_to_one_detector(
    ward: Path, detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target, other = tmp_path / "x.tsv", detector_file(tmp_path / "other.onnx", 0.9)
    day, short = ward / "day.edf", ward / "short.edf"
    assert "; written: " in run(capsys, day, "--detector", detector, "--out", target)[1]
    before = target.stat().st_mtime_ns
    code, text = run(capsys, day, "--detector", detector, "--out", target)
    assert (code, "; already there: " in text) == (0, True)
    code, text = run(capsys, day, "--detector", other, "--out", target)
    assert (code, "another detector" in text, "--redo" in text) == (1, True, True)
    assert target.stat().st_mtime_ns == before
    code, text = run(capsys, short, "--detector", detector, "--out", target)
    assert (code, "note: in place of the events of day.edf" in text) == (0, True)
    assert run(capsys, short, "--detector", other, "--out", target, "--redo")[0] == 0
    assert read_tsv(target).duration == 2
    assert {path.name for path in tmp_path.iterdir()} == {"ward", "other.onnx", "x.tsv", "x.json"}


def test_what_stands_beside_a_single_recordings_tsv_is_left_alone(
    ward: Path, detector: Path, tmp_path: Path
) -> None:
    """A folder's detection would write, and clear, files of these names."""
    source = recording(tmp_path / "x_events.edf")
    for name in ("x_probabilities.tsv", "x_probabilities.json"):
        (tmp_path / name).write_text("somebody's")
    options = ExecutionOptions(redo=True)
    for _ in range(2):
        mark_file(source, tmp_path / "x_events.tsv", detector, options)
    assert source.is_file()
    assert (tmp_path / "x_probabilities.tsv").read_text() == "somebody's"


def test_corrected_events_are_kept_and_never_overwritten(
    ward: Path, detector: Path, tmp_path: Path
) -> None:
    out, target = tmp_path / "out", tmp_path / "one.tsv"
    mark_folder([ward], out, detector, ExecutionOptions())
    mark_file(ward / "day.edf", target, detector, ExecutionOptions())
    corrected = Events((Event(1, 2),), 9).tsv()
    for path in (target, out / "day_events.tsv"):
        path.write_text(corrected)
    assert mark_folder([ward], out, detector, ExecutionOptions()).count(THERE) == 3
    ((item, outcome),) = mark_folder([ward], out, detector, ExecutionOptions(redo=True)).failed
    assert (item.name, "changed by somebody" in outcome.reason) == ("day.edf", True)
    recording(ward / "day.edf", 11, 7)
    assert len(mark_folder([ward], out, detector, ExecutionOptions()).failed) == 1
    with pytest.raises(SettingsError, match="changed by somebody"):
        mark_file(ward / "day.edf", target, detector, ExecutionOptions())
    for path in (target, out / "day_events.tsv"):
        assert path.read_text() == corrected
        path.unlink()
    assert mark_folder([ward], out, detector, ExecutionOptions()).done == 1


def test_two_at_once_into_one_folder_or_file_are_refused(
    ward: Path, detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, target = tmp_path / "out", tmp_path / "x.tsv"
    refused: list[str] = []

    def second(*words: object) -> None:
        before = contents(tmp_path)
        code, text = run(capsys, *words, "--detector", detector)
        assert (code, text.count("\n")) == (1, 0)
        assert contents(tmp_path) == before
        refused.append(text)

    def into_the_folder(done: float, total: float) -> None:
        if total > 0:  # before, the recordings are listed, and nothing is written yet
            second(ward, "--out", out)

    def into_the_file(done: float, total: float) -> None:
        second(ward / "day.edf", "--out", target)

    mark_folder([ward], out, detector, ExecutionOptions(), into_the_folder)
    mark_file(ward / "day.edf", target, detector, ExecutionOptions(), into_the_file)
    assert refused
    assert all("another `secateur detect` is writing it" in text for text in refused)
    assert not list(tmp_path.rglob("*.lock"))
    mark_file(ward / "short.edf", tmp_path / "y.tsv", detector, ExecutionOptions())


def test_a_detector_that_was_replaced_since_the_work_began_marks_nothing(
    ward: Path, detector: Path, tmp_path: Path
) -> None:
    path = tmp_path / "d.onnx"
    shutil.copy(detector, path)
    options = ExecutionOptions()
    worker = Worker(path, options)
    detector_file(path, 0.9)
    item = WorkItem(ward / "day.edf", "day.edf", tmp_path / "x_events.tsv")
    outcome = worker.attempt(item, None, lambda done, total: None)
    assert outcome.status == "failed"
    assert outcome.reason == "d.onnx: is another detector than when the work began; begin again"
    assert not item.events.exists()


def test_reasons_hold_no_local_path(tmp_path: Path) -> None:
    source = tmp_path / "Anna B" / "night.edf"
    for error, reason in (
        (RecordingError(source, "its /data/anna/x.eeg is gone"), "its x.eeg is gone"),
        (DetectorError(f"{source}: is odd"), "is odd"),
        (ValueError(f"bad\n{source} and '/home/anna/b.edf'"), "ValueError: bad night.edf and 'b.edf'"),
        (OSError(5, "Input/output error", str(source)), "Input/output error"),
        (RecordingError(source, "T3/T7 in µV/mV, and/or 1/4"), "T3/T7 in µV/mV, and/or 1/4"),
        (KeyError("C:\\Users\\anna\\x.edf"), "KeyError: 'x.edf'"),
    ):  # fmt: skip
        assert failure(error, source).reason == reason


def test_how_recordings_are_read_is_part_of_what_generated_the_events(
    detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (recording(tmp_path / "x.edf"), "--detector", detector, "--out", tmp_path / "x.tsv")
    assert run(capsys, *words, "--gaps", "refuse")[0] == 0
    by = json.loads((tmp_path / "x.json").read_text())["GeneratedBy"][0]
    assert by["Reading"] == {"gaps": "refuse"}
    code, text = run(capsys, *words)
    assert (code, "another --rename, --gaps or --force" in text) == (1, True)
    assert run(capsys, *words, "--redo")[0] == 0
    assert "Reading" not in (tmp_path / "x.json").read_text()
    for wrong in ("x", "=y", "x="):
        assert "wanted old=new" in run(capsys, *words, "--rename", wrong)[1]


def test_a_label_that_is_renamed_takes_its_channels_place(
    detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = write_edf(tmp_path / "x.edf", eeg(8, [(2, 6)], 0), ["Electrode 1", *BIPOLAR_18[1:]])
    words = (odd, "--detector", detector, "--out", tmp_path / "x.tsv")
    assert run(capsys, *words)[0] == 1
    assert not (tmp_path / "x.tsv").exists()
    assert run(capsys, *words, "--rename", f"Electrode 1={BIPOLAR_18[0]}")[0] == 0
    plain = load_detector(detector).detect(open_recording(recording(tmp_path / "plain.edf")))
    assert (tmp_path / "x.tsv").read_text() == plain.tsv()


def test_of_many_recordings_those_are_renamed_that_have_the_label(
    detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "eeg"
    write_edf(folder / "x.edf", eeg(8, [(2, 6)], 0), ["Electrode 1", *BIPOLAR_18[1:]])
    write_edf(folder / "y.edf", eeg(8, [(2, 6)], 0), BIPOLAR_18)
    words = (folder, "--detector", detector, "--out", tmp_path / "out")
    code, text = run(capsys, *words, "--rename", f"Electrode 1={BIPOLAR_18[0]}")
    assert code == 0, text
    tables = [(tmp_path / "out" / f"{name}_events.tsv").read_text() for name in "xy"]
    assert tables[0] == tables[1]
    sidecar = json.loads((tmp_path / "out" / "y_events.json").read_text())
    assert "has no channel Electrode 1 to rename" in sidecar["Notes"]


@pytest.mark.slow
def test_of_two_processes_begun_at_once_in_one_folder_one_works_and_one_says_why_not(
    thirty: Path, detector: Path, undisturbed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "found"
    words = (thirty, "--detector", detector, "--out", out, "--format", "tsv,edf", "--probabilities")
    both = [start(*words, "--workers", 1) for _ in range(2)]
    ended = sorted((process.communicate(timeout=120)[1], process.returncode) for process in both)
    assert sorted(code for _, code in ended) == [0, 1]
    (error,) = (text for text, code in ended if code == 1)
    assert error.splitlines()[-1] == (f"secateur: {out}: another `secateur detect` is writing it")
    assert contents(out) == contents(undisturbed)


def test_a_rate_too_low_for_the_band_is_refused_and_with_force_noted(
    detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    slow = write_edf(tmp_path / "slow.edf", eeg(16, [(2, 6)], 0)[:, ::8], BIPOLAR_18, rate=32)
    words = (slow, "--detector", detector, "--out", tmp_path / "slow.tsv")
    code, text = run(capsys, *words)
    assert (code, text.count("\n"), "32 Hz" in text) == (1, 0, True)
    assert not (tmp_path / "slow.tsv").exists()
    code, text = run(capsys, *words, "--force")
    assert (code, "note: " in text, "32 Hz" in text) == (0, True, True)
    assert read_tsv(tmp_path / "slow.tsv").duration == 16
    out = tmp_path / "out"
    ((_, outcome),) = mark_folder([slow], out, detector, ExecutionOptions()).failed
    assert "32 Hz" in outcome.reason
