"""Addresses of sinks: what they say, and what of them may be shown."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from secateur.errors import SinkError


@dataclass(frozen=True)
class NetworkAddress:
    """Where in a network alarms go.

    `shown_as`: the address without user, password and query, which may give access: no other form of it is
    ever printed or written to a file. `target`: path and query, as the other side wants them.
    """

    shown_as: str
    scheme: str
    host: str
    port: int
    target: str
    user: str | None
    password: str | None

    @property
    def local(self) -> bool:
        """Whether it is on this machine."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def network_address(address: str, ports: dict[str, int]) -> NetworkAddress:
    """Take an address apart. `ports`: the port of each scheme where none is stated. Raises `SinkError`."""
    scheme = address.partition(":")[0]
    try:
        parts = urlsplit(address)
        port, host = parts.port, parts.hostname
    except ValueError:  # the reason would quote what mustn't be shown
        raise SinkError(f"{scheme}: not an address: host or port is none") from None
    if "#" in address or "@" in parts.path + parts.query:  # part of a password, perhaps
        raise SinkError(
            f"{scheme}: an address with # or a second @; inside a password or a path write %23 and %40 for "
            f"them, and %2F for /"
        )
    shown_as = _without_secrets(parts)
    if not host or any(not sign.isprintable() or sign.isspace() for sign in address):
        raise SinkError(f"{shown_as}: not an address; write {parts.scheme}://HOST[:PORT]/…")
    return NetworkAddress(
        shown_as,
        parts.scheme,
        host,
        port or ports[parts.scheme],
        (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        None if parts.username is None else unquote(parts.username),
        None if parts.password is None else unquote(parts.password),
    )


def _without_secrets(parts: SplitResult) -> str:
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}" + ("?…" if parts.query else "")
