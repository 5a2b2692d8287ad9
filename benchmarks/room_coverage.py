"""Which share of lines and branches the tests go through, by room.

python -m benchmarks.room_coverage .coverage.json

The file is coverage.py's JSON report, with branches; `make coverage` writes it and prints the table.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path, PurePosixPath


@dataclass
class Room:
    """What the files of a room hold, and what of it was gone through."""

    lines: int = 0
    lines_covered: int = 0
    branches: int = 0
    branches_covered: int = 0

    def add(self, summary: dict[str, int]) -> None:
        """Count a file in, by its `summary` in the report."""
        self.lines += summary["num_statements"]
        self.lines_covered += summary["covered_lines"]
        self.branches += summary["num_branches"]
        self.branches_covered += summary["covered_branches"]


def rooms(report: dict[str, object]) -> dict[str, Room]:
    """The rooms of src/secateur by name, files that stand in none under their own; last, all together."""
    files = report["files"]
    assert isinstance(files, dict)
    counted: dict[str, Room] = {}
    total = Room()
    for path, file in sorted(files.items()):
        parts = PurePosixPath(path).parts
        room = parts[parts.index("secateur") + 1]
        counted.setdefault(room, Room()).add(file["summary"])
        total.add(file["summary"])
    return {**counted, "all": total}


def table(counted: dict[str, Room]) -> str:
    """A Markdown table: a line a room, the least covered first."""
    by_share = sorted(
        counted.items(), key=lambda item: (item[0] == "all", _percent(*_both(item[1])), item[0])
    )
    lines = ["| room | lines | covered | branches | covered |", "|---|--:|--:|--:|--:|"]
    for name, room in by_share:
        lines.append(
            f"| {name} | {room.lines} | {_written(room.lines_covered, room.lines)} "
            f"| {room.branches} | {_written(room.branches_covered, room.branches)} |"
        )
    return "\n".join(lines)


def _both(room: Room) -> tuple[int, int]:
    return room.lines_covered + room.branches_covered, room.lines + room.branches


def _percent(covered: int, count: int) -> float:
    return 100 * covered / count if count else 100.0


def _written(covered: int, count: int) -> str:
    return f"{_percent(covered, count):.0f} %" if count else ""


if __name__ == "__main__":
    print(table(rooms(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))
