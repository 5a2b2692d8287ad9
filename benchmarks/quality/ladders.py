"""Two ladders on one data set, as hold-out and as folds: what is certified at which margin, and how long.

    python -m benchmarks.quality.ladders --data FOLDER [--workers 2] [--scratch DIR] [--table-only]

Six rungs without controls each. Networks are trained once; each margin is then judged on the same networks
and the same subjects, which is more looks than a certificate allows: only the first margin's is one. Numbers
go to benchmarks/quality/runs/ladder-*.json, the table to benchmarks/quality/ladders.md.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import secateur
from benchmarks.quality.main_job import RUNS, commit
from benchmarks.quality.schema_1 import as_tables
from secateur.cli.progress import progress_display
from secateur.files import write_whole
from secateur.runs import Execution
from secateur.windows import Cache

WAYS = ("holdout", "folds")
MARGINS = (0.01, 0.02, 0.03, 0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--scratch", type=Path, default=Path("runs/ladders"))
    parser.add_argument("--table-only", action="store_true", help="of the runs there are")
    told = parser.parse_args()
    if not told.table_only:
        for way in WAYS:
            _run(told, way)
    kept = {way: json.loads(path.read_text()) for way in WAYS if (path := _kept(way)).exists()}
    text = _table(kept, told)
    write_whole(Path(__file__).parent / "ladders.md", text)
    print(text)


def _kept(way: str) -> Path:
    return RUNS / f"ladder-{way}.json"


def _run(told: argparse.Namespace, way: str) -> None:
    out = told.scratch / way
    fresh = not out.exists()
    judged, seconds = {}, 0.0
    for margin in MARGINS:
        began = time.monotonic()
        with progress_display() as progress:
            result = secateur.prune(
                told.data,
                out,
                settings={
                    "certify.by": way,
                    "ladder.controls": "none",
                    "constraint.margins": {"auroc": margin},
                },
                execution=Execution(told.workers, Cache(), progress),
            ).model
        if margin == MARGINS[0]:
            seconds = time.monotonic() - began
        tables = as_tables(result)
        judged[f"{margin:g}"] = {
            rung["name"]: {"verdict": rung["verdict"], "statement": rung["statements"][0]}
            for rung in tables["ladder"]
        }
        if margin == MARGINS[0]:
            needed = [one["words"] for one in tables["needed"]]
    kept = {
        "commit": commit(),
        "data": tables["data"]["name"],
        "workers": told.workers,
        "seconds": seconds if fresh else None,  # what was finished before took no time now
        "parts": [
            {side: len(part[side]) for side in ("training", "validation", "certification", "test")}
            for part in tables["certified_by"]["parts"]
        ],
        "needed": needed,
        "judged": judged,
        "baseline": tables["baseline"]["certification"]["mean"],
        "ladder": [
            {
                **{
                    key: rung[key]
                    for key in ("name", "kernels", "parameters", "macs", "file_bytes", "latency_ms")
                },
                "mean": rung["certification"]["mean"],
            }
            for rung in tables["ladder"]
        ],
        "sizes": {
            key: tables["models"]["baseline"][key]
            for key in ("parameters", "macs", "file_bytes", "latency_ms")
        },
    }
    write_whole(_kept(way), json.dumps(kept, indent=1) + "\n")


def _table(kept: dict[str, dict[str, Any]], told: argparse.Namespace) -> str:
    lines = [
        "# Two ladders on real EEG",
        "",
        f"Command: `python -m benchmarks.quality.ladders --data {told.data} --workers {told.workers}`. "
        "Six rungs, L1, uniform, one-shot, finetune, no controls. Loss: mean over the subjects judged of "
        "baseline minus pruned AUROC; at most: the 95 % upper bound that decides. The first margin's "
        "verdicts are a certificate's; the others show what the same networks would have come to.",
    ]
    for way, one in kept.items():
        sides = "; ".join(
            ", ".join(f"{count} {side}" for side, count in part.items() if count)
            for part in one["parts"]
        )
        took = "not timed" if one["seconds"] is None else f"{one['seconds'] / 60:.1f} minutes"
        lines += [
            "",
            f"## {way}",
            "",
            f"{one['data']}; subjects: {sides}. {took} with {one['workers']} workers, everything included; "
            f"commit {one['commit']}. Baseline AUROC {one['baseline']['auroc']:.3f}.",
            "",
            "| rung | kernels | parameters | MACs | ms | AUROC | loss | at most | harmed | "
            + " | ".join(f"margin {margin}" for margin in one["judged"])
            + " |",
            "|---" * (9 + len(one["judged"])) + "|",
        ]
        first = next(iter(one["judged"].values()))
        whole = one["sizes"]
        for rung in one["ladder"]:
            said = first[rung["name"]]["statement"]
            bounds = [said[key] for key in ("t_bound", "bootstrap_bound") if said[key] is not None]
            bound = f"{max(bounds):+.3f}" if bounds else "–"
            cells = [
                rung["name"].removeprefix("rung-"),
                "-".join(map(str, rung["kernels"])),
                f"{rung['parameters']:,} ({whole['parameters'] / rung['parameters']:.0f}×)",
                f"{rung['macs']:,} ({whole['macs'] / rung['macs']:.1f}×)",
                f"{rung['latency_ms']['median']:.3f} "
                f"({whole['latency_ms']['median'] / rung['latency_ms']['median']:.1f}×)",
                f"{rung['mean']['auroc']:.3f}",
                f"{said['mean']:+.3f}",
                bound,
                f"{said['harm']['harmed']} of {said['n']}",
                *(many[rung["name"]]["verdict"] for many in one["judged"].values()),
            ]
            lines.append("| " + " | ".join(cells) + " |")
        lines += [f"\n{words}." for words in one["needed"]]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
