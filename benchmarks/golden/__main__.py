"""Two versions of Secateur side by side, to the bit; or the golden values that tests hold, written anew.

python -m benchmarks.golden ed6b96e HEAD
python -m benchmarks.golden --write
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.golden.driver import SHARED, TOP, real_recordings


@dataclass
class Line:
    """A line of the table: one kind of result over all recordings of a set."""

    equal: int = 0
    differing: list[str] = field(default_factory=list)
    largest: float = 0.0

    @property
    def count(self) -> int:
        """How many results were compared."""
        return self.equal + len(self.differing)


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare or write; 1 where something differs that isn't expected to."""
    words = _parser().parse_args(arguments)
    if words.write:
        from benchmarks.golden.values import write

        write()
        return 0
    if words.old is None or words.new is None:
        raise SystemExit("golden: wanted two commits, OLD NEW, or --write")
    with tempfile.TemporaryDirectory(prefix="golden-") as folder:
        results = [
            _rows(commit, Path(folder) / side, Path(folder) / "cohort")
            for side, commit in (("old", words.old), ("new", words.new))
        ]
        lines = compare(*results)
    return _report(lines, words.expect)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.golden", description=__doc__)
    parser.add_argument("old", nargs="?", help="a commit")
    parser.add_argument("new", nargs="?", help="another; WORK: the working tree as it is")
    parser.add_argument("--write", action="store_true", help="write the tests' golden values anew")
    parser.add_argument(
        "--expect",
        action="append",
        default=[],
        metavar="NAME",
        help="a line of the table whose change is meant, * and ? allowed; repeatable",
    )
    return parser


def _rows(commit: str, out: Path, cohort: Path) -> Path:
    """The folder with what a commit's `src` gives."""
    with _sources(commit) as source:
        environment = {
            **os.environ,
            "PYTHONPATH": f"{source}:{TOP}",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "SECATEUR_CACHE": str(out.with_name("cache")),
        }
        script = [sys.executable, "-m", "benchmarks.golden.driver"]
        options = ["--out", str(out), "--cohort", str(cohort)]
        subprocess.run([*script, *options], check=True, env=environment, cwd=TOP)
    ran = json.loads((out / "rows.json").read_text())["texts"].pop("secateur")
    if ran != str(source / "secateur"):
        raise SystemExit(f"golden: {commit} was to run from {source}, but {ran} ran")
    return out


@contextmanager
def _sources(commit: str) -> Iterator[Path]:
    """A commit's `src`, in a worktree that is removed afterwards."""
    if commit == "WORK":
        yield TOP / "src"
        return
    git = ["git", "-C", str(TOP)]
    with tempfile.TemporaryDirectory(prefix="golden-tree-") as folder:
        tree = Path(folder).resolve() / "tree"
        subprocess.run([*git, "worktree", "add", "-q", "--detach", str(tree), commit], check=True)
        try:
            yield tree / "src"
        finally:
            subprocess.run([*git, "worktree", "remove", "--force", str(tree)], check=True)
            shutil.rmtree(tree, ignore_errors=True)


def compare(old: Path, new: Path) -> dict[str, Line]:
    """Lines by name, `set/detector/what`, from the folders of two versions."""
    tables = [_table(folder) for folder in (old, new)]
    lines: dict[str, Line] = {}
    for name in sorted({*tables[0], *tables[1]}):
        group, recording, rest = name.split("/", 2)
        line = lines.setdefault(f"{group}/{rest}", Line())
        before, after = (table.get(name) for table in tables)
        gap = difference(before, after)
        if gap is None:
            line.equal += 1
        else:
            line.differing.append(recording)
            line.largest = max(line.largest, gap)
    return lines


def _table(folder: Path) -> Mapping[str, Any]:
    rows = json.loads((folder / "rows.json").read_text())
    rows["texts"].pop("secateur")
    arrays = {name: folder / file for name, file in rows["arrays"].items()}
    return {**rows["texts"], **arrays}


def difference(before: object, after: object) -> float | None:
    """None for two results that are equal to the bit; else how far apart, infinity where shapes differ."""
    if not (isinstance(before, Path) and isinstance(after, Path)):
        return None if before == after else float("inf")
    if before.read_bytes() == after.read_bytes():
        return None
    old, new = np.load(before), np.load(after)
    if old.shape != new.shape:
        return float("inf")
    return float(np.abs(old.astype(np.float64) - new).max(initial=0.0))


def _report(lines: Mapping[str, Line], expected: Sequence[str]) -> int:
    """Print the table; 1 where a line differs that isn't expected to."""
    unexpected = 0
    width = max(map(len, lines), default=0)
    for name, line in lines.items():
        if not line.differing:
            print(f"{name:{width}}  {line.count:4} equal")
            continue
        meant = any(fnmatch(name, pattern) for pattern in expected)
        unexpected += not meant
        some = ", ".join(line.differing[:3]) + (" ..." if len(line.differing) > 3 else "")
        print(
            f"{name:{width}}  {len(line.differing)} of {line.count} DIFFER by up to {line.largest:.3g}"
            f"{' (expected)' if meant else ''}: {some}"
        )
    lacking = {"clips", "layouts", "bonn"} - set(real_recordings())
    if lacking:
        print(f"left out, not in {SHARED}: {', '.join(sorted(lacking))}")
    if not any(name.endswith("/output") for name in lines):
        print("left out, there is no gcc: what the C files print")
    print(f"{len(lines)} lines, {unexpected} with a change that was not expected")
    return 1 if unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
