"""The way through the files: of a recording to its events, or of `--ratio` to the report's cell.

    python -m benchmarks.path [--functions] [--detector FILE] [--recording FILE]
    python -m benchmarks.path run | prune

The first traces one detection (`secateur detect`) in this process and prints each file when the way first
comes to it. The others trace a small job and print the files that carry the share of kernels to be cut:
those in which some function is called with it, or with an object of which it is a field. A room
(`recordings`, `windows`, …) is returned to where a file of it is first reached after a file of another room.
Errors, words for counts, `files` at the edge to the disk and, of a job, the base of all settings are left
aside; modules, comprehensions and lambdas count as no functions. Then the lines of code of each room, without
docstrings, comments and blank lines, and circles of imports.
"""

from __future__ import annotations

import argparse
import ast
import graphlib
import io
import os
import re
import sys
import tempfile
import threading
import tokenize
from collections.abc import Iterable, Sequence
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
ASIDE = ("counts.py", "errors.py", "files.py")
ROOMS = ("recordings", "windows", "detectors", "marking", "events", "files", "processes", "errors")
JOB_ROOMS = (
    *("networks", "training", "pruning", "scoring", "studies", "runs", "certifying", "results"),
    *("reporting", "jobs", "cli"),
)
GOALS: dict[str, tuple[tuple[str, ...], int, int]] = {
    "detect": (ROOMS, 22, 10_500),
    "job": (JOB_ROOMS, 20, 15_500),
}
"""Rooms whose lines are counted, files at most on the way, lines at most."""
RATIO = 0.4375
"""Seven of sixteen kernels, so that it is reached; no other number of a run is this."""
RATIO_IN_WORDS = re.compile(rf"(?<![-\w])({RATIO}|{100 * RATIO:.3g})")
"""As a number in a sentence or a cell, not in the name of a rung or of its folder."""
JOB = {
    "run": f"--ratio {RATIO}",
    "prune": f"--rungs {RATIO} --certify folds:3 --repeats 1 --seed 1 --controls none --margin auroc=0.9",
}
JOB_SETTINGS = """
[network]
widths = [16, 16, 16]
[training]
epochs = 1
windows_per_epoch = 160
recalibration = 2
"""


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


class RatioTracer:
    """Notes each file of Secateur when a function of it is first called with `RATIO`."""

    TRIES = 30
    """Calls of one function that are looked at: who carries the ratio is given it at once."""

    def __init__(self, first: str) -> None:
        self.files: dict[str, str] = {}
        self._first, self._began = first, False
        self._left: dict[Any, int] = {}

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        """What `sys.setprofile` calls."""
        if event != "call":
            return
        code = frame.f_code
        left = self._left.get(code)
        if left is None:
            ours = code.co_filename.startswith(f"{PACKAGE}/") and not code.co_name.startswith("<")
            left = self.TRIES if ours else 0
        self._left[code] = max(0, left - 1)
        if not left:
            return
        file = code.co_filename.removeprefix(f"{PACKAGE}/")
        self._began |= file == self._first
        if not self._began or file in self.files or file in (*ASIDE, "settings.py"):
            return
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        if any(carries(frame.f_locals.get(name), 1) for name in names):
            self.files[file] = code.co_qualname


def carries(value: Any, depth: int) -> bool:
    """Whether a value is the ratio, tells it, or holds it in a field, at most `depth` fields deep."""
    if isinstance(value, str):
        return RATIO_IN_WORDS.search(value) is not None
    if isinstance(value, float):
        return value == RATIO
    inside: Iterable[Any] = ()
    if isinstance(value, dict):
        inside = value.values()
    elif isinstance(value, list | tuple):
        inside = value
    elif type(value).__module__.startswith("secateur"):
        inside = vars(value).values() if hasattr(value, "__dict__") else ()
    return depth > 0 and any(carries(item, depth - 1) for item in list(inside)[:60])


def carried(verb: str, folder: Path) -> dict[str, str]:
    """Files that carry the ratio through a small job to its report, with the function that has it first."""
    simulate_cohort(folder / "cohort", 8, 0.04, 5)
    (folder / "settings.toml").write_text(JOB_SETTINGS)
    os.environ["SECATEUR_CACHE"] = str(folder / "cache")
    words = f"{verb} {JOB[verb]} --data {folder}/cohort --out {folder}/out --workers 1"
    tracer = RatioTracer(f"cli/{verb}.py")
    threading.setprofile(tracer)
    sys.setprofile(tracer)
    try:
        secateur_main([*words.split(), "--config", str(folder / "settings.toml")])
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    files = list(tracer.files)
    last = max((at for at, file in enumerate(files) if room_of(file) == "reporting"), default=-1)
    return {file: tracer.files[file] for file in files[: last + 1]}


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
    if not folder.is_dir() and not folder.with_suffix(".py").is_file():
        return 0
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
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("verb", nargs="?", choices=("detect", *JOB), default="detect")
    parser.add_argument("--functions", action="store_true", help="also each function")
    parser.add_argument("--detector", type=Path, default=DETECTOR)
    parser.add_argument("--recording", type=Path, help="[default: a simulated one]")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="path-") as folder:
        if words.verb == "detect":
            by_file = detected(words.detector, words.recording, Path(folder))
        else:
            by_file = {file: [name] for file, name in carried(words.verb, Path(folder)).items()}
    rooms, most_files, most_lines = GOALS["detect" if words.verb == "detect" else "job"]
    late = returns(list(by_file))
    for number, (file, names) in enumerate(by_file.items(), start=1):
        mark = "  (returned to its room)" if file in late else ""
        first = f"{len(names)} functions" if words.verb == "detect" else names[0]
        print(f"{number:3d}  {file}, {first}{mark}")
        if words.functions:
            print("\n".join(f"       {name}" for name in names))
    count = f", {sum(map(len, by_file.values()))} functions" if words.verb == "detect" else ""
    print(f"{len(by_file)} files (goal: at most {most_files}){count}")
    print(f"rooms: {' → '.join(room for room, _ in groupby(by_file, room_of))}")
    print(f"files first reached after their room was left: {len(late)} (goal: 0)")
    lines = {room: lines_of(room) for room in rooms}
    print("lines of code: " + ", ".join(f"{room} {count}" for room, count in lines.items()))
    print(f"in all {sum(lines.values())} (goal: at most {most_lines})")
    print(f"circle of imports: {' → '.join(circle()) or 'none'}")


def detected(detector: Path, recording: Path | None, folder: Path) -> dict[str, list[str]]:
    """Files and their functions on the way of a recording, or of a simulated one, to its events."""
    if recording is None:
        cohort = simulate_cohort(folder / "cohort", 2, 0.02, 5)
        recording = min(cohort.rglob("*_eeg.edf"))
    by_file: dict[str, list[str]] = {}
    for file, name in traced(detector, recording, folder):
        by_file.setdefault(file, []).append(name)
    return by_file


if __name__ == "__main__":
    main()
