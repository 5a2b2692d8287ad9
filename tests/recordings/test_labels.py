"""What labels are understood as, which channels count as EEG, and how labels are renamed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateur.errors import ChannelsError
from secateur.recordings import map_montage
from secateur.recordings.montage import (
    BIPOLAR_18,
    ELECTRODES_10_20,
    eeg_channels,
    parse_label,
    rename_channels,
)

TODAY = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"}

ELECTRODES: dict[str, Callable[[str], str]] = {
    "Fp1.": lambda e: f"{e}.",
    "Fp1..": lambda e: e.ljust(4, "."),
    "Fp1_REF": lambda e: f"{e}_REF",
    "Fp1:REF": lambda e: f"{e}:REF",
    "Fp1/REF": lambda e: f"{e}/REF",
    "Fp1/A1": lambda e: f"{e}/A1",
    "Fp1-(A1+A2)/2": lambda e: f"EEG {e}-(A1+A2)/2",
    "EEG:Fp1": lambda e: f"EEG:{e}",
    "EEG_Fp1": lambda e: f"EEG_{e}",
    "EEGFp1": lambda e: f"EEG{e}",
    "Fp1 EEG": lambda e: f"{e} EEG",
    "T3/T7": lambda e: f"{e}/{TODAY[e]}" if e in TODAY else e,
    "T7(T3)": lambda e: f"{TODAY[e]}({e})" if e in TODAY else e,
    "1 Fp1": lambda e: f"{ELECTRODES_10_20.index(e) + 1} {e}",
    "01. Fp1-Ref": lambda e: f"{ELECTRODES_10_20.index(e) + 1:02d}. {e}-Ref",
    "Fp1 A1": lambda e: f"{e} A1",
}
PAIRS: dict[str, Callable[[str, str], str]] = {
    "Fp1/F3": lambda a, b: f"{a}/{b}",
    "Fp1_F3": lambda a, b: f"{a}_{b}",
    "Fp1F3": lambda a, b: f"{a}{b}",
    "Fp1 F3": lambda a, b: f"{a} {b}",
    "cp1252": lambda a, b: f"{a}\x96{b}",
    "en dash": lambda a, b: f"{a} – {b}",
    "EEG Fp1-EEG F3": lambda a, b: f"EEG {a}-EEG {b}",
}
POTENTIAL = {name: float(k + 1) ** 1.5 for k, name in enumerate(ELECTRODES_10_20)}
WANTED = [POTENTIAL[a] - POTENTIAL[b] for a, b in (name.split("-") for name in BIPOLAR_18)]


@pytest.mark.clause("EDF+ 2.1.3.9")
@pytest.mark.parametrize("form", sorted(ELECTRODES))
def test_electrodes_are_understood_as_laboratories_write_them(form: str) -> None:
    labels = [ELECTRODES[form](name) for name in ELECTRODES_10_20]
    montage_map = map_montage(labels)
    data = np.array([[POTENTIAL[name]] for name in ELECTRODES_10_20], np.float32)
    assert np.allclose(montage_map.apply(data[list(montage_map.used)])[:, 0], WANTED, atol=1e-4)
    assert len(eeg_channels(labels)) == 19


@pytest.mark.parametrize("form", sorted(PAIRS))
def test_pairs_are_understood_as_laboratories_write_them(form: str) -> None:
    montage_map = map_montage([PAIRS[form](*name.split("-")) for name in BIPOLAR_18])
    data = np.array(WANTED, np.float32)[:, None]
    assert np.array_equal(montage_map.apply(data[list(montage_map.used)]), data)
    assert montage_map.notes == ()


@pytest.mark.parametrize(
    "label",
    [
        "C3_temp",
        "F3 EMG",
        "Fp1-F3-C3",
        "E1-Fp1",
        "C3P-REF",
        "ECG LEAD I",
        "T7(P7)",
        "O1/DC2",
        "12",
        pytest.param("Fp1" * 10**6, id="long"),
    ],
)
def test_what_is_not_certain_is_not_understood(label: str) -> None:
    assert parse_label(label) is None


SEEG = ["o'11", "o'12", "s'1", "s'2", "s'3", "s'10"]
DEPTH = ["A1", "A2", "A3", "B1", "B2", "C1", "C2", "C3", "C7", "P1", "P2", "O1", "T1", "T2"]
GRIDS = [f"POL {x}{k}" for x in ("LA", "LF", "F", "P") for k in (1, 2, 12)]
CAP = list(ELECTRODES_10_20)


@pytest.mark.parametrize(
    ("eeg", "others"),
    [
        (SEEG, ["fz", "cz", "ecg1", "ecg2"]),
        (["o'11", "o'12", "s'9", "s'10"], ["fz", "cz"]),
        (DEPTH, ["DC1", "Photic"]),
        (GRIDS, ["POL EKG1", "EEG Fz-Ref"]),
        (["LA1-LA2", "LA2-LA3", "C1-C2", "ACC1-ACC2"], ["EKG1-EKG2"]),
        ([*["C1", "C2", "C3", "P1", "P2"]], ["HR"]),
        ([f"E{k}" for k in range(1, 33)], ["Cz"]),
        (["Fp1", "F3"], ["ECG", "X1", "DC1"]),
        (CAP, ["A1", "A2", "T1", "T2", *(f"C{k}" for k in range(25, 65)), "DC1", "TEMP"]),
        ([*CAP, "FC1-Ref", "PO7"], ["EEG EKG1-REF", "PHOTIC-REF", "IBI", "X1", "X2", "C3P"]),
        (["Cz"], ["ECG LEAD I", "Resp", "Temp", "Body"]),
        (["EEG Fp1", "EEG F3", "EEG C3_REF", "EEG P3."], ["EMG-REF"]),
        (
            ["BTEleft SD", "A1-A2"],
            [
                "ECG SD",
                "EKG1-EKG2",
                "EMG SD",
                "HR",
                "SpO2",
                "ACC x",
                "GYR A x",
                "Photic",
                "IBI",
                "Bursts",
                "Suppr",
            ],
        ),
        (["EEG"], ["RESP1", "VNS"]),
        (["Fp1", "F3"], ["ACC1", "ACC2", "ACC3", "GYR1", "MAG_1"]),
        (["BTEleft"], ["ACC1", "ACC2"]),
        (["ACC1", "ACC2", "ACC3", "ACC4"], ["Fz"]),
        (
            ["C4-M1", "O2-M1"],
            [
                "E1-M2",
                "E2-M2",
                "Chin1-Chin2",
                "Leg1",
                "Leg2",
                "LAT1",
                "LAT2",
                "RAT1",
                "RAT2",
                "Snore",
            ],
        ),
        (["LA1-LA2", "LA1-LA3", "LA2-LA3", "LB1-LB2"], ["EEG Cz-Ref"]),
    ],
)
def test_scalp_or_intracranial_is_decided_for_all_labels_and_the_rest_is_noted(
    eeg: list[str], others: list[str]
) -> None:
    labels = [*eeg[:1], *others, *eeg[1:], "-"]
    assert eeg_channels(labels) == tuple(eeg)
    for montage in ("each", "as-recorded"):
        montage_map = map_montage(labels, montage)
        assert montage_map.names == tuple(eeg)
        assert montage_map.notes == (f"left out: {', '.join(others)}",)


def test_a_channel_there_twice_is_noted() -> None:
    assert map_montage(["T8-P8", "Cz", "t8-p8 "], "each").notes == (
        "there more than once, the first is taken: T8-P8",
    )


def test_a_channel_there_twice_is_noted_in_a_montage_of_pairs_too() -> None:
    """CHB-MIT has T8-P8 twice; which of two counts is never said by what they are called."""
    labels = [*BIPOLAR_18, "T8-P8-1", "ECG", "ECG"]
    assert map_montage(labels).notes == ("there more than once, the first is taken: T4-T6",)
    assert map_montage(BIPOLAR_18).notes == ()


def test_contacts_that_are_called_as_electrodes_make_no_bipolar_montage() -> None:
    names = {name.upper() for pair in BIPOLAR_18 for name in pair.split("-")} - {"FZ", "CZ", "PZ"}
    labels = [
        *sorted(names),
        *(f"{x}{k}" for x in ("F", "C", "P", "T", "FP", "O") for k in (11, 12)),
    ]
    with pytest.raises(ChannelsError, match="contacts inside the skull"):
        map_montage(labels, missing="zero")


@given(st.lists(st.sampled_from([*SEEG, *DEPTH, *GRIDS, *CAP, "ACC1", "Temp", "EEG", "X1"])))
def test_what_is_eeg_among_others_is_eeg_by_itself(labels: list[str]) -> None:
    """Under montage each a channel is read as a recording of its own."""
    for label in eeg_channels(labels):
        assert map_montage([label], "each").names == (label,)


def test_renaming_takes_labels_as_written_or_nearly() -> None:
    labels = ("EEG 1", "X2", "X2", "Cz")
    assert rename_channels(labels, {"eeg1": "O1", "X2": "F3"}, "a") == ("O1", "F3", "F3", "Cz")
    assert rename_channels(labels, {"Cz": "X2", "X2": "Cz"}, "a") == ("EEG 1", "Cz", "Cz", "X2")
    assert rename_channels(labels, {}, "a") == labels


@pytest.mark.parametrize(
    ("rename", "message"),
    [
        ({"X3": "F3"}, "a.edf: has no channel X3 to rename; it has X1, X2, Cz"),
        ({"X1": "cz "}, "a.edf: a channel can't be renamed to 'cz ', which is there already"),
        (
            {"X1": "F3", "X2": "F3"},
            "a.edf: a channel can't be renamed to 'F3', which is there already",
        ),
    ],
)
def test_a_rename_that_cannot_be_meant_is_one_line(rename: dict[str, str], message: str) -> None:
    with pytest.raises(ChannelsError) as caught:
        rename_channels(("X1", "X2", "Cz"), rename, "a.edf")
    assert str(caught.value) == message
