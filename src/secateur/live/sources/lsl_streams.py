"""Streams of the lab streaming layer: which is meant, what it says of itself, a connection to it."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secateur.errors import SourceError
from secateur.live.stream import StreamInfo

_OTHERS = 1.0
"""Seconds in which further streams of the same name are waited for."""
_ANSWER = 5.0
"""Seconds that a stream may take to describe itself and to compare clocks."""
_KEPT = 60
"""Seconds of signal that wait to be read before the oldest are lost."""
_MICROVOLTS = {
    "": 1.0,  # LSL's convention for EEG
    "uv": 1.0,
    "µv": 1.0,
    "μv": 1.0,  # the Greek letter
    "microvolt": 1.0,
    "microvolts": 1.0,
    "nv": 1e-3,
    "nanovolts": 1e-3,
    "mv": 1e3,
    "millivolt": 1e3,
    "millivolts": 1e3,
    "v": 1e6,
    "volt": 1e6,
    "volts": 1e6,
}


@dataclass(frozen=True)
class Description:
    """What is read of a stream: its rows that are voltages, and the factor of each that makes it µV."""

    info: StreamInfo
    rows: tuple[int, ...]
    factors: tuple[float, ...]
    left_out: str


@dataclass
class Connection:
    """An inlet that is open. `correction`: seconds to add to the sender's stamps."""

    inlet: Any
    uid: str
    source_id: str
    description: Description
    correction: float
    buffer: NDArray[np.generic]


class StreamFinder:
    """Looks for the stream `lsl:NAME` or `lsl:NAME@SOURCE_ID`, and connects to it.

    `channels`: labels, for a stream that states none.
    """

    def __init__(self, pylsl: ModuleType, address: str, channels: tuple[str, ...]) -> None:
        self._pylsl, self.address, self._channels = pylsl, address, channels
        words = address.removeprefix("lsl:")
        name, sign, source_id = words.rpartition("@")
        self.name = name if sign else words
        self._source_id: str | None = source_id if sign else None
        if not self.name or "'" in words:
            raise SourceError(f"{address}: wanted lsl:NAME or lsl:NAME@SOURCE_ID, without '")

    def candidates(self, seconds: float) -> list[Any]:
        """Streams of that name (and source) that are there; waits `seconds` at most for the first."""
        first = self._resolved(1, seconds)
        return self._resolved(1000, _OTHERS) or first if first else []

    def _resolved(self, least: int, seconds: float) -> list[Any]:
        which = f"name='{self.name}'"
        if self._source_id is not None:
            which += f" and source_id='{self._source_id}'"
        return list(self._pylsl.resolve_bypred(which, least, seconds))

    def choose(self, candidates: list[Any], source_id: str | None = None) -> Any:
        """The one candidate; of several that with `source_id`. Raises `SourceError` that lists them."""
        same = [info for info in candidates if info.source_id() == source_id]
        chosen = same if len(same) == 1 else candidates
        if len(chosen) > 1:
            each = sorted(
                f"lsl:{info.name()}@{info.source_id()} ({info.channel_count()} channels, "
                f"{info.nominal_srate():g} Hz, on {info.hostname()})"
                for info in chosen
            )
            raise SourceError(
                f"{self.address}: {len(chosen)} streams are called so; write which: {', '.join(each)}"
            )
        return chosen[0]

    def connect(self, info: Any) -> Connection:
        """Open a stream. Raises `SourceError` where it can't be one of EEG, or doesn't answer."""
        rate, count = float(info.nominal_srate()), int(info.channel_count())
        if not rate > 0:
            raise SourceError(
                f"{self.address}: has no regular sampling rate, and so no seconds; wanted a stream of EEG"
            )
        if info.channel_format() == self._pylsl.cf_string:
            raise SourceError(f"{self.address}: is a stream of text; wanted one of EEG")
        # without liblsl's own recovery: only so is it known when the connection was another
        inlet = self._pylsl.StreamInlet(info, max_buflen=_KEPT, recover=False)
        try:
            complete = inlet.info(timeout=_ANSWER)
            inlet.open_stream(timeout=_ANSWER)
            correction = inlet.time_correction(timeout=_ANSWER)
        except (TimeoutError, RuntimeError) as error:
            reason = str(error) or type(error).__name__
            raise SourceError(f"{self.address}: is there, but doesn't answer ({reason})") from None
        description = self._description(complete, rate, count)
        buffer = np.empty((max(256, round(2 * rate)), count), inlet.np_dtype)
        return Connection(inlet, info.uid(), info.source_id(), description, correction, buffer)

    def _description(self, info: Any, rate: float, count: int) -> Description:
        labels, units = _labels_and_units(info)
        if self._channels and not any(labels):
            if len(self._channels) != count:
                raise SourceError(
                    f"{self.address}: has {count} channels; --channels states {len(self._channels)}"
                )
            labels = list(self._channels)
        if len(labels) != count or not all(labels):
            raise SourceError(
                f"{self.address}: states {sum(map(bool, labels))} labels for {count} channels; state all of "
                f"them with --channels"
            )
        units = (units + [""] * count)[:count]
        rows = [k for k in range(count) if _plain(units[k]) in _MICROVOLTS]
        others = [f"{labels[k]} ({units[k]})" for k in range(count) if k not in rows]
        if not rows:
            raise SourceError(f"{self.address}: no channel is a voltage: {', '.join(others)}")
        return Description(
            StreamInfo(self.name, tuple(labels[k] for k in rows), rate),
            tuple(rows),
            tuple(_MICROVOLTS[_plain(units[k])] for k in rows),
            f"channels that are no voltages are left out: {', '.join(others)}" if others else "",
        )


def _plain(unit: str) -> str:
    return unit.strip().lower() if unit.strip() != "MV" else unit  # megavolts are none of EEG's


def _labels_and_units(info: Any) -> tuple[list[str], list[str]]:
    labels, units = [], []
    channel = info.desc().child("channels").child("channel")
    while not channel.empty():
        labels.append(channel.child_value("label").strip())
        units.append(channel.child_value("unit"))
        channel = channel.next_sibling("channel")
    return labels, units
