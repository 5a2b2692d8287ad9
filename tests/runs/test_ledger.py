"""Earlier looks at a recording are remembered, whoever else writes at the time."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

from secateur.runs import ledger

WRITER = """
import sys, time
from pathlib import Path
from secateur.runs import ledger
path, writer = Path(sys.argv[1]), sys.argv[2]
(path.parent / f"{writer}.ready").touch()
while len(list(path.parent.glob("*.ready"))) < 4:
    time.sleep(0.001)
for number in range(25):
    print(ledger.certification([path], f"{writer}-{number}", {"somebody": ["a"]}).certification)
"""


def test_four_writers_at_once_lose_no_note_and_none_has_another_s_number(tmp_path: Path) -> None:
    path = tmp_path / ledger.FILE
    words = [sys.executable, "-c", WRITER, str(path)]
    writers = [
        subprocess.Popen([*words, str(number)], stdout=subprocess.PIPE, text=True)
        for number in range(4)
    ]
    numbers = [
        int(line) for writer in writers for line in writer.communicate(timeout=120)[0].split()
    ]
    assert [writer.returncode for writer in writers] == [0] * 4
    assert sorted(numbers) == list(range(1, 101))


def test_dropping_a_recording_hides_no_look(tmp_path: Path) -> None:
    paths = [tmp_path / "folder" / ledger.FILE, tmp_path / "cache" / ledger.FILE]
    assert ledger.certification(paths, "first", {"s": ["a", "b"], "t": ["c"]}).certification == 1
    assert ledger.certification(paths[1:], "second", {"s": ["b"], "u": ["d"]}).certification == 2
    assert ledger.certification(paths, "third", {"s": ["d"]}).certification == 2
    assert ledger.certification(paths, "fourth", {"s": ["e"]}).certification == 1


def test_the_same_again_is_no_new_look_and_keeps_its_number(tmp_path: Path) -> None:
    path = [tmp_path / ledger.FILE]
    for name, number in (("one", 1), ("two", 2), ("one", 1), ("three", 3), ("two", 2)):
        assert ledger.certification(path, name, {"s": ["a"]}).certification == number


def test_runs_are_counted_and_spend_nothing(tmp_path: Path) -> None:
    path = [tmp_path / ledger.FILE]
    for name in ("one", "two", "two"):
        ledger.run(path, name, {"s": ["a"]})
    ledger.run(path, "other", {"s": ["b"]})
    assert ledger.certification(path, "first", {"s": ["a"]}) == ledger.Looks(1, 2)


def test_an_exploratory_ladder_of_the_same_name_neither_hides_a_certification_nor_is_one(
    tmp_path: Path,
) -> None:
    """A study's ladder with the settings of a certified one has its name, and spends nothing."""
    path, contents = [tmp_path / ledger.FILE], {"s": ["a"]}
    ledger.run(path, "same", contents)
    assert ledger.certification(path, "same", contents) == ledger.Looks(1, 1)
    ledger.run(path, "same", contents)
    assert ledger.certification(path, "other", contents) == ledger.Looks(2, 1)
    assert ledger.certification(path, "same", contents) == ledger.Looks(1, 1)


def test_what_was_noted_by_subject_still_counts(tmp_path: Path) -> None:
    path = tmp_path / ledger.FILE
    subject = hashlib.sha256(b"a b").hexdigest()[:24]
    path.write_text(json.dumps([{"name": "old", "subjects": [subject]}]))
    assert ledger.certification([path], "new", {"s": ["b", "a"]}).certification == 2


def test_a_damaged_ledger_stops_nobody(tmp_path: Path) -> None:
    path = tmp_path / ledger.FILE
    path.write_text('[{"name": "x"')
    assert ledger.certification([path], "new", {"s": ["a"]}).certification == 1
