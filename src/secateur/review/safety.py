"""Who may ask: a token in the address becomes a cookie, and what comes from elsewhere is refused.

Everything runs over plain HTTP on this machine. Another user of it knows the port but not the token; a page
of another site that is open in the same browser sends its own Origin, or, where it has its name lead here
(DNS rebinding), its own Host. A browser sends a cookie to all ports of a host, so also to a server that
another user has there: ours is bound to a path that nobody else knows, below which everything lies.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_BODY = 1 << 16
"""Bytes of a request's body at most."""

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_NOT_OURS = ("cross-site", "same-site")


class Access:
    """The secrets of one server, and the hosts (name:port) by which it may be called.

    `token` stands in the address that is printed; the cookie holds another secret, and `path` is a third,
    below which the page lies.
    """

    def __init__(self, port: int, hosts: Iterable[str] = ()) -> None:
        self.token = secrets.token_urlsafe(32)
        self.path = f"/{secrets.token_urlsafe(16)}/"
        self._session = secrets.token_urlsafe(32)
        self._cookie = f"secateur-{port}"
        names = dict.fromkeys((*_LOOPBACK, *hosts))
        self.hosts = frozenset(f"{name}:{port}" for name in names)
        if port == 80:
            self.hosts |= frozenset(names)

    def admits(self, headers: Headers) -> bool:
        """Whether a request carries the cookie."""
        cookies: SimpleCookie = SimpleCookie()
        for line in headers.getlist("cookie"):
            try:
                cookies.load(line)
            except CookieError:
                return False
        sent = cookies[self._cookie].value if self._cookie in cookies else ""
        return secrets.compare_digest(sent.encode(), self._session.encode())

    def refusal(self, method: str, headers: Headers) -> str:
        """Why a request is refused whoever sends it, in a line; empty where it is not."""
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self.hosts:
            return "this server isn't called by that name"
        origin = headers.get("origin")
        if origin is not None and origin.lower() != f"http://{hosts[0].lower()}":
            return "a page of another site asks"
        navigates = method == "GET" and headers.get("sec-fetch-mode") == "navigate"
        if headers.get("sec-fetch-site") in _NOT_OURS and not navigates:
            return "a page of another site asks"
        if method == "POST" and headers.get("content-type", "").partition(";")[0].strip() != (
            "application/json"
        ):
            return "wanted application/json"
        return ""

    def welcome(self, query: bytes) -> Response | None:
        """For an address with a token: where to go on, with the cookie, or a refusal; else None."""
        sent = parse_qs(query.decode("latin-1")).get("token")
        if not sent:
            return None
        if not secrets.compare_digest(sent[0].encode(), self.token.encode()):
            return _refused("the token in the address is not this server's", 403)
        response = RedirectResponse(self.path, status_code=303)
        response.set_cookie(
            self._cookie, self._session, httponly=True, samesite="strict", path=self.path
        )
        return response


class Guard:
    """Stands before the application: checks each request, bounds its body, adds headers to each answer."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        guarded = _with_headers(send)
        response = self._answer(scope)
        if response is not None:
            await response(scope, receive, guarded)
            return
        body = await _bounded_body(receive)
        if body is None:
            await _refused(f"more than {LARGEST_BODY} bytes", 413)(scope, receive, guarded)
            return
        await self._app(self._below(scope), _replay(body, receive), guarded)

    def _answer(self, scope: Scope) -> Response | None:
        """What is answered without the application; None where it is asked."""
        headers = Headers(scope=scope)
        refusal = self._access.refusal(scope["method"], headers)
        if refusal:
            return _refused(refusal, 403)
        if scope["path"] == "/" and scope["method"] == "GET":
            response = self._access.welcome(scope["query_string"])
            if response is not None:
                return response
        if not (scope["path"].startswith(self._access.path) and self._access.admits(headers)):
            return _refused(
                "open the address that `secateur review` printed: it holds the token", 401
            )
        return None

    def _below(self, scope: Scope) -> Scope:
        """A request as the application knows it, without the path that is a secret."""
        path = "/" + scope["path"].removeprefix(self._access.path)
        return {**scope, "path": path, "raw_path": path.encode()}


def _refused(reason: str, status: int) -> Response:
    return JSONResponse({"error": reason}, status)


def _with_headers(send: Send) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            names = {name.lower() for name, _ in message["headers"]}
            added: Sequence[tuple[bytes, bytes]] = [
                (name.lower().encode(), value.encode())
                for name, value in _HEADERS.items()
                if name.lower().encode() not in names
            ]
            message = {**message, "headers": [*message["headers"], *added]}
        await send(message)

    return guarded


async def _bounded_body(receive: Receive) -> bytes | None:
    """A request's body, or None where it is too long."""
    body: bytes = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return body
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            return None
        if not message.get("more_body", False):
            return body


def _replay(body: bytes, receive: Receive) -> Receive:
    """The body once, then whatever still comes."""
    sent = False

    async def replayed() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed
