"""The pages of docs/reference that are made from the code.

    python -m benchmarks.reference

writes them; a test compares them with what this makes.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from benchmarks.reference.command_line import command_line_page
from benchmarks.reference.detector_file import detector_page, detector_schema
from benchmarks.reference.facade import python_page
from benchmarks.reference.settings import settings_page, study_page
from benchmarks.reference.standards import standards_page

FOLDER = Path(__file__).parents[2] / "docs" / "reference"


def pages() -> Iterable[tuple[Path, str]]:
    """Each page's path and content."""
    yield FOLDER / "command-line.md", command_line_page()
    yield FOLDER / "detector-file.md", detector_page()
    yield FOLDER / "detector.schema.json", detector_schema()
    yield FOLDER / "python.md", python_page()
    yield FOLDER / "settings.md", settings_page()
    yield FOLDER / "standards.md", standards_page()
    yield FOLDER / "study-file.md", study_page()
