"""Alarms posted to a web server, one request each."""

from __future__ import annotations

import base64
import http.client
import ssl
from urllib.parse import quote

import secateur
from secateur.errors import SinkError
from secateur.live.sinks.address import network_address
from secateur.live.sinks.sink import DeliveryError, RejectedError, reason_of

TIMEOUT = 10.0
"""Seconds that the other side may take for each step of an answer."""
_AGAIN = (408, 425, 429)
"""Answers below 500 that ask for another try."""


class Webhook:
    """`https://HOST/PATH`, or `http://` on this machine: POST of an alarm's JSON.

    Any answer 2xx means that the alarm is delivered. The standard library's client is enough here: one
    request at a time to one server, a connection that is kept, no redirects, no proxy.
    """

    def __init__(self, address: str) -> None:
        parts = network_address(address, {"https": 443, "http": 80})
        self.address = parts.shown_as
        if parts.scheme == "http" and not parts.local:
            raise SinkError(
                f"{self.address}: alarms are about patients and leave this machine encrypted alone; write https://"
            )
        self._target = quote(parts.target, safe="/?&=%:@!$'()*+,;~-._")
        self._headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": f"secateur/{secateur.__version__}",
        }
        if parts.user is not None:
            secret = f"{parts.user}:{parts.password or ''}".encode()
            self._headers["Authorization"] = f"Basic {base64.b64encode(secret).decode()}"
        self._connection = (
            http.client.HTTPConnection(parts.host, parts.port, timeout=TIMEOUT)
            if parts.scheme == "http"
            else http.client.HTTPSConnection(
                parts.host, parts.port, timeout=TIMEOUT, context=ssl.create_default_context()
            )
        )

    def begin(self) -> None:
        """See `Sink.begin`; the first alarm connects."""

    def send(self, body: str, key: str) -> None:
        """See `Sink.send`."""
        kept = self._connection.sock is not None
        try:
            answer = self._answer(body, key)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError) as error:
            # servers drop connections that are kept; a fresh one tells whether they are there
            answer = self._answer_or_error(body, key) if kept else self._fail(error)
        except (OSError, http.client.HTTPException) as error:
            answer = self._fail(error)
        self._judge(*answer)

    def _answer_or_error(self, body: str, key: str) -> tuple[int, str, str]:
        self._connection.close()
        try:
            return self._answer(body, key)
        except (OSError, http.client.HTTPException) as error:
            return self._fail(error)

    def _answer(self, body: str, key: str) -> tuple[int, str, str]:
        """Status, reason and `Retry-After` of the server's answer."""
        headers = {**self._headers, "Idempotency-Key": key}
        self._connection.request("POST", self._target, body.encode(), headers)
        response = self._connection.getresponse()
        rest = response.read(1 << 16)
        if len(rest) == 1 << 16:  # nobody needs it, and the connection is not free before its end
            self._connection.close()
        return response.status, response.reason, response.headers.get("Retry-After", "")

    def _fail(self, error: Exception) -> tuple[int, str, str]:
        self._connection.close()
        raise DeliveryError(reason_of(error, TIMEOUT)) from None

    def _judge(self, status: int, reason: str, retry_after: str) -> None:
        words = f"{status} {reason}".strip()
        if 200 <= status < 300:
            return
        if status >= 500 or status in _AGAIN:
            raise DeliveryError(words, float(retry_after) if retry_after.isdecimal() else 0.0)
        if 300 <= status < 400:
            words = f"{words}: redirects are not followed, state the address that is meant"
        raise RejectedError(words)

    def close(self) -> None:
        """See `Sink.close`."""
        self._connection.close()
