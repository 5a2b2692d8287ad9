"""A web server on this machine that writes down what is posted to it and answers as it is told to."""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass
class Posted:
    """Requests in their order: path, headers, and the JSON of the body."""

    port: int
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    alarms: list[dict[str, Any]] = field(default_factory=list)

    @property
    def keys(self) -> list[str]:
        return [headers["Idempotency-Key"] for headers in self.headers]


Answer = Callable[[int], tuple[int, dict[str, str]]]
"""Status and headers for the request with a number."""


@contextmanager
def web_server(
    answer: Answer = lambda number: (204, {}), certificate: Path | None = None, port: int = 0
) -> Iterator[Posted]:
    """Serve on 127.0.0.1 while the block lasts; by TLS where there is a `certificate` (with its key)."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posted.paths.append(self.path)
            posted.headers.append(dict(self.headers.items()))
            posted.alarms.append(json.loads(body))
            status, headers = answer(len(posted.paths) - 1)
            self.send_response(status)
            for name, value in {"Content-Length": "0", **headers}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:  # a client that doesn't trust us hangs up
            pass

    with Server(("127.0.0.1", port), Handler) as server:
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        posted = Posted(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield posted
        finally:
            server.shutdown()
            thread.join()


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A CA of its own, and a certificate with its key that it has signed for localhost."""
    authority, server = folder / "ca.pem", folder / "server.pem"

    def openssl(*words: str | Path) -> None:
        subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc")
    openssl("req", "-x509", *key, "-keyout", folder / "ca.key", "-out", authority, "-days", "2",
            "-subj", "/CN=test authority", "-addext", "keyUsage=critical,keyCertSign",
            "-addext", "subjectKeyIdentifier=hash")  # fmt: skip
    openssl("req", "-x509", *key, "-keyout", folder / "server.key", "-out", server, "-days", "2",
            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
            "-addext", "basicConstraints=critical,CA:FALSE",
            "-CA", authority, "-CAkey", folder / "ca.key")  # fmt: skip
    server.write_text(server.read_text() + (folder / "server.key").read_text())
    return authority, server
