"""One file over HTTP: resumed where it broke off, tried again a bounded number of times.

No library does this: pooch and requests begin a file anew where it broke off, and the recordings of these
data sets have up to some hundred megabytes on servers that often break off.

A try asks for the bytes that are lacking (`Range`). A server that does not know that sends everything,
and the file begins anew. Tries that bring less than `PROGRESS` bytes are counted; `TRIES` of them in a
row are the end, and between them the wait doubles.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

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
    """Bytes here and bytes expected of `count` files; those to come count as large as the others."""

    def __init__(self, count: int, listener: Callable[[int, int, str], None]) -> None:
        self._count, self._listener = count, listener
        self._finished = self._complete = self._here = 0

    def at(self, here: int, size: int | None = None, note: str = "") -> None:
        """`here` bytes of the present file are on the disk; it has `size`, where that is known."""
        self._here = here
        known = self._finished + max(here, size or 0)
        others = max(0, self._count - self._complete - 1)
        self._listener(self._finished + here, known + others * known // (self._complete + 1), note)

    def finish(self, note: str) -> None:
        """The present file is done with."""
        self._finished += self._here
        self._complete += 1
        self._here = 0
        others = self._count - self._complete
        expected = self._finished + others * self._finished // self._complete
        self._listener(self._finished, expected, note)


@dataclass
class Transfer:
    """One file's way here. `check`: what is wrong with a file from an address, or an empty string."""

    session: requests.Session
    addresses: tuple[str, ...]
    part: Path
    tally: Tally
    check: Callable[[Path, str], str] = lambda part, address: ""

    def take(self) -> None:
        """Bring the file to `part`, complete and checked; a second time where it isn't right.

        Raises `FetchError`.
        """
        self.part.parent.mkdir(parents=True, exist_ok=True)
        for address in self.addresses:
            try:
                for _ in range(2):
                    self._take_from(address)
                    reason = self.check(self.part, address)
                    if not reason:
                        return
                    self.part.unlink()
                raise RefusedError(reason)
            except FetchError:
                if address == self.addresses[-1]:
                    raise
                self.part.unlink(missing_ok=True)  # two addresses may hold two files

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
        """One request. True where the file is complete; False where it broke off or has to begin anew."""
        have = self._have()
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        with self.session.get(
            address, headers=headers, stream=True, timeout=(CONNECTING, SILENCE)
        ) as answer:
            span = _RANGE.match(answer.headers.get("Content-Range", ""))
            if have and answer.status_code == 416:
                if span is not None and span["total"] == str(have):
                    return True
                self.part.unlink()
                return False
            _accept(answer, address)
            begin = 0
            if answer.status_code == 206:
                if span is None or span["first"] != str(have):
                    self.part.unlink(missing_ok=True)
                    return False
                begin = have
            length = answer.headers.get("Content-Length", "")
            plain = length.isdigit() and "Content-Encoding" not in answer.headers
            total = begin + int(length) if plain else None
            self._check_room(0 if total is None else total - begin)
            here = begin
            # a server that was asked for the rest and sends everything begins the file anew
            with self.part.open("ab" if begin else "wb") as file:
                for piece in answer.iter_content(_PIECE):
                    file.write(piece)
                    here += len(piece)
                    self.tally.at(here, total)
        return total is None or here == total

    def _check_room(self, size: int) -> None:
        free = shutil.disk_usage(self.part.parent).free
        if size > free:
            raise FetchError(
                f"{self.part.parent}: {self.part.stem} needs {size / 1e6:.0f} MB more and the disk "
                f"has {free / 1e6:.0f} MB free; what has come is kept"
            )


def _accept(answer: requests.Response, address: str) -> None:
    status = answer.status_code
    if status in _BUSY or status >= 500:
        wait = answer.headers.get("Retry-After", "")
        raise _BusyError(status, float(wait) if wait.isdigit() else 0.0)
    if status not in (200, 206):
        raise RefusedError(f"{address}: the server answers {status} {answer.reason}")
