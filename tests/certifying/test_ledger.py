"""Earlier certifications are remembered, whoever else writes at the time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from secateur.certifying import ledger

WRITER = """
import sys, time
from pathlib import Path
from secateur.certifying import ledger
place, writer = Path(sys.argv[1]), sys.argv[2]
(place.parent / f"{writer}.ready").touch()
while len(list(place.parent.glob("*.ready"))) < 4:
    time.sleep(0.001)
for number in range(25):
    ledger.remember([place], f"{writer}-{number}", ["somebody"])
"""


def test_four_writers_at_once_lose_no_note(tmp_path: Path) -> None:
    place = tmp_path / ledger.FILE
    words = [sys.executable, "-c", WRITER, str(place)]
    writers = [subprocess.Popen([*words, str(number)]) for number in range(4)]
    assert [one.wait(timeout=120) for one in writers] == [0] * 4
    assert ledger.earlier([place], "now", ["somebody"]) == 100


def test_a_certification_is_noted_once_and_is_no_look_at_others(tmp_path: Path) -> None:
    place = tmp_path / ledger.FILE
    for _ in range(2):
        ledger.remember([place], "first", ["a", "b"])
    assert ledger.earlier([place], "second", ["b", "c"]) == 1
    assert ledger.earlier([place], "first", ["b"]) == 0
    assert ledger.earlier([place], "second", ["c"]) == 0
