"""From the channels that a recording has to the channels that a network wants.

Comes in: channel labels as recorded, a montage's name. Goes out: a `Wiring`: for each wanted channel
which recorded channels to subtract, and how it was found. Next: `windows.chain` applies it.

A label is read as plus minus minus: `EEG Fp1-REF` is Fp1 against REF, `F7-T3` is F7 against T7. A
wanted pair is taken as recorded, or recorded the other way round, or derived from any two channels
that share their minus.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
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

MONTAGES: dict[str, tuple[str, ...]] = {"bipolar-18": BIPOLAR_18}

# Names of the 1958 and 1991 systems for the same place; and a common misspelling of the O's.
_SAME_PLACE = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8", "01": "O1", "02": "O2"}
_ELECTRODE = re.compile(
    r"NZ|IZ|FP[1Z2]|AF[1-9Z]|AF10|F[1-9Z]|F10|F[TC][1-9Z]|FT10|C[1-6Z]|CP[1-6Z]"
    r"|T[3-9]|T10|TP[7-9]|TP10|P[1-9Z]|P10|PO[1-9Z]|O[12Z]"
)
"""The electrodes of the 10-10 system."""


@dataclass(frozen=True)
class Lead:
    """What one recorded channel measures: electrode `plus` against `minus`, in today's names."""

    plus: str
    minus: str


def parse_label(label: str) -> Lead | None:
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
    return Lead(names[0], names[1] if len(names) == 2 else "")


@dataclass(frozen=True)
class Wiring:
    """How a montage is made from one recording's channels.

    Wanted channel k is `plus[k]` minus `minus[k]`, both positions in `used` (indices into the
    recording's channels); `minus` −1 subtracts nothing, `plus` −1 too gives zeros.
    `sign` is −1 where the pair was recorded the other way round. `notes` say what was not as recorded.
    """

    names: tuple[str, ...]
    used: tuple[int, ...]
    plus: tuple[int, ...]
    minus: tuple[int, ...]
    sign: tuple[int, ...]
    notes: tuple[str, ...]

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
        return out


def wire(
    channels: Sequence[str],
    montage: str = "bipolar-18",
    missing: Missing = "error",
    path: Path | str = "recording",
) -> Wiring:
    """Find the montage's channels among `channels` (labels as recorded).

    `missing`: "zero" fills what is not there with zeros; "error" and "skip" both raise `ChannelsError`,
    which names all missing channels (whoever reads a cohort leaves the recording out for "skip").
    Raises `SettingsError` for a montage that is not known.
    """
    if montage not in MONTAGES:
        raise SettingsError(f"montage {montage!r} is not known; there is {', '.join(MONTAGES)}")
    by_lead: dict[Lead, int] = {}
    for index, label in enumerate(channels):
        lead = parse_label(label)
        if lead is not None:
            by_lead.setdefault(lead, index)  # of two channels of one name the first counts
    found = [_find(name, by_lead) for name in MONTAGES[montage]]
    absent = tuple(name for name, way in zip(MONTAGES[montage], found, strict=True) if way is None)
    if absent and missing != "zero":
        raise ChannelsError(
            path,
            f"montage {montage} lacks {', '.join(absent)}; "
            f"recorded are {', '.join(channels)} (--missing zero fills, --missing skip leaves out)",
            absent,
        )
    used = sorted({index for way in found if way for index in way[:2] if index >= 0})
    place = {index: k for k, index in enumerate(used)} | {-1: -1}
    ways = [way or (-1, -1, 1) for way in found]
    return Wiring(
        names=MONTAGES[montage],
        used=tuple(used),
        plus=tuple(place[way[0]] for way in ways),
        minus=tuple(place[way[1]] for way in ways),
        sign=tuple(way[2] for way in ways),
        notes=_notes(MONTAGES[montage], ways),
    )


def _find(name: str, by_lead: dict[Lead, int]) -> tuple[int, int, int] | None:
    """Indices of plus and minus (−1: none) and the sign that give the pair `name`."""
    pair = parse_label(name)
    assert pair is not None  # our own table
    if pair in by_lead:
        return by_lead[pair], -1, 1
    turned = Lead(pair.minus, pair.plus)
    if turned in by_lead:
        return by_lead[turned], -1, -1
    for lead, index in by_lead.items():
        other = Lead(pair.minus, lead.minus)
        if lead.plus == pair.plus and other in by_lead:
            return index, by_lead[other], 1
    return None


def _notes(names: tuple[str, ...], ways: list[tuple[int, int, int]]) -> tuple[str, ...]:
    derived = [
        name for name, (plus, minus, _) in zip(names, ways, strict=True) if minus >= 0 <= plus
    ]
    turned = [name for name, (*_, sign) in zip(names, ways, strict=True) if sign < 0]
    zeros = [name for name, (plus, *_) in zip(names, ways, strict=True) if plus < 0]
    notes = []
    if derived:
        what = f"all {len(names)} pairs" if len(derived) == len(names) else ", ".join(derived)
        notes.append(f"derived from two recorded channels each: {what}")
    if turned:
        notes.append(f"recorded the other way round, sign changed: {', '.join(turned)}")
    if zeros:
        notes.append(f"missing, filled with zeros: {', '.join(zeros)}")
    return tuple(notes)
