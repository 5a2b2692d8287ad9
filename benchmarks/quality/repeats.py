"""Repeats of a benchmark: which are asked for, and the numbers that each has left in a file of JSON lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from secateur.files import write_whole

Row = dict[str, Any]


def seeds_of(text: str) -> list[int]:
    """Seeds from a range such as 0-4, or a list such as 0,3."""
    if "-" in text:
        first, last = map(int, text.split("-"))
        return list(range(first, last + 1))
    return [int(part) for part in text.split(",")]


def rows_of(path: Path) -> list[Row]:
    """Every row that `path` holds; none where it isn't there."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def has_row(path: Path, **key: Any) -> bool:
    """Whether one of the rows has the values of `key`."""
    return any(key.items() <= row.items() for row in rows_of(path))


def keep_row(path: Path, row: Row, names: Sequence[str]) -> None:
    """Put `row` in `path`, in place of one with the same values under `names`, in their order."""
    rows = [other for other in rows_of(path) if any(other[name] != row[name] for name in names)]
    rows = sorted([*rows, row], key=lambda each: [each[name] for name in names])
    lines = (json.dumps(each, allow_nan=False) + "\n" for each in rows)
    write_whole(path, "".join(lines))
