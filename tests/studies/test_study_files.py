"""A study file is refused in one line where it can't mean anything, before any run is done."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from secateur.errors import SettingsError
from secateur.runs import Source
from secateur.settings import read_toml
from secateur.studies import check_questions, read_study
from secateur.studies import file as study_file
from secateur.studies.plan import combinations, drafts

SHIPPED = sorted(
    path
    for path in (Path(__file__).parents[2] / "studies").glob("*.toml")
    if read_toml(path).get("kind") != "drift"  # a study of its own kind: test_drift_study.py
)
GOOD = """
question = "Does it matter?"
[axes]
importance = ["l1", "random"]
ratio = [0, 0.5]
seed = [1, 2]
[fixed]
widths = [4, 6, 8]
"""
HERE = {"data": Source(Path("somewhere"))}


def write(folder: Path, text: str) -> Path:
    path = folder / "asked.toml"
    path.write_text(text)
    return path


def test_every_combination_is_a_run_but_those_skipped(tmp_path: Path) -> None:
    text = GOOD + '[[skip]]\nratio = 0\nimportance = "random"\n'
    study = read_study(write(tmp_path, text))
    found = [(at["importance"], at["ratio"], at["seed"]) for at in combinations(study)]
    assert found == [
        ("l1", 0, 1), ("l1", 0, 2), ("l1", 0.5, 1), ("l1", 0.5, 2), ("random", 0.5, 1), ("random", 0.5, 2)
    ]  # fmt: skip


def test_flags_mean_what_they_mean_to_run(tmp_path: Path) -> None:
    text = GOOD.replace("[fixed]", '[fixed]\nsplit = "folds:4"\nfold = 2\npatience = 3')
    first = drafts(read_study(write(tmp_path, text)), HERE)[0].settings
    assert first.network.widths == (4, 6, 8)
    assert (first.split.by, first.split.folds, first.split.fold) == ("folds", 4, 2)
    assert first.split.seed == first.seed == 1
    assert first.training.patience == 3


def test_further_flags_hold_for_the_runs_they_name(tmp_path: Path) -> None:
    text = GOOD + "[[when]]\nthese = {ratio = 0.5}\nflags = {epochs = 7}\n"
    for draft in drafts(read_study(write(tmp_path, text)), HERE):
        assert (draft.settings.training.epochs == 7) == (draft.at["ratio"] == 0.5)


@pytest.mark.parametrize(
    ("condition", "left"),
    [("ratio = [0, 0.5]", 0), ("widths = [4, 6, 8]", 1), ("widths = [[4, 6, 8], [2, 2, 2]]", 0)],
)
def test_conditions_match_axes_of_lists_and_lists_of_values(
    condition: str, left: int, tmp_path: Path
) -> None:
    text = 'question = "?"\n[axes]\nwidths = [[4, 6, 8], [2, 2, 2]]\nratio = [0, 0.5]\n'
    study = read_study(write(tmp_path, text + f"[[skip]]\n{condition}\n"))
    assert len({at["widths"] for at in combinations(study)}) == left


def test_quick_takes_the_place_of_axes_and_flags(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD + "[quick]\nseed = [9]\nepochs = 1\n")
    small = read_study(path, quick=True)
    assert len(list(combinations(small))) == 4
    assert all(draft.settings.training.epochs == 1 for draft in drafts(small, HERE))
    assert len(list(combinations(read_study(path)))) == 8


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
@pytest.mark.parametrize("quick", [False, True])
def test_shipped_studies_can_be_planned_and_asked(path: Path, quick: bool) -> None:
    study = read_study(path, quick)
    names = ("data", "chbmit", "bonn", "clips", "eegmat", "guinea-bissau", "simulated")
    places = {name: Source(Path(name)) for name in names}
    assert drafts(study, places)
    check_questions(study)


def test_studies_are_shipped() -> None:
    """Else the tests below had nothing to look at."""
    assert {"choices", "importance", "paper", "ratios"} <= {path.stem for path in SHIPPED}


def plan(path: Path) -> None:
    study = read_study(path)
    check_questions(study)
    drafts(study, HERE)


def test_an_axis_of_changes_means_what_when_says(tmp_path: Path) -> None:
    text = GOOD.replace("ratio = [0, 0.5]", 'change = ["none", "long"]')
    text += (
        '[[when]]\nthese = {change = "long"}\nflags = {epochs = 9, "training.averaging" = 0.5}\n'
    )
    for draft in drafts(read_study(write(tmp_path, text)), HERE):
        training, is_long = draft.settings.training, draft.at["change"] == "long"
        assert (training.epochs, training.averaging) == ((9, 0.5) if is_long else (12, 0.0))
    with pytest.raises(SettingsError, match="change is no flag of run or prune"):
        drafts(read_study(write(tmp_path, text.partition("[[when]]")[0])), HERE)


def test_background_of_a_study_is_declared_and_tests_where_it_says_so(tmp_path: Path) -> None:
    text = GOOD.replace(
        "ratio = [0, 0.5]", 'background = ["none", "quiet"]\ntest-background = [["calm", "other"]]'
    )
    sources = {name: Source(Path(name)) for name in ("data", "quiet", "calm", "other")}
    for draft in drafts(read_study(write(tmp_path, text)), sources):
        trained = ["quiet"] if draft.at["background"] == "quiet" else []
        assert [(each.name, each.tests_only) for each in draft.source.more] == [
            *((name, False) for name in trained), ("calm", True), ("other", True)
        ]  # fmt: skip
        assert all(each.seizure_free for each in draft.source.more)
    with pytest.raises(
        SettingsError, match="needs recordings called calm: give --data calm=FOLDER"
    ):
        drafts(read_study(write(tmp_path, text)), {"data": HERE["data"], "quiet": HERE["data"]})


COMPARE = '[[compare]]\naxis = "{}"\nto = "{}"\n'
HYPOTHESIS = '[[hypothesis]]\nsays = "so"\nthat = {{{}}}\nthan = {{{}}}\nis = "{}"\n'


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("ratio =", "rato =", "rato is no flag of run or prune"),
        ('"random"', '"magic"', "magic"),
        ("ratio = [0, 0.5]", "margin = ['auroc=0.1']\nratio = [0.5]", "one of both"),
        ("[fixed]", "[fixed]\nratio = 0.5", "stands in [axes] and in [fixed]"),
        ("[1, 2]", "[1, 1]", "a value stands twice"),
        ("seed = [1, 2]", "seed = []", "seed"),
        ("question", "querstion", "question"),
        ("", "[[skip]]\nwidth = 3\n", "width, which is no axis"),
        ("", "[[skip]]\nimportance = 'l2'\n", "asks for importance l2, which no run has"),
        ("", "[[skip]]\nratio = [0, 0.7]\n", "asks for ratio 0.7, which no run has"),
        ("", "[[when]]\nthese = {ratio = 0.7}\nflags = {epochs = 7}\n", "ratio 0.7, which no"),
        ("", "[[when]]\nthese = {ratio = 0}\nflags = {seed = 7}\n", "[[when]] sets seed, which is"),
        ("[4, 6, 8]", "[4, 6]", "widths"),
        ("", '[[skip]]\nimportance = "l1"\n[[skip]]\nimportance = "random"\n', "nothing is left"),
        ("[fixed]", '[fixed]\ndata = "bonn"', "give --data bonn=FOLDER"),
        ("", COMPARE.format("width", "3"), "width, which is no axis"),
        ("", COMPARE.format("importance", "l2"), "l2, which no run has; there is l1, random"),
        ("", HYPOTHESIS.format("ratio = 0.9", "ratio = 0", "better"), "0.9, which no run has"),
        ("", HYPOTHESIS.format("ratio = 0", "ratio = 0", "better"), "both sides are the same runs"),
        ("", HYPOTHESIS.format("seed = 1", "seed = 2", "better"), "repetitions"),
        ("", HYPOTHESIS.format("ratio = 0.5", "ratio = 0", "not-worse"), "not-worse needs a margin"),
        ("", 'metrics = ["beauty"]\n', "metrics"),
    ],
)  # fmt: skip
def test_what_can_mean_nothing_is_refused_in_one_line(
    old: str, new: str, told: str, tmp_path: Path
) -> None:
    path = write(tmp_path, GOOD.replace(old, new) if old else GOOD + new)
    with pytest.raises(SettingsError) as error:
        plan(path)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_the_example_of_a_study_file_is_one(tmp_path: Path) -> None:
    """docs/reference/study-file.md shows it too."""
    _, _, example = (study_file.__doc__ or "").partition("\n\n")
    (tmp_path / "example.toml").write_text(textwrap.dedent(example))
    study = read_study(tmp_path / "example.toml")
    check_questions(study)
    planned = drafts(study, {name: Source(tmp_path) for name in ("chbmit", "bonn")})
    assert len(planned) == 2 * 2 * 3 * 5 - 2 * 5
    assert {one.settings.split.by for one in planned if one.at["data"] == "bonn"} == {"recording"}
