"""A real MQTT broker (mosquitto) on this machine, with a configuration and a port of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Broker:
    """Started, stopped and killed by tests; keeps its port."""

    def __init__(self, folder: Path, extra: str = "allow_anonymous true\n") -> None:
        if MOSQUITTO is None:
            pytest.skip("mosquitto is not here (Debian: apt-get install mosquitto)")
        self.port = free_port()
        self._config = folder / "mosquitto.conf"
        user = "user root\n" if os.geteuid() == 0 else ""  # else it couldn't read the test's files
        self._config.write_text(f"{user}listener {self.port} 127.0.0.1\npersistence false\n{extra}")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert MOSQUITTO is not None
        self._process = subprocess.Popen(
            [MOSQUITTO, "-c", self._config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), 0.5).close()
            except OSError:
                assert self._process.poll() is None, "mosquitto ended"
                time.sleep(0.02)
            else:
                return
        raise AssertionError("mosquitto didn't start")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Listener:
    """A client that writes down what comes to `topic` and below it: topic, text, and whether retained."""

    def __init__(self, port: int, topic: str, user: tuple[str, str] | None = None) -> None:
        from paho.mqtt.client import Client, MQTTv5
        from paho.mqtt.enums import CallbackAPIVersion

        self.messages: list[tuple[str, str, bool]] = []
        self.ready = False
        self._topic = topic
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
        if user is not None:
            self._client.username_pw_set(*user)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._subscribe
        self._client.on_subscribe = self._subscribed
        self._client.on_message = self._note
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def _subscribe(self, client: Any, *_: Any) -> None:
        client.subscribe(f"{self._topic}/#", qos=1)

    def _subscribed(self, *_: Any) -> None:
        self.ready = True

    def _note(self, _client: Any, _data: Any, message: Any) -> None:
        self.messages.append((message.topic, message.payload.decode(), bool(message.retain)))

    def texts(self, topic: str) -> list[str]:
        return [text for each, text, _ in self.messages if each == topic]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
