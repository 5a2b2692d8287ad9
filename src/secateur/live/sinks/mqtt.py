"""Alarms published to an MQTT broker, each off the queue when the broker has acknowledged it."""

from __future__ import annotations

import ssl
import sys
import threading
import time
from secrets import token_hex
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from secateur.errors import MissingExtraError, SinkError
from secateur.live.sinks.address import network_address
from secateur.live.sinks.sink import DeliveryError, RejectedError, reason_of

if TYPE_CHECKING:
    from paho.mqtt.client import Client

TIMEOUT = 10.0
"""Seconds that a connection and an acknowledgement are waited for."""
_RECONNECT = (1, 30)
"""Seconds between two tries to connect: the first, doubled each time, and the longest."""


class MqttSink:
    """`mqtt://HOST[:PORT]/TOPIC` or, with TLS, `mqtts://`: MQTT 5, each alarm's JSON with QoS 1 to TOPIC.

    TOPIC/status holds, retained, "online" while this process is connected, else "offline": the broker says
    so itself where the process dies (last will).
    """

    def __init__(self, address: str) -> None:
        parts = network_address(address, {"mqtt": 1883, "mqtts": 8883})
        self.address = parts.shown_as
        self._topic = unquote(parts.target.removeprefix("/"))
        if not self._topic or any(sign in self._topic for sign in "#+?\0"):
            raise SinkError(
                f"{self.address}: wanted a topic after the host, without # and +, as in {parts.scheme}://HOST/ward-7"
            )
        if parts.password is not None and parts.scheme == "mqtt" and not parts.local:
            raise SinkError(
                f"{self.address}: a password leaves this machine encrypted alone; write mqtts://"
            )
        self._host, self._port = parts.host, parts.port
        self._client = _client()
        if parts.user is not None:
            self._client.username_pw_set(parts.user, parts.password)
        if parts.scheme == "mqtts":
            self._client.tls_set_context(ssl.create_default_context())
        self._client.will_set(f"{self._topic}/status", "offline", qos=1, retain=True)
        self._client.reconnect_delay_set(*_RECONNECT)
        self._client.on_connect = self._connected
        self._client.on_disconnect = self._disconnected
        self._client.on_connect_fail = self._unreachable
        self._client.on_publish = self._acknowledged
        self._news = threading.Condition()
        self._online, self._reason = False, "the broker doesn't answer"
        self._answers: dict[int, str] = {}
        self._pending: tuple[str, int] | None = None

    def begin(self) -> None:
        """See `Sink.begin`."""
        self._client.connect_async(self._host, self._port, keepalive=30)
        self._client.loop_start()

    def send(self, body: str, key: str) -> None:
        """See `Sink.send`."""
        deadline = time.monotonic() + TIMEOUT
        if not self._wait(lambda: self._online, deadline):
            raise DeliveryError(self._reason)
        if self._pending is None or self._pending[0] != key:
            message = self._client.publish(self._topic, body, qos=1)
            self._pending = key, message.mid
        number = self._pending[1]  # the client itself sends it again after a reconnection
        if not self._wait(lambda: number in self._answers, deadline):
            raise DeliveryError(
                f"no acknowledgement within {TIMEOUT:g} s" if self._online else self._reason
            )
        with self._news:
            failure = self._answers[number]
            self._answers.clear()
        self._pending = None
        if failure:
            raise RejectedError(failure)

    def _wait(self, condition: Any, deadline: float) -> bool:
        with self._news:
            return bool(self._news.wait_for(condition, max(0.0, deadline - time.monotonic())))

    def close(self) -> None:
        """See `Sink.close`."""
        if self._online:
            message = self._client.publish(f"{self._topic}/status", "offline", qos=1, retain=True)
            self._wait(lambda: message.mid in self._answers, time.monotonic() + 2.0)
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(self, client: Client, _data: Any, _flags: Any, code: Any, _more: Any) -> None:
        with self._news:
            self._online = not code.is_failure
            self._reason = f"the broker refuses the connection: {code}"
            self._news.notify_all()
        if self._online:
            client.publish(f"{self._topic}/status", "online", qos=1, retain=True)

    def _disconnected(
        self, _client: Client, _data: Any, _flags: Any, code: Any, _more: Any
    ) -> None:
        with self._news:
            if self._online:
                self._reason = f"the broker was lost: {code}"
            self._online = False

    def _unreachable(self, _client: Client, _data: Any) -> None:
        error = sys.exc_info()[
            1
        ]  # which the client is handling while it calls this, and doesn't pass on
        why = f": {reason_of(error, TIMEOUT)}" if error else ""
        with self._news:
            self._reason = f"the broker can't be reached{why}"

    def _acknowledged(
        self, _client: Client, _data: Any, number: int, code: Any, _more: Any
    ) -> None:
        with self._news:
            self._answers[number] = str(code) if code.is_failure else ""
            self._news.notify_all()


def _client() -> Client:
    try:
        from paho.mqtt.client import Client, MQTTv5
        from paho.mqtt.enums import CallbackAPIVersion
    except ImportError:
        raise MissingExtraError("paho-mqtt", "live", "sending alarms by MQTT") from None
    return Client(
        CallbackAPIVersion.VERSION2, client_id=f"secateur-{token_hex(8)}", protocol=MQTTv5
    )
