"""What `--split` and `--folds-file` mean."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from secateur.errors import SettingsError
from secateur.runs import resolve
from secateur.windows.folds import read_folds

FOLDS = [["chb01", "chb02"], ["chb03"], ["chb04", "chb05"]]


def test_words_become_settings() -> None:
    assert resolve(None, {"split.by": "random"}).split.by == "random"
    split = resolve(None, {"split.by": "folds:5", "split.fold": 2}).split
    assert (split.by, split.folds, split.fold) == ("folds", 5, 2)
    for text in ("folds:", "folds:x", "folds:-2", "subject:3"):
        with pytest.raises(SettingsError, match="wanted subject, leave-one-subject-out, folds:5"):
            resolve(None, {"split.by": text})


@pytest.mark.parametrize(
    "content",
    [
        FOLDS,
        {"folds": FOLDS},
        {"fold_0": FOLDS[0], "fold_1": FOLDS[1], "fold_2": FOLDS[2]},
        {"seed": 7, "folds": {"a": FOLDS[0], "b": FOLDS[1], "c": FOLDS[2]}},
        [{"test": one} for one in FOLDS],
        [{"test_subjects": one, "note": 3} for one in FOLDS],
    ],
)
def test_every_shape_of_json_means_the_same(content: object, tmp_path: Path) -> None:
    path = tmp_path / "folds.json"
    path.write_text(json.dumps(content))
    assert [fold["test"] for fold in read_folds(path)] == FOLDS


@pytest.mark.parametrize(("suffix", "mark"), [(".csv", ","), (".tsv", "\t")])
def test_a_table_of_subjects_and_folds(suffix: str, mark: str, tmp_path: Path) -> None:
    path = tmp_path / f"folds{suffix}"
    rows = [(name, str(k + 9)) for k, fold in enumerate(FOLDS) for name in fold]
    lines = [("patient", "fold"), *reversed(rows)]
    path.write_text("\n".join(mark.join(row) for row in lines))
    assert [sorted(fold["test"]) for fold in read_folds(path)] == FOLDS


def test_who_trains_and_validates_may_be_told(tmp_path: Path) -> None:
    path = tmp_path / "folds.json"
    told = [
        {"train": ["a"], "val": ["b"], "test": ["c"]},
        {"train": ["c"], "dev": ["b"], "test": [1]},
    ]
    path.write_text(json.dumps(told))
    overrides = {"split.frozen": path, "split.fold": 2}
    fold = resolve(None, overrides).split.frozen[1]
    assert (fold.training, fold.validation, fold.test) == (("c",), ("b",), ("1",))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("x.json", "{", "not JSON"),
        ("x.json", "3", "wanted a list of folds"),
        ("x.json", "[[]]", "holds 1 fold"),
        ("x.json", '[["a"], []]', "fold 2 names nobody"),
        ("x.json", '[["a"], ["a"]]', "a tests in fold 1 and in fold 2"),
        ("x.json", '[["a"], 3]', "fold 2 is neither"),
        ("x.json", '[["a"], [[1]]]', "wanted a list of subjects' labels"),
        ("x.csv", "who,fold\na,1\n", "wanted columns subject and fold, got who, fold"),
        ("x.csv", "subject,fold\na,1\n,2\n", "line 3 lacks"),
    ],
)
def test_a_file_that_is_no_split_is_one_line(
    name: str, text: str, said: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(SettingsError, match=said):
        read_folds(path)
    with pytest.raises(SettingsError, match="there is no such file"):
        read_folds(tmp_path / "none.json")
    if path.name == "x.csv" and "subject,fold" in text:
        path.write_text("subject,fold\na,1\nb,2\n")
        with pytest.raises(SettingsError, match="2 folds are frozen, 5 were asked for"):
            resolve(None, {"split.by": "folds:5", "split.frozen": path, "split.fold": 1})
        with pytest.raises(SettingsError, match="frozen folds go with a split by folds"):
            resolve(None, {"split.by": "random", "split.frozen": path})


def test_a_flag_makes_the_files_folds_forgotten(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text('[split]\nby = "folds"\nfolds = 5\nfold = 2\nprevalence = 0.3\n')
    assert resolve(config).split.fold == 2
    assert resolve(config, {"split.fold": 3}).split.fold == 3
    other = resolve(config, {"split.by": "random"}).split
    assert (other.by, other.folds, other.fold, other.prevalence) == ("random", None, None, 0.3)
