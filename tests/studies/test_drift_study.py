"""A study of drift: what its file may ask, one pass for all networks, and answers from days that are
known.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from secateur.detectors import Detector, load_detector
from secateur.errors import RunError, SettingsError
from secateur.monitoring.recording import detect_and_sketch
from secateur.monitoring.sketch import SavedHour
from secateur.recordings import ArrayRecording
from secateur.recordings.simulated import simulate_subject
from secateur.recordings.simulated.drifts import Drift
from secateur.reporting.drift_study import cheapest, drift_document
from secateur.reporting.render import html, markdown
from secateur.results.drift_study import NetworkDay, RelearnedOn
from secateur.runs import RunOutput, Source
from secateur.studies.drift import answers, following
from secateur.studies.drift.answers import Followed, findings_of
from secateur.studies.drift.days import DayRecord, score_day
from secateur.studies.drift.engine import DriftOptions, _who_tries, carry_out_drift
from secateur.studies.drift.settings import DriftStudy, Policies, read_drift_study
from secateur.studies.drift.trials import Trials, Tried
from tests.support.cohorts import write_cohort

SHIPPED = Path(__file__).parents[2] / "studies" / "drift.toml"
SMALL = """
kind = "drift"
question = "Does it hold?"
seeds = [1]
ratios = [0.5]
[cohort]
subjects = 4
hours = 0.05
[patients]
patients = 1
days = 9
stretches = 6
seconds = 64
[[drift]]
kind = "gain"
onset = 8
subjects = [1]
[relearning]
minutes = [5.0]
epochs = [1]
judged_days = 1
[policies]
networks = ["0.5"]
method = "bn"
minutes = 5.0
[settings.network]
widths = [2, 3, 4]
[settings.training]
epochs = 1
windows_per_epoch = 64
recalibration = 2
[settings.split]
validation = 0.25
test = 0.25
"""


def study(folder: Path, text: str = SMALL) -> DriftStudy:
    path = folder / "asked.toml"
    path.write_text(textwrap.dedent(text))
    asked = read_drift_study(path)
    assert asked is not None
    return asked


def test_the_shipped_study_is_what_was_planned() -> None:
    shipped, quick = (read_drift_study(SHIPPED, quick) for quick in (False, True))
    assert shipped is not None
    assert quick is not None
    assert (shipped.patients.patients, shipped.patients.days, len(shipped.seeds)) == (20, 28, 3)
    assert shipped.networks[:4] == ("baseline", "0.5", "0.9", "0.95")
    assert not shipped.reduced
    steady = [k for k in range(20) if not shipped.patients_of(1).drifts_of(k)]
    assert steady == [0, 1, 2, 3]
    tries = _who_tries(shipped, 1)
    kinds = {drift.kind for k in tries for drift in shipped.patients_of(1).drifts_of(k)}
    assert len(tries) == 6
    assert len(kinds) >= 5
    assert quick.reduced


def test_other_studies_are_left_to_others(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text('question = "?"\n[axes]\nseed = [1]\n')
    assert read_drift_study(tmp_path / "other.toml") is None


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('networks = ["0.5"]', 'networks = ["0.7"]', "policies.networks names 0.7"),
        ("onset = 8", "onset = 80", "onset on day 80"),
        ("ratios = [0.5]", "ratios = [1.5]", "wanted less than 1"),
        ('method = "bn"', 'method = "all"', "policies.method: wanted one of"),
        ("days = 9", "weeks = 9", "patients.weeks is no setting"),
    ],
)
def test_what_cannot_be_meant_is_one_line(
    before: str, after: str, words: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=words) as refused:
        study(tmp_path, SMALL.replace(before, after))
    assert "\n" not in str(refused.value)


def test_one_pass_gives_every_network_what_it_gives_by_itself(tiny_run: RunOutput) -> None:
    detectors = {
        name: load_detector(tiny_run.folder.detector(name)) for name in ("baseline", "pruned")
    }
    recordings = [replace(run, start=run.start) for run in simulate_subject(0, 0.05, 3)]
    record = score_day(1, recordings, detectors)
    for name, detector in detectors.items():
        (run,) = recordings
        source = ArrayRecording(run.data, run.sampling_rate, run.channels, start=run.start)
        detected = detect_and_sketch(detector, source)
        expected = [SavedHour.of(hour, 0).model_dump(mode="json") for hour in detected.hours]
        assert list(record.hours[name]) == expected
        assert sum(hour.alarms for hour in record.sketches(name)) == len(detected.events)
        assert len(detected.probabilities.probability) == sum(
            hour.windows for hour in record.sketches(name)
        )
    assert record == DayRecord.model_validate_json(record.model_dump_json())


def a_day(day: int, values: dict[str, float | None], learned: tuple[str, ...] = ()) -> DayRecord:
    return DayRecord(
        day=day,
        networks={
            name: NetworkDay(
                auroc=value,
                macro_f1=value,
                hits=1,
                seizures=2 if value is not None else 0,
                false_alarms=day % 2,
                free_hours=12,
            )
            for name, value in values.items()
        },
        setup={},
        hours={},
        relearned={name: RelearnedOn(minutes=10, processor_seconds=1, macs=5) for name in learned},
    )


def patient(
    index: int, lost: float, more: float, drift: bool = True, trials: Trials | None = None
) -> Followed:
    """28 days; from day 15 on the baseline has lost something, and the pruned network `more` beyond."""
    days = []
    for day in range(1, 29):
        gone = lost if day >= 15 else 0.0
        beyond = more if day >= 15 else 0.0
        values: dict[str, float | None] = {
            "baseline": 0.9 - gone,
            "0.5": 0.88 - gone - beyond,
            "0.5-scratch": 0.85 - gone,
        }
        days.append(a_day(day, values if day % 2 else dict.fromkeys(values, None)))
    drifts = (Drift("gain", 15, 0, 0.6, ("Cz",)),) if drift else ()
    return Followed(1, index, drifts, tuple(days), trials or Trials(patient=index + 1))


@pytest.fixture
def asked(tmp_path: Path) -> DriftStudy:
    text = SMALL.replace("days = 9", "days = 28").replace("onset = 8", "onset = 15")
    return study(tmp_path, text.replace("patients = 1", "patients = 7"))


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """No sketches, so nothing is judged."""
    monkeypatch.setattr(answers, "verdicts", lambda days, name: {})


@pytest.mark.usefixtures("silent")
def test_losses_are_inside_patients_and_paired_with_the_baseline(asked: DriftStudy) -> None:
    followed = [patient(k, 0.05 + 0.01 * k, 0.02 + 0.001 * k) for k in range(6)]
    followed.append(patient(6, 0.0, 0.0, drift=False))
    findings = findings_of(asked, followed, {}, (), "")
    rows = {
        (row.network, row.group): row
        for row in findings.decay
        if row.metric == "auroc" and not row.network.endswith("scratch")
    }
    drifting = rows["baseline", "gain"]
    assert drifting.patients == 6
    assert drifting.lost == pytest.approx(0.075)
    assert drifting.lost_interval is not None
    assert drifting.lost_interval[0] < 0.075 < drifting.lost_interval[1]
    assert rows["0.5", "gain"].more_than_baseline == pytest.approx(0.0225)
    assert rows["0.5", "gain"].more_interval is not None
    assert rows["baseline", "no drift"].lost == pytest.approx(0.0)
    assert drifting.slope is not None
    assert drifting.slope < 0
    # of three values on days with a seizure (15, 17, 19) two are enough for those who lose 0.075 or more
    assert drifting.days_until == 18
    assert drifting.reached == 6
    curve = next(
        each for each in findings.curves if (each.network, each.metric) == ("baseline", "auroc")
    )
    assert curve.mean[0] == pytest.approx(0.9)
    assert curve.mean[1] is None


@pytest.mark.usefixtures("silent")
def test_regaining_is_told_by_sums_and_the_cheapest_way_needs_the_fewest_labels(
    asked: DriftStudy,
) -> None:
    def tried(method: str, minutes: float, regained: float, lost: float = 0.1) -> Tried:
        return Tried(
            network="baseline",
            method=method,
            minutes=minutes,
            epochs=0,
            before={"auroc": 0.9, "macro_f1": 0.8},
            unadapted={"auroc": 0.9 - lost, "macro_f1": 0.8 - 2 * lost},
            adapted={"auroc": 0.9 - lost + regained, "macro_f1": 0.8 - 2 * lost + regained},
            processor_seconds=2,
            macs=1e9,
        )

    ways = (tried("full", 15, 0.095), tried("full", 60, 0.1), tried("bn", 60, 0.02))
    nothing_lost = (tried("full", 15, 0.0, lost=0.001),)
    followed = [
        patient(0, 0.1, 0.0, trials=Trials(patient=1, tried=ways)),
        patient(1, 0.0, 0.0, trials=Trials(patient=2, tried=nothing_lost)),
    ]
    findings = findings_of(asked, followed, {}, (), "")
    best = cheapest(findings.trials, "baseline", "auroc")
    assert best is not None
    assert (best.method, best.minutes, best.patients) == ("full", 15, 1)
    assert best.regained == pytest.approx(0.95)
    assert cheapest(findings.trials, "baseline", "macro_f1") is None
    text = markdown(drift_document(findings))
    assert "regains 90 % of the macro-F1 that it lost by no way that was tried" in text
    assert "The cheapest way that regains 90 % of the lost AUROC." in text
    assert "simulated EEG: these numbers say nothing about patients" in text
    assert "<svg" in html(drift_document(findings))


def test_detection_is_told_by_kind_of_drift(
    asked: DriftStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    from secateur.monitoring.drift import Verdict

    def called_on(days: Sequence[DayRecord], name: str) -> dict[int, Verdict]:
        """The baseline's probabilities show it on day 20; others' never."""
        first = datetime(2000, 1, 1)
        return {
            record.day: Verdict(
                (first + timedelta(record.day)).date(),
                "drift" if (name, record.day) == ("baseline", 20) else "fits",
            )
            for record in days
        }

    monkeypatch.setattr(answers, "verdicts", called_on)
    moved = replace(patient(1, 0.0, 0.0), drifts=(Drift("moved", 18, 0, 1.0, ("Cz",)),))
    followed = [patient(0, 0.1, 0.0), moved, patient(2, 0.0, 0.0, drift=False)]
    findings = findings_of(asked, followed, {}, (), "")
    rows = {(row.group, row.network): row for row in findings.detection}
    by_kind = {
        key: (row.drifting, row.called, row.delay)
        for key, row in rows.items()
        if key[1] == "baseline"
    }
    assert by_kind == {
        ("all", "baseline"): (2, 2, 3.5),
        ("no drift", "baseline"): (0, 0, None),
        ("gain", "baseline"): (1, 1, 5.0),
        ("moved", "baseline"): (1, 1, 2.0),
    }
    assert rows["no drift", "baseline"].false == 1
    text = markdown(drift_document(findings))
    assert "| moved | 1 | 1, 2 days | none | none |" in text
    assert "False alarms a day lost by kind of drift" in text


@pytest.mark.usefixtures("silent")
def test_what_was_left_out_stands_above_the_report(asked: DriftStudy) -> None:
    less = asked.model_copy(update={"reduced": "two patients of twenty"})
    findings = findings_of(less, [patient(0, 0.1, 0.0)], {}, (), "")
    document = drift_document(findings)
    assert "168 patient-days are missing" in document.warnings[0]
    assert "reduced: two patients of twenty" in document.warnings[1]


def test_relearning_is_due_every_week_and_when_drift_is_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from secateur.monitoring.drift import Verdict

    def verdicts_of(called: int) -> Callable[..., dict[int, Verdict]]:
        first = datetime(2000, 1, 1)
        return lambda days, name: {
            record.day: Verdict(
                (first + timedelta(record.day)).date(),
                "drift" if record.day == called else "fits",
            )
            for record in days
        }

    policies = Policies(networks=("0.5",), method="full")
    days = [a_day(day, {"0.5": 0.9}) for day in range(1, 7)]
    monkeypatch.setattr(following, "verdicts", verdicts_of(8))
    assert following._due(policies, days) == []
    days.append(a_day(7, {"0.5": 0.9}, learned=("weekly:0.5",)))
    assert following._due(policies, [*days[:6], a_day(7, {"0.5": 0.9})]) == ["weekly:0.5"]
    days.append(a_day(8, {"0.5": None}))
    assert following._due(policies, days) == [], "without a seizure nothing can be learned"
    days.append(a_day(9, {"0.5": 0.9}))
    assert following._due(policies, days) == ["alarm:0.5"], "the alarm of day 8 waits for labels"
    days[-1] = a_day(9, {"0.5": 0.9}, learned=("alarm:0.5",))
    days += [a_day(day, {"0.5": 0.9}) for day in range(10, 15)]
    assert following._due(policies, days) == ["weekly:0.5"]


def children(folder: Path) -> Path:
    """Seven people, of whom one was recorded again."""
    write_cohort(folder, subjects=7, name="Children")
    first = folder / "sub-01" / "ses-01"
    for path in sorted(first.rglob("*_*")):
        again = Path(str(path).replace("ses-01", "ses-02"))
        again.parent.mkdir(parents=True, exist_ok=True)
        again.write_bytes(path.read_bytes())
    return folder


@pytest.mark.slow
def test_a_study_goes_on_where_it_was_ended(tmp_path: Path) -> None:
    from secateur.runs.progress import Silent

    small = study(tmp_path)
    options = DriftOptions(1, Silent(), "secateur study", Source(children(tmp_path / "real")))
    first = carry_out_drift(small, tmp_path / "out", options)
    (pair,) = first.real
    assert (pair.child, pair.first, pair.second) == (
        "Children/sub-01",
        "session 01",
        "session 02",
    )
    assert set(pair.auroc) == set(small.networks)
    assert None not in pair.auroc["baseline"]
    assert "Children/sub-01" in markdown(drift_document(first))
    assert first.finished == first.planned == 9
    patient_folder = tmp_path / "out" / "seed-1" / "patient-001"
    days = sorted(patient_folder.glob("day-*.json"))
    learned = DayRecord.model_validate_json(days[6].read_bytes()).relearned
    assert set(learned) == {"weekly:0.5"}
    adapted = load_detector(patient_folder / "weekly-0.5-007.onnx")
    assert isinstance(adapted, Detector)
    assert adapted.info.provenance.adapted[-1].method == "bn"
    assert "weekly:0.5" in DayRecord.model_validate_json(days[7].read_bytes()).networks
    kept, last = days[6].read_bytes(), days[8].read_bytes()
    for path in days[7:]:
        path.unlink()
    again = carry_out_drift(small, tmp_path / "out", options)
    assert days[6].read_bytes() == kept
    assert days[8].read_bytes() == last
    timeless = {"trials", "policies"}  # processor seconds differ
    assert again.model_dump(exclude=timeless) == first.model_dump(exclude=timeless)
    assert [path.name for path in patient_folder.iterdir() if path.name.startswith(".")] == []
    other = small.model_copy(update={"ratios": (0.9,)})
    with pytest.raises(RunError, match="holds a study with other networks, patients or drifts"):
        carry_out_drift(other, tmp_path / "out", options)
    assert np.isfinite(first.curves[0].mean[0] or 0)
