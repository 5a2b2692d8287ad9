"""A run over several data sets: every side has every set, and none drowns another."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from secateur.errors import ChannelsError, CohortError, SettingsError, SplitError
from secateur.recordings import data_set_of
from secateur.recordings.montage import BIPOLAR_18
from secateur.results import load
from secateur.runs import Execution
from secateur.runs.data import RunData, Source, gather
from secateur.runs.run import run, run_name
from secateur.runs.settings import resolve
from secateur.training import TrainingSettings
from secateur.training.draw import EpochDraw
from secateur.windows import Cache
from tests.support.cohorts import eeg, write_cohort, write_edf


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], list[str]]:
    top = tmp_path_factory.mktemp("several")
    first = write_cohort(top / "a", subjects=6, name="One")
    second = write_cohort(top / "b", subjects=4, name="Two", seed=50)
    for person in range(5):
        write_edf(top / "quiet" / f"p{person}.edf", eeg(60, [], 90 + person), BIPOLAR_18)
    return [f"one={first}", str(second)], [f"tuh={top / 'quiet'}"]


@pytest.fixture(scope="module")
def material(words: tuple[list[str], list[str]]) -> RunData:
    return gather(Source.of(*words), resolve(None, {"seed": 3}), Cache())


def test_every_side_has_every_set(material: RunData) -> None:
    for side in ("training", "validation", "test"):
        people = getattr(material.split, side)
        assert {data_set_of(name) for name in people} == {"one", "Two", "tuh"}
    everybody = [*material.split.training, *material.split.validation, *material.split.test]
    assert len(everybody) == len(set(everybody)) == 6 + 4 + 5


def test_a_set_alone_is_divided_as_in_company(
    material: RunData, words: tuple[list[str], list[str]]
) -> None:
    alone = gather(Source.of(words[0][1:]), resolve(None, {"seed": 3}), Cache())
    for side in ("training", "validation", "test"):
        own = tuple(name for name in getattr(material.split, side) if name.startswith("Two/"))
        assert getattr(alone.split, side) == own


def test_who_only_tests_changes_no_other_side(
    material: RunData, words: tuple[list[str], list[str]]
) -> None:
    settings = resolve(None, {"seed": 3})
    source = Source.of(words[0], test_background=words[1])
    assert source.words[-2:] == ["--test-background", words[1][0]]
    tests = gather(source, settings, Cache())
    for side in ("training", "validation", "test"):
        own = {name for name in getattr(material.split, side) if not name.startswith("tuh/")}
        quiet = {f"tuh/p{person}" for person in range(5)} if side == "test" else set()
        assert set(getattr(tests.split, side)) == own | quiet
    assert tests.contents["tests_only"] == "tuh"
    assert run_name(settings, tests) != run_name(settings, material)
    with pytest.raises(SplitError, match="tuh only test, and a split by window"):
        gather(source, resolve(None, {"split.by": "random"}), Cache())


def test_draws_even_out_sets_then_subjects(material: RunData) -> None:
    training = material.sides["training"]
    draw = EpochDraw(training, TrainingSettings(), 0)
    drawn = draw.sample(40_000)
    ictal = training.labels[drawn]
    assert ictal.mean() == pytest.approx(0.5, abs=0.01)
    sets = np.array([data_set_of(name) for name in training.subject_of[drawn]])
    for kind, names in ((True, ("one", "Two")), (False, ("one", "Two", "tuh"))):
        for name in names:
            own = (ictal == kind) & (sets == name)
            assert own.sum() / (ictal == kind).sum() == pytest.approx(1 / len(names), abs=0.02)
            people, counts = np.unique(training.subject_of[drawn][own], return_counts=True)
            assert counts / own.sum() == pytest.approx(1 / len(people), abs=0.03)


def test_a_set_that_is_too_small_is_named(
    words: tuple[list[str], list[str]], tmp_path: Path
) -> None:
    write_edf(tmp_path / "few" / "p0.edf", eeg(60, [], 1), BIPOLAR_18)
    with pytest.raises(SplitError, match="few: 1 subject can't be split into 3 sides"):
        gather(Source.of(words[0][:1], [str(tmp_path / "few")]), resolve(None, {}), Cache())


def test_a_set_that_lacks_the_montage_is_told_what_all_have(
    words: tuple[list[str], list[str]], tmp_path: Path
) -> None:
    headband = ("F7-T3", "T3-T5", "T5-O1", "F8-T4", "T4-T6", "T6-O2")
    for person in range(3):
        data = eeg(60, [], person, channels=6)
        write_edf(tmp_path / "band" / f"p{person}.edf", data, headband)
    source = Source.of(words[0][:1], [str(tmp_path / "band")])
    with pytest.raises(ChannelsError, match="lacks Fp1-F3") as caught:
        gather(source, resolve(None, {}), Cache())
    montage = str(caught.value).rpartition("all data sets have --montage ")[2]
    assert montage.split(",") == list(headband)
    material = gather(source, resolve(None, {"chain.montage": montage}), Cache())
    assert material.sides["training"].channel_names == headband


def test_the_command_is_told_as_it_was_typed(words: tuple[list[str], list[str]]) -> None:
    source = Source.of(*words)
    assert source.words == [
        "--data", words[0][0], "--data", words[0][1], "--background", words[1][0],
    ]  # fmt: skip
    more = Source(Path("a"), Path("b"), strict=True, weights=Path("w.safetensors"))
    assert more.words == [
        "--data", "a", "--test-data", "b", "--weights", "w.safetensors", "--strict",
    ]  # fmt: skip


def test_a_run_tells_scores_and_false_alarms_of_each_set(
    words: tuple[list[str], list[str]], tmp_path: Path
) -> None:
    changes = {
        "training.epochs": 1,
        "training.windows_per_epoch": 64,
        "network.widths": (4, 4, 4),
    }
    result = run(Source.of(*words), tmp_path, resolve(None, changes), Execution(1))
    read = load(tmp_path / "result.json")
    assert read == result.result
    (given_away,) = [line for line in result.result.warnings if "labels away" in line]
    assert given_away.startswith(
        "of 3 data sets tuh has no seizure, so that the set gives labels away"
    )
    assert "no seizure on these recordings" not in "".join(result.result.warnings)
    for name, model in result.result.models.items():
        test = model.test
        assert test is not None
        assert set(test.by_set) == {"one", "Two", "tuh"}
        # who has no seizure has no AUROC, and no part in its mean
        ranked = [each["auroc"] for each in test.subjects.values() if each["auroc"] is not None]
        assert len(ranked) == sum(not who.startswith("tuh/") for who in test.subjects)
        assert test.mean_of_subjects["auroc"] == pytest.approx(sum(ranked) / len(ranked))
        assert test.froc is not None
        assert set(test.froc.alarms) == {"one", "Two", "tuh"}
        assert test.froc.backgrounds["tuh"] == "free of seizures, as the user says"
        own = [each for subject, each in test.subjects.items() if subject.startswith("Two/")]
        mean = sum(each["accuracy"] or 0 for each in own) / len(own)
        assert test.by_set["Two"].mean_of_subjects["accuracy"] == pytest.approx(mean)
        assert test.by_set["tuh"].scores["auroc"] is None  # no seizure, nothing to rank
        counts = {each.data: each for each in test.false_alarms}
        assert set(counts) == {"one", "Two", "tuh"}
        assert counts["tuh"].declared_seizure_free
        assert not counts["one"].declared_seizure_free
        people = [name for name in result.material.split.test if name.startswith("tuh/")]
        assert sorted(counts["tuh"].subjects) == people
        assert counts["tuh"].hours == pytest.approx(len(people) * 60 / 3600)
        assert sum(each.alarms for each in test.false_alarms) == test.events.fp
        assert model.minus_baseline is not None
        for each in model.minus_baseline.false_alarms:
            if name == "baseline":
                assert each.per_day == 0
        assert len(model.minus_baseline.false_alarms) == 3


@pytest.mark.parametrize("tests", [False, True])
def test_the_same_recording_in_two_data_sets_is_refused(
    tiny_cohort: Path, tmp_path: Path, tests: bool
) -> None:
    """A person under another name would be learned from and tested on."""
    other = write_cohort(tmp_path / "other", subjects=3, seconds=45, name="Other", seed=80)
    stray = sorted(tiny_cohort.rglob("*_eeg.edf"))[0]
    for path in stray.parent.glob(f"{stray.name.removesuffix('_eeg.edf')}*"):
        copy = other / "sub-77" / path.name.replace("sub-01", "sub-77")
        copy.parent.mkdir(exist_ok=True)
        shutil.copy(path, copy)
    words = ([str(tiny_cohort)], other) if tests else ([str(tiny_cohort), str(other)], None)
    source = Source.of(words[0], test_data=words[1])
    with pytest.raises(CohortError, match=r"sub-77.* is the same recording as .*sub-01.*another"):
        gather(source, resolve(None, {"seed": 3}), Cache())


def test_one_string_in_place_of_several_folders_is_refused() -> None:
    for names in ({"data": "cohort"}, {"data": ["cohort"], "background": "quiet"}):
        with pytest.raises(SettingsError, match=r"got the string .* wanted a list"):
            Source.of(**names)
