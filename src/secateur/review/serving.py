"""Listening: the port, what is printed, and the end."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import socket
import sys
from collections.abc import Callable

import uvicorn

from secateur.errors import SettingsError
from secateur.review.app import application
from secateur.review.safety import Access
from secateur.review.session import ReviewSession

_GRACE = 2
"""Seconds that requests have to come to an end."""


def serve(session: ReviewSession, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve the page until Ctrl-C. `ready` is told the address to open, once it can be.

    Raises `SettingsError` where the address can't be listened on.
    """
    with _listening(host, port) as listener:
        port = listener.getsockname()[1]
        local = _is_loopback(listener)
        access = Access(port, _names(host))
        if not local:
            print(
                f"secateur: warning: {host} is reached from other machines, without encryption: whoever "
                "reads along on the network sees the EEG and the token",
                file=sys.stderr,
            )
        app = application(session, access)
        config = uvicorn.Config(
            app,
            access_log=False,  # it would write the token
            log_level="warning",
            server_header=False,
            date_header=False,
            ws="none",
            timeout_graceful_shutdown=_GRACE,
        )
        name = _named(host) if not local or ":" not in host else "[::1]"
        address = f"http://{name}:{port}/?token={access.token}"
        server = _Server(config, lambda: ready(address))
        app.state.stopping = lambda: server.should_exit
        with contextlib.suppress(KeyboardInterrupt):  # the ordinary end
            server.run(sockets=[listener])


class _Server(uvicorn.Server):
    """Says when it is ready only once it answers, and Ctrl-C ends it in order."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See `uvicorn.Server`."""
        await super().startup(sockets=sockets)
        if self.started:
            self._ready()


def _listening(host: str, port: int) -> socket.socket:
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise SettingsError(f"--host {host}: is no address of this machine") from None
    family, kind, protocol, _, address = addresses[0]
    listener = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRNOTAVAIL:
            raise SettingsError(f"--host {host}: is no address of this machine") from None
        reason = (error.strerror or "it can't be listened on").lower()
        raise SettingsError(
            f"--port {port}: {reason}; choose another, or 0 for any that is free"
        ) from None
    return listener


def _is_loopback(listener: socket.socket) -> bool:
    return ipaddress.ip_address(listener.getsockname()[0]).is_loopback


def _named(host: str) -> str:
    """A host as it stands in an address; 0.0.0.0 is none that a browser can open."""
    if host in ("0.0.0.0", "::", ""):
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host


def _names(host: str) -> tuple[str, ...]:
    """The names by which this machine may be called, besides those that it always has."""
    if host not in ("0.0.0.0", "::", ""):
        return (_named(host).lower(),)
    name = socket.gethostname().lower()
    try:
        entries = socket.getaddrinfo(name, None)
    except OSError:  # a machine whose own name leads nowhere, as in some containers
        entries = []
    return (name, socket.getfqdn().lower(), *{_named(str(entry[4][0])) for entry in entries})
