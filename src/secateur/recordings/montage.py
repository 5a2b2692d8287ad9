"""From the channels that a recording has to the channels that a network wants."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from secateur.errors import ChannelsError, SettingsError
from secateur.recordings.labels import (
    DUMMIES,
    ELECTRODES_10_20,
    Derivation,
    choose_eeg,
    parse_label,
    plain_label,
)

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

UNIPOLAR_19 = tuple(f"{name}-Avg" for name in ELECTRODES_10_20)
"""The electrodes of the 10-20 system against their average, in SzCORE's order."""

MontageName = Literal["bipolar-18", "unipolar-19", "as-recorded", "each"]
MONTAGES: tuple[MontageName, ...] = ("bipolar-18", "unipolar-19", "as-recorded", "each")
FIXED: dict[str, tuple[str, ...]] = {"bipolar-18": BIPOLAR_18, "unipolar-19": UNIPOLAR_19}
"""Montages whose channels are the same for every recording."""

EACH = ("each channel",)
"""What the one channel of a network under `each` is called."""


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
    labels: Sequence[str] = (),
) -> MontageMap:
    """Find the montage's channels among a recording's.

    - bipolar-18: a pair is taken as recorded, or recorded the other way round, or derived from any two
      channels that share their minus.
    - unipolar-19: electrodes recorded against one reference, whichever, and then against the mean of all of
      them, so that the recording's own reference doesn't matter.
    - as-recorded: the EEG channels by their labels, nothing subtracted.
    - each: every EEG channel by itself, for networks of one channel.

    Parameters: `channels`, the labels as recorded; `missing`, where "zero" fills what is not there with
    zeros, and "error" and "skip" both raise; `path`, for messages; `labels`, the channels of montage
    as-recorded (none: all EEG channels).

    Raises `ChannelsError`, which names all missing channels (whoever reads a cohort leaves the recording
    out for "skip"), and `SettingsError` for a montage that is not known.
    """
    if montage not in MONTAGES:
        raise SettingsError(f"montage {montage!r} is not known; there is {', '.join(MONTAGES)}")
    eeg = choose_eeg(channels)
    if montage in FIXED:
        names = FIXED[montage]
        # contacts inside the skull are often called as electrodes of the scalp are
        contacts = set(eeg.indices) if eeg.intracranial else set()
        by_derivation, notes = _derivations(channels, contacts)
        sources = (
            _against_reference(by_derivation)
            if montage == "unipolar-19"
            else [_pair(name, by_derivation) for name in names]
        )
    else:
        names = tuple(labels) or tuple(channels[k].strip() for k in eeg.indices)
        sources, notes = _by_label(names, channels)
    absent = tuple(name for name, source in zip(names, sources, strict=True) if source is None)
    if not names or len(absent) == len(names) or (absent and missing != "zero"):
        lacks = ", ".join(absent) or "any EEG channel"
        inside = " (taken as contacts inside the skull)" if eeg.intracranial else ""
        raise ChannelsError(
            path,
            f"montage {montage} lacks {lacks}; recorded are {', '.join(channels)}{inside}",
            absent,
        )
    used = sorted({k for source in sources if source for k in source[:2] if k >= 0})
    position = {index: k for k, index in enumerate(used)} | {-1: -1}
    filled = [source or Source(-1, -1, 0) for source in sources]
    return MontageMap(
        names=names,
        used=tuple(used),
        plus=tuple(position[source.plus] for source in filled),
        minus=tuple(position[source.minus] for source in filled),
        sign=tuple(source.sign for source in filled),
        notes=notes + _notes(names, filled),
        average=montage == "unipolar-19",
    )


class Source(NamedTuple):
    """Where one channel of a montage comes from: recorded channels (−1: none) and sign (0: missing)."""

    plus: int
    minus: int
    sign: int


def _derivations(
    channels: Sequence[str], contacts: set[int]
) -> tuple[dict[Derivation, int], tuple[str, ...]]:
    """Which channel measures what; of two channels of one name the first counts."""
    by_derivation: dict[Derivation, int] = {}
    for index, label in enumerate(channels):
        derivation = None if index in contacts else parse_label(label)
        if derivation is not None:
            by_derivation.setdefault(derivation, index)
    # Siena's lists call O1 "1". A bare number is also what auxiliary inputs are called, so it counts only
    # where O2 is there, O1 is not, and it is marked as EEG or is the only such number.
    electrodes = {derivation.plus for derivation in by_derivation}
    bare = [k for k, label in enumerate(channels) if re.fullmatch(r"(EEG)?\d+", plain_label(label))]
    ones = [k for k in bare if plain_label(channels[k]) in ("EEG1", "1")]
    marked = [k for k in ones if plain_label(channels[k]) == "EEG1"]
    chosen = marked or (ones if len(bare) == 1 else [])
    if chosen and "O2" in electrodes and "O1" not in electrodes:
        minus = next(each.minus for each in by_derivation if each.plus == "O2")
        by_derivation[Derivation("O1", minus)] = chosen[0]
        return by_derivation, (f"the channel {channels[chosen[0]].strip()!r} is taken as O1",)
    return by_derivation, ()


def _pair(name: str, by_derivation: dict[Derivation, int]) -> Source | None:
    """How the pair `name` comes about."""
    pair = parse_label(name)
    assert pair is not None  # our own table
    if pair in by_derivation:
        return Source(by_derivation[pair], -1, 1)
    turned = Derivation(pair.minus, pair.plus)
    if turned in by_derivation:
        return Source(by_derivation[turned], -1, -1)
    for derivation, index in by_derivation.items():
        other = Derivation(pair.minus, derivation.minus)
        if derivation.plus == pair.plus and other in by_derivation:
            return Source(index, by_derivation[other], 1)
    return None


def _against_reference(by_derivation: dict[Derivation, int]) -> list[Source | None]:
    """The electrodes of unipolar-19, all against the reference that most of them were recorded against."""
    electrodes = [each.plus for name in ELECTRODES_10_20 if (each := parse_label(name)) is not None]
    references = Counter(each.minus for each in by_derivation if each.plus in electrodes)
    reference, against_it = references.most_common(1)[0] if references else ("", 0)
    # less than half: pairs of a bipolar chain that happen to share an electrode
    if against_it < len(electrodes) / 2:
        return [None] * len(electrodes)
    sources: list[Source | None] = []
    for electrode in electrodes:
        index = by_derivation.get(Derivation(electrode, reference))
        if index is not None:
            sources.append(Source(index, -1, 1))
        else:  # the reference against itself is zero and was measured; any other electrode is missing
            sources.append(Source(-1, -1, 1) if electrode == reference else None)
    return sources


def _by_label(
    names: Sequence[str], channels: Sequence[str]
) -> tuple[list[Source | None], tuple[str, ...]]:
    """Channels by their labels, and a note of those that are left out."""
    by_label: dict[str, int] = {}
    twice: dict[str, None] = {}
    for index, label in enumerate(channels):
        if by_label.setdefault(plain_label(label), index) != index:
            twice[plain_label(label)] = None
    asked = {plain_label(name) for name in names}
    left_out = [channels[k].strip() for name, k in by_label.items() if name not in asked | DUMMIES]
    notes = [f"left out: {', '.join(left_out)}"] if left_out else []
    doubled = [channels[by_label[name]].strip() for name in twice if name in asked]
    if doubled:
        notes.append(f"there more than once, the first is taken: {', '.join(doubled)}")
    indices = [by_label.get(plain_label(name)) for name in names]
    return [None if k is None else Source(k, -1, 1) for k in indices], tuple(notes)


def _notes(names: tuple[str, ...], sources: list[Source]) -> tuple[str, ...]:
    """What was not as recorded, in words."""
    pairs = list(zip(names, sources, strict=True))
    derived = [name for name, source in pairs if source.minus >= 0 <= source.plus]
    turned = [name for name, source in pairs if source.sign < 0]
    zeros = [name for name, source in pairs if source.sign == 0]
    notes = []
    if derived:
        what = f"all {len(names)} pairs" if len(derived) == len(names) else ", ".join(derived)
        notes.append(f"derived from two recorded channels each: {what}")
    if turned:
        notes.append(f"recorded the other way round, sign changed: {', '.join(turned)}")
    if zeros:
        notes.append(f"missing, filled with zeros: {', '.join(zeros)}")
    return tuple(notes)
