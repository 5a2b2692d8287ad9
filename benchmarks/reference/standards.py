"""The page of standards: which clause asks for what, and which tests hold it, by their marks."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from pathlib import Path

from benchmarks.reference.words import HEAD, row

TESTS = Path(__file__).parents[2] / "tests"

EDF_PLUS = "EDF+"
FAQ = "EDF FAQ"
SZCORE = "SzCORE"
BIDS = "BIDS"

SOURCES: Mapping[str, str] = {
    EDF_PLUS: "[EDF+](https://www.edfplus.info/specs/edfplus.html), by section and item; BDF+ is read alike",
    FAQ: "[Questions on EDF](https://www.edfplus.info/specs/edffaq.html), what readers put up with",
    SZCORE: "[SzCORE](https://epilepsybenchmarks.com/framework), as timescoring 0.0.7 counts",
    BIDS: "[BIDS](https://bids-specification.readthedocs.io) and its EEG part",
}

CLAUSES: Mapping[str, str] = {
    "EDF+ 2.1.1": "the reserved field tells files with gaps (EDF+D) from those without (EDF+C)",
    "EDF+ 2.1.2": "records may be short and need not follow on one another, but stand in the order of time",
    "EDF+ 2.1.3.1": "header fields hold printable ASCII",
    "EDF+ 2.1.3.2": "two digits of a year from 85 on are of the last century; from 2085 on they are `yy`",
    "EDF+ 2.1.3.3": "the patient's field has code, sex, birth date and name, or X; none is passed on",
    "EDF+ 2.1.3.4": "the recording's field has the date in four digits, or X where it was removed",
    "EDF+ 2.1.3.5": "the digital maximum is above the minimum; of the physical ones it may be below",
    "EDF+ 2.1.3.6": "numbers have a decimal point and no signs that group digits",
    "EDF+ 2.1.3.7": "samples are two's complement, the least byte first",
    "EDF+ 2.1.3.9": "labels and units are written in one way; readers know others",
    "EDF+ 2.1.3.10": "the number of records is −1 while a file is written, and right once it is closed",
    "EDF+ 2.2.1": "annotations stand in a signal of their own, which is no channel",
    "EDF+ 2.2.2": "a list has time, then annotations, between bytes 20 and 21; what is left is 0",
    "EDF+ 2.2.3": "an annotation has an onset, perhaps a duration, and a text in UTF-8",
    "EDF+ 2.2.4": "each record's first list tells when it begins; onsets count from the header's start",
    "EDF FAQ 2": "dates and times with one digit, blanks or other separators are read",
    "EDF FAQ 3": "the clipping date is 1985",
    "EDF FAQ 7": "numbers may be written with an exponent or without a zero before the point",
    "EDF FAQ 8": "what has no calibration is no voltage",
    "EDF FAQ 9": "a rate that is no whole number has records that hold a whole number of samples",
    "EDF FAQ 11": "files that break the rules in harmless ways are read, the number of records among them",
    "EDF FAQ 12": "rates below 1 Hz have records longer than a second",
    "SzCORE overlap": "any overlap finds an event",
    "SzCORE before": "a claim up to 30 s before an event finds it",
    "SzCORE after": "so does one up to 60 s after it",
    "SzCORE merging": "events less than 90 s apart are one",
    "SzCORE splitting": "events longer than 5 min count as several",
    "SzCORE samples": "scores by sample stand beside those by event",
    "SzCORE sums": "counts are summed over recordings before anything is divided",
    "SzCORE table": "columns, formats and types of the table of events, one `bckg` row where there is none",
    "SzCORE container": "the image reads $INPUT below /data and writes $OUTPUT below /output",
    "BIDS names": "subject, session, task and run stand in paths and names of files",
    "BIDS description": "dataset_description.json names the data set, and what generated a derived one",
    "BIDS participants": "participants.tsv lists the subjects",
    "BIDS sidecars": "a JSON beside a file says what its columns mean, or how it was recorded",
    "BIDS derivatives": "derived files are kept apart from the recordings, by the same names, with `desc`",
    "BIDS kinds": "only files of kind eeg are EEG; iEEG has events of its own",
}
"""What each clause asks for, in our words. Each is held by a test that is marked with its name."""

NOT_HELD: Mapping[str, str] = {
    "EDF+ 2.1.3.8": "a start in local time: a header says nothing of zones, so none can be checked",
    "EDF+ 2.1.3.11": "filters named in the header: nothing is done by what stands there",
    "EDF+ 2.3": "results of analyses as files of their own: events are written into copies, or as tables",
}


def marked_tests() -> dict[str, list[str]]:
    """Names of tests, with their files, by the clause that they are marked with."""
    tests: dict[str, list[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        source = path.read_text(encoding="utf-8")
        if "mark.clause(" not in source:
            continue
        for node in ast.parse(source).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                marks = " ".join(map(ast.unparse, node.decorator_list))
                for clause in dict.fromkeys(re.findall(r"mark\.clause\('([^']*)'\)", marks)):
                    tests.setdefault(clause, []).append(f"{path.relative_to(TESTS)}::{node.name}")
    return tests


def standards_page() -> str:
    """The page, in Markdown."""
    tests = marked_tests()
    lines = [
        "# Standards, and what holds them",
        "",
        HEAD,
        "",
        "Each clause that files or scores keep, in our words, and the tests that are marked with it.",
        '`pytest -m clause -v` runs them; a further test has `@pytest.mark.clause("EDF+ 2.2.4")` above it.',
    ]
    for standard, source in SOURCES.items():
        lines += ["", f"## {standard}", "", f"{source}.", ""]
        lines += [row("clause", "asks for", "held by"), "|---|---|---|"]
        for clause, demand in CLAUSES.items():
            if clause.startswith(f"{standard} "):
                names = "<br>".join(f"`{test}`" for test in tests.get(clause, ["nothing"]))
                lines.append(row(clause.removeprefix(f"{standard} "), demand, names))
    lines += ["", "## Not held", "", row("clause", "why"), "|---|---|"]
    lines += [row(clause, reason) for clause, reason in NOT_HELD.items()]
    return "\n".join(lines) + "\n"
