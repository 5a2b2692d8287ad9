"""What channels measure, by their labels; and how a montage is made from those that a recording has."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from secateur.errors import ChannelsError, SettingsError

ELECTRODES_10_20 = (
    "Fp1", "F3", "C3", "P3", "O1", "F7", "T3", "T5", "Fz", "Cz", "Pz",
    "Fp2", "F4", "C4", "P4", "O2", "F8", "T4", "T6",
)  # fmt: skip
"""The electrodes of the 10-20 system, in SzCORE's order."""

# Names of the 1958 and 1991 systems for the same place; and a common misspelling of the O's.
_SAME_PLACE = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8", "01": "O1", "02": "O2"}
_TODAY = {_SAME_PLACE.get(name, name) for name in map(str.upper, ELECTRODES_10_20)}
_ELECTRODE = re.compile(
    r"NZ|IZ|FP[1Z2]|AF[1-9Z]|AF10|F[1-9Z]|F10|F[TC][1-9Z]|FT10|C[1-6Z]|CP[1-6Z]"
    r"|T[3-9]|T10|TP[7-9]|TP10|P[1-9Z]|P10|PO[1-9Z]|O[12Z]"
)
"""The electrodes of the 10-10 system."""

_REFERENCE = re.compile(r"V?REF(?:ERENCE)?|LE|AR|AVE?R?|AVG|AVERAGE|CAR|([AM])[12]|([AM])1\+?\2?2")
"""What a minus is called that is no electrode of the scalp."""

_EARS = {"A1", "A2", "M1", "M2"}
_ON_A_SHAFT_OR_NOT = _EARS | {"E1", "E2", "T1", "T2", "SP1", "SP2"}
"""Ears, eyes and older places of the scalp, or the outermost contacts of a depth electrode."""

_DASHES = str.maketrans(dict.fromkeys("\x96\x97‐‑‒–—−", "-"))
_KIND = re.compile(r"^(?:S?EEG|ECOG|POL)[-_:]*(?=.)")
_NUMBER_IN_FRONT = re.compile(r"^\d{1,3}(?:\s+|[.:)]\s*)(?=[A-Z])")
_CONTACT = re.compile(r"([A-Z]{1,6}['’`´]?)[-_]?(\d{1,3})")
_PRIMES = ("'", "’", "`", "´")
"""What stands behind the letters of a depth electrode in the left hemisphere, and of nothing else."""
_OWN_REFERENCE = re.compile(r"LAP(?:L\w*)?|CSD|SD|SRC|HJORTH")
"""What a minus is called that is another one for each electrode: the mean of those around it, as a rule."""
_NAMED = 3
"""Pairs that an error goes into."""
_LONGEST = 64
"""Letters of a label that may name an electrode."""

DUMMIES = {"", "-", "--", "."}
"""Labels of channels that hold nothing."""

_NO_EEG = re.compile(
    r"(?:E[CK]G|EMG|EOG|[LR]OC|VNS|[LR][UA]E|CHIN|PHOTIC|PULS|PLET|PPG|BVP|RESP|THOR|ABD|CHEST|NASAL|"
    r"AIRFLOW|FLOW|SNOR|LEG|TIB|PLM|CPAP|PTAF|MIC|STI|TRIG|EVENT|ANNOT|STATUS|MARK|BATT|GYR|BODY|LIGHT|SUPPR|BURST|"
    r"S[AP]O2|OSAT|(?:ET)?CO2).*"
    r"|(?:ACC|MAGN?|TEMP|POS)(?!.*\d).*|DC\d*|HR|PR|MK|IBI|EDA|GSR"
)
"""Names of what is often recorded beside EEG."""
_AXIS = re.compile(r"(ACC|MAGN?)[-_]?[1-3]")
"""An axis of a sensor, where the row has no fourth; contacts of a shaft are called so, too."""


@dataclass(frozen=True)
class Derivation:
    """What one recorded channel measures: electrode `plus` against `minus`, in today's names."""

    plus: str
    minus: str


@lru_cache(maxsize=4096)
def plain_label(label: str) -> str:
    """A label as it is compared with others: no blanks, no lower case, one kind of dash."""
    return re.sub(r"\s+", "", label.upper().translate(_DASHES))


@lru_cache(maxsize=4096)  # a cohort's labels are the same in most of its recordings
def parse_label(label: str) -> Derivation | None:
    """What a channel label says, or None where it names no scalp electrode (a dummy, an ECG).

    `EEG Fp1-REF`, `Fp1_REF`, `Fp1/REF` are Fp1 against REF; `F7-T3`, `F7/T3`, `F7T3` are F7 against T7;
    `Fp1.`, `EEG:Fp1`, `Fp1 EEG`, `1 Fp1` are Fp1; `T3/T7` and `T7(T3)` are one electrode by both names.
    """
    text = label.strip().upper().translate(_DASHES)
    if len(text) > _LONGEST:
        return None
    without_number = _NUMBER_IN_FRONT.sub("", text)
    if without_number != text and (derivation := parse_label(without_number)) is not None:
        return derivation
    text = re.sub(r"(?<=.)[-_:]?EEG$", "", _KIND.sub("", re.sub(r"\s+", "", text)))
    text = re.sub(r"[-_][0-9]$", "", text)  # readers number channels of one name: T8-P8-0, T8-P8-1
    if "-" in text:
        plus, minus, *more = (_todays_name(part) for part in text.split("-"))
        if more or not _ELECTRODE.fullmatch(plus):
            return None
        return Derivation(plus, "" if minus == plus else minus)
    if _ELECTRODE.fullmatch(_todays_name(text)):
        return Derivation(_todays_name(text), "")
    for mark in "/:_":
        if text.count(mark) == 1:
            return _pair(*text.split(mark))
    pairs = {_pair(text[:k], text[k:]) for k in range(2, len(text) - 1)} - {None}
    return pairs.pop() if len(pairs) == 1 else None


def _todays_name(name: str) -> str:
    """A part of a label in today's names; `T7(T3)` says one place twice."""
    name = _KIND.sub("", name).rstrip(".")
    twice = re.fullmatch(r"(\w+)\((\w+)\)", name)
    if twice and _SAME_PLACE.get(twice[1], twice[1]) == _SAME_PLACE.get(twice[2], twice[2]):
        name = twice[1]
    return _SAME_PLACE.get(name, name)


def _pair(plus: str, minus: str) -> Derivation | None:
    """Two parts of a label, where the second can only be another electrode or a reference."""
    plus, minus = _todays_name(plus), _todays_name(minus)
    if not _ELECTRODE.fullmatch(plus):
        return None
    if _ELECTRODE.fullmatch(minus) or _REFERENCE.fullmatch(minus):
        return Derivation(plus, "" if minus == plus else minus)
    return None


@dataclass(frozen=True)
class EegChannels:
    """Which of a recording's channels are EEG.

    `indices` into its channels, each label once; `intracranial`: whether they are contacts inside the
    skull.
    """

    indices: tuple[int, ...]
    intracranial: bool


def choose_eeg(channels: Sequence[str]) -> EegChannels:
    """Decide for the whole set of labels whether it is scalp or intracranial EEG, and what belongs to it.

    A shaft or grid is a row of numbered labels (`LA1`, `o'11`, `C7`) that can't all be electrodes of the
    scalp. Where contacts of shafts outnumber the electrodes of the scalp, all numbered contacts are EEG and
    the scalp's are not; else the scalp's electrodes are. Where there is neither, all labels are EEG but
    those of what is known to be none.
    """
    by_label: dict[str, int] = {}
    for index, label in enumerate(channels):
        by_label.setdefault(plain_label(label), index)
    indices = [index for name, index in by_label.items() if name not in DUMMIES]
    candidates = [k for k in indices if not _NO_EEG.fullmatch(_name(channels[k]))]
    candidates = _without_axes(candidates, channels)
    scalp = {k: name for k in candidates if (name := parse_label(channels[k])) is not None}
    numbered = {
        k: (match[1], int(match[2]))
        for k in candidates
        if (match := _CONTACT.fullmatch(_name(channels[k])))
    }
    shafts = _shafts(scalp, numbered, channels)
    contacts = {k for shaft in shafts for k in shaft}
    electrodes = [k for k in scalp if k not in contacts]
    midline = any(derivation.plus.endswith("Z") for derivation in scalp.values())
    # beside electrodes that are the scalp's for certain one or two of a name are other inputs: Leg1, Leg2
    certain = midline or any(derivation.minus in _EARS for derivation in scalp.values())
    evidence = sum(
        len(shaft)
        for shaft in shafts
        if len(shaft) > 2 or not certain or numbered[shaft[0]][0].endswith(_PRIMES)
    )
    if evidence > len(electrodes):
        return EegChannels(tuple(sorted(contacts if midline else numbered)), True)
    return EegChannels(tuple(electrodes or candidates), False)


def _without_axes(candidates: list[int], channels: Sequence[str]) -> list[int]:
    """The indices without an accelerometer's or magnetometer's three, unless nothing else is there."""
    axes: dict[int, str] = {}
    longer = set()
    for k in candidates:
        match = _CONTACT.fullmatch(_name(channels[k]))
        if _AXIS.fullmatch(plain_label(channels[k])) and match:
            axes[k] = match[1]
        elif match:
            longer.add(match[1])
    return [k for k in candidates if k not in axes or axes[k] in longer] or candidates


def _shafts(
    scalp: Mapping[int, Derivation],
    numbered: Mapping[int, tuple[str, int]],
    channels: Sequence[str],
) -> list[list[int]]:
    """Indices of the numbered labels that stand on a shaft or grid, for each of these."""
    electrodes = {derivation.plus for derivation in scalp.values()}
    midline = {name for name in electrodes if name.endswith("Z")}
    rows: dict[str, list[int]] = defaultdict(list)
    for index, (stem, _) in numbered.items():
        rows[stem].append(index)
    # amplifiers call unused inputs C25 ... C128 beside a whole cap of electrodes
    cap = len(midline) > 1 and len(electrodes & _TODAY) >= len(_TODAY) / 2
    shafts = []
    for row in rows.values():
        odd = any(k not in scalp and _name(channels[k]) not in _ON_A_SHAFT_OR_NOT for k in row)
        from_one = not midline and {1, 2, 3} <= {numbered[k][1] for k in row}
        if (odd and not (cap and any(k in scalp for k in row))) or from_one:
            shafts.append(row)
    return shafts


@lru_cache(maxsize=4096)
def _name(label: str) -> str:
    """A label's own part: without its kind, its reference, and the number that readers put behind."""
    text = re.sub(r"(?<=\d)[-_]\d$", "", _KIND.sub("", plain_label(label)))
    return re.split(r"[-/:_](?=\D)", text)[0].rstrip(".")


def eeg_channels(channels: Sequence[str]) -> tuple[str, ...]:
    """Labels of the EEG channels among `channels`, each once, in their order; see `choose_eeg`."""
    return tuple(channels[k].strip() for k in choose_eeg(channels).indices)


def common_channels(recordings: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """Labels of the EEG channels that stand in every recording, in the order of the first."""
    lists = [list(channels) for channels in recordings]
    if not lists:
        return ()
    shared = set.intersection(*({plain_label(label) for label in labels} for labels in lists))
    return eeg_channels([label for label in lists[0] if plain_label(label) in shared])


def shared_pairs(recordings: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """The pairs of bipolar-18 that can be had from each of these lists of labels."""
    shared: tuple[str, ...] = BIPOLAR_18
    for channels in recordings:
        try:
            montage_map = map_montage(channels, missing="zero")
        except ChannelsError:
            return ()
        had = {n for n, sign in zip(montage_map.names, montage_map.sign, strict=True) if sign}
        shared = tuple(name for name in shared if name in had)
    return shared


def rename_channels(
    channels: Sequence[str], rename: Mapping[str, str], path: Path | str
) -> tuple[str, ...]:
    """Labels with some of them renamed, as `ReadingSettings.rename` has it.

    Raises `ChannelsError` where a label isn't there (its `missing` lists them), or is renamed to one that
    is there already.
    """
    by_label = {plain_label(label): meant.strip() for label, meant in rename.items()}
    there = {plain_label(label) for label in channels}
    absent = tuple(label for label in rename if plain_label(label) not in there)
    if absent:
        raise ChannelsError(
            path,
            f"has no channel {', '.join(absent)} to rename; it has {', '.join(channels)}",
            absent,
        )
    meant = [plain_label(label) for label in by_label.values()]
    taken = set(meant) & (there - by_label.keys()) | {
        name for name in meant if meant.count(name) > 1
    }
    for label in rename.values():
        if plain_label(label) in taken | DUMMIES:
            raise ChannelsError(
                path, f"a channel can't be renamed to {label!r}, which is there already"
            )
    return tuple(by_label.get(plain_label(label), label) for label in channels)


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

MontageName = Literal["bipolar-18", "unipolar-19", "pairs", "as-recorded", "each"]
MONTAGES: tuple[MontageName, ...] = ("bipolar-18", "unipolar-19", "as-recorded", "each")
"""Those that need no list of channels."""
FIXED: dict[str, tuple[str, ...]] = {"bipolar-18": BIPOLAR_18, "unipolar-19": UNIPOLAR_19}
"""Montages whose channels are the same for every recording."""


def read_pairs(pairs: Sequence[str]) -> tuple[str, ...]:
    """The channels of a montage of pairs, as they are written everywhere: `fp1-f3` is `Fp1-F3`.

    `pairs`: electrodes of the scalp, or one of them and an ear, with a dash between. Raises `SettingsError`
    where one names no electrode, one twice, or where a pair comes again, also turned round.
    """
    names: dict[frozenset[str], str] = {}
    for pair in pairs:
        electrodes = [plain_label(part) for part in pair.translate(_DASHES).split("-")]
        today = [_SAME_PLACE.get(electrode, electrode) for electrode in electrodes]
        unknown = [
            part
            for part, electrode in zip(pair.split("-"), today, strict=False)
            if not _ELECTRODE.fullmatch(electrode) and electrode not in _EARS
        ]
        if len(today) != 2 or unknown or not _ELECTRODE.fullmatch(today[0]):
            two = len(today) == 2 and unknown
            what = f"{unknown[0].strip()!r} is no electrode" if two else "not two electrodes"
            raise SettingsError(
                f"montage pair {pair.strip()!r}: {what}; wanted two of the 10-10 system, as F7-T3"
            )
        if today[0] == today[1]:
            raise SettingsError(
                f"montage pair {pair.strip()!r}: an electrode against itself is zero; wanted two"
            )
        if (before := names.get(frozenset(today))) is not None:
            raise SettingsError(
                f"montage pair {pair.strip()!r} is there already, as {before}; name it once"
            )
        names[frozenset(today)] = "-".join(map(_spelt, electrodes))
    return tuple(names.values())


def _spelt(electrode: str) -> str:
    """FP1 as Fp1, FZ as Fz."""
    return re.sub("^FP", "Fp", re.sub("Z$", "z", electrode))


def electrodes_of(names: Sequence[str]) -> tuple[str, ...]:
    """The electrodes that a montage of such channels needs, each once; none where labels name none."""
    electrodes: dict[str, str] = {}
    for name in names:
        for part in name.split("-"):
            electrode = plain_label(part)
            today = _SAME_PLACE.get(electrode, electrode)
            if _ELECTRODE.fullmatch(today) or today in _EARS:
                electrodes.setdefault(today, _spelt(electrode))
    return tuple(electrodes.values())


def mirrored(names: Sequence[str]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """How a montage looks from the other side: left and right swapped, electrode for electrode.

    Returns for each channel the one that takes its place, and 1, or −1 where that one is turned round (the
    other side of F3-F4 is F4-F3). Raises `SettingsError` where a channel names no electrodes or has no
    counterpart.
    """
    by_derivation = {parse_label(name.removesuffix("-Avg")): k for k, name in enumerate(names)}
    indices, signs = [], []
    for name in names:
        derivation = parse_label(name.removesuffix("-Avg"))
        if derivation is None:
            raise SettingsError(
                f"mirror: {name!r} names no electrodes, so its other side is not known"
            )
        other = Derivation(_other_side(derivation.plus), _other_side(derivation.minus))
        turned = Derivation(other.minus, other.plus)
        if other not in by_derivation and turned not in by_derivation:
            raise SettingsError(
                f"mirror: the montage has no counterpart of {name} on the other side"
            )
        indices.append(by_derivation.get(other, by_derivation.get(turned, -1)))
        signs.append(1 if other in by_derivation else -1)
    return tuple(indices), tuple(signs)


def _other_side(electrode: str) -> str:
    """Odd numbers are left, even ones right, z is the midline."""
    match = re.fullmatch(r"(\D+)(\d+)", electrode)
    if match is None:
        return electrode
    number = int(match[2])
    return f"{match[1]}{number + 1 if number % 2 else number - 1}"


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

    @cached_property
    def _as_recorded(self) -> bool:
        """Whether each row wanted is the row of the same number."""
        return (
            self.plus == tuple(range(len(self.used)))
            and set(self.minus) == {-1}
            and set(self.sign) == {1}
        )

    def apply(self, data: NDArray[np.float32]) -> NDArray[np.float32]:
        """`data`: the channels in `used` × samples, µV. Returns len(names) × samples, µV.

        Where each was recorded as it is wanted `data` itself comes back.
        """
        if not self.average and self._as_recorded:
            return data
        out = np.zeros((len(self.names), data.shape[1]), dtype=np.float32)
        for row, (plus, minus, sign) in enumerate(
            zip(self.plus, self.minus, self.sign, strict=True)
        ):
            if plus < 0:
                continue
            if minus < 0:
                out[row] = data[plus]
            else:
                np.subtract(data[plus], data[minus], out=out[row])
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
    - pairs: those in `labels`, as for bipolar-18.
    - as-recorded: the EEG channels by their labels, nothing subtracted.
    - each: every EEG channel by itself, for networks of one channel.

    Parameters: `channels`, the labels as recorded; `missing`, where "zero" fills what is not there with
    zeros, and "error" and "skip" both raise; `path`, for messages; `labels`, the channels of
    montage pairs (see `read_pairs`) or as-recorded (none: all EEG channels).

    Raises `ChannelsError`, which names all missing channels (whoever reads a cohort leaves the recording
    out for "skip"), and `SettingsError` for a montage that is not known.
    """
    if montage not in get_args(MontageName):
        raise SettingsError(
            f"montage {montage!r} is not known; there is {', '.join(MONTAGES)}, or pairs as F7-T3,T3-T5"
        )
    eeg = choose_eeg(channels)
    if montage in FIXED or montage == "pairs":
        names = FIXED.get(montage) or tuple(labels)
        pairs = montage != "unipolar-19"
        # contacts inside the skull are often called as electrodes of the scalp are
        contacts = set(eeg.indices) if eeg.intracranial else set()
        by_derivation, twice, notes = _derivations(channels, contacts)
        sources = (
            _against_reference(by_derivation)
            if montage == "unipolar-19"
            else [_pair_source(name, by_derivation) for name in names]
        )
    else:
        names = tuple(labels) or tuple(channels[k].strip() for k in eeg.indices)
        pairs, by_derivation = False, {}
        sources, twice, notes = _by_label(names, channels)
    absent = tuple(name for name, source in zip(names, sources, strict=True) if source is None)
    if not names or len(absent) == len(names) or (absent and missing != "zero"):
        lacks = ", ".join(absent) or "any EEG channel"
        inside = " (taken as contacts inside the skull)" if eeg.intracranial else ""
        raise ChannelsError(
            path,
            f"montage {montage} lacks {lacks}; recorded are {', '.join(channels)}{inside}"
            + (_without_common_reference(absent, by_derivation, channels) if pairs else "")
            + _how_to_rename(channels),
            absent,
        )
    # in the montage's order, so that what was recorded in another is in place once it is read
    used = tuple(dict.fromkeys(k for source in sources if source for k in source[:2] if k >= 0))
    doubled = [channels[k].strip() for k in used if k in twice]
    if doubled:
        notes += (f"there more than once, the first is taken: {', '.join(doubled)}",)
    position = {index: k for k, index in enumerate(used)} | {-1: -1}
    filled = [source or Source(-1, -1, 0) for source in sources]
    return MontageMap(
        names=names,
        used=used,
        plus=tuple(position[source.plus] for source in filled),
        minus=tuple(position[source.minus] for source in filled),
        sign=tuple(source.sign for source in filled),
        notes=notes + _notes(names, filled),
        average=montage == "unipolar-19",
    )


def _without_common_reference(
    absent: Sequence[str], by_derivation: Mapping[Derivation, int], channels: Sequence[str]
) -> str:
    """Which absent pairs have both of their electrodes, recorded against different references."""
    recorded = {
        each.plus: channels[index].strip()
        for each, index in by_derivation.items()
        if _REFERENCE.fullmatch(each.minus)
    }
    unlike = [
        f"{recorded[pair.plus]} and {recorded[pair.minus]}"
        for pair in map(parse_label, absent)
        if pair is not None and pair.plus in recorded and pair.minus in recorded
    ]
    return "".join(f"; {both} have no reference in common" for both in unlike[:_NAMED])


def _how_to_rename(channels: Sequence[str]) -> str:
    """What to do where labels may mean electrodes and are not understood; empty where none may."""
    unknown = [
        label.strip()
        for label in channels
        if plain_label(label) not in DUMMIES
        and not _NO_EEG.fullmatch(_name(label))
        and parse_label(label) is None
    ]
    if not unknown:
        return ""
    return (
        f"; where {unknown[0]!r} means an electrode: --rename OLD=NEW, or in Python "
        "reading=ReadingSettings(rename={OLD: NEW})"
    )


class Source(NamedTuple):
    """Where one channel of a montage comes from: recorded channels (−1: none) and sign (0: missing)."""

    plus: int
    minus: int
    sign: int


def _derivations(
    channels: Sequence[str], contacts: set[int]
) -> tuple[dict[Derivation, int], set[int], tuple[str, ...]]:
    """Which channel measures what; of two that measure one thing the first, whose index is among the second.

    The third part are notes.
    """
    by_derivation: dict[Derivation, int] = {}
    twice = set()
    for index, label in enumerate(channels):
        derivation = None if index in contacts else parse_label(label)
        if derivation is not None and by_derivation.setdefault(derivation, index) != index:
            twice.add(by_derivation[derivation])
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
        note = f"the channel {channels[chosen[0]].strip()!r} is taken as O1"
        return by_derivation, twice, (note,)
    return by_derivation, twice, ()


def _pair_source(name: str, by_derivation: dict[Derivation, int]) -> Source | None:
    """How the pair `name` comes about."""
    pair = parse_label(name)
    assert pair is not None  # our own table, or read by `read_pairs`
    if pair in by_derivation:
        return Source(by_derivation[pair], -1, 1)
    turned = Derivation(pair.minus, pair.plus)
    if turned in by_derivation:
        return Source(by_derivation[turned], -1, -1)
    for derivation, index in by_derivation.items():
        other = Derivation(pair.minus, derivation.minus)
        if _OWN_REFERENCE.fullmatch(derivation.minus):
            continue
        if derivation.plus == pair.plus and other in by_derivation:
            return Source(index, by_derivation[other], 1)
    return None


def _against_reference(by_derivation: dict[Derivation, int]) -> list[Source | None]:
    """The electrodes of unipolar-19, all against the reference that most of them were recorded against."""
    electrodes = [each.plus for name in ELECTRODES_10_20 if (each := parse_label(name)) is not None]
    references = Counter(each.minus for each in by_derivation if each.plus in electrodes)
    reference, against_it = references.most_common(1)[0] if references else ("", 0)
    # less than half: pairs of a bipolar chain that happen to share an electrode
    if against_it < len(electrodes) / 2 or _OWN_REFERENCE.fullmatch(reference):
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
) -> tuple[list[Source | None], set[int], tuple[str, ...]]:
    """Channels by their labels, those that others are called as, too, and a note of what is left out."""
    by_label: dict[str, int] = {}
    twice = set()
    for index, label in enumerate(channels):
        if by_label.setdefault(plain_label(label), index) != index:
            twice.add(by_label[plain_label(label)])
    asked = {plain_label(name) for name in names}
    left_out = [channels[k].strip() for name, k in by_label.items() if name not in asked | DUMMIES]
    notes = (f"left out: {', '.join(left_out)}",) if left_out else ()
    indices = [by_label.get(plain_label(name)) for name in names]
    return [None if k is None else Source(k, -1, 1) for k in indices], twice, notes


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
