"""The reports of the studies that ship, made anew from their stored runs without training.

    python -m benchmarks.golden.reports            which numbers would change
    python -m benchmarks.golden.reports --write    write those of studies/reports that do

`studies/plans` tells of each study which run stands where, as it was when the study was done. What the study
of drift says is stored in `studies/reports/drift.json`: its days are too large to ship.
"""

from __future__ import annotations

import argparse
import difflib
import json
import shutil
import tempfile
from pathlib import Path

from benchmarks.golden.driver import TOP
from benchmarks.golden.runs import numbers
from secateur.reporting import write_drift_report, write_study_report
from secateur.results.drift_study import DriftFindings
from secateur.studies import Findings, Plan, evaluate_study, read_study
from secateur.studies.store import store_at

STUDIES = TOP / "studies"
FIGURES = (
    "scores.png",
    "froc.png",
    "costs.png",
    "agreement-clips.png",
    "agreement-simulated.png",
    "curves.png",
    "losses.png",
    "regaining-auroc.png",
    "regaining-macro-f1.png",
)
"""Those of a report's figures that ship."""
DRIFT = STUDIES / "reports" / "drift.json"
NAMES = tuple(sorted([*(path.stem for path in (STUDIES / "plans").glob("*.json")), DRIFT.stem]))


def main() -> None:
    """Print what changes, or write it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.golden.reports")
    parser.add_argument("--write", action="store_true")
    writes = parser.parse_args().write
    for name in NAMES:
        with tempfile.TemporaryDirectory() as folder:
            text = made_anew(name, Path(folder))
            changes = changed_lines(stored_report(name), text)
            print(f"{name}: {len(changes)} lines with other numbers")
            print("".join(f"  {line}\n" for line in changes), end="")
            if writes and changes:
                (STUDIES / "reports" / f"{name}.md").write_text(text)
                for figure in FIGURES:
                    if (path := Path(folder) / "figures" / figure).exists():
                        target = STUDIES / "reports" / "figures" / f"{name}-{figure}"
                        shutil.copy(path, target)


def made_anew(name: str, folder: Path) -> str:
    """A study's report as `studies/reports` has it: with those of its figures that ship."""
    if name == DRIFT.stem:
        write_drift_report(DriftFindings.model_validate_json(DRIFT.read_bytes()), folder)
    else:
        write_study_report(findings_of(name), folder)
    parts = (folder / "study.md").read_text().split("\n\n")
    pictures = {place for place, part in enumerate(parts) if part.startswith("![")}
    endings = tuple(f"(figures/{figure})" for figure in FIGURES)
    ships = {place for place in pictures if parts[place].endswith(endings)}
    left_out = pictures - ships
    left_out |= {place + 1 for place in left_out}  # the caption
    text = "\n\n".join(part for place, part in enumerate(parts) if place not in left_out)
    for figure in FIGURES:
        text = text.replace(f"(figures/{figure})", f"(figures/{name}-{figure})")
    return text.rstrip("\n") + "\n"


def findings_of(name: str) -> Findings:
    """What a study's stored runs say."""
    stored = json.loads((STUDIES / "plans" / f"{name}.json").read_text())
    runs = tuple((run["run"], run["at"]) for run in stored["runs"])
    study = read_study(STUDIES / f"{name}.toml")
    return evaluate_study(Plan(study, runs, {}, stored["command"]), store_at(STUDIES))


def stored_report(name: str) -> str:
    """The report in `studies/reports`."""
    return (STUDIES / "reports" / f"{name}.md").read_text()


def changed_lines(before: str, after: str) -> list[str]:
    """Lines whose numbers aren't those that were, each marked - or +; words alone change nothing."""
    old, new = ([line for line in text.splitlines() if numbers(line)] for text in (before, after))
    matcher = difflib.SequenceMatcher(
        None, [tuple(numbers(line)) for line in old], [tuple(numbers(line)) for line in new], False
    )
    changes = []
    for kind, first, last, first_new, last_new in matcher.get_opcodes():
        if kind != "equal":
            changes += [f"- {line}" for line in old[first:last]]
            changes += [f"+ {line}" for line in new[first_new:last_new]]
    return changes


if __name__ == "__main__":
    main()
