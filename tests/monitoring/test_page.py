"""The page and the lines: what is said stands in them, escaped, offline, in one file."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np

from secateur.monitoring.judging import PatientReport, report
from secateur.monitoring.page import page
from secateur.monitoring.sketch import FEATURES
from secateur.monitoring.wording import expected_share, next_step, patient_line
from tests.support.sketches import RememberedPatient, days_of


def drifted(key: str, shift: float) -> PatientReport:
    """Fourteen days; theta moves on the tenth."""
    patient = RememberedPatient(key)
    patient.sketches = days_of(
        np.random.default_rng(0),
        days=14,
        shift=lambda day: shift * (day >= 9) * np.array([0, 0, 1, 0, 0, 0]),
    )
    return report(patient)


def test_a_drift_is_drawn_where_it_is_and_what_to_do_is_said() -> None:
    result = drifted("<b>bed & 1</b>", 5.0)
    assert [day.kind for day in result.days][-1] == "drift"
    assert result.days[-1].drift.since is not None
    assert "theta power up since 2026-03-10" in patient_line(result)
    assert "secateur adapt" in next_step(result)
    html = page("D.onnx", [result])
    assert "&lt;b&gt;bed &amp; 1&lt;/b&gt;" in html
    assert "<b>bed" not in html
    assert "theta power, dB: moved" in html
    assert "in 14 days, 2026-03-01 to 2026-03-14" in html
    assert ": +0.0 dB" in html
    assert "-0.0 dB" not in html
    # the table of channels by band has theta above usual, and the other bands near it
    departures = result.history.departures([day.date for day in result.days[9:]])
    assert departures is not None
    near = dict(zip(FEATURES, departures.mean(axis=0), strict=True))
    assert 4 < near.pop("theta") < 6
    assert all(abs(value) < 1.5 for value in near.values())


def test_a_day_that_has_only_begun_does_not_hide_yesterdays_drift() -> None:
    patient = RememberedPatient("bed-1")
    days = days_of(
        np.random.default_rng(0),
        days=15,
        shift=lambda day: 5.0 * (day >= 9) * np.array([0, 0, 1, 0, 0, 0]),
    )
    patient.sketches = days[:-6]  # of the last day two hours of eight
    result = report(patient)
    assert [day.kind for day in result.days][-2:] == ["drift", "not enough known"]
    assert "secateur adapt" in next_step(result)


def test_the_page_fetches_nothing_and_its_figures_are_well_formed() -> None:
    html = page("D.onnx", [drifted("bed-1", 5.0), drifted("bed-2", 0.0)])
    assert "default-src 'none'" in html
    assert not re.search(r"(src|href)=", html)
    figures = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    assert len(figures) > 20
    for figure in figures:
        ElementTree.fromstring(figure)
    assert "nan" not in html


def test_the_share_of_alarms_is_an_estimate_with_its_assumption() -> None:
    patient = RememberedPatient("bed-1")
    patient.sketches = days_of(np.random.default_rng(0), days=3, alarms=(2, 1500))
    result = report(patient)
    alarms, share = expected_share(result)
    assert (alarms, share) == (48, 0.75)
    html = page("D.onnx", [result])
    assert "as an estimate: 75 %" in html
    assert "calibrated for this patient, which nobody has checked" in html
    assert "accuracy" in html
