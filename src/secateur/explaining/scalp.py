"""Where electrodes of the 10-10 system stand on a head that is seen from above, for figures.

The circle through Fpz, T7, Oz and T8 has radius 1; the nose is up. A row such as F7 … Fz … F8 is an arc from
the circle over the midline. Places are good enough to draw; nothing is computed from them.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache

from secateur.recordings.montage import parse_label

_ROWS = {
    "NZ": (1.15, 0),
    "FP": (1.0, 18),
    "AF": (0.75, 36),
    "F": (0.5, 54),
    "FC": (0.25, 72),
    "FT": (0.25, 72),
    "C": (0.0, 90),
    "T": (0.0, 90),
    "CP": (-0.25, 108),
    "TP": (-0.25, 108),
    "P": (-0.5, 126),
    "PO": (-0.75, 144),
    "O": (-1.0, 162),
    "IZ": (-1.15, 180),
}
"""A row's place on the midline, and the angle from the nose at which it meets the circle, degrees."""
_OUTWARD = {"Z": 0.0, 1: 0.25, 3: 0.5, 5: 0.75, 7: 1.0, 9: 1.15}
_EARLIER = {"T7": "T3", "T8": "T4", "P7": "T5", "P8": "T6"}
"""What an electrode was called in the 10-20 system."""
_EARS = {"A": (-1.12, 0.0), "M": (-1.1, -0.2)}


@lru_cache(maxsize=256)
def position(electrode: str) -> tuple[float, float] | None:
    """Right and front of an electrode by its name of today, in radii; None for a name that isn't known."""
    parts = re.fullmatch(r"(NZ|IZ|FP|AF|FC|FT|CP|TP|PO|[FCTPOAM])(10|[1-9]|Z)?", electrode.upper())
    if parts is None:
        return None
    row, number = parts[1], parts[2] or "Z"
    side = 0 if number == "Z" else (-1 if int(number) % 2 else 1)
    if row in _EARS:
        return None if side == 0 else (-side * _EARS[row][0], _EARS[row][1])
    if row not in _ROWS:
        return None
    middle, angle = _ROWS[row]
    if side == 0:
        return 0.0, middle
    step = 1.0 if row in ("FP", "O") else _OUTWARD[int(number) - (int(number) + 1) % 2]
    edge = math.sin(math.radians(angle)), math.cos(math.radians(angle))
    return side * step * edge[0], middle + (edge[1] - middle) * step**2


def electrodes_of_channel(label: str) -> tuple[str, ...]:
    """The electrodes with a place that a channel's label names: two of a pair, one against a reference."""
    derivation = parse_label(label)
    if derivation is None:
        return ()
    names = (derivation.plus, derivation.minus)
    return tuple(name for name in names if name and position(name) is not None)


def spelt(electrode: str, label: str = "") -> str:
    """FP1 as Fp1, FZ as Fz; T7 as T3 where a channel's `label` calls it so."""
    earlier = _EARLIER.get(electrode, electrode)
    if earlier in label.upper() and electrode not in label.upper():
        electrode = earlier
    return re.sub("^FP", "Fp", re.sub("Z$", "z", electrode))
