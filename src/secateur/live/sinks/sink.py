"""What a sink is: somewhere that alarms are delivered to, one after the other."""

from __future__ import annotations

import ssl
from typing import Protocol


class DeliveryError(Exception):
    """An alarm that wasn't delivered and is to be tried again; the words tell why.

    `wait`: seconds for which the other side asks to be left alone.
    """

    def __init__(self, words: str, wait: float = 0.0) -> None:
        super().__init__(words)
        self.wait = wait


class RejectedError(Exception):
    """An alarm that the other side won't have, however often it is tried; the words tell why."""


class Sink(Protocol):
    """Where alarms go. Made by `open_sink`; its methods are called by one thread.

    `address`: as it may be shown to anyone, without what gives access.
    """

    address: str

    def begin(self) -> None:
        """Begin to connect, or be there to be connected to; waits for nobody."""
        ...

    def send(self, body: str, key: str) -> None:
        """Deliver one alarm (`body`: its JSON); returns when the other side has it.

        `key`: the same for the same alarm, however often it is sent. Raises `DeliveryError` or
        `RejectedError`.
        """
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


def reason_of(error: BaseException, timeout: float) -> str:
    """Why a connection failed, in words; `timeout`: the seconds that it had."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout:g} s"
    words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return words or type(error).__name__
