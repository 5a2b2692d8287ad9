"""`secateur evaluate --background`: false alarms on people who have no seizures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from secateur.cli import main
from secateur.detectors import load_detector
from secateur.errors import CohortError, EventsError
from secateur.recordings import load_cohort
from secateur.recordings.montage import BIPOLAR_18
from secateur.runs import RunOutput
from tests.support.cohorts import eeg, write_edf
from tests.support.pages import Page


@pytest.fixture(scope="module")
def controls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three people, two recordings each, nothing beside them."""
    folder = tmp_path_factory.mktemp("controls")
    for person in range(3):
        for run in range(2):
            seizure = [(20.0, 50.0)] if person == 1 else []  # one person's EEG looks like seizures
            write_edf(
                folder / f"p{person}_{run}.edf", eeg(90, seizure, 7 * person + run), BIPOLAR_18
            )
    return folder


def evaluate(*words: object) -> int:
    return main(["evaluate", *map(str, words)])


def test_false_alarms_alone(
    tiny_run: RunOutput, controls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    detector = tiny_run.folder.detector("baseline")
    assert (
        evaluate("--detector", detector, "--background", f"tuh={controls}", "--out", tmp_path) == 0
    )
    report = json.loads((tmp_path / "evaluation.json").read_text())
    assert "test" not in report
    (background,) = report["background"]
    (counted,) = background["test"]["false_alarms"]
    assert (counted["data"], counted["declared_seizure_free"]) == ("tuh", True)
    assert counted["hours"] == pytest.approx(6 * 90 / 3600)
    assert sorted(counted["subjects"]) == ["tuh/p0", "tuh/p1", "tuh/p2"]
    assert sum(each["alarms"] for each in counted["subjects"].values()) == counted["alarms"]
    assert counted["alarms"] == background["test"]["events"]["fp"] > 0
    assert counted["interval"][0] < counted["per_day"] < counted["limit"] < counted["interval"][1]
    assert 0 < counted["window_share"] < 1
    assert "as the user says; 6 of 6 recordings" in background["data"]["notes"][-1]
    printed = capsys.readouterr().out
    assert "alarms where there is no seizure" in printed
    assert "at most (one-sided 95 %)" in " ".join(printed.split())
    assert "most alarms on tuh: tuh/p1" in printed


def test_beside_data_with_seizures(
    tiny_run: RunOutput, tiny_cohort: Path, controls: Path, tmp_path: Path
) -> None:
    detector = tiny_run.folder.detector("baseline")
    words = ("--data", tiny_cohort, "--background", f"tuh={controls}", "--out", tmp_path / "e.json")
    page = tmp_path / "e.html"
    assert evaluate("--detector", detector, *words, "--page", page) == 0
    shown = Page(page.read_text(encoding="utf-8"))
    assert shown.open == []
    assert "tuh, declared free of seizures" in shown.text
    assert "sensitivity by event" in shown.text
    assert "tuh (free of seizures, as the user says, 0.15 h looked at)" in str(shown.all("svg"))
    assert evaluate("--detector", detector, *words, "--page", tmp_path / "e.txt") == 1
    report = json.loads((tmp_path / "e.json").read_text())
    (own,) = report["test"]["false_alarms"]
    assert own["declared_seizure_free"] is False
    assert own["hours"] == pytest.approx(6 * (60 - 22) / 3600)
    assert report["background"][0]["data"]["background"] == "free of seizures, as the user says"
    # seizures of one folder and alarms on the other, at the same thresholds
    froc = report["froc"]
    opened = load_detector(detector)
    at = froc["thresholds"].index(opened.threshold)
    events = report["test"]["events"]
    assert (froc["found"][at], froc["seizures"]) == (events["tp"], events["ref"])
    assert froc["alarms"]["Tiny cohort"][at] == own["alarms"]
    (quiet,) = report["background"][0]["test"]["false_alarms"]
    assert froc["alarms"][quiet["data"]][at] == quiet["alarms"]
    assert froc["hours"][quiet["data"]] == pytest.approx(quiet["hours"])
    assert froc["backgrounds"][quiet["data"]] == "free of seizures, as the user says"
    assert all(len(counts) == len(froc["thresholds"]) for counts in froc["alarms"].values())


def test_what_is_no_background_is_refused_in_a_line(
    tiny_run: RunOutput, tiny_cohort: Path, controls: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    detector = tiny_run.folder.detector("baseline")
    for words, why in (
        ((), "wanted --data FOLDER, --background FOLDER or both"),
        (("--data", controls, "--background", controls), "is --data and --background"),
        (
            ("--background", controls, "--background", f"b={controls}"),
            "--background names it twice; name each folder once",
        ),
        (
            ("--background", tiny_cohort),
            "is declared free of seizures, and 6 of its recordings have",
        ),
    ):
        assert evaluate("--detector", detector, *words) == 1
        (line,) = capsys.readouterr().err.strip().splitlines()[-1:]
        assert why in line


def test_a_declared_folder_needs_no_list_of_seizures(controls: Path, layouts: Path) -> None:
    with pytest.raises(EventsError, match="no events beside it"):
        load_cohort(controls, strict=True)
    cohort = load_cohort(controls, seizure_free=True)
    assert cohort.seizure_free
    assert len(cohort) == 6
    assert cohort.seizures == 0
    # a data set's own list still counts
    with pytest.raises(CohortError, match="declared free of seizures"):
        load_cohort(layouts / "chbmit", seizure_free=True)


@pytest.mark.parametrize("verb", ["inspect", "prepare"])
def test_background_is_looked_at_and_prepared_alone(
    controls: Path, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([verb, str(controls)]) == 1
    assert "if nobody in it has a seizure, give it as --background" in capsys.readouterr().err
    assert main([verb, str(controls), "--background"]) == 0
    assert "6" in capsys.readouterr().out


def test_of_other_electrodes_is_said_what_a_detector_would_have_to_take(
    tiny_run: RunOutput, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    six = ("F7-T3", "T3-T5", "T5-O1", "F8-T4", "T4-T6", "T6-O2")
    write_edf(tmp_path / "few" / "p0.edf", eeg(60, [], 0)[:6], six)
    detector = tiny_run.folder.detector("baseline")
    assert (
        evaluate("--detector", detector, "--background", tmp_path / "few", "--out", tmp_path) == 1
    )
    message = capsys.readouterr().err
    assert "montage bipolar-18 lacks" in message
    assert message.partition("--montage ")[2].split()[0] == ",".join(six)
    write_edf(tmp_path / "few" / "p1.edf", eeg(60, [], 0)[:6], six)
    write_edf(tmp_path / "first" / "p2.edf", eeg(60, [], 0), BIPOLAR_18)
    data = ("--background", tmp_path / "first", "--background", tmp_path / "few")
    assert evaluate("--detector", detector, *data, "--out", tmp_path) == 1
    message = capsys.readouterr().err
    assert "first: " not in message  # nothing is judged before it is known that all can be
    assert "2 of 2 recordings can't be judged, this is the first" in message
