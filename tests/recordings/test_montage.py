from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateur.errors import ChannelsError, SettingsError
from secateur.recordings import common_channels, map_montage, open_recording
from secateur.recordings.montage import BIPOLAR_18, UNIPOLAR_19, Derivation, parse_label

ELECTRODES = sorted({name for pair in BIPOLAR_18 for name in pair.split("-")})
NEW_NAMES = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"}


@pytest.mark.parametrize(
    ("label", "lead"),
    [
        ("Fp1-F7", Derivation("FP1", "F7")),
        ("F7-T3", Derivation("F7", "T7")),
        ("T8-P8", Derivation("T8", "P8")),
        ("T8-P8-1", Derivation("T8", "P8")),
        ("EEG Fp1-REF", Derivation("FP1", "REF")),
        ("EEG T3-LE", Derivation("T7", "LE")),
        ("eeg o2-Avg", Derivation("O2", "AVG")),
        ("P3-CS2", Derivation("P3", "CS2")),
        ("01", Derivation("O1", "")),
        ("F3", Derivation("F3", "")),
        ("EEG Cz", Derivation("CZ", "")),
        ("-", None),
        ("", None),
        ("ECG", None),
        ("EKG1-CHIN", None),
        ("VNS", None),
        ("LOC-ROC", None),
    ],
)
def test_labels_are_read_as_plus_minus_minus(label: str, lead: Derivation | None) -> None:
    assert parse_label(label) == lead


STYLES: dict[str, Callable[[str], str]] = {
    "plain": lambda name: name,
    "upper": lambda name: name.upper(),
    "ref": lambda name: f"EEG {name}-REF",
    "le": lambda name: f"{name.lower()}-LE",
    "avg": lambda name: f"EEG {name}-Avg",
    "cs2": lambda name: f"{name.upper()}-CS2",
    "new": lambda name: NEW_NAMES.get(name, name),
    "misspelt": lambda name: "01" if name == "O1" else name,
}


@given(
    style=st.sampled_from(sorted(STYLES)),
    order=st.permutations(ELECTRODES),
    extra=st.lists(st.sampled_from(["-", "ECG", "FC1-Ref"]), max_size=3),
)
def test_pairs_are_derived_from_any_reference_in_any_order(
    style: str, order: list[str], extra: list[str]
) -> None:
    potential = {name: float(k) ** 2 for k, name in enumerate(ELECTRODES)}
    labels = [*extra, *(STYLES[style](name) for name in order)]
    data = np.array([[0.0]] * len(extra) + [[potential[name]] for name in order], np.float32)
    montage_map = map_montage(labels)
    out = montage_map.apply(data[list(montage_map.used)])
    expected = [potential[a] - potential[b] for a, b in (name.split("-") for name in BIPOLAR_18)]
    assert out[:, 0].tolist() == expected
    assert montage_map.notes == ("derived from two recorded channels each: all 18 pairs",)


def test_recorded_pairs_are_taken_as_they_are_and_the_first_of_two() -> None:
    labels = ["-", *BIPOLAR_18, "F8-T4"]
    data = np.arange(20, dtype=np.float32)[:, None]
    montage_map = map_montage(labels)
    assert montage_map.apply(data[list(montage_map.used)])[:, 0].tolist() == list(range(1, 19))
    assert montage_map.notes == ("there more than once, the first is taken: F8-T4",)


def test_a_pair_recorded_the_other_way_round_is_turned() -> None:
    labels = ["F3-Fp1" if name == "Fp1-F3" else name for name in BIPOLAR_18]
    montage_map = map_montage(labels)
    assert montage_map.apply(np.ones((18, 1), np.float32))[:2, 0].tolist() == [-1, 1]
    assert montage_map.notes == ("recorded the other way round, sign changed: Fp1-F3",)


def test_channels_against_different_references_are_not_subtracted() -> None:
    labels = [f"{name}-A1" if name in "F3 C3 P3" else f"{name}-A2" for name in ELECTRODES]
    with pytest.raises(ChannelsError) as caught:
        map_montage(labels)
    assert "Fp1-F3" in caught.value.missing
    assert "F3-C3" not in caught.value.missing
    assert "; Fp1-A2 and F3-A1 have no reference in common" in str(caught.value)
    assert "--rename" not in str(caught.value)


def test_each_against_its_neighbours_is_no_common_reference() -> None:
    labels = [f"{name}-LAP" for name in ELECTRODES]
    for montage in ("bipolar-18", "unipolar-19"):
        with pytest.raises(ChannelsError, match=montage):
            map_montage(labels, montage)
    assert map_montage([f"{name}-AVG" for name in ELECTRODES]).used


def test_labels_that_may_mean_electrodes_are_to_be_renamed() -> None:
    with pytest.raises(ChannelsError, match=r"where 'E 1' means an electrode: --rename OLD=NEW"):
        map_montage(["ECG", "-", *(f"E {number}" for number in range(1, 20))])
    with pytest.raises(ChannelsError) as caught:
        map_montage(["Cz", "C3", "ECG"])
    assert "--rename" not in str(caught.value)


def test_a_missing_channel_is_named_or_filled() -> None:
    labels = [name for name in BIPOLAR_18 if name not in ("Fz-Cz", "T6-O2")]
    with pytest.raises(ChannelsError, match="lacks Fz-Cz, T6-O2") as caught:
        map_montage(labels, path="night.edf")
    assert caught.value.missing == ("Fz-Cz", "T6-O2")
    assert "night.edf" in str(caught.value)
    montage_map = map_montage(labels, missing="zero")
    out = montage_map.apply(np.ones((16, 3), np.float32))
    assert out.sum(axis=1).tolist() == [0.0 if n in ("Fz-Cz", "T6-O2") else 3.0 for n in BIPOLAR_18]
    assert montage_map.notes == ("missing, filled with zeros: Fz-Cz, T6-O2",)


def test_an_unknown_montage_is_refused_with_those_there_are() -> None:
    with pytest.raises(SettingsError, match="bipolar-18"):
        map_montage(BIPOLAR_18, "triple-banana")


def test_all_real_recordings_yield_the_montage(clips: object) -> None:
    from tests.support.cohorts import CLIPS

    files = sorted(CLIPS.rglob("*.edf"))
    notes = [map_montage(open_recording(path).channels, path=path).notes for path in files]
    assert len(files) == 223
    derived = "derived from two recorded channels each: all 18 pairs"
    assert sum(derived in note for note in notes) == 26  # recorded against a common reference
    twice = ("there more than once, the first is taken: T8-P8",)
    assert {note for note in notes if derived not in note} == {(), twice}


@given(reference=st.sampled_from(["", "-REF", "-LE", "-Cz"]), seed=st.integers(0, 99))
def test_unipolar_does_not_depend_on_the_reference(reference: str, seed: int) -> None:
    names = [name.removesuffix("-Avg") for name in UNIPOLAR_19]
    recorded = [name for name in names if f"-{name}" != reference]
    potential = np.random.default_rng(seed).normal(size=(19, 5))
    against = potential[names.index("Cz")] if reference == "-Cz" else 7.0
    data = np.array([potential[names.index(name)] - against for name in recorded], np.float32)
    montage_map = map_montage([f"EEG {name}{reference}" for name in recorded], "unipolar-19")
    out = montage_map.apply(data[list(montage_map.used)])
    assert np.allclose(out, potential - potential.mean(axis=0), atol=1e-5)


def test_unipolar_needs_one_reference_and_averages_what_is_there() -> None:
    labels = [name.removesuffix("-Avg") for name in UNIPOLAR_19]
    with pytest.raises(ChannelsError, match="lacks Fp1-Avg"):
        map_montage(BIPOLAR_18, "unipolar-19")
    without = [name for name in labels if name != "Pz"]
    montage_map = map_montage(without, "unipolar-19", missing="zero")
    out = montage_map.apply(np.arange(18, dtype=np.float32)[:, None])
    assert out[UNIPOLAR_19.index("Pz-Avg"), 0] == 0
    assert abs(out.sum()) < 1e-5
    assert montage_map.notes == ("missing, filled with zeros: Pz-Avg",)


@pytest.mark.parametrize(
    ("label", "others", "taken"),
    [("EEG 1", ("1", "2"), True), ("1", (), True), ("1", ("2",), False), ("EEG 1", (), True)],
)
def test_a_bare_1_is_O1_only_where_it_can_be_nothing_else(
    label: str, others: tuple[str, ...], taken: bool
) -> None:
    electrodes = [f"EEG {name}" for name in ELECTRODES if name != "O1"]
    labels = [*electrodes, label, *others]
    if taken:
        assert f"the channel {label!r} is taken as O1" in map_montage(labels).notes
    else:
        with pytest.raises(ChannelsError, match="P3-O1"):
            map_montage(labels)
    with_o1 = map_montage([*electrodes, "EEG O1", label, *others])
    assert not any("taken as O1" in note for note in with_o1.notes)


def test_each_takes_what_is_eeg_once() -> None:
    labels = ["Fp1-F7", "-", "T8-P8", "ECG", "T8-P8", "VNS"]
    montage_map = map_montage(labels, "each")
    assert montage_map.names == ("Fp1-F7", "T8-P8")
    assert montage_map.used == (0, 2)
    inside = map_montage(["HIP1", "HIP2", "EKG1", "-", "SPO2", "MK"], "each")
    assert inside.names == ("HIP1", "HIP2")
    assert map_montage(["EEG"], "each").names == ("EEG",)
    with pytest.raises(ChannelsError, match="any EEG channel"):
        map_montage(["ECG", "-"], "each")


def test_as_recorded_takes_shared_labels_in_the_first_ones_order() -> None:
    shared = common_channels([["b", " A", "-", "c", "A"], ["a", "C ", "d", "b", "-"], ["c", "a"]])
    assert shared == ("A", "c")
    montage_map = map_montage(["C", "x", "a"], "as-recorded", labels=shared)
    recorded = np.array([[3.0], [2.0], [1.0]], np.float32)
    assert montage_map.apply(recorded[list(montage_map.used)])[:, 0].tolist() == [1.0, 3.0]
    with pytest.raises(ChannelsError, match="lacks c"):
        map_montage(["a", "x"], "as-recorded", labels=shared)
    assert map_montage(["a", "x"], "as-recorded", missing="zero", labels=shared).sign == (1, 0)


def test_real_layouts_yield_their_montages(layouts: Path) -> None:
    files = sorted(layouts.rglob("*.edf"))
    siena = [path for path in files if path.name.startswith("PN")]
    for path in files:
        montage_map = map_montage(open_recording(path).channels, path=path)
        assert len(montage_map.used) >= 17
        assert not any("taken as O1" in note for note in montage_map.notes)
    for path in siena:
        assert len(map_montage(open_recording(path).channels, "unipolar-19", path=path).used) == 19
