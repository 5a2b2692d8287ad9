"""Alarms posted to a web server on this machine: by TLS with a CA made here, and by plain HTTP."""

from __future__ import annotations

import base64
import shutil
import socket
from pathlib import Path

import pytest

from secateur.errors import SinkError
from secateur.live.sinks import AlarmQueue, open_sink, queue
from secateur.live.sinks.sink import DeliveryError, RejectedError
from tests.support.web_servers import make_certificate, web_server

BODY = '{"key": "ward-7-000001", "words": "Anfälle"}'


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not here to make a certificate")
    return make_certificate(tmp_path_factory.mktemp("tls"))


def test_an_alarm_is_posted_by_tls(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, server = certificate
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    with web_server(certificate=server) as posted:
        sink = open_sink(f"https://nurse:gehe%20im@localhost:{posted.port}/hook/7?token=abc")
        sink.send(BODY, "ward-7-000001")
        sink.send(BODY, "ward-7-000002")
        sink.close()
    assert sink.address == f"https://localhost:{posted.port}/hook/7?…"
    assert posted.paths == ["/hook/7?token=abc"] * 2
    assert posted.keys == ["ward-7-000001", "ward-7-000002"]
    assert posted.alarms[0] == {"key": "ward-7-000001", "words": "Anfälle"}
    assert posted.headers[0]["Content-Type"] == "application/json; charset=utf-8"
    secret = base64.b64encode(b"nurse:gehe im").decode()
    assert posted.headers[0]["Authorization"] == f"Basic {secret}"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_certificate_that_is_not_valid_gets_no_alarm(
    certificate: tuple[Path, Path], host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, server = certificate
    if host == "127.0.0.1":  # the authority is trusted, but the certificate is localhost's
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    with web_server(certificate=server) as posted:
        sink = open_sink(f"https://{host}:{posted.port}/hook")
        with pytest.raises(DeliveryError, match="its certificate is not valid"):
            sink.send(BODY, "k")
        sink.close()
    assert posted.paths == []


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (200, None),
        (202, None),
        (301, RejectedError),
        (400, RejectedError),
        (404, RejectedError),
        (408, DeliveryError),
        (429, DeliveryError),
        (500, DeliveryError),
        (503, DeliveryError),
    ],
)
def test_what_an_answer_means(status: int, error: type[Exception] | None) -> None:
    with web_server(lambda number: (status, {"Retry-After": "7"})) as posted:
        sink = open_sink(f"http://127.0.0.1:{posted.port}/")
        if error is None:
            sink.send(BODY, "k")
        else:
            with pytest.raises(error, match=str(status)) as caught:
                sink.send(BODY, "k")
            if isinstance(caught.value, DeliveryError):
                assert caught.value.wait == 7.0
        sink.close()


def test_a_server_that_hangs_up_or_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secateur.live.sinks.webhook.TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # takes connections, answers nothing
        port = deaf.getsockname()[1]
        sink = open_sink(f"http://127.0.0.1:{port}/")
        with pytest.raises(DeliveryError, match=r"no answer within 0.2 s"):
            sink.send(BODY, "k")
        sink.close()
    sink = open_sink(f"http://127.0.0.1:{port}/")
    with pytest.raises(DeliveryError, match="refused"):
        sink.send(BODY, "k")


def test_a_connection_that_the_server_has_dropped_is_made_anew() -> None:
    with web_server(lambda number: (204, {"Connection": "close"} if number == 1 else {})) as posted:
        sink = open_sink(f"http://127.0.0.1:{posted.port}/")
        for k in range(3):
            sink.send(BODY, str(k))
    with web_server(port=posted.port) as again:
        sink.send(BODY, "3")
        sink.close()
    assert posted.keys + again.keys == ["0", "1", "2", "3"]


def test_a_server_that_fails_half_of_the_time_gets_all_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "PATIENT", 0.0)
    monkeypatch.setattr(queue, "PAUSES", (0.001, 0.01))
    heard: list[str] = []
    with web_server(lambda number: (503 if number % 2 else 200, {})) as posted:
        sink = open_sink(f"http://ward:hunter2@127.0.0.1:{posted.port}/hook")
        alarms = AlarmQueue(tmp_path / "q", [sink], heard.append)
        for k in range(40):
            alarms.put({"key": f"b-{k:03d}", "kind": "opened"}, f"b-{k:03d}")
        alarms.close(10.0)
    keys = [f"b-{k:03d}" for k in range(40)]
    assert list(dict.fromkeys(posted.keys)) == keys
    assert len(posted.keys) > 40
    assert heard
    for path in tmp_path.iterdir():
        assert b"hunter2" not in path.read_bytes()
    assert not any("hunter2" in words for words in heard)


def test_addresses_that_are_refused_and_what_they_give_away() -> None:
    with pytest.raises(
        SinkError, match="leave this machine encrypted alone; write https://"
    ) as caught:
        open_sink("http://ward:hunter2@example.org/hook?token=s3")
    assert "hunter2" not in str(caught.value)
    assert "s3" not in str(caught.value)
    for address in (
        "https://",
        "https://user:hunter2@/x",
        "https://h:99999/",
        "https://u:12/hunter2@h/",
        "https://u:12#hunter2@h/",
        "https://ho st/",
        "ftp://h",
    ):
        with pytest.raises(SinkError) as caught:
            open_sink(address)
        assert "hunter2" not in str(caught.value)
    assert open_sink("http://[::1]:80/").address == "http://[::1]:80/"
