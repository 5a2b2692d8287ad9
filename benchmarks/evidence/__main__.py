"""What documents quote of studies.

python -m benchmarks.evidence --reports [NAME ...]   write reports and figures of stored runs anew
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.evidence import reports
from benchmarks.evidence.stored import stored_names


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.evidence",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--reports", nargs="*", metavar="NAME", required=True)
    words = parser.parse_args(arguments)
    for name in words.reports or stored_names():
        with tempfile.TemporaryDirectory() as folder:
            text = reports.made_anew(name, Path(folder))
            changes = reports.changed_lines(reports.stored_report(name), text)
            print(f"{name}: {len(changes)} lines with other numbers")
            print("".join(f"  {line}\n" for line in changes), end="")
            reports.write_report(name, text, Path(folder))


if __name__ == "__main__":
    main()
