"""What a study says of explanations follows from its runs: costs, the balance, agreement."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from scipy.stats import spearmanr

pytest.importorskip("torch")
pytest.importorskip("pyarrow")

from secateur.cli import main
from secateur.errors import SettingsError
from secateur.reporting import write_study_report
from secateur.results import ExplainedRun, read_study_run
from secateur.runs import Source
from secateur.studies import Explaining, Findings, evaluate_study, read_study
from secateur.studies.plan import drafts
from secateur.studies.reasons import AT_RANDOM, SEEDS
from secateur.studies.store import store_at
from tests.support.explained_studies import CHANNELS, explained
from tests.support.made_up_studies import fill, plan_of

STUDY = """
question = "Is the gain eaten?"
[axes]
detector = ["pruned 0.5", "at random"]
seed = [1, 2]
fold = [1, 2]
[explain]
events = 1
[[when]]
these = {detector = "pruned 0.5"}
flags = {ratio = 0.5}
[[when]]
these = {detector = "at random"}
flags = {ratio = 0.5, "training.labels_at_random" = true}
[[skip]]
detector = "at random"
seed = 2
"""


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    folder = tmp_path_factory.mktemp("explained")
    plan = plan_of(STUDY, folder)
    return evaluate_study(plan, store_at(fill(plan, folder, explained)))


@pytest.fixture(scope="module")
def explaining(findings: Findings) -> Explaining:
    assert findings.explaining is not None
    return findings.explaining


def test_prices_are_multiples_within_a_run(explaining: Explaining) -> None:
    unpruned, pruned = explaining.prices
    assert (unpruned.name, pruned.name) == ("whole", "pruned 0.5")  # no network of labels at random
    assert pruned.methods["gradient"].milliseconds.median == pytest.approx(1.2)
    assert pruned.methods["gradient"].of_own.median == pytest.approx(3)
    assert pruned.methods["gradient"].macs_of_own == pytest.approx(3)
    assert pruned.methods["gradient"].peak_bytes == 74_000_000
    assert explaining.methods == ("contributions", "gradient", "shap")
    assert explaining.meters == ()


def test_the_balance_is_what_is_left_over_the_price(explaining: Explaining) -> None:
    by_key = {(each.method, each.bulk): each for each in explaining.balances}
    window = by_key["gradient", False]
    # (1 - 0.4) / 1.2 of the windows; every window at once with its inference: 1.2 / 1
    assert window.share.median == pytest.approx(0.5)
    assert window.macs_share == pytest.approx(0.5)
    assert window.every.median == pytest.approx(1.2)
    assert window.eaten
    assert window.seconds == pytest.approx((86.4, 34.56, 103.68))
    hop = by_key["gradient", True]
    # (0.25 - 0.1) / 1.2; every window: 1.2 / 0.25
    assert hop.share.median == pytest.approx(0.125)
    assert hop.every.median == pytest.approx(4.8)
    assert hop.energy_share is None
    assert not by_key["contributions", False].eaten
    assert by_key["contributions", True].eaten
    # Shapley values come besides the inference
    assert by_key["shap", False].every.median == pytest.approx(160.4)


def test_alarms_alone_cost_their_minutes(explaining: Explaining) -> None:
    rate = explaining.alarms["data"]["pruned 0.5"]
    window = next(b for b in explaining.balances if b.method == "shap" and not b.bulk)
    assert 0 < rate < 20
    assert window.alarms["data"] == pytest.approx(0.4 + rate * 60 / 86_400 * 160)


def test_agreement_stands_beside_that_of_two_seeds(explaining: Explaining) -> None:
    (reasons,) = explaining.reasons
    assert (reasons.seizures, reasons.channels) == (8, CHANNELS)
    assert [*reasons.agreement] == [SEEDS, "pruned 0.5", AT_RANDOM, "at random"]
    turned = reasons.agreement[AT_RANDOM]
    assert turned.rank["gradient"].value == pytest.approx(-1)
    pruned = reasons.agreement["pruned 0.5"]
    two = reasons.agreement[SEEDS]
    difference = pruned.rank["gradient"].value - two.rank["gradient"].value
    less = pruned.less["gradient"]
    assert less is not None
    assert less.value == pytest.approx(difference)
    assert two.less["gradient"] is None
    correlations = []
    for fold in (1, 2):
        values = [float((channel * 3 + fold) % CHANNELS) for channel in range(CHANNELS)]
        swapped = [*values[:3], values[4], values[3], *values[5:]]
        correlations.append(spearmanr(values, swapped).statistic)
    # of seed 2 the same two are swapped; the mean over people of two folds of four
    assert pruned.rank["gradient"].value == pytest.approx(sum(correlations) / 2)
    assert 0 < two.top["gradient"].value <= 1


def test_faithfulness_is_beyond_chance_and_amplitude(explaining: Explaining) -> None:
    (reasons,) = explaining.reasons
    own = reasons.faithfulness["pruned 0.5"]
    assert [each.value for each in own.deletion["gradient"]] == [1.0, 0.5]
    assert [each.value for each in own.insertion["gradient"]] == [2.0, 1.0]
    assert own.margin == 5.0


def test_the_report_says_whether_the_gain_is_eaten(findings: Findings, tmp_path: Path) -> None:
    write_study_report(findings, tmp_path)
    text = (tmp_path / "study.md").read_text()
    sentence = (
        "pruned 0.5, against one window by itself: unexplained it costs 0.40× the whole network. With every "
        "window explained the gain is not eaten by contributions (0.50×); eaten by gradient (1.20×), shap "
        "(160×). Before it is, so many windows can be explained: contributions all, gradient 50 %, shap "
        "0.38 %."
    )
    assert sentence in text.replace("\u00a0", " ")
    assert "Energy: not measured." in text
    assert "ISSCC 2014" in text
    assert "labels at random: controls" in text
    assert re.search(r"difference is [+−]\d\.\d\d", text)
    assert (tmp_path / "figures" / "costs.png").stat().st_size > 10_000


def test_explaining_wants_a_pruned_network_and_no_ladder(tmp_path: Path) -> None:
    path = tmp_path / "asked.toml"
    source = {"data": Source(tmp_path)}
    path.write_text(f"pruned = false\n{STUDY}")
    with pytest.raises(
        SettingsError, match=r"\[explain\] is of networks before pruning and pruned"
    ):
        drafts(read_study(path), source)
    path.write_text(STUDY.replace("[explain]", "[fixed]\nrungs = [0.5]\n[explain]"))
    with pytest.raises(SettingsError, match=r"\[explain\], and flags of prune"):
        drafts(read_study(path), source)


@pytest.mark.slow
def test_a_study_explains_both_networks_of_a_run(
    tiny_cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECATEUR_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "small.toml"
    path.write_text("""
question = "Do they agree?"
[axes]
detector = ["pruned", "at random"]
[explain]
methods = ["gradient", "occlusion"]
events = 1
windows = 1
references = 1
samples = 80
rounds = 2
[fixed]
epochs = 1
least-epochs = 1
[[when]]
these = {detector = "at random"}
flags = {"training.labels_at_random" = true}
[settings.network]
widths = [4, 6, 8]
[settings.training]
windows_per_epoch = 160
recalibration = 2
""")
    out = tmp_path / "out"
    words = ["study", str(path), "--data", str(tiny_cohort), "--out", str(out), "--workers", "1"]
    assert main(words) == 0
    runs = [
        read_study_run(file.read_bytes(), file.name)
        for file in sorted((out / "runs").glob("*.json"))
    ]
    assert len(runs) == 2
    for run in runs:
        assert isinstance(run, ExplainedRun)
        before, after = run.explained["baseline"], run.explained["pruned"]
        assert [e.onset for e in before.events] == [e.onset for e in after.events]
        assert before.events
        for network in (before, after):
            assert network.costs.methods["gradient"].macs > network.costs.methods["inference"].macs
            assert network.costs.methods["shap"].evaluations > 60
            assert {*network.events[0].methods} == {"gradient", "occlusion"}
        ratio = after.costs.methods["inference"].macs / before.costs.methods["inference"].macs
        assert ratio < 0.7
    text = (out / "study.md").read_text()
    assert "Is the gain eaten?" in text
    at_random = [run for run in runs if run.settings["training"].get("labels_at_random")]
    assert len(at_random) == 1
    true = next(run for run in runs if run not in at_random)
    assert "labels_at_random" not in true.settings["training"]
