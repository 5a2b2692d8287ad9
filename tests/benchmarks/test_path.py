"""The way from `secateur detect` to the TSV is traced as it is."""

from __future__ import annotations

from pathlib import Path

from benchmarks.path import DETECTOR, PACKAGE, circle, code_lines, returns, traced
from secateur.recordings.montage import BIPOLAR_18
from tests.support.cohorts import eeg, write_edf

MOST = 35
"""Files of the way today; issue 12 asks for 22, which is not reached. It may become less, not more."""


def test_the_way_begins_at_the_verb_ends_at_the_events_and_grows_no_longer(tmp_path: Path) -> None:
    recording = write_edf(tmp_path / "x.edf", eeg(8, [(2, 6)], 0), BIPOLAR_18)
    functions = traced(DETECTOR, recording, tmp_path)
    files = list(dict.fromkeys(file for file, _ in functions))
    assert (files[0], files[-1]) == ("cli/detect.py", "events.py")
    assert functions[0] == ("cli/detect.py", "detect")
    assert ("detectors/detector.py", "Detector.window_probabilities") in functions
    assert all((PACKAGE / file).is_file() for file in files)
    assert len(files) <= MOST


def test_no_imports_go_in_a_circle() -> None:
    assert circle() == []


def test_a_room_is_returned_to_where_its_files_do_not_stand_together() -> None:
    files = ["cli/a.py", "events.py", "cli/b.py", "cli/c.py", "windows/x.py", "events.py"]
    assert returns(files) == ["cli/b.py", "cli/c.py", "events.py"]


def test_lines_of_code_are_those_that_do_something() -> None:
    lines = [
        ('"""What\nfor."""', 0),
        ("\n# why", 0),
        ("def f(x):", 1),
        ('    """Nothing."""', 0),
        ("    return [", 1),
        ("        x,  # it\n", 1),
        ('        """a\n        b""",', 2),
        ("    ]\n", 1),
    ]
    assert code_lines("\n".join(text for text, _ in lines)) == sum(count for _, count in lines)
