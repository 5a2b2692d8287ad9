"""Alarms as markers of an LSL stream, beside the EEG for whoever records or shows it."""

from __future__ import annotations

from typing import Any

from secateur.errors import SinkError
from secateur.live.lsl import load_pylsl


class LslSink:
    """`lsl:NAME`: a stream of type Markers, one channel of strings, irregular; each marker an alarm's JSON.

    The stream is there as long as this sink. LSL acknowledges nothing: who doesn't listen when an alarm is
    sent doesn't get it, so this suits recorders and displays, not the only way to a nurse.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._name = address.removeprefix("lsl:").strip()
        if not self._name:
            raise SinkError(f"{address}: wanted a name for the stream of alarms, as in lsl:Alarms")
        self._pylsl = load_pylsl("sending alarms by LSL")
        self._outlet: Any = None

    def begin(self) -> None:
        """See `Sink.begin`."""
        pylsl = self._pylsl
        info = pylsl.StreamInfo(
            self._name, "Markers", 1, pylsl.IRREGULAR_RATE, "string", f"secateur-{self._name}"
        )
        description = info.desc()
        description.append_child_value("manufacturer", "secateur")
        channel = description.append_child("channels").append_child("channel")
        channel.append_child_value("label", "alarm")
        channel.append_child_value("type", "Marker")
        self._outlet = pylsl.StreamOutlet(info)

    def send(self, body: str, key: str) -> None:
        """See `Sink.send`; the key stands in the JSON."""
        self._outlet.push_sample([body])

    def close(self) -> None:
        """See `Sink.close`."""
        self._outlet = None  # with its last reference the stream goes
