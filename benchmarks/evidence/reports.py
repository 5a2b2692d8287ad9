"""Reports of stored studies, made anew without training."""

from __future__ import annotations

import difflib
import shutil
from pathlib import Path

from benchmarks.evidence.stored import EVIDENCE
from benchmarks.golden.runs import numbers
from secateur.reporting import write_drift_report, write_study_report
from secateur.results.drift_study import DriftFindings
from secateur.studies import Findings

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
REPORT = "report.md"


def made_anew(findings: Findings | DriftFindings, folder: Path) -> str:
    """A study's report as `evidence/NAME` has it: with those of its figures that ship, all of them drawn in
    `folder`.
    """
    if isinstance(findings, DriftFindings):
        write_drift_report(findings, folder)
    else:
        write_study_report(findings, folder)
    parts = (folder / "study.md").read_text(encoding="utf-8").split("\n\n")
    pictures = {index for index, part in enumerate(parts) if part.startswith("![")}
    endings = tuple(f"(figures/{figure})" for figure in FIGURES)
    ships = {index for index in pictures if parts[index].endswith(endings)}
    left_out = pictures - ships
    left_out |= {index + 1 for index in left_out}  # the caption
    text = "\n\n".join(part for index, part in enumerate(parts) if index not in left_out)
    return text.rstrip("\n") + "\n"


def stored_report(name: str, evidence: Path = EVIDENCE) -> str:
    """The report in `evidence/NAME`; empty where there is none yet."""
    path = evidence / name / REPORT
    return path.read_text(encoding="utf-8") if path.exists() else ""


def write_report(name: str, text: str, folder: Path, evidence: Path = EVIDENCE) -> None:
    """Put a report that `made_anew` made into `evidence/NAME`, with its figures from `folder`."""
    target = evidence / name
    (target / REPORT).write_text(text, encoding="utf-8")
    (target / "figures").mkdir(exist_ok=True)
    for figure in FIGURES:
        path = folder / "figures" / figure
        if path.exists():
            shutil.copy(path, target / "figures" / figure)
        else:
            (target / "figures" / figure).unlink(missing_ok=True)


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
