"""Ladders on one data set, as hold-out and as folds: what is certified at which margin, and how long it took.

    python -m benchmarks.quality.ladders --data FOLDER --way repeats [--workers 2] [--out DIR]
    python -m benchmarks.quality.ladders --table-only

Without controls, but for the retrained baseline. One margin, 0.02, is certified; what the others would have
come to follows from the same bounds. Numbers go to ladders.jsonl beside this file, the table to ladders.md.
A finished ladder in --out is read, not made again.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import secateur
from benchmarks.quality.repeats import keep_row, rows_of
from benchmarks.speed.measuring import commit
from secateur.cli.progress import progress_display
from secateur.files import write_whole
from secateur.results import LadderResult
from secateur.runs import Execution
from secateur.scoring import climb
from secateur.scoring.ladder import Statement
from secateur.windows import Cache

WAYS: dict[str, dict[str, Any]] = {
    "holdout": {"certify.by": "holdout"},
    "folds": {"certify.by": "folds", "ladder.repeats": 1},
    "repeats": {"certify.by": "folds", "ladder.repeats": 3, "ladder.rungs": [0.5, 0.85]},
}
"""Settings of each; three repeats with two rungs, for they train three times as often."""

KEPT = Path(__file__).parent / "ladders.jsonl"
MARGIN = 0.02
MARGINS = (0.01, 0.02, 0.03, 0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--way", choices=WAYS, default="repeats")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs/ladders"))
    parser.add_argument("--table-only", action="store_true", help="of the ladders there are")
    words = parser.parse_args()
    if not words.table_only:
        _run(words)
    rows = {row["way"]: row for row in rows_of(KEPT)}
    text = _table({way: rows[way] for way in WAYS if way in rows})
    write_whole(Path(__file__).parent / "ladders.md", text)
    print(text)


def _run(words: argparse.Namespace) -> None:
    began, fresh = time.monotonic(), not words.out.exists()
    settings = {
        **WAYS[words.way],
        "ladder.controls": "none",
        "constraint.margins": {"auroc": MARGIN},
    }
    with progress_display() as progress:
        execution = Execution(words.workers, Cache(), progress)
        result = secateur.prune(
            words.data, words.out, settings=settings, execution=execution
        ).result
    seconds = time.monotonic() - began if fresh else None  # what was finished before took no time
    row = {"way": words.way, **_numbers(result, words.workers, seconds)}
    keep_row(KEPT, row, ("way",))


def _numbers(result: LadderResult, workers: int, seconds: float | None) -> dict[str, Any]:
    """What the table needs of a ladder."""
    sides = ("training", "validation", "certification", "test")
    sizes = ("parameters", "macs", "file_bytes", "latency_ms")
    baseline = result.models["baseline"].model_dump(mode="json")
    return {
        "commit": commit(),
        "data": result.data.name,
        "workers": workers,
        "seconds": seconds,
        "rules": result.certificate.rules,
        "folds": result.certified_by.folds,
        "repeats": result.certified_by.repeats,
        "parts": [
            {side: len(getattr(part, side)) for side in sides} for part in result.certified_by.parts
        ],
        "needed": [needed.words for needed in result.needed],
        "baseline": result.baseline.certification.mean,
        "ladder": [
            {
                **{key: rung.model_dump(mode="json")[key] for key in ("name", "kernels", *sizes)},
                "mean": rung.certification.mean,
                "statement": rung.statements[0].model_dump(mode="json"),
            }
            for rung in result.ladder
        ],
        "sizes": {key: baseline[key] for key in sizes},
    }


def _table(kept: dict[str, dict[str, Any]]) -> str:
    lines = [
        "# Ladders on real EEG",
        "",
        "Command: `python -m benchmarks.quality.ladders --data ../shared/data/chbmit-clips --way WAY`. L1, "
        "uniform, one-shot, finetune, no controls. Loss: mean over the subjects judged of "
        "baseline minus pruned AUROC; at most: the 95 % upper bound that decides. One margin is a "
        "certificate's; the others are what the same bounds would have come to. Secateur's defaults were "
        "chosen on these recordings.",
    ]
    for way, ladder in kept.items():
        lines += _lines(way, ladder)
    return "\n".join(lines) + "\n"


def _lines(way: str, ladder: dict[str, Any]) -> list[str]:
    statements = [Statement.model_validate(rung["statement"]) for rung in ladder["ladder"]]
    took = "not timed" if ladder["seconds"] is None else f"{ladder['seconds'] / 60:.1f} minutes"
    first = ladder["parts"][0]
    sides = ", ".join(f"{count} {side}" for side, count in first.items() if count)
    rules = (
        "rules 1: the larger of Student's t and bootstrap-t over subjects"
        if ladder["rules"] == 1
        else "rules 2: subject, fold and training; a first certification, by the table for "
        f"{100 * (statements[0].level or 0):g} %"
    )
    folds = ""
    if ladder["folds"] > 1:
        folds = (
            f"{ladder['folds']} folds, {ladder['repeats']} repeat{'s' * (ladder['repeats'] > 1)}, "
        )
    verdicts = {margin: _verdicts(statements, margin) for margin in MARGINS}
    shares = [
        f"{100 * each.training_share:.0f} %"
        for each in statements
        if each.training_share is not None
    ]
    lines = [
        "",
        f"## {way}",
        "",
        f"{ladder['data']}; {folds}subjects of a part: {sides}. {took} with {ladder['workers']} workers, "
        f"everything included{ladder.get('note', '')}; commit {ladder['commit']}. {rules}. Baseline AUROC "
        f"{ladder['baseline']['auroc']:.3f}."
        + (
            f" Luck of training's share of a loss's variance: {', '.join(shares)}."
            if shares
            else ""
        ),
        "",
        "| rung | kernels | parameters | MACs | ms | AUROC | loss | at most | harmed | "
        + " | ".join(f"margin {margin}" for margin in MARGINS)
        + " |",
        "|---" * (9 + len(MARGINS)) + "|",
    ]
    base = ladder["sizes"]
    for number, (rung, statement) in enumerate(zip(ladder["ladder"], statements, strict=True)):
        ms, slower = rung["latency_ms"]["median"], base["latency_ms"]["median"]
        cells = [
            rung["name"].removeprefix("rung-"),
            "-".join(map(str, rung["kernels"])),
            f"{rung['parameters']:,} ({base['parameters'] / rung['parameters']:.0f}×)",
            f"{rung['macs']:,} ({base['macs'] / rung['macs']:.1f}×)",
            f"{ms:.3f} ({slower / ms:.1f}×)",
            f"{rung['mean']['auroc']:.3f}",
            f"{statement.mean:+.3f}",
            "–" if statement.bound is None else f"{statement.bound:+.3f}",
            f"{statement.harm.harmed} of {statement.n}",
            *(verdicts[margin][number] for margin in MARGINS),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return [*lines, *(f"\n{words}." for words in ladder["needed"])]


def _verdicts(statements: Sequence[Statement], margin: float) -> tuple[str, ...]:
    """What a ladder comes to at a margin, by its bounds."""
    bounds = [statement.bound for statement in statements]
    return climb([bound is not None and bound < margin for bound in bounds]).verdicts


if __name__ == "__main__":
    main()
