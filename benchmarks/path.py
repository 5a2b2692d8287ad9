"""The way of one recording from `secateur detect` to its TSV: files, functions and rooms in order.

    python -m benchmarks.path [--functions] [--detector FILE] [--recording FILE]

Traces one detection in this process and prints each file when the way first comes to it. A room
(`recordings`, `windows`, …) is returned to where a file of it is first reached after a file of another room.
Errors, and `files` at the edge to the disk, are left aside; modules, comprehensions and lambdas count as no
functions. Then the lines of code of each room, without docstrings, comments and blank lines, and circles of
imports.
"""

from __future__ import annotations

import argparse
import ast
import graphlib
import io
import sys
import tempfile
import threading
import tokenize
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from types import FrameType
from typing import Any

import secateur
from secateur.cli import main as secateur_main
from secateur.recordings.simulated import simulate_cohort

PACKAGE = Path(secateur.__file__).parent
DETECTOR = PACKAGE.parents[1] / "tests" / "golden" / "files" / "padded.onnx"
FIRST = "cli/detect.py"
ASIDE = ("errors.py", "files.py")
ROOMS = ("recordings", "windows", "detectors", "marking", "events", "files", "processes", "errors")
MOST_FILES, MOST_LINES = 22, 10_500
"""The goals of issue 12."""


class Tracer:
    """Notes each function of Secateur when it is first called, from the first of `FIRST` on."""

    def __init__(self) -> None:
        self.functions: dict[tuple[str, str], None] = {}
        self.began = False

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        """What `sys.setprofile` calls."""
        if event != "call":
            return
        code = frame.f_code
        path = Path(code.co_filename)
        if not path.is_relative_to(PACKAGE) or code.co_name.startswith("<"):
            return
        file = path.relative_to(PACKAGE).as_posix()
        self.began |= file == FIRST
        if self.began:
            self.functions.setdefault((file, code.co_qualname))


def traced(detector: Path, recording: Path, folder: Path) -> list[tuple[str, str]]:
    """Files and functions of one detection, in the order in which they are first called."""
    words = ["detect", str(recording), "--detector", str(detector), "--out"]
    if secateur_main([*words, str(folder / "first.tsv")]):  # what is imported is imported now
        raise SystemExit("path: the detection failed")
    tracer = Tracer()
    threading.setprofile(tracer)
    sys.setprofile(tracer)
    try:
        secateur_main([*words, str(folder / "second.tsv")])
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return [(file, name) for file, name in tracer.functions if file not in ASIDE]


def room_of(file: str) -> str:
    """The room of a file, named by its path in the package."""
    return file.split("/", maxsplit=1)[0].removesuffix(".py")


def returns(files: Sequence[str]) -> list[str]:
    """Files that are first reached after the way had left their room."""
    late: list[str] = []
    left: set[str] = set()
    for room, group in groupby(files, room_of):
        late += group if room in left else ()
        left.add(room)
    return late


def code_lines(source: str) -> int:
    """Lines that hold code: no docstring (nor a string that stands by itself), comment or blank line."""
    strings: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant | ast.JoinedStr):
            strings.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    skipped = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in (*skipped, tokenize.ENDMARKER):
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - strings)


def lines_of(room: str) -> int:
    """Lines of code of a room."""
    folder = PACKAGE / room
    files = folder.rglob("*.py") if folder.is_dir() else [folder.with_suffix(".py")]
    return sum(code_lines(path.read_text(encoding="utf-8")) for path in files)


def imports() -> dict[str, set[str]]:
    """Modules of the package and those that each imports when it is imported, packages' facades aside."""
    modules = {_module(path): path for path in PACKAGE.rglob("*.py")}
    graph: dict[str, set[str]] = {}
    for name, path in modules.items():
        if path.name == "__init__.py":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        targets: set[str] = set()
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and node.module:
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                targets |= {node.module, *inner} & modules.keys()
        graph[name] = {t for t in targets if modules[t].name != "__init__.py"}
    return graph


def _module(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def circle() -> list[str]:
    """The modules of a circle of imports; empty where there is none."""
    try:
        graphlib.TopologicalSorter(imports()).prepare()
    except graphlib.CycleError as error:
        return list(map(str, error.args[1]))
    return []


def main() -> None:
    """Trace and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--functions", action="store_true", help="also each function")
    parser.add_argument("--detector", type=Path, default=DETECTOR)
    parser.add_argument("--recording", type=Path, help="[default: a simulated one]")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="path-") as folder:
        recording = words.recording
        if recording is None:
            cohort = simulate_cohort(Path(folder) / "cohort", 2, 0.02, 5)
            recording = next(iter(sorted(cohort.rglob("*_eeg.edf"))))
        functions = traced(words.detector, recording, Path(folder))
    by_file: dict[str, list[str]] = {}
    for file, name in functions:
        by_file.setdefault(file, []).append(name)
    late = returns(list(by_file))
    for number, (file, names) in enumerate(by_file.items(), start=1):
        mark = "  (returned to its room)" if file in late else ""
        print(f"{number:3d}  {file}, {len(names)} functions{mark}")
        if words.functions:
            print("\n".join(f"       {name}" for name in names))
    print(f"{len(by_file)} files (goal: at most {MOST_FILES}), {len(functions)} functions")
    print(f"rooms: {' → '.join(room for room, _ in groupby(by_file, room_of))}")
    print(f"files first reached after their room was left: {len(late)} (goal: 0)")
    lines = {room: lines_of(room) for room in ROOMS}
    print("lines of code: " + ", ".join(f"{room} {count}" for room, count in lines.items()))
    print(f"in all {sum(lines.values())} (goal: at most {MOST_LINES})")
    print(f"circle of imports: {' → '.join(circle()) or 'none'}")


if __name__ == "__main__":
    main()
