"""A web server on the loopback that misbehaves as it is told: for tests of what is downloaded."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote


@dataclass(frozen=True)
class Fault:
    """How one answer is spoilt."""

    status: int = 0
    """Answer with this status and nothing else."""
    break_after: int | None = None
    """Send so many bytes of the body, then close the connection."""
    corrupt: bool = False
    whole: bool = False
    """Send everything, whatever range was asked for."""
    pause: float = 0.0
    """Seconds of waiting before each 64 KiB."""
    page: bytes = b""
    """Send this instead."""


@dataclass
class Mirror:
    """What is served, which answers are spoilt (each fault once, in order), what was asked for."""

    tree: Path
    url: str = ""
    faults: dict[str, deque[Fault]] = field(default_factory=lambda: defaultdict(deque))
    asked: list[tuple[str, str]] = field(default_factory=list)

    def spoil(self, path: str, *faults: Fault) -> None:
        self.faults[path].extend(faults)

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    def write(self, path: str, content: bytes) -> None:
        place = self.tree / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)

    def write_sums(self) -> None:
        """`SHA256SUMS.txt` of all that is served, as PhysioNet writes it."""
        files = [path for path in sorted(self.tree.rglob("*")) if path.is_file()]
        lines = [
            f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.relative_to(self.tree).as_posix()}"
            for path in files
            if path.name != "SHA256SUMS.txt"
        ]
        self.write("SHA256SUMS.txt", ("\n".join(lines) + "\n").encode())


@contextmanager
def serving(tree: Path) -> Iterator[Mirror]:
    """Serve `tree` for as long as the block lasts."""
    mirror = Mirror(tree)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = unquote(self.path).lstrip("/")
            mirror.asked.append((path, self.headers.get("Range", "")))
            faults = mirror.faults[path]
            self.answer(path, faults.popleft() if faults else Fault())

        def answer(self, path: str, fault: Fault) -> None:
            file = mirror.tree / path
            if fault.status or not file.is_file():
                self.send_response(fault.status or 404)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            content = fault.page or file.read_bytes()
            first = 0
            asked = self.headers.get("Range", "")
            if asked and not fault.whole:
                first = int(asked.removeprefix("bytes=").removesuffix("-"))
                if first >= len(content):
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{len(content)}")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                self.send_response(206)
                self.send_header(
                    "Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}"
                )
            else:
                self.send_response(200)
            body = content[first:]
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if fault.corrupt:
                body = bytes([body[0] ^ 1]) + body[1:]
            sent = body[: fault.break_after]
            try:
                for at in range(0, len(sent), 2**16):
                    time.sleep(fault.pause)
                    self.wfile.write(sent[at : at + 2**16])
            except OSError:
                self.close_connection = True  # whoever asked went away
            if fault.break_after is not None:
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        mirror.url = f"http://127.0.0.1:{server.server_address[1]}/"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield mirror
        finally:
            server.shutdown()
            thread.join()
