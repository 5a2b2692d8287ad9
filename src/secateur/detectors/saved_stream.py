"""A stream's state as bytes, and back: anybody may have written them, so nothing is believed unchecked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, ValidationError, model_validator

from secateur.errors import StreamError
from secateur.settings import Settings

_LARGEST = 1 << 28
"""Bytes."""
_LARGEST_NUMBER = 1e18
"""In arrays; far above what microvolts lead to, and far enough below what overflows float32 later."""

Count = Annotated[int, Field(ge=0, le=1 << 53)]
Seconds = Annotated[float, Field(ge=0, le=1e12)]
Probability = Annotated[float, Field(ge=0, le=1)]


class SavedArray(Settings):
    """An array as JSON has it: its bytes in base64, exactly as many as its shape wants."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    dtype: Literal["<f4", "<f8", "<i8", "|b1"]
    shape: Annotated[tuple[Count, ...], Field(max_length=8)]
    data: bytes

    @model_validator(mode="after")
    def _is_as_long_as_its_shape(self) -> Self:
        if math.prod(self.shape) * np.dtype(self.dtype).itemsize != len(self.data):
            raise ValueError("an array's shape and its bytes differ")
        if np.isnan(self.array()).any():
            raise ValueError("an array holds what is no number")
        return self

    def array(self) -> NDArray[Any]:
        """The array, to be written to."""
        flags = self.dtype == "|b1"
        values = np.frombuffer(self.data, dtype="u1" if flags else self.dtype).reshape(self.shape)
        return np.asarray(values != 0) if flags else values.copy()


class SavedRules(Settings):
    """What the event rules have not decided yet; see `EventBuilder.state`."""

    recent: tuple[Probability, ...]
    until: Seconds | None
    calling: bool
    pending: tuple[Seconds, Seconds, Probability, bool] | None
    barrier: Seconds


Value = Annotated[int, Field(ge=-(1 << 53), le=1 << 53)] | SavedArray
Named = dict[str, Any]
"""Numbers and arrays by name, as the chain and the network give their state."""


class StreamState(Settings):
    """All that later steps of a stream depend on.

    `seen`: samples so far; `origin`: where the stretch without gaps begins; `windows`: judged since then.
    """

    form: Literal[2] = 2
    detector: str
    channels: Annotated[tuple[str, ...], Field(max_length=100_000)]
    sampling_rate: Annotated[float, Field(gt=0)]
    seen: Count
    origin: Count
    windows: Count
    chain: dict[str, Value]
    network: dict[str, Value]
    rules: SavedRules

    @model_validator(mode="after")
    def _counts_fit(self) -> Self:
        if self.origin > self.seen or self.windows > self.seen - self.origin:
            raise ValueError("more windows than samples")
        return self

    def to_bytes(self) -> bytes:
        """As `read_state` takes it."""
        return self.model_dump_json().encode()


def read_state(saved: bytes) -> StreamState:
    """The state in `saved`, in memory of a few times its size. Raises `StreamError` where it is none."""
    if len(saved) > _LARGEST:
        raise StreamError(f"larger than {_LARGEST >> 20} MiB, no saved stream is")
    try:
        return StreamState.model_validate_json(saved, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = first["loc"][0] if first["loc"] else ""
        where = f" at {field}" if field in StreamState.model_fields else ""
        raise StreamError(
            f"not a stream saved by this version, or a damaged one{where}; begin another"
        ) from None


def to_saved(state: Named) -> dict[str, Value]:
    """The state of a chain or a network, its arrays to be written."""
    return {name: _saved(value) for name, value in state.items()}


def _saved(value: Any) -> Value:
    if isinstance(value, np.ndarray):
        dtype: Any = value.dtype.str
        return SavedArray(dtype=dtype, shape=value.shape, data=value.tobytes())
    return int(value)


def from_saved(saved: Mapping[str, Value], like: Named) -> dict[str, Any]:
    """What `to_saved` was given, where it has the form of `like`; else raises `ValueError`.

    The form: the same names and kinds, arrays of the same type and lengths, no larger than `_LARGEST_NUMBER`.
    The last of several axes is time and may have any length.
    """
    if saved.keys() != like.keys():
        raise ValueError("other names than the detector's")
    return {name: _checked(saved[name], like[name]) for name in like}


def _checked(saved: Value, like: Any) -> Any:
    if isinstance(saved, SavedArray) != isinstance(like, np.ndarray):
        raise ValueError("a number in an array's place, or the other way about")
    if not isinstance(saved, SavedArray):
        return saved
    array = saved.array()
    axes = max(1, like.ndim - 1)
    if (array.dtype, array.ndim, array.shape[:axes]) != (like.dtype, like.ndim, like.shape[:axes]):
        raise ValueError("an array of other lengths than the detector's")
    if np.isfinite(like).all() and not (np.abs(array) <= _LARGEST_NUMBER).all():
        raise ValueError("an array holds larger numbers than any signal leads to")
    return array
