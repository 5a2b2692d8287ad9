from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateur.errors import ChannelsError, SettingsError
from secateur.recordings import open_recording, wire
from secateur.recordings.montage import BIPOLAR_18, Lead, parse_label

ELECTRODES = sorted({name for pair in BIPOLAR_18 for name in pair.split("-")})
NEW_NAMES = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"}


@pytest.mark.parametrize(
    ("label", "lead"),
    [
        ("Fp1-F7", Lead("FP1", "F7")),
        ("F7-T3", Lead("F7", "T7")),
        ("T8-P8", Lead("T8", "P8")),
        ("T8-P8-1", Lead("T8", "P8")),
        ("EEG Fp1-REF", Lead("FP1", "REF")),
        ("EEG T3-LE", Lead("T7", "LE")),
        ("eeg o2-Avg", Lead("O2", "AVG")),
        ("P3-CS2", Lead("P3", "CS2")),
        ("01", Lead("O1", "")),
        ("F3", Lead("F3", "")),
        ("EEG Cz", Lead("CZ", "")),
        ("-", None),
        ("", None),
        ("ECG", None),
        ("EKG1-CHIN", None),
        ("VNS", None),
        ("LOC-ROC", None),
    ],
)
def test_labels_are_read_as_plus_minus_minus(label: str, lead: Lead | None) -> None:
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
    wiring = wire(labels)
    out = wiring.apply(data[list(wiring.used)])
    expected = [potential[a] - potential[b] for a, b in (name.split("-") for name in BIPOLAR_18)]
    assert out[:, 0].tolist() == expected
    assert wiring.notes == ("derived from two recorded channels each: all 18 pairs",)


def test_recorded_pairs_are_taken_as_they_are_and_the_first_of_two() -> None:
    labels = ["-", *BIPOLAR_18, "F8-T4"]
    data = np.arange(20, dtype=np.float32)[:, None]
    wiring = wire(labels)
    assert wiring.apply(data[list(wiring.used)])[:, 0].tolist() == list(range(1, 19))
    assert wiring.notes == ()


def test_a_pair_recorded_the_other_way_round_is_turned() -> None:
    labels = ["F3-Fp1" if name == "Fp1-F3" else name for name in BIPOLAR_18]
    wiring = wire(labels)
    assert wiring.apply(np.ones((18, 1), np.float32))[:2, 0].tolist() == [-1, 1]
    assert wiring.notes == ("recorded the other way round, sign changed: Fp1-F3",)


def test_channels_against_different_references_are_not_subtracted() -> None:
    labels = [f"{name}-A1" if name in "F3 C3 P3" else f"{name}-A2" for name in ELECTRODES]
    with pytest.raises(ChannelsError) as caught:
        wire(labels)
    assert "Fp1-F3" in caught.value.missing
    assert "F3-C3" not in caught.value.missing


def test_a_missing_channel_is_named_or_filled() -> None:
    labels = [name for name in BIPOLAR_18 if name not in ("Fz-Cz", "T6-O2")]
    with pytest.raises(ChannelsError, match="lacks Fz-Cz, T6-O2") as caught:
        wire(labels, path="night.edf")
    assert caught.value.missing == ("Fz-Cz", "T6-O2")
    assert "night.edf" in str(caught.value)
    assert "--missing zero" in str(caught.value)
    wiring = wire(labels, missing="zero")
    out = wiring.apply(np.ones((16, 3), np.float32))
    assert out.sum(axis=1).tolist() == [0.0 if n in ("Fz-Cz", "T6-O2") else 3.0 for n in BIPOLAR_18]
    assert wiring.notes == ("missing, filled with zeros: Fz-Cz, T6-O2",)


def test_an_unknown_montage_is_refused_with_those_there_are() -> None:
    with pytest.raises(SettingsError, match="bipolar-18"):
        wire(BIPOLAR_18, "triple-banana")


def test_all_real_recordings_yield_the_montage(clips: object) -> None:
    from cohorts import CLIPS

    files = sorted(CLIPS.rglob("*.edf"))
    notes = [wire(open_recording(path).channels, path=path).notes for path in files]
    assert len(files) == 223
    assert sum(1 for note in notes if note) == 26  # those recorded against a common reference
