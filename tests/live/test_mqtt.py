"""Alarms through a real MQTT broker: acknowledged, in order, also when it is killed in between."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from secateur.errors import SinkError
from secateur.live.sinks import AlarmQueue, open_sink, queue
from secateur.live.sinks.sink import DeliveryError
from tests.support.mqtt_brokers import Broker, Listener
from tests.support.waiting import until
from tests.support.web_servers import make_certificate


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "PATIENT", 0.0)
    monkeypatch.setattr(queue, "PAUSES", (0.02, 0.2))
    monkeypatch.setattr("secateur.live.sinks.mqtt._RECONNECT", (1, 1))
    monkeypatch.setattr("secateur.live.sinks.mqtt.TIMEOUT", 1.0)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path)
    broker.start()
    yield broker
    broker.kill()


def keys_of(texts: list[str]) -> list[str]:
    return [json.loads(text)["key"] for text in texts]


def put(alarms: AlarmQueue, *numbers: int) -> None:
    for k in numbers:
        alarms.put({"key": f"b-{k}", "kind": "opened", "words": "Anfälle"}, f"b-{k}")


def test_alarms_come_in_order_and_the_status_is_kept(broker: Broker, tmp_path: Path) -> None:
    listener = Listener(broker.port, "ward-7")
    until(lambda: listener.ready)
    sink = open_sink(f"mqtt://127.0.0.1:{broker.port}/ward-7")
    alarms = AlarmQueue(tmp_path / "q", [sink], print)
    put(alarms, *range(20))
    until(lambda: len(listener.texts("ward-7")) == 20)
    assert keys_of(listener.texts("ward-7")) == [f"b-{k}" for k in range(20)]
    assert json.loads(listener.texts("ward-7")[0])["words"] == "Anfälle"
    until(lambda: alarms.waiting() == {sink.address: 0})
    late = Listener(broker.port, "ward-7")
    until(lambda: bool(late.messages))
    assert late.messages == [("ward-7/status", "online", True)]
    alarms.close(5.0)
    until(lambda: late.texts("ward-7/status") == ["online", "offline"])
    late.close()
    listener.close()


def test_a_broker_that_is_killed_loses_no_alarm(broker: Broker, tmp_path: Path) -> None:
    listener, heard = Listener(broker.port, "ward-7"), list[str]()
    until(lambda: listener.ready)
    alarms = AlarmQueue(
        tmp_path / "q", [open_sink(f"mqtt://127.0.0.1:{broker.port}/ward-7")], heard.append
    )
    put(alarms, 0)
    until(lambda: len(listener.texts("ward-7")) == 1)
    broker.kill()
    put(alarms, *range(1, 6))
    until(lambda: bool(heard))
    assert "they wait and are tried again" in heard[0]
    listener.ready = False
    broker.start()
    until(lambda: set(alarms.waiting().values()) == {0})
    alarms.close(5.0)
    assert any("gets its alarms again" in words for words in heard)
    once = list(dict.fromkeys(keys_of(listener.texts("ward-7"))))
    assert once == sorted(once)
    listener.close()


_PROCESS = """
import sys, time
from pathlib import Path
from secateur.live.sinks import AlarmQueue, open_sink
alarms = AlarmQueue(Path(sys.argv[1]), [open_sink(sys.argv[2])], print)
alarms.put({"key": "b-0", "kind": "opened"}, "b-0")
print("put", flush=True)
time.sleep(60)
"""


def killed_process(queue_file: Path, address: str, ready: Callable[[], bool]) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _PROCESS, str(queue_file), address],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "put\n"
        until(ready)
        process.send_signal(signal.SIGKILL)


def test_a_process_that_is_killed_is_offline(broker: Broker, tmp_path: Path) -> None:
    listener = Listener(broker.port, "ward-7")
    until(lambda: listener.ready)
    address = f"mqtt://127.0.0.1:{broker.port}/ward-7"
    killed_process(tmp_path / "q", address, lambda: bool(listener.texts("ward-7")))
    until(lambda: listener.texts("ward-7/status") == ["online", "offline"])
    listener.close()


def test_what_a_killed_process_could_not_deliver_the_next_delivers(
    broker: Broker, tmp_path: Path
) -> None:
    broker.kill()
    address = f"mqtt://127.0.0.1:{broker.port}/ward-7"
    killed_process(tmp_path / "q", address, lambda: True)
    broker.start()
    listener = Listener(broker.port, "ward-7")
    until(lambda: listener.ready)
    alarms = AlarmQueue(tmp_path / "q", [open_sink(address)], print)
    put(alarms, 1)
    until(lambda: keys_of(listener.texts("ward-7")) == ["b-0", "b-1"])
    alarms.close(5.0)
    listener.close()


def test_a_broker_that_wants_another_password(tmp_path: Path) -> None:
    (tmp_path / "users").write_text("ward:x\n")
    broker = Broker(tmp_path, f"allow_anonymous false\npassword_file {tmp_path}/users\n")
    subprocess.run(
        ["mosquitto_passwd", "-b", "-c", str(tmp_path / "users"), "ward", "hunter2"],
        check=True, capture_output=True,
    )  # fmt: skip
    (tmp_path / "users").chmod(0o644)
    broker.start()
    try:
        for password, works in (("hunter3", False), ("hunter2", True)):
            sink = open_sink(f"mqtt://ward:{password}@127.0.0.1:{broker.port}/ward-7")
            assert "hunter" not in sink.address
            sink.begin()
            if works:
                sink.send("{}", "k")
            else:
                with pytest.raises(DeliveryError, match="refuses the connection: Not authorized"):
                    sink.send("{}", "k")
            sink.close()
    finally:
        broker.kill()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # paho's own sockets
def test_tls_with_a_certificate_that_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, server = make_certificate(tmp_path)
    server.chmod(0o644)
    broker = Broker(tmp_path, f"allow_anonymous true\ncertfile {server}\nkeyfile {server}\n")
    broker.start()
    try:
        for trusted in (False, True):
            if trusted:
                monkeypatch.setenv("SSL_CERT_FILE", str(authority))
            sink = open_sink(f"mqtts://localhost:{broker.port}/ward-7")
            sink.begin()
            if trusted:
                sink.send("{}", "k")
            else:
                with pytest.raises(DeliveryError, match="be reached: its certificate is not valid"):
                    sink.send("{}", "k")
            sink.close()
    finally:
        broker.kill()
        gc.collect()


def test_addresses_that_are_refused() -> None:
    for address in ("mqtt://127.0.0.1", "mqtt://127.0.0.1/", "mqtt://h/ward/%23", "mqtt://h/a+b"):
        with pytest.raises(SinkError, match="wanted a topic"):
            open_sink(address)
    with pytest.raises(SinkError, match="a password leaves this machine encrypted alone") as caught:
        open_sink("mqtt://ward:hunter2@example.org/ward-7")
    assert "hunter2" not in str(caught.value)
