"""`secateur explain`: pages and tables of a folder's events, resumed; what can't be explained in one line."""

from __future__ import annotations

import json
import re
import shutil
from datetime import date, time
from pathlib import Path
from typing import Any

import edfio
import numpy as np
import pytest

from secateur.cli import main
from secateur.detectors import write_detector
from secateur.detectors.eight_bits import quantise
from secateur.events import Event, Events, read_tsv
from secateur.networks import to_onnx
from secateur.recordings import ArrayRecording
from tests.support.cohorts import write_edf
from tests.support.explained import built, looking_at, noise, opened, recording_of


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector that calls nothing by itself, on the longitudinal pairs."""
    path = tmp_path_factory.mktemp("detector") / "d.onnx"
    info = opened(looking_at(2, 18), 0.999999, montage="bipolar-18", channels=()).info
    write_detector(path, looking_at(2, 18), info)
    return path


def edf_and_events(cohort: Path, number: int = 0) -> tuple[Path, Path]:
    edf = sorted(cohort.rglob("*.edf"))[number]
    return edf, edf.with_name(edf.name.replace("_eeg.edf", "_events.tsv"))


def explain(*words: object) -> int:
    return main(["explain", *map(str, words)])


def test_a_recordings_events_get_a_page_a_json_and_a_table(
    tiny_cohort: Path, detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edf, tsv = edf_and_events(tiny_cohort)
    out = tmp_path / "why"
    assert explain(edf, "--detector", detector, "--events", tsv, "--out", out) == 0
    count = len(read_tsv(tsv))
    assert f"{count} event" in capsys.readouterr().out
    stem = edf.name.removesuffix("_eeg.edf")
    content = json.loads((out / f"{stem}_event-01_explanation.json").read_text())
    assert content["method"] == "gradient"
    assert len(content["attribution"]) == 18
    assert len(content["attribution"][0]) == len(content["seconds"])
    assert max(content["channels"], key=content["channels"].get) == list(content["channels"])[2]
    assert sum(content["channels"].values()) == pytest.approx(
        sum(content["bySecond"]), rel=1e-3, abs=1e-4
    )
    table = (out / f"{stem}_event-01_explanation.tsv").read_text().splitlines()
    assert table[0].split("\t")[:2] == ["second", "all"]
    assert len(table) == len(content["seconds"]) + 1
    page = (out / f"{stem}_explanation.html").read_text()
    assert "not a medical device" in page
    assert not re.search(r"https?://|<script|<img", page)
    assert page.count("<section>") == count
    names = re.findall(r'class="electrode-name">(\w+)<', page)
    assert {"Fp1", "Cz", "T3", "O2"} <= set(names)
    assert "focus" not in page.lower()
    assert "onset zone" not in page.lower()


def test_figures_are_drawn_for_each_event_and_those_of_earlier_events_go(
    tiny_cohort: Path, detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    edf, _ = edf_and_events(tiny_cohort)
    words = [edf, "--detector", detector, "--out", tmp_path]
    assert explain(*words, "--at", 20, "--at", 30, "--figures") == 0
    pictures = sorted(tmp_path.glob("*_explanation.png"))
    assert [path.stem[-14:] for path in pictures] == ["01_explanation", "02_explanation"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in pictures)
    assert pictures[0].read_bytes() != pictures[1].read_bytes()
    before = pictures[0].read_bytes()
    assert explain(*words, "--at", 20, "--at", 30, "--figures", "--redo") == 0
    assert pictures[0].read_bytes() == before
    assert explain(*words, "--at", 20) == 0
    assert "already there" not in capsys.readouterr().out
    assert sorted(path.suffix for path in tmp_path.glob("*_event-*")) == [".json", ".tsv"]


@pytest.mark.parametrize("method", ["contributions", "bands", "shap"])
def test_every_method_has_a_figure(method: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from secateur.reporting.explanation import explanation_png

    names = ["FP1-F7", "Fp1-REF", "EMG", "T8"]
    source = recording_of(60, 4)
    file = opened(looking_at(2), 0.999, channels=tuple(names))
    recording = ArrayRecording(source.read(), 256.0, names)
    why = file.explain(recording, 20.0, method=method, players="channels", references=1)
    assert explanation_png(why, "a title").startswith(b"\x89PNG")


def test_what_is_there_is_not_done_again_and_other_settings_are(
    tiny_cohort: Path, detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edf, tsv = edf_and_events(tiny_cohort)
    words = [edf, "--detector", detector, "--events", tsv, "--out", tmp_path]
    assert explain(*words) == 0
    (page,) = tmp_path.glob("*.html")
    before = page.stat().st_mtime_ns
    capsys.readouterr()
    assert explain(*words) == 0
    assert "1 already there" in capsys.readouterr().out
    assert page.stat().st_mtime_ns == before
    assert explain(*words, "--method", "contributions") == 0
    assert "already there" not in capsys.readouterr().out
    assert page.stat().st_mtime_ns != before


def test_a_folder_is_explained_by_the_events_that_detect_wrote_in_processes(
    tiny_cohort: Path, detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ward, marked, out = (tmp_path / name for name in ("ward", "marked", "why"))
    ward.mkdir()
    for number in range(2):
        edf, _ = edf_and_events(tiny_cohort, number)
        (ward / edf.name).write_bytes(edf.read_bytes())
    assert main(["detect", str(ward), "--detector", str(detector), "--out", str(marked)]) == 0
    words = [ward, "--detector", detector, "--events", marked, "--out", out, "--workers", 2]
    capsys.readouterr()
    (ward / "c.edf.gz").touch()
    assert explain(*words) == 0
    printed = capsys.readouterr().out
    assert "of 2 recordings explained; written" in printed
    assert "formats that can't be read, passed over: 1 .edf.gz" in printed
    assert len(list(out.rglob("*_explanation.html"))) == 2
    assert explain(*words) == 0
    assert "2 already there" in capsys.readouterr().out


def test_of_a_folder_notes_and_failures_name_their_recordings_each_reason_once(
    tiny_cohort: Path, detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ward, found = tmp_path / "ward", tmp_path / "found"
    edf, tsv = edf_and_events(tiny_cohort)
    for name in ("a", "b", "c"):
        write_edf(ward / f"{name}.edf", np.zeros((1, 256 * 20)), ["ECG"])
    shutil.copy(edf, ward / "night.edf")
    (ward / "night.edf.gz").touch()
    found.mkdir()
    shutil.copy(tsv, found / "night_events.tsv")
    assert explain(ward, "--detector", detector, "--events", found, "--out", tmp_path / "why") == 1
    out = capsys.readouterr()
    assert "failed: a.edf and 2 more: no table of its events in --events" in out.out
    assert "passed over: 1 .edf.gz" in out.out
    assert "3 of 4 recordings failed" in out.err


def test_a_time_is_explained_by_any_method(
    tiny_cohort: Path, detector: Path, tmp_path: Path
) -> None:
    edf, _ = edf_and_events(tiny_cohort)
    words = [edf, "--detector", detector, "--at", 20, "--method", "shap", "--samples", 300]
    assert explain(*words, "--references", 1, "--out", tmp_path) == 0
    (content,) = tmp_path.glob("*_event-01_explanation.json")
    assert json.loads(content.read_text())["completeness"] == pytest.approx(1, abs=1e-3)


def test_events_that_begin_at_another_time_of_day_are_refused(
    tiny_cohort: Path, detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, tsv = edf_and_events(tiny_cohort)
    dated = edfio.read_edf(source)
    dated.startdate, dated.starttime = date(2020, 3, 1), time(9, 30)
    edf, events = tmp_path / "night.edf", tmp_path / "night_events.tsv"
    dated.write(edf)
    words = [edf, "--detector", detector, "--events", events, "--out", tmp_path / "why"]
    for began, status in (("2020-03-01 10:30:00", 1), ("1999-03-01 09:30:00", 0)):
        events.write_text(tsv.read_text().replace("2000-01-01 00:00:00", began))
        assert explain(*words) == status
    assert (
        "night_events.tsv: dateTime is 2020-03-01 10:30:00, the recording began at 2020-03-01 "
        in (capsys.readouterr().err)
    )


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--at", "5000"], "lies outside of the recording, which lasts 60 s"),
        (["--at", "-3"], "at -3 s: wanted a time in seconds, 0 or later"),
        (["--at", "20", "--method", "shap", "--samples", "0"], "samples"),
        (["--at", "20", "--events", "x.tsv"], "--events and --at: one or the other"),
        (["--events", "absent.tsv"], "there is no such file or folder"),
        (["--method", "lime"], "lime"),
    ],
)
def test_what_cannot_be_explained_is_one_line(
    words: list[str],
    reason: str,
    tiny_cohort: Path,
    detector: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    edf, _ = edf_and_events(tiny_cohort)
    assert explain(edf, "--detector", detector, "--out", tmp_path / "why", *words) == 1
    error = capsys.readouterr().err
    refusals = [line for line in error.splitlines() if line.startswith("secateur: ")]
    assert len(refusals) == 1
    assert reason in refusals[0]
    assert str(edf.parent) not in error


def test_the_events_of_another_recording_are_refused(
    tiny_cohort: Path, detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edf, _ = edf_and_events(tiny_cohort)
    other = tmp_path / "other_events.tsv"
    Events((Event(10, 5),), 4000.0).write_tsv(other)
    assert explain(edf, "--detector", detector, "--events", other, "--out", tmp_path / "w") == 1
    assert "are these the events of another recording?" in capsys.readouterr().err


def test_a_network_without_average_is_refused_contributions_in_one_line(
    tiny_cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edf, _ = edf_and_events(tiny_cohort)
    model = to_onnx(built("eegnet"))
    path = tmp_path / "e.onnx"
    write_detector(path, model, opened(model, montage="bipolar-18", channels=()).info)
    words: list[Any] = [edf, "--detector", path, "--at", 20, "--method", "contributions"]
    assert explain(*words, "--out", tmp_path / "w") == 1
    assert "end in an average over time and a linear layer" in capsys.readouterr().err


def test_files_that_are_not_explanations_are_left_alone(
    tiny_cohort: Path, detector: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edf, tsv = edf_and_events(tiny_cohort)
    page = tmp_path / f"{edf.name.removesuffix('_eeg.edf')}_explanation.html"
    page.write_text("mine")
    assert explain(edf, "--detector", detector, "--events", tsv, "--out", tmp_path) == 1
    assert "not made by `secateur explain`" in capsys.readouterr().err
    assert page.read_text() == "mine"


def test_detect_puts_channels_and_bands_of_each_event_beside_it(
    tiny_cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = looking_at(2, 18)
    path, out, ward = tmp_path / "eager.onnx", tmp_path / "found", tmp_path / "ward"
    eager = opened(model, 0.0, montage="bipolar-18", channels=()).info  # calls whatever comes
    write_detector(path, model, eager)
    edf, _ = edf_and_events(tiny_cohort)
    ward.mkdir()
    (ward / edf.name).write_bytes(edf.read_bytes())
    words = ["detect", str(ward), "--detector", str(path), "--out", str(out)]
    assert main(words) == 0
    (tsv,) = out.glob("*_events.tsv")
    plain = tsv.read_text().splitlines()
    assert main([*words, "--explain"]) == 0
    assert "1 of 1 recordings done" in capsys.readouterr().out
    rows = [line.split("\t") for line in tsv.read_text().splitlines()]
    assert rows[0][-2:] == ["attributionChannels", "attributionBands"]
    assert ["\t".join(row[:-2]) for row in rows] == plain
    events = read_tsv(tsv)
    assert len(rows) == len(events) + 1
    (content,) = out.glob("*_attributions.json")
    explained = json.loads(content.read_text())["Events"]
    assert len(explained) == len(events)
    strongest = max(explained[0]["channels"], key=explained[0]["channels"].get)
    if explained[0]["channels"][strongest] > 0:
        assert rows[1][-2].split(",")[0] == strongest
    sidecar = json.loads(tsv.with_suffix(".json").read_text())
    assert "nothing of where a seizure begins" in sidecar["attributionChannels"]["Description"]
    assert main([*words, "--explain"]) == 0
    assert "1 already there" in capsys.readouterr().out


def test_detect_refuses_to_explain_by_a_file_in_8_bits(
    tiny_cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = quantise(to_onnx(built("valid")), [noise(4, 18, 1024)])
    path = tmp_path / "e.onnx"
    write_detector(path, model, opened(model, montage="bipolar-18", channels=()).info)
    words = [str(tiny_cohort), "--detector", str(path), "--out", str(tmp_path / "o"), "--explain"]
    assert main(["detect", *words]) == 1
    assert "is in 8 bits, through which no gradient goes" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()
