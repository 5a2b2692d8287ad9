"""Two versions of Secateur side by side, to the bit; or the golden values that tests hold, written anew.

python -m benchmarks.golden ed6b96e HEAD
python -m benchmarks.golden fa2c561 WORK --only jobs
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

from benchmarks.golden.driver import PARTS, SHARED, TOP, real_recordings


@dataclass
class Line:
    """A line of the table: one kind of result over all recordings of a set, or over a file's numbers."""

    equal: int = 0
    differing: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    largest: float = 0.0

    @property
    def count(self) -> int:
        """How many results were compared."""
        return self.equal + len(self.differing) + len(self.gone)


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare or write; 1 where something differs that isn't expected to."""
    words = _parser().parse_args(arguments)
    if words.trained:
        from benchmarks.golden.values import write_trained

        write_trained()
        return 0
    if words.write:
        from benchmarks.golden.values import write

        write()
        return 0
    if words.old is None or words.new is None:
        raise SystemExit("golden: wanted two commits, OLD NEW, or --write")
    with tempfile.TemporaryDirectory(prefix="golden-") as folder:
        results = [
            _rows(commit, Path(folder) / side, words.only)
            for side, commit in (("old", words.old), ("new", words.new))
        ]
        lines = compare(*results)
    return _report(lines, words.expect, words.largest)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.golden", description=__doc__)
    parser.add_argument("old", nargs="?", help="a commit")
    parser.add_argument("new", nargs="?", help="another; WORK: the working tree as it is")
    parser.add_argument("--write", action="store_true", help="write the tests' golden values anew")
    parser.add_argument("--trained", action="store_true", help="write those of trained runs alone")
    parser.add_argument("--only", choices=PARTS, help="recordings and files, or whole jobs")
    parser.add_argument("--list", dest="largest", type=int, default=3, help="names listed a line")
    parser.add_argument(
        "--expect",
        action="append",
        default=[],
        metavar="NAME",
        help="a line of the table whose change is meant, * and ? allowed; repeatable",
    )
    return parser


def _rows(commit: str, out: Path, only: str | None) -> Path:
    """The folder with what a commit's `src` gives; the cohort beside it is the first commit's."""
    with _sources(commit) as source:
        environment = {
            **os.environ,
            "PYTHONPATH": f"{source}:{TOP}",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "SECATEUR_CACHE": str(out.with_name(f"{out.name}-cache")),
        }
        script = [sys.executable, "-m", "benchmarks.golden.driver"]
        options = ["--out", str(out), "--cohort", str(out.with_name("cohort"))]
        options += ["--only", only] if only else []
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
        if before is None:
            line.added.append(recording)
            continue
        if after is None:
            line.gone.append(recording)
            continue
        gap = difference(before, after)
        if gap is None:
            line.equal += 1
        else:
            line.differing.append(recording)
            line.largest = max(line.largest, gap)
    return lines


def _some(names: Sequence[str], most: int) -> str:
    return ", ".join(names[:most]) + (" ..." if len(names) > most else "")


def _table(folder: Path) -> Mapping[str, Any]:
    rows = json.loads((folder / "rows.json").read_text())
    rows["texts"].pop("secateur")
    arrays = {name: folder / file for name, file in rows["arrays"].items()}
    return {**rows["texts"], **arrays}


def difference(before: object, after: object) -> float | None:
    """None for two results that are equal to the bit; else how far apart, infinity where shapes differ."""
    if not (isinstance(before, Path) and isinstance(after, Path)):
        return None if before == after else _apart(str(before), str(after))
    if before.read_bytes() == after.read_bytes():
        return None
    old, new = np.load(before), np.load(after)
    if old.shape != new.shape:
        return float("inf")
    return float(np.abs(old.astype(np.float64) - new).max(initial=0.0))


def _apart(before: str, after: str) -> float:
    try:
        return abs(float(before) - float(after))
    except ValueError:
        return float("inf")


def _report(lines: Mapping[str, Line], expected: Sequence[str], listed: int) -> int:
    """Print the table; 1 where a line differs, or lacks something, that isn't expected to."""
    unexpected = 0
    width = max(map(len, lines), default=0)
    for name, line in sorted(lines.items()):
        meant = any(fnmatch(name, pattern) for pattern in expected)
        told = [f"{line.equal:5} equal"] if line.equal or not line.count else []
        if line.differing:
            up_to = f"{len(line.differing)} of {line.count} DIFFER by up to {line.largest:.3g}"
            told.append(f"{up_to}: {_some(line.differing, listed)}")
        if line.gone:
            told.append(f"{len(line.gone)} GONE: {_some(line.gone, listed)}")
        if line.added:
            told.append(f"{len(line.added)} new: {_some(line.added, listed)}")
        changed = bool(line.differing or line.gone)
        unexpected += changed and not meant
        print(f"{name:{width}}  {'; '.join(told)}{' (expected)' if changed and meant else ''}")
    lacking = {"clips", "layouts", "bonn"} - set(real_recordings())
    if lacking:
        print(f"left out, not in {SHARED}: {', '.join(sorted(lacking))}")
    if any(name.startswith("C/") for name in lines) and not shutil.which("gcc"):
        print("left out, there is no gcc: what the C files print")
    print(f"{len(lines)} lines, {unexpected} with a change that was not expected")
    return 1 if unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
