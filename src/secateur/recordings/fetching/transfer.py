"""One file over HTTP: resumed where it broke off, tried again a bounded number of times.

Comes in: addresses and a `.part` file that may hold the beginning. Goes out: the file whole, moved to
where pooch wants it; or a `FetchError`, with the `.part` kept for the next time. Next: pooch compares
its hash.

A try asks for the bytes that are lacking (`Range`). A server that does not know that sends everything,
and the file begins anew. Tries that bring less than `PROGRESS` bytes are counted; `TRIES` of them in a
row are the end, and between them the wait doubles.
"""

from __future__ import annotations

import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from secateur.errors import FetchError

if TYPE_CHECKING:
    import requests

TRIES = 6
PROGRESS = 2**20
LONGEST_WAIT = 60.0
CONNECTING, SILENCE = 15.0, 60.0
"""Seconds after which a connection that does not come about, or says nothing, counts as broken."""

pause = time.sleep
_PIECE = 2**16
_BUSY = {408, 425, 429}
_RANGE = re.compile(r"bytes\s+(?:(?P<first>\d+)-\d+|\*)/(?:(?P<total>\d+)|\*)")


class RefusedError(FetchError):
    """One file that can't be had, which tells nothing about others."""


class _BusyError(Exception):
    """The server asks to come back later; `wait` is for how long it says so, in seconds."""

    def __init__(self, status: int, wait: float) -> None:
        super().__init__(f"the server answers {status}")
        self.wait = wait


class Tally:
    """Bytes here and bytes expected over all `paths`; sizes become known as answers come."""

    def __init__(self, paths: Sequence[str], listener: Callable[[int, int, str], None]) -> None:
        self._kinds = Counter(PurePosixPath(path).suffix for path in paths)
        self._known: dict[str, list[int]] = {kind: [] for kind in self._kinds}
        self._listener = listener
        self._finished = self._here = self._size = self._expected = 0
        self._kind: str | None = None

    def begin(self, path: str) -> None:
        """The next file, of which nothing is known yet."""
        self._kind = PurePosixPath(path).suffix
        self._here = self._size = 0

    def at(self, here: int, size: int | None = None, note: str = "") -> None:
        """`here` bytes of the present file are on the disk; it has `size`, where that is known."""
        known = max(here, self._size if size is None else size)
        if known != self._size or not self._expected:
            self._size = known
            self._expected = self._finished + known + self._to_come()
        self._here = here
        self._listener(self._finished + here, self._expected, note)

    def finish(self, note: str) -> None:
        """The present file is done with."""
        assert self._kind is not None
        self._known[self._kind].append(self._here)
        self._kinds[self._kind] -= 1
        self._kind = None
        self._finished += self._here
        self._here = self._size = self._expected = 0
        self._listener(self._finished, self._finished + self._to_come(), note)

    def _to_come(self) -> int:
        """Bytes of the files that have not begun: taken to be like those of their kind."""
        total = 0.0
        for kind, count in self._kinds.items():
            known = [*self._known[kind], *([self._size] if kind == self._kind else [])]
            left = count - (kind == self._kind)
            total += left * sum(known) / len(known) if known else 0
        return round(total)


@dataclass
class Transfer:
    """One file's way here; called by pooch as its downloader. `check` may refuse what has come."""

    session: requests.Session
    addresses: tuple[str, ...]
    part: Path
    tally: Tally
    check: Callable[[Path, str], None] = lambda part, address: None

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        """Bring the file to `output_file`; `url` is the first of `addresses`."""
        self.take()
        self.part.replace(output_file)

    def take(self) -> None:
        """Bring the file whole to `part`. Raises `FetchError`."""
        for address in self.addresses:
            try:
                self._take_from(address)
                self.check(self.part, address)
            except FetchError:
                if address == self.addresses[-1]:
                    raise
                self.part.unlink(missing_ok=True)  # two addresses may hold two files
            else:
                return

    def _take_from(self, address: str) -> None:
        import requests

        fruitless, most = 0, self._have()
        while True:
            wait = 0.0
            try:
                if self._try(address):
                    return
                reason = "the connection broke off"
            except FetchError:
                raise
            except _BusyError as error:
                reason, wait = str(error), error.wait
            except requests.exceptions.Timeout:
                reason = "no answer in time"
            except (ValueError, requests.exceptions.TooManyRedirects) as error:
                # requests' own ValueErrors are about the address, and stay what they are
                raise FetchError(f"{address}: no usable address ({type(error).__name__})") from None
            except requests.exceptions.RequestException as error:
                reason = f"the connection failed ({type(error).__name__})"
            except OSError as error:
                raise FetchError(
                    f"{self.part.parent}: {error.strerror or error}; what has come is kept"
                ) from None
            fruitless = 0 if self._have() - most >= PROGRESS else fruitless + 1
            most = max(most, self._have())  # a server may begin anew each time
            if fruitless >= TRIES:
                raise FetchError(
                    f"{address}: {reason}, {TRIES} times in a row; what has come is kept, "
                    "the same command goes on from there"
                )
            wait = min(LONGEST_WAIT, max(wait, 2.0 ** max(0, fruitless - 1)))
            note = f"{self.part.stem}: {reason}; again in {wait:.0f} s"
            self.tally.at(self._have(), note=note)
            pause(wait)

    def _have(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _try(self, address: str) -> bool:
        """One request. True where the file is whole; False where it broke off or has to begin anew."""
        have = self._have()
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        with self.session.get(
            address, headers=headers, stream=True, timeout=(CONNECTING, SILENCE)
        ) as answer:
            told = _RANGE.match(answer.headers.get("Content-Range", ""))
            if have and answer.status_code == 416:
                if told is not None and told["total"] == str(have):
                    return True
                self.part.unlink()
                return False
            _accept(answer, address)
            begin = 0
            if answer.status_code == 206:
                if told is None or told["first"] != str(have):
                    self.part.unlink(missing_ok=True)
                    return False
                begin = have
            length = answer.headers.get("Content-Length", "")
            plain = length.isdigit() and "Content-Encoding" not in answer.headers
            total = begin + int(length) if plain else None
            self._room(0 if total is None else total - begin)
            here = begin
            # a server that was asked for the rest and sends everything begins the file anew
            with self.part.open("ab" if begin else "wb") as file:
                for piece in answer.iter_content(_PIECE):
                    file.write(piece)
                    here += len(piece)
                    self.tally.at(here, total)
        return total is None or here == total

    def _room(self, wanted: int) -> None:
        free = shutil.disk_usage(self.part.parent).free
        if wanted > free:
            raise FetchError(
                f"{self.part.parent}: {self.part.stem} needs {wanted / 1e6:.0f} MB more and the disk "
                f"has {free / 1e6:.0f} MB free; what has come is kept"
            )


def _accept(answer: requests.Response, address: str) -> None:
    status = answer.status_code
    if status in _BUSY or status >= 500:
        wait = answer.headers.get("Retry-After", "")
        raise _BusyError(status, float(wait) if wait.isdigit() else 0.0)
    if status not in (200, 206):
        raise RefusedError(f"{address}: the server answers {status} {answer.reason}")
