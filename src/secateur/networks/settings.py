"""What a network is built from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from secateur.settings import Flag, Listed, Settings


@dataclass(frozen=True)
class Form:
    """What the four numbers of a network are where none are told, and what they must be.

    `free`: there may be any number of blocks, with one width and kernel size each; otherwise there are as
    many numbers as here. `poolings`: how many of them, None for one a block. `odd`: kernel sizes must be
    odd, because convolutions are padded so that they keep the length.
    """

    widths: tuple[int, ...]
    kernel_sizes: tuple[int, ...]
    pooling: tuple[int, ...]
    dropout: float
    free: bool = True
    poolings: int | None = None
    odd: bool = False


FORMS: Mapping[str, Form] = {
    "valid": Form((32, 64, 128), (7, 5, 3), (4, 4, 4), 0.2),
    "paper": Form((32, 64, 128), (7, 5, 3), (4, 4, 4), 0.2, odd=True),
    "eegnet": Form((8, 16, 16), (128, 16), (8, 8), 0.25, free=False),
    "shallow": Form((40,), (25,), (75,), 0.5, free=False),
    "deep4": Form((25, 50, 100, 200), (10, 10, 10, 10), (3, 3, 3, 3), 0.5),
    "tcn": Form((32,) * 6, (15, 3, 3, 3, 3, 3), (8,), 0.2, poolings=1, odd=True),
    "separable": Form((16, 32, 64, 64), (15, 9, 9, 9), (4, 2, 2, 2), 0.2, odd=True),
}
NAMES = tuple(FORMS)
"""The networks that can be built by name."""

_OWN = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
_NUMBERS = ("widths", "kernel_sizes", "pooling")


class NetworkSettings(Settings):
    """A network's name and its numbers; those that aren't given are the network's own.

    Each network's file says what its numbers are; a network of the user's own takes none of them.
    """

    name: Annotated[str, Flag("network", "NAME")] = "valid"
    """valid, paper, eegnet, shallow, deep4, tcn, separable, or your own as module:function."""
    widths: Annotated[
        tuple[Annotated[int, Field(ge=1, le=4096)], ...],
        Listed,
        Flag("widths", "N,N,…", default="the network's own"),
    ] = FORMS["valid"].widths
    """Kernels of each convolution that has its own number of them, in order, such as 16,32,64."""
    kernel_sizes: Annotated[tuple[Annotated[int, Field(ge=1, le=1023)], ...], Listed] = FORMS[
        "valid"
    ].kernel_sizes
    """Samples that each convolution along time sees."""
    pooling: Annotated[tuple[Annotated[int, Field(ge=1, le=255)], ...], Listed] = FORMS[
        "valid"
    ].pooling
    """Samples that each pooling or stride makes one of."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = FORMS["valid"].dropout
    """Share of activations dropped in training."""

    @property
    def own(self) -> bool:
        """Whether the network is built by the user's code."""
        return self.name not in FORMS

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, tables: Any) -> Any:
        """Put the named network's own numbers where none are told."""
        if not isinstance(tables, Mapping):
            return tables
        form = FORMS.get(str(tables.get("name", "valid")))
        if form is None:
            return {**dict.fromkeys(_NUMBERS, ()), "dropout": 0.0, **tables}
        numbers = {name: getattr(form, name) for name in (*_NUMBERS, "dropout")}
        return {**numbers, **tables}

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in FORMS and not _OWN.fullmatch(name):
            raise ValueError(f"wanted one of {', '.join(NAMES)}, or your own as module:function")
        return name

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        form = FORMS.get(self.name)
        if form is None:
            self._require_own()
            return self
        blocks = len(self.kernel_sizes)
        poolings = blocks if form.poolings is None else form.poolings
        got = len(self.widths), blocks, len(self.pooling)
        if form.free and not (blocks >= 1 and got == (blocks, blocks, poolings)):
            words = "" if form.poolings is None else f", but pooling {poolings}"
            raise ValueError(
                f"widths, kernel_sizes and pooling need one value a block each{words}; "
                f"got {got[0]}, {got[1]} and {got[2]}"
            )
        lengths = tuple(len(getattr(form, name)) for name in _NUMBERS)
        if not form.free and got != lengths:
            raise ValueError(
                f"{self.name} takes {lengths[0]} widths, {lengths[1]} kernel_sizes and {lengths[2]} "
                f"pooling; got {got[0]}, {got[1]} and {got[2]}"
            )
        if form.odd and any(size % 2 == 0 for size in self.kernel_sizes):
            raise ValueError("padded convolutions that keep the length need odd kernel_sizes")
        if self.name == "eegnet" and self.widths[1] % self.widths[0]:
            raise ValueError(
                f"eegnet has as many spatial kernels for each temporal one: the second of widths must "
                f"be a multiple of the first; got {self.widths[1]} and {self.widths[0]}"
            )
        return self

    def _require_own(self) -> None:
        numbers = [name for name in (*_NUMBERS, "dropout") if getattr(self, name)]
        if numbers:
            raise ValueError(f"{self.name} is built by its own code, which takes no {numbers[0]}")

    def lengths(self, samples: int) -> tuple[int, ...]:
        """Samples that come out of each block of `valid`, `paper` or `deep4` for a window of `samples`.

        0 or less: it is too short.
        """
        lengths = []
        for size, pool in zip(self.kernel_sizes, self.pooling, strict=True):
            samples = (samples if self.name == "paper" else samples - size + 1) // pool
            lengths.append(samples)
        return tuple(lengths)
