"""What documents quote of studies: made, packed, told.

    python -m benchmarks.evidence --plan               which runs are missing, and what they take
    python -m benchmarks.evidence                      do them, longest first, and pack them into evidence/
    python -m benchmarks.evidence --only ratios        of one study alone
    python -m benchmarks.evidence --pack ratios --from runs/ratios --commit 8ebe714
    python -m benchmarks.evidence --check [--write]    do documents say what is stored? --write: make them
    python -m benchmarks.evidence --reports [NAME ...]  reports and figures of stored runs anew

Interrupted or killed, the same command goes on. It refuses a tree in which code, studies or pinned versions
differ from the last commit, since each run is recorded with the commit of its code. `--pack` takes runs that
`secateur study` made in a clean checkout of the commit.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.evidence import reports
from benchmarks.evidence.check import check
from benchmarks.evidence.packing import Repository, by_hand, pack
from benchmarks.evidence.stored import TOP, findings_of, stored_names
from secateur.errors import SecateurError

MOST_HOURS = 40


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for; 1 where that can't be done."""
    words = _parser().parse_args(arguments)
    try:
        if words.reports is not None:
            _renew_reports(words.reports)
        elif words.check:
            return 1 if check(Repository(), write=words.write) else 0
        elif words.pack is not None:
            _pack(words)
        else:
            _make(words)
    except SecateurError as error:
        print(f"evidence: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.evidence",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--plan", action="store_true", help="print the plan, and do nothing")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these studies alone")
    parser.add_argument("--workers", type=int, default=2, help="runs done at once [default: 2]")
    parser.add_argument(
        "--data",
        type=Path,
        default=TOP.parent / "shared" / "data",
        help="where folders of recordings are [default: ../shared/data]",
    )
    parser.add_argument(
        "--work",
        type=Path,
        default=TOP / "runs" / "evidence",
        help="where raw runs lie [default: runs/evidence]",
    )
    parser.add_argument("--pack", metavar="NAME", help="a study whose runs are there already")
    parser.add_argument("--from", dest="folder", type=Path, help="with --pack: its folder")
    parser.add_argument("--commit", help="with --pack: of the code that did the runs")
    parser.add_argument(
        "--partial", action="store_true", help="with --pack: though runs are missing"
    )
    parser.add_argument(
        "--check", action="store_true", help="hold documents and reports against it"
    )
    parser.add_argument("--write", action="store_true", help="with --check: renew marked numbers")
    parser.add_argument("--reports", nargs="*", metavar="NAME", help="of all studies, or of these")
    return parser


def _renew_reports(names: Sequence[str]) -> None:
    for name in names or stored_names():
        with tempfile.TemporaryDirectory() as folder:
            text = reports.made_anew(findings_of(name), Path(folder))
            changes = reports.changed_lines(reports.stored_report(name), text)
            print(f"{name}: {len(changes)} lines with other numbers")
            print("".join(f"  {line}\n" for line in changes), end="")
            reports.write_report(name, text, Path(folder))


def _pack(words: argparse.Namespace) -> None:
    if words.folder is None or words.commit is None:
        raise SecateurError(
            "--pack wants --from FOLDER and --commit SHA of the code that did the runs"
        )
    repository = Repository()
    origin = by_hand(words.commit, repository)
    pack(words.pack, words.folder, origin, repository, partial=words.partial)
    print(f"{words.pack}: packed into {repository.evidence / words.pack}")


def _make(words: argparse.Namespace) -> None:
    from benchmarks.evidence.making import Making, expected, make, study_names

    making = Making(Repository(), words.data.resolve(), words.work.resolve(), words.workers)
    names = study_names(making.repository, words.only)
    if not words.plan:
        make(names, making)
        return
    plans = expected(names, making)
    print(f"{'study':16} {'runs':>6} {'missing':>8} {'hours':>7} {'left':>7}")
    for plan in plans:
        row = f"{plan.runs:6} {plan.missing:8} {plan.hours:7.1f} {plan.hours_left:7.1f}"
        print(f"{plan.name:16} {row}")
    total, left = sum(plan.hours for plan in plans), sum(plan.hours_left for plan in plans)
    print(f"{'all':16} {'':15} {total:7.1f} {left:7.1f}   processor hours, of {MOST_HOURS} at most")


if __name__ == "__main__":
    sys.exit(main())
