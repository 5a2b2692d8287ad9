"""What was gone through is counted by room."""

from __future__ import annotations

from benchmarks.room_coverage import rooms, table


def summary(lines: int, covered: int, branches: int = 0, taken: int = 0) -> dict[str, object]:
    return {
        "summary": {
            "num_statements": lines,
            "covered_lines": covered,
            "num_branches": branches,
            "covered_branches": taken,
        }
    }


def test_files_are_counted_into_their_room_and_the_least_covered_stands_first() -> None:
    report: dict[str, object] = {
        "files": {
            "src/secateur/errors.py": summary(10, 10),
            "src/secateur/windows/chain.py": summary(30, 30, 10, 5),
            "src/secateur/windows/cache.py": summary(10, 0, 10, 0),
            "/elsewhere/site-packages/secateur/recordings/layouts/siena.py": summary(4, 3, 2, 2),
        }
    }
    assert table(rooms(report)).splitlines()[2:] == [
        "| windows | 40 | 75 % | 20 | 25 % |",
        "| recordings | 4 | 75 % | 2 | 100 % |",
        "| errors.py | 10 | 100 % | 0 |  |",
        "| all | 54 | 80 % | 22 | 32 % |",
    ]
