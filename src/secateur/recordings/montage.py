"""From the channels that a recording has to the channels that a network wants.

Comes in: channel labels as recorded, a montage's name. Goes out: a `MontageMap`: for each wanted channel
which recorded channels to subtract, and how it was found. Next: `windows.chain` applies it.

A label is read as plus minus minus: `EEG Fp1-REF` is Fp1 against REF, `F7-T3` is F7 against T7.

bipolar-18: a wanted pair is taken as recorded, or recorded the other way round, or derived from any two
channels that share their minus. unipolar-19: electrodes recorded against one reference, whichever, and
then against the mean of all of them, so that the recording's own reference doesn't matter.
as-recorded: the channels by their labels, nothing subtracted. each: every EEG channel by itself, for
networks of one channel.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from secateur.errors import ChannelsError, SettingsError

Missing = Literal["error", "zero", "skip"]
"""What to do where a recording lacks a channel: refuse, put zeros, leave the recording out."""

BIPOLAR_18 = (
    "Fp1-F3", "F3-C3", "C3-P3", "P3-O1",
    "Fp1-F7", "F7-T3", "T3-T5", "T5-O1",
    "Fz-Cz", "Cz-Pz",
    "Fp2-F4", "F4-C4", "C4-P4", "P4-O2",
    "Fp2-F8", "F8-T4", "T4-T6", "T6-O2",
)  # fmt: skip
"""SzCORE's longitudinal bipolar montage (double banana), in its order."""

UNIPOLAR_19 = tuple(
    f"{name}-Avg"
    for name in (
        "Fp1", "F3", "C3", "P3", "O1", "F7", "T3", "T5", "Fz", "Cz", "Pz",
        "Fp2", "F4", "C4", "P4", "O2", "F8", "T4", "T6",
    )
)  # fmt: skip
"""The electrodes of the 10-20 system against their average, in SzCORE's order."""

MontageName = Literal["bipolar-18", "unipolar-19", "as-recorded", "each"]
MONTAGES: tuple[MontageName, ...] = ("bipolar-18", "unipolar-19", "as-recorded", "each")
FIXED: dict[str, tuple[str, ...]] = {"bipolar-18": BIPOLAR_18, "unipolar-19": UNIPOLAR_19}
"""Montages whose channels are the same for every recording."""

EACH = ("each channel",)
"""What the one channel of a network under `each` is called."""

# Names of the 1958 and 1991 systems for the same place; and a common misspelling of the O's.
_SAME_PLACE = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8", "01": "O1", "02": "O2"}
_ELECTRODE = re.compile(
    r"NZ|IZ|FP[1Z2]|AF[1-9Z]|AF10|F[1-9Z]|F10|F[TC][1-9Z]|FT10|C[1-6Z]|CP[1-6Z]"
    r"|T[3-9]|T10|TP[7-9]|TP10|P[1-9Z]|P10|PO[1-9Z]|O[12Z]"
)
"""The electrodes of the 10-10 system."""

_DUMMIES = {"", "-", "--", "."}
_NO_EEG = re.compile(
    r"E[CK]G.*|EMG.*|EOG.*|[LR]OC.*|VNS|SPO2|HR|PLET.*|PULS.*|RESP.*|MK|DC\d*|STI.*|TRIG.*|EVENT.*|LUE.*"
)
"""Labels of what is often recorded beside EEG."""


@dataclass(frozen=True)
class Derivation:
    """What one recorded channel measures: electrode `plus` against `minus`, in today's names."""

    plus: str
    minus: str


def parse_label(label: str) -> Derivation | None:
    """What a channel label says, or None where it names no scalp electrode (a dummy, an ECG)."""
    text = re.sub(r"\s+", "", label.upper())
    text = re.sub(r"^(?:EEG|POL)[-_:]?", "", text)
    text = re.sub(r"-[0-9]$", "", text)  # readers number channels of one name: T8-P8-0, T8-P8-1
    parts = text.split("-")
    if len(parts) > 2 or not parts[0]:
        return None
    names = [_SAME_PLACE.get(part, part) for part in parts]
    if not _ELECTRODE.fullmatch(names[0]):
        return None
    return Derivation(names[0], names[1] if len(names) == 2 else "")


@dataclass(frozen=True)
class MontageMap:
    """How a montage is made from one recording's channels.

    Wanted channel k is `plus[k]` minus `minus[k]`, both positions in `used` (indices into the
    recording's channels); `minus` −1 subtracts nothing, `plus` −1 too gives zeros.
    `sign` is −1 where the pair was recorded the other way round, 0 where the channel is missing.
    `average`: the mean of the channels that are not missing is subtracted from each of them at the end.
    `notes` say what was not as recorded.
    """

    names: tuple[str, ...]
    used: tuple[int, ...]
    plus: tuple[int, ...]
    minus: tuple[int, ...]
    sign: tuple[int, ...]
    notes: tuple[str, ...]
    average: bool = False

    def apply(self, data: NDArray[np.float32]) -> NDArray[np.float32]:
        """`data`: the channels in `used` × samples, µV. Returns len(names) × samples, µV."""
        out = np.zeros((len(self.names), data.shape[1]), dtype=np.float32)
        for row, (plus, minus, sign) in enumerate(
            zip(self.plus, self.minus, self.sign, strict=True)
        ):
            if plus < 0:
                continue
            out[row] = data[plus]
            if minus >= 0:
                out[row] -= data[minus]
            if sign < 0:
                out[row] *= -1
        if self.average:
            present = [row for row, sign in enumerate(self.sign) if sign]
            out[present] -= out[present].mean(axis=0)
        return out


def map_montage(
    channels: Sequence[str],
    montage: str = "bipolar-18",
    missing: Missing = "error",
    path: Path | str = "recording",
    wanted: Sequence[str] = (),
) -> MontageMap:
    """Find the montage's channels among `channels` (labels as recorded).

    `missing`: "zero" fills what is not there with zeros; "error" and "skip" both raise `ChannelsError`,
    which names all missing channels (whoever reads a cohort leaves the recording out for "skip").
    `wanted`: the labels of montage as-recorded (none: all that are there). Raises `SettingsError` for a
    montage that is not known.
    """
    if montage not in MONTAGES:
        raise SettingsError(f"montage {montage!r} is not known; there is {', '.join(MONTAGES)}")
    average = False
    if montage in FIXED:
        names: tuple[str, ...] = FIXED[montage]
        by_derivation, notes = _derivations(channels)
        average = montage == "unipolar-19"
        found = (
            _against_reference(by_derivation)
            if average
            else [_pair(n, by_derivation) for n in names]
        )
    else:
        by_label: dict[str, int] = {}
        for index, label in enumerate(channels):
            by_label.setdefault(_plain(label), index)
        every = eeg_channels(channels) if montage == "each" else common_channels([channels])
        names = tuple(wanted) or every
        found = [_as_recorded(name, by_label) for name in names]
        notes = ()
    absent = tuple(name for name, way in zip(names, found, strict=True) if way is None)
    if not names or len(absent) == len(names) or (absent and missing != "zero"):
        lacks = ", ".join(absent) or "any EEG channel"
        raise ChannelsError(
            path,
            f"montage {montage} lacks {lacks}; recorded are {', '.join(channels)}",
            absent,
        )
    used = sorted({index for way in found if way for index in way[:2] if index >= 0})
    place = {index: k for k, index in enumerate(used)} | {-1: -1}
    ways = [way or (-1, -1, 0) for way in found]
    return MontageMap(
        names=names,
        used=tuple(used),
        plus=tuple(place[way[0]] for way in ways),
        minus=tuple(place[way[1]] for way in ways),
        sign=tuple(way[2] for way in ways),
        notes=notes + _notes(names, ways),
        average=average,
    )


def eeg_channels(channels: Sequence[str]) -> tuple[str, ...]:
    """Labels of the EEG channels among `channels`, each once, in their order.

    Where some name electrodes of the scalp these are they; else (intracranial, or one channel of any
    name) all but dummies and what is known to be no EEG.
    """
    scalp = [label for label in channels if parse_label(label) is not None]
    others = [label for label in channels if not _NO_EEG.fullmatch(_plain(label))]
    return common_channels([scalp or others])


def common_channels(recordings: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """Labels that stand in every recording, each once, in the order of the first; no dummies."""
    lists = [list(channels) for channels in recordings]
    if not lists:
        return ()
    everywhere = set.intersection(*({_plain(label) for label in one} for one in lists)) - _DUMMIES
    first = {_plain(label): label.strip() for label in reversed(lists[0])}
    order = dict.fromkeys(_plain(label) for label in lists[0])
    return tuple(first[name] for name in order if name in everywhere)


def _plain(label: str) -> str:
    """A label as it is compared: no blanks, no lower case."""
    return re.sub(r"\s+", "", label.upper())


Way = tuple[int, int, int]
"""Indices of plus and minus (−1: none) and the sign (0: missing)."""


def _derivations(channels: Sequence[str]) -> tuple[dict[Derivation, int], tuple[str, ...]]:
    """Which channel measures what; of two channels of one name the first counts."""
    by_derivation: dict[Derivation, int] = {}
    for index, label in enumerate(channels):
        lead = parse_label(label)
        if lead is not None:
            by_derivation.setdefault(lead, index)
    # Siena's lists call O1 "1". A bare number is also what auxiliary inputs are called, so it counts only
    # where O2 is there, O1 is not, and it is marked as EEG or is the only such number.
    electrodes = {lead.plus for lead in by_derivation}
    bare = [k for k, label in enumerate(channels) if re.fullmatch(r"(EEG)?\d+", _plain(label))]
    ones = [k for k in bare if _plain(channels[k]) in ("EEG1", "1")]
    marked = [k for k in ones if _plain(channels[k]) == "EEG1"]
    chosen = marked or (ones if len(bare) == 1 else [])
    if chosen and "O2" in electrodes and "O1" not in electrodes:
        minus = next(lead.minus for lead in by_derivation if lead.plus == "O2")
        by_derivation[Derivation("O1", minus)] = chosen[0]
        return by_derivation, (f"the channel {channels[chosen[0]].strip()!r} is taken as O1",)
    return by_derivation, ()


def _pair(name: str, by_derivation: dict[Derivation, int]) -> Way | None:
    """How the pair `name` is made."""
    pair = parse_label(name)
    assert pair is not None  # our own table
    if pair in by_derivation:
        return by_derivation[pair], -1, 1
    turned = Derivation(pair.minus, pair.plus)
    if turned in by_derivation:
        return by_derivation[turned], -1, -1
    for lead, index in by_derivation.items():
        other = Derivation(pair.minus, lead.minus)
        if lead.plus == pair.plus and other in by_derivation:
            return index, by_derivation[other], 1
    return None


def _against_reference(by_derivation: dict[Derivation, int]) -> list[Way | None]:
    """The electrodes of unipolar-19, all against the reference that most of them were recorded against."""
    wanted = [parse_label(name) for name in UNIPOLAR_19]
    electrodes = [lead.plus for lead in wanted if lead is not None]
    references = Counter(lead.minus for lead in by_derivation if lead.plus in electrodes)
    if not references:
        return [None] * len(electrodes)
    reference, against_it = references.most_common(1)[0]
    if (
        against_it < len(electrodes) / 2
    ):  # pairs of a bipolar chain that happen to share an electrode
        return [None] * len(electrodes)
    ways: list[Way | None] = []
    for electrode in electrodes:
        index = by_derivation.get(Derivation(electrode, reference))
        if index is not None:
            ways.append((index, -1, 1))
        else:  # the reference against itself is zero and was measured; any other electrode is missing
            ways.append((-1, -1, 1) if electrode == reference else None)
    return ways


def _as_recorded(name: str, by_label: dict[str, int]) -> Way | None:
    index = by_label.get(_plain(name))
    return None if index is None else (index, -1, 1)


def _notes(names: tuple[str, ...], ways: list[Way]) -> tuple[str, ...]:
    derived = [
        name for name, (plus, minus, _) in zip(names, ways, strict=True) if minus >= 0 <= plus
    ]
    turned = [name for name, (*_, sign) in zip(names, ways, strict=True) if sign < 0]
    zeros = [name for name, (*_, sign) in zip(names, ways, strict=True) if sign == 0]
    notes = []
    if derived:
        what = f"all {len(names)} pairs" if len(derived) == len(names) else ", ".join(derived)
        notes.append(f"derived from two recorded channels each: {what}")
    if turned:
        notes.append(f"recorded the other way round, sign changed: {', '.join(turned)}")
    if zeros:
        notes.append(f"missing, filled with zeros: {', '.join(zeros)}")
    return tuple(notes)
