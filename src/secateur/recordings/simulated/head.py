"""The head: where electrodes sit, how they are paired, and how sources reach them.

The 19 electrodes of the 10-20 system stand at approximate places on a sphere; weights fall with distance
(volume conduction).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

# Degrees: from the crown downwards, and around from the nose, positive to the right.
_ANGLES = {
    "Fp1": (72, -18),
    "Fp2": (72, 18),
    "F7": (72, -54),
    "F3": (52, -42),
    "Fz": (36, 0),
    "F4": (52, 42),
    "F8": (72, 54),
    "T3": (72, -90),
    "C3": (36, -90),
    "Cz": (0, 0),
    "C4": (36, 90),
    "T4": (72, 90),
    "T5": (72, -126),
    "P3": (52, -138),
    "Pz": (36, 180),
    "P4": (52, 138),
    "T6": (72, 126),
    "O1": (72, -162),
    "O2": (72, 162),
}

ELECTRODES = tuple(_ANGLES)
"""The 10-20 electrodes in the order of every electrode axis here."""

_CHAINS = (
    ("Fp1", "F7", "T3", "T5", "O1"),
    ("Fp1", "F3", "C3", "P3", "O1"),
    ("Fz", "Cz", "Pz"),
    ("Fp2", "F4", "C4", "P4", "O2"),
    ("Fp2", "F8", "T4", "T6", "O2"),
)

DOUBLE_BANANA = tuple((a, b) for chain in _CHAINS for a, b in pairwise(chain))
"""The 18 longitudinal bipolar pairs."""

_MODERN = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"}


def _places() -> NDArray[np.float64]:
    down, around = np.radians(np.array(list(_ANGLES.values()), dtype=np.float64)).T
    return np.stack((np.sin(down) * np.sin(around), np.sin(down) * np.cos(around), np.cos(down)), 1)


PLACES = _places()
"""Places on the unit sphere: right, front, up. Shape (19, 3)."""

DISTANCES = np.linalg.norm(PLACES[:, np.newaxis] - PLACES[np.newaxis], axis=2)
"""Straight distances between electrodes in head radii. Shape (19, 19)."""


def index_of(*names: str) -> list[int]:
    """Where these electrodes stand on the electrode axis."""
    return [ELECTRODES.index(name) for name in names]


def conduction(width: float) -> NDArray[np.float64]:
    """How strongly a source below electrode j reaches electrode i: exp(−d²/2·width²), shape (19, 19)."""
    weights: NDArray[np.float64] = np.exp(-(DISTANCES**2) / (2 * width**2))
    return weights


@dataclass(frozen=True)
class Montage:
    """Channel names, and the matrix (channels × 19) that makes them from electrode potentials."""

    kind: str
    channels: tuple[str, ...]
    matrix: NDArray[np.float32]


def draw_montage(kind: str, generator: np.random.Generator) -> Montage:
    """A subject's montage, "bipolar" or "referential", in one of its usual spellings and any order."""
    identity = np.eye(len(ELECTRODES), dtype=np.float32)
    spelling = int(generator.integers(2))
    if kind == "bipolar":
        rows = [identity[index_of(a)[0]] - identity[index_of(b)[0]] for a, b in DOUBLE_BANANA]
        renamed = _MODERN if spelling == 0 else {}
        names = [f"{renamed.get(a, a)}-{renamed.get(b, b)}".upper() for a, b in DOUBLE_BANANA]
    else:
        # What the common reference itself picks up: a little of everything, as an ear would.
        rows = list(identity - np.float32(0.2) * identity.mean(axis=0))
        names = [f"EEG {name}-REF" if spelling == 0 else name for name in ELECTRODES]
    order = generator.permutation(len(names))
    return Montage(kind, tuple(names[i] for i in order), np.stack([rows[i] for i in order]))
