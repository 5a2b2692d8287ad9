"""Where alarms go beside the log: a web server, an MQTT broker, an LSL stream; and the queue before them."""

from __future__ import annotations

from secateur.errors import SinkError
from secateur.live.sinks.queue import AlarmQueue
from secateur.live.sinks.sink import Sink
from secateur.live.sinks.webhook import Webhook

__all__ = ["AlarmQueue", "Sink", "open_sink"]


def open_sink(address: str) -> Sink:
    """The sink at an address: `https://…`, `http://localhost…`, `mqtt[s]://HOST[:PORT]/TOPIC`, `lsl:NAME`.

    Nothing is sent, and no connection waited for. Raises `SinkError` where the address is none, and
    `MissingExtraError` without the package that it needs.
    """
    scheme = address.partition(":")[0].lower()
    if scheme in ("http", "https"):
        return Webhook(address)
    if scheme in ("mqtt", "mqtts"):
        from secateur.live.sinks.mqtt import (
            MqttSink,  # packages of the extra are loaded where needed
        )

        return MqttSink(address)
    if scheme == "lsl":
        from secateur.live.sinks.lsl import LslSink

        return LslSink(address)
    raise SinkError(
        f"{scheme}: no address for alarms; write https://HOST/PATH, mqtt://HOST/TOPIC, mqtts://HOST/TOPIC or "
        f"lsl:NAME"
    )
