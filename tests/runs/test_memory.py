from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable

import pytest

from secateur.processes import keep_memory


class Library:
    """Stands for the C library; refuses what `refused` says."""

    def __init__(self, refused: Callable[[int, int], bool]) -> None:
        self.told: list[tuple[int, int]] = []
        self._refused = refused

    def mallopt(self, name: int, value: int) -> int:
        self.told.append((name, value))
        return int(not self._refused(name, value))


def test_freed_memory_is_kept_also_by_an_older_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    new, old = Library(lambda *_: False), Library(lambda _, value: 2**25 < value < 2**31 - 1)
    for library, last in ((new, 2**30), (old, 2**25)):
        monkeypatch.setattr(ctypes, "CDLL", lambda _, own=library: own)
        keep_memory()
        assert dict(library.told) == {-1: 2**31 - 1, -2: 2**26, -3: last}


def test_without_glibc_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    keep_memory()
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.delattr(ctypes, "CDLL")
    keep_memory()
