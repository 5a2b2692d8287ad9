"""A certificate agrees with itself, is found out where it was changed, and says what it does not claim."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateur.errors import ScoringError
from secateur.scoring import (
    TIMESCORING_VERSION,
    Certificate,
    Circumstances,
    Constraint,
    in_words,
    make_certificate,
    recompute,
)
from secateur.scoring.earlier_rules import certificate_of_1
from secateur.scoring.margins import ScoreTable

ROOT = Path(__file__).resolve().parents[2]
LADDER = ("0.25", "0.5", "0.75")
NAMES = tuple(f"Clips:chb{k:02d}" for k in range(1, 13))
RULE = Constraint(margins={"auroc": 0.02, "macro_f1": 0.05})


def scores(
    seed: int, loss: float = 0.0, spread: float = 0.005
) -> dict[str, dict[str, float | None]]:
    generator = np.random.default_rng(seed)
    return {
        name: {metric: 0.9 - loss - generator.normal(0, spread) for metric in ("auroc", "macro_f1")}
        for name in NAMES
    }


BASELINE = scores(0, spread=0.03)


def cut(seed: int, loss: float) -> ScoreTable:
    lost = scores(seed, loss)
    return {
        name: {
            metric: None if value is None else value + float(lost[name][metric] or 0) - 0.9
            for metric, value in row.items()
        }
        for name, row in BASELINE.items()
    }


def certificate(
    losses: tuple[float, ...] = (0.0, 0.005), rule: Constraint = RULE, **told: Any
) -> Certificate:
    rungs = [(LADDER[k], [cut(k + 1, loss)]) for k, loss in enumerate(losses)]
    circumstances = Circumstances(ladder=LADDER, background="continuous recordings", **told)
    return make_certificate(rule, [BASELINE], rungs, circumstances, retrained=[cut(9, 0.0)])


def in_repeats(losses: tuple[float, ...] = (0.0, 0.005), **others: Any) -> Certificate:
    """A recipe, judged in three folds that were dealt twice."""
    rungs = [(LADDER[k], [cut(k + 1, loss), cut(k + 11, loss)]) for k, loss in enumerate(losses)]
    deals = (NAMES, (*NAMES[5:], *NAMES[:5]))
    folds = tuple(
        {f"{repeat}{fold}" * 32: deal[fold::3] for fold in range(3)}
        for repeat, deal in enumerate(deals)
    )
    circumstances = Circumstances(ladder=LADDER, folds=folds, **others)
    return make_certificate(
        RULE, [BASELINE] * 2, rungs, circumstances, retrained=[cut(9, 0.0), cut(8, 0.0)]
    )


def words(one: Certificate) -> str:
    return "\n".join(in_words(one))


@given(
    st.lists(st.sampled_from([0.0, 0.005, 0.012, 0.03]), min_size=1, max_size=3),
    st.sampled_from([0.8, 0.95, 0.99]),
    st.sampled_from([None, 0.3]),
)
def test_it_agrees_with_itself_also_as_json(
    losses: list[float], confidence: float, share: float | None
) -> None:
    rule = Constraint(margins=RULE.margins, confidence=confidence, harmed_share=share)
    one = certificate(tuple(losses), rule)
    stored = json.dumps(one.model_dump(mode="json"), allow_nan=False)
    assert Certificate.model_validate(json.loads(stored)) == one
    assert recompute(one) == []
    assert len(stored) < 6000
    assert words(one)


def test_the_ladder_stops_at_the_first_failure() -> None:
    one = certificate((0.0, 0.05, 0.0))
    assert [rung.verdict for rung in one.rungs] == ["passed", "failed", "not tested"]
    assert (one.verdict, one.certified, one.statements) == ("not tested", False, ())
    assert "A milder rung of the ladder failed" in words(one)
    failed = certificate((0.0, 0.05))
    assert failed.verdict == "failed"
    assert "Not certified." in words(failed)
    assert recompute(one) == recompute(failed) == []


def changed(one: Certificate, *place: str | int, to: Any) -> Certificate:
    """The same JSON with one value replaced."""
    told = one.model_dump(mode="json")
    at: Any = told
    for step in place[:-1]:
        at = at[step]
    at[place[-1]] = to
    return Certificate.model_validate(told)


@pytest.mark.parametrize(
    ("place", "to", "said"),
    [
        (("rungs", 1, "verdict"), "passed", "rung 0.5 is said to have passed"),
        (("rungs", 0, "verdict"), "failed", "rung 0.25 is said to have failed"),
        (("rungs", 1, "pruned", 0, "auroc", 3), 0.99, "auroc: mean is said to be"),
        (
            ("rungs", 0, "pruned", 0, "auroc", 3),
            0.1,
            "rung 0.25 is said to have passed; by its own",
        ),
        (("baseline", 0, "macro_f1", 0), 0.9, "macro_f1: mean is said to be"),
        (("retrained", 0, "auroc", 5), 0.893, "auroc, retrained_harm: harmed is said to be"),
        (("statements", 0, "critical"), 0.1, "auroc: critical is said to be 0.1"),
        (
            ("statements", 0, "bounds", "the baseline"),
            0.001,
            "auroc, bounds: the baseline is said to be 0.001",
        ),
        (("circumstances", "earlier_certifications"), 1, "auroc: level is said to be 0.025"),
        (("statements", 1, "passed"), True, "macro_f1: passed is said to be True"),
        (("statements", 0, "harm", "bound"), 0.01, "auroc, harm: bound is said to be 0.01"),
        (("statements",), [], "0 statements, 2 follow"),
        (("constraint", "margins", "auroc"), 0.5, "auroc: margin is said to be 0.02"),
        (("constraint", "confidence"), 0.6, "bound is said to be"),
        (("circumstances", "ladder"), ["0.5", "0.75"], "not the first of the ladder"),
        (
            ("circumstances", "folds"),
            [{"abc": list(NAMES)}],
            "of the kind detector and names 1 folds",
        ),
        (("kind",), "recipe", "of the kind recipe and names 0 folds"),
        (("timescoring",), "0.0.7", "timescoring does not go with its metrics"),
    ],
)
def test_one_changed_number_is_found(place: tuple[str | int, ...], to: Any, said: str) -> None:
    found = recompute(changed(certificate((0.0, 0.05)), *place, to=to))
    assert any(said in one for one in found), found


@pytest.mark.parametrize(
    ("place", "to"),
    [
        (("subjects", 0), NAMES[1]),
        (("baseline", 0, "auroc"), [0.9]),
        (("baseline",), [{"auroc": [0.9] * 12}]),
        (("baseline",), []),
        (("rules",), 3),
        (("rungs",), []),
        (("surprise",), 1),
    ],
)
def test_what_is_no_certificate_is_not_read(place: tuple[str | int, ...], to: Any) -> None:
    with pytest.raises(ValueError, match="Certificate"):
        changed(certificate(), *place, to=to)


def test_what_cannot_be_certified_together_is_refused() -> None:
    with pytest.raises(ScoringError, match=r"got rungs 0\.5"):
        make_certificate(RULE, [BASELINE], [("0.5", [cut(1, 0.0)])], Circumstances(ladder=LADDER))
    with pytest.raises(ScoringError, match="folds judge 1 subjects, 12 have scores"):
        certificate(folds=({"abc": NAMES[:1]},))
    with pytest.raises(ScoringError, match="folds of 2 repeats, scores of 1"):
        certificate(folds=({"abc": NAMES},) * 2)
    with pytest.raises(ScoringError, match="has no event_f1"):
        certificate(rule=Constraint(margins={"event_f1": 0.1}))


def test_it_says_what_it_claims_and_what_not() -> None:
    told = words(certificate())
    for said in (
        "Certified: 95 % confidence that on patients like the 12 examined this detector loses",
        "less than 0.02 of AUROC and 0.05 of macro-F1",
        "compared with the unpruned baseline and with the baseline retrained as long, whichever",
        "at most 23.5 % of patients to come would",  # 1 − 0.04^(1/12)
        "of the 5 % of error that all of them share it may spend 4 %",
        "judged by the table for 2.5 %",
        "defaults were chosen on CHB-MIT seizure clips",
        "The same count for the baseline merely retrained: 0 of 12",
        "rung 2 of 3 (0.25, 0.5, 0.75)",
        "a kind of patient as frequent as 22.1 % may have been missed",
        "The bound was calibrated on simulated studies of 12 subjects",
        "Outside of what it is made for: skewed: 1 patient in 20 harmed by 10 standard deviations",
        "Not claimed: that the detector is good",
        "Research software, not a medical device.",
    ):
        assert said in told
    assert "recipe" not in told
    assert "xplorat" not in told


def test_a_recipe_says_that_this_file_was_not_tested_and_how_lucky_training_was() -> None:
    one = in_repeats()
    assert one.kind == "recipe"
    assert recompute(one) == []
    told = words(one)
    for said in (
        "a detector made in this way loses",
        "A recipe was judged, over 3 folds, dealt anew 2 times",
        "This very file was made by the same recipe from other subjects and was not itself tested",
        "That folds share training subjects is ignored",
        "12 subjects in 2 repeats: mean loss",
        "is luck of training; with 95 % confidence the mean over patients and trainings",
        "up to 36 % of a loss's variance luck of training",
    ):
        assert said in told
    assert Certificate.model_validate_json(one.model_dump_json()) == one


def test_a_repeat_that_is_changed_is_found() -> None:
    found = recompute(changed(in_repeats(), "rungs", 1, "pruned", 1, "auroc", 3, to=0.2))
    assert any("auroc: mean is said to be" in one for one in found)
    one = in_repeats()
    folds = [{key: list(names) for key, names in each.items()} for each in one.circumstances.folds]
    first, second, *_ = folds[1]
    folds[1][first][0], folds[1][second][0] = folds[1][second][0], folds[1][first][0]
    assert recompute(changed(one, "circumstances", "folds", to=folds))
    folds[1][first] = folds[1][first][1:]
    found = recompute(changed(one, "circumstances", "folds", to=folds))
    assert "its folds do not judge each subject once" in found


@pytest.mark.parametrize(
    ("rule", "first"),
    [
        (
            {"harmed_share": 0.3},
            "that of patients like the 12 examined at most 30 % lose more than",
        ),
        (
            {"confidence": 0.975},
            "97.5 % confidence (one-sided, as regulators ask) that on patients",
        ),
    ],
)
def test_the_claim_says_first_what_was_asked_for(rule: dict[str, float], first: str) -> None:
    one = certificate((0.0,), Constraint(margins={"auroc": 0.05}, **rule))
    assert one.certified
    assert first in in_words(one)[0]


# Certificates of earlier rules


FILES = Path(__file__).parent / "files"


@pytest.mark.parametrize("kind", ["detector", "recipe"])
def test_those_of_earlier_rules_are_read_and_judged_by_them(kind: str) -> None:
    stored = json.loads((FILES / f"certificate-rules-1-{kind}.json").read_text())
    one = Certificate.model_validate(certificate_of_1(stored))
    assert (one.rules, one.kind) == (1, kind)
    assert recompute(one) == []
    assert Certificate.model_validate_json(one.model_dump_json()) == one
    told = words(one)
    assert "made by rules 1, which Secateur has since replaced" in told
    assert "calibrated" not in told
    assert ("2 earlier certifications" in told) == (kind == "recipe")
    stored["statements"][0]["t_bound"] = 0.001
    assert any(
        "t is said to be 0.001" in text
        for text in recompute(Certificate.model_validate(certificate_of_1(stored)))
    )
    stored["baseline"]["auroc"][2] = 0.2
    assert recompute(Certificate.model_validate(certificate_of_1(stored)))


def test_reservations_are_said() -> None:
    one = certificate(
        exploratory="int8 stands outside the ladder",
        simulated=True,
        earlier_runs=7,
        forced="event_f1 forced",
    )
    assert one.verdict == "passed"
    assert not one.certified
    told = words(one)
    assert "Exploratory, not certified: 95 %" in told
    assert "Exploratory: int8 stands outside the ladder." in told
    assert "it is the first known certification on any of these recordings" in told
    assert "it is certification 2 on any" in words(certificate(earlier_certifications=1))
    assert "7 runs scored some of these recordings before" in told
    assert "The patients are simulated: this says nothing about people." in told
    assert "To be read with care: event_f1 forced." in told


def test_it_names_every_data_set_that_the_study_of_the_defaults_looked_at() -> None:
    study = tomllib.loads((ROOT / "studies" / "choices.toml").read_text())
    told = words(certificate())
    assert "defaults were chosen on CHB-MIT seizure clips (16 subjects)" in told
    assert study["fixed"]["data"] == "clips"
    for name in study["fixed"]["test-background"]:
        assert name in told


def test_who_was_left_out_is_named_with_the_reason() -> None:
    before = {name: dict(row) for name, row in BASELINE.items()}
    before[NAMES[2]]["auroc"] = None
    one = make_certificate(RULE, [before], [("0.25", [cut(1, 0.0)])], Circumstances(ladder=LADDER))
    assert one.statements[0].n == 11
    assert one.statements[1].n == 12
    assert f"Left out: {NAMES[2]}: auroc is not defined for the baseline." in words(one)
    assert recompute(one) == []


def test_event_metrics_carry_the_version_that_counted_them() -> None:
    tables: list[ScoreTable] = [
        {name: {"fp_per_day": base + k * shift} for k, name in enumerate(NAMES)}
        for base, shift in ((10.0, 0.0), (10.0, 0.1))
    ]
    one = make_certificate(
        Constraint(margins={"fp_per_day": 2.0}),
        tables[:1],
        [("0.25", tables[1:])],
        Circumstances(ladder=("0.25",)),
    )
    assert one.certified
    assert one.timescoring == TIMESCORING_VERSION
    assert "less than 2 more false alarms per day" in words(one)
    assert f"timescoring {TIMESCORING_VERSION}" in words(one)
