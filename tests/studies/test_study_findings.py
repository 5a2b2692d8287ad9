"""What finished runs say: the numbers are theirs, each question gets its own runs, verdicts follow."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateur.scoring.comparing import holm
from tests.support.made_up_studies import Changes, fill, plan_of

pytest.importorskip("torch")

from secateur.scoring.metrics import METRICS
from secateur.studies import Findings, evaluate_study
from secateur.studies.record import PLAN, plan_bytes, read_plan
from secateur.studies.store import store_at
from secateur.studies.table import csv_of

STUDY = """
question = "What does it cost?"
metrics = ["auroc"]
[axes]
importance = ["l1", "random", "taylor"]
ratio = [0.5, 0.9]
seed = [1, 2]
fold = [1, 2, 3]
[[compare]]
axis = "importance"
to = "random"
metric = "auroc"
only = {ratio = 0.9}
[[compare]]
axis = "ratio"
to = "baseline"
metric = "auroc"
only = {importance = "l1"}
margin = 0.01
[[hypothesis]]
says = "L1 is worse than chance at nine of ten"
that = {importance = "l1", ratio = 0.9}
than = {importance = "random", ratio = 0.9}
metric = "auroc"
is = "worse"
[[hypothesis]]
says = "half can go"
that = {importance = "taylor", ratio = 0.5}
than = "baseline"
metric = "auroc"
is = "not-worse"
margin = 0.01
[[hypothesis]]
says = "taylor is better than L1 at half"
that = {importance = "taylor", ratio = 0.5}
than = {importance = "l1", ratio = 0.5}
metric = "auroc"
is = "better"
"""

LOSSES = {"l1": 0.05, "random": 0.02, "taylor": 0.001}


def with_losses(at: Mapping[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    """Pruned is the baseline less a loss by criterion, with a little that depends on the fold and seed."""
    before = result["models"]["baseline"]["test"]["scores"]["auroc"]
    jitter = random.Random(f"{at['importance']} {at['seed']} {at['fold']}").uniform(-1e-3, 1e-3)
    result["models"]["pruned"]["test"]["scores"]["auroc"] = (
        before - LOSSES[at["importance"]] + jitter
    )
    return result


def found_in(folder: Path, change: Changes = with_losses) -> Findings:
    plan = plan_of(STUDY, folder)
    return evaluate_study(plan, store_at(fill(plan, folder / "out", change)))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    return found_in(tmp_path_factory.mktemp("made-up"))


def test_conditions_have_the_means_of_their_runs(found: Findings) -> None:
    assert len(found.conditions) == 6
    for one in found.conditions:
        rows = [
            row
            for row in found.rows
            if (row["importance"], row["ratio"]) == (one.at["importance"], one.at["ratio"])
        ]
        assert one.runs == one.planned == len(rows) == 6
        mean = sum(row["pruned_auroc"] for row in rows) / 6
        assert one.scores["auroc"].mean == pytest.approx(mean)
        assert one.minus["auroc"].mean == pytest.approx(
            -LOSSES[str(one.at["importance"])], abs=1e-3
        )


def with_few_epochs(at: Mapping[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    """Right after the cut by a tenth worse than in the end, after one epoch by a twentieth."""
    result = with_losses(at, result)
    test = result["models"]["pruned"]["test"]
    result["models"]["pruned"]["after_epochs"] = {
        str(epochs): {
            "scores": {**test["scores"], "auroc": test["scores"]["auroc"] - less},
            "threshold": 0.5,
            "subjects": {
                name: {**scores, "auroc": scores["auroc"] - less}
                for name, scores in test["subjects"].items()
            },
        }
        for epochs, less in ((0, 0.1), (1, 0.05))
    }
    return result


def test_scores_after_few_epochs_are_metrics_of_a_study(tmp_path: Path) -> None:
    asked = 'metric = "auroc_by_subject_after_0"'
    text = STUDY.replace('metric = "auroc"', asked, 1)
    assert asked in text
    plan = plan_of(text, tmp_path)
    found = evaluate_study(plan, store_at(fill(plan, tmp_path / "out", with_few_epochs)))
    for condition in found.conditions:
        assert list(condition.after) == ["auroc_after_0", "auroc_after_1"]
        for key, less in (("auroc_after_0", 0.1), ("auroc_after_1", 0.05)):
            mean, final = condition.after[key].mean, condition.scores["auroc"].mean
            assert mean is not None
            assert final is not None
            assert mean == pytest.approx(final - less)
    for row in found.rows:
        difference = row["pruned_auroc_by_subject"] - row["pruned_auroc_by_subject_after_0"]
        assert difference == pytest.approx(0.1)
        # nothing of the sort is known of the networks before pruning: they stand as they are
        assert row["baseline_auroc_by_subject_after_0"] == row["baseline_auroc_by_subject"]


def test_the_spread_of_subjects_is_split_for_networks_before_and_for_what_was_lost(
    found: Findings,
) -> None:
    before, *lost = found.spread
    assert (before.of, before.metric, before.at) == ("before pruning", "auroc", {})
    assert [one.at for one in lost] == [one.at for one in found.conditions]
    for one in found.spread:
        assert one.components.reason == ""
        assert sum(part.share for part in one.components.parts) == pytest.approx(1)
        assert one.components.parts[0].names == ("subject",)


def test_each_value_is_compared_with_the_one_named_at_the_values_named(found: Findings) -> None:
    among, cost, _ = found.families
    assert [(one.ours, one.theirs, dict(one.at)) for one in among.answers] == [
        ("importance l1", "importance random", {"ratio": 0.9}),
        ("importance taylor", "importance random", {"ratio": 0.9}),
    ]
    assert [one.ours for one in cost.answers] == ["ratio 0.5", "ratio 0.9"]
    for one, wanted in zip(among.answers, (-0.03, 0.019), strict=True):
        assert one.comparison.difference == pytest.approx(wanted, abs=1.5e-3)
    for one in cost.answers:
        assert one.theirs == "the network before pruning"
        assert one.comparison.difference == pytest.approx(-0.05, abs=1e-3)


def test_every_family_is_corrected_by_itself(found: Findings) -> None:
    for family in found.families:
        corrected = holm([one.comparison.p for one in family.answers])
        assert [one.comparison.p_holm for one in family.answers] == corrected


def test_verdicts_follow_from_what_was_found(found: Findings) -> None:
    told = {one.says: one.verdict for one in found.families[-1].answers}
    assert told == {
        "L1 is worse than chance at nine of ten": "shown",
        "half can go": "shown",
        "taylor is better than L1 at half": "shown",
    }


def test_the_opposite_of_what_was_expected_is_a_refutation(tmp_path: Path) -> None:
    def turned(at: Mapping[str, Any], result: dict[str, Any]) -> dict[str, Any]:
        names = {"l1": "taylor", "taylor": "l1", "random": "random"}
        return with_losses({**at, "importance": names[at["importance"]]}, result)

    told = [one.verdict for one in found_in(tmp_path, turned).families[-1].answers]
    assert told == ["refuted", "refuted", "refuted"]


def test_what_a_folder_was_called_does_not_part_what_belongs_together(tmp_path: Path) -> None:
    """Runs of one partition are paired, done with `--data sim=cohort` here and `--data cohort` there."""

    def called(at: Mapping[str, Any], result: dict[str, Any]) -> dict[str, Any]:
        if at["importance"] != "l1":
            return with_losses(at, result)
        tables = with_losses(at, result)
        tables["where"] = ["sim", None]
        # as a folder without a description is called: by its own name, and so are its people
        return dict(json.loads(json.dumps(tables).replace("Made up", "cohort")))

    for one in found_in(tmp_path, called).families[0].answers:
        assert one.comparison.paired
        assert one.comparison.folds == 6


def test_ranks_are_those_of_the_losses(found: Findings) -> None:
    ((at, ranks),) = found.families[0].ranks
    assert dict(at) == {"ratio": 0.9}
    assert ranks.average == {"l1": 3.0, "random": 2.0, "taylor": 1.0}
    assert ranks.blocks == 6


def test_a_hypothesis_without_enough_runs_is_not_testable_yet(tmp_path: Path) -> None:
    one = found_in(
        tmp_path, lambda at, r: with_losses(at, r) if (at["seed"], at["fold"]) == (1, 1) else None
    )
    assert {answer.verdict for answer in one.families[-1].answers} == {"not testable yet"}


def test_the_table_has_a_row_a_finished_run_in_the_order_of_the_axes(found: Findings) -> None:
    lines = csv_of(found.rows).splitlines()
    assert len(lines) == 1 + 36
    axes = [
        tuple(row[name] for name in ("importance", "ratio", "seed", "fold")) for row in found.rows
    ]
    order = {"l1": 0, "random": 1, "taylor": 2}
    assert axes == sorted(axes, key=lambda one: (order[str(one[0])], *one[1:]))


@given(st.integers(1, 60), st.integers(1, 60), st.data())
def test_scores_at_a_prevalence_are_those_of_a_table_with_so_many(
    ill: int, well: int, data: st.DataObject
) -> None:
    from sklearn.metrics import accuracy_score, f1_score

    hits, quiet = data.draw(st.integers(0, ill)), data.draw(st.integers(0, well))
    truth = [1] * ill + [0] * well
    called = [1] * hits + [0] * (ill - hits) + [0] * quiet + [1] * (well - quiet)
    weights = [0.17 / ill] * ill + [0.83 / well] * well
    if hits == 0 and quiet == well:
        return  # an F1 without a call is a matter of convention
    scores = {"sensitivity": hits / ill, "specificity": quiet / well}
    assert METRICS["accuracy_at_0.17"].measure(scores) == pytest.approx(
        accuracy_score(truth, called, sample_weight=weights)
    )
    assert METRICS["macro_f1_at_0.17"].measure(scores) == pytest.approx(
        f1_score(truth, called, average="macro", sample_weight=weights, zero_division=0)
    )


def test_the_status_of_a_study_loads_no_torch(tmp_path: Path) -> None:
    plan = plan_of(STUDY, tmp_path)

    def some(at: Mapping[str, Any], result: dict[str, Any]) -> Any:
        if at["importance"] == "taylor":
            return None
        return "no memory" if at == plan.runs[0][1] else result

    folder = fill(plan, tmp_path / "out", some)
    (folder / PLAN).write_bytes(plan_bytes(plan, {}))
    assert read_plan(str(folder)) == plan
    program = (
        "import sys\nfrom secateur.cli import main\n"
        f"code = main(['study', {str(folder)!r}, '--status'])\n"
        "sys.exit(code or ' '.join({'torch', 'scipy', 'pandas'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    head, *conditions, failure = done.stdout.splitlines()
    assert head.startswith("made-up: 23 of 36 runs have a result, 1 failed, 12 to do; ")
    assert [line.strip() for line in conditions] == [
        "importance l1, ratio 0.5: 5 of 6",
        "importance l1, ratio 0.9: 6 of 6",
        "importance random, ratio 0.5: 6 of 6",
        "importance random, ratio 0.9: 6 of 6",
        "importance taylor, ratio 0.5: 0 of 6",
        "importance taylor, ratio 0.9: 0 of 6",
    ]
    assert failure == f"  failed {plan.runs[0][0]}: no memory"
