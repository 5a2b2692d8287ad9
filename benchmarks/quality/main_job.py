"""The main job over several seeds, each with another split by subject: one table.

    python -m benchmarks.quality.main_job --data FOLDER [--seeds 0-4] [--workers 2] [--scratch DIR]

Every finished seed leaves one small JSON (numbers, no EEG) in benchmarks/quality/runs; a seed that has
one for the same settings and data is not run again. The table goes to
benchmarks/quality/main-job.md.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

import secateur
from benchmarks.quality.schema_1 import as_tables
from secateur.cli.progress import progress_display
from secateur.files import write_whole
from secateur.runs import Execution, Source, resolve
from secateur.runs.data import gather
from secateur.runs.run import run_name
from secateur.windows import Cache

HERE = Path(__file__).parent
RUNS = HERE / "runs"
ORDER = ("baseline", "pruned", "scratch", "random", "retrained", "random_forest")


def stored(path: Path) -> dict[str, Any]:
    """A result as it was kept; up to result version 8 the forest was called trivial."""
    result: dict[str, Any] = json.loads(path.read_text().replace('"trivial"', '"random_forest"'))
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", default="0-4", help="a range such as 0-4, or a list such as 0,3")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--scratch", type=Path, default=Path("runs/main-job"))
    parser.add_argument("--table-only", action="store_true", help="of the runs there are")
    told = parser.parse_args()
    seeds = seeds_of(told.seeds)
    if not told.table_only:
        for seed in seeds:
            _run(told, seed)
    results = [stored(path) for seed in seeds if (path := _kept(seed)).exists()]
    table = _table(results, len(seeds), told)
    write_whole(HERE / "main-job.md", table)
    print(table)


def seeds_of(text: str) -> list[int]:
    if "-" in text:
        first, last = map(int, text.split("-"))
        return list(range(first, last + 1))
    return [int(part) for part in text.split(",")]


def _kept(seed: int) -> Path:
    return RUNS / f"main-job-seed-{seed}.json"


def _run(told: argparse.Namespace, seed: int) -> None:
    settings = resolve(None, {"seed": seed})
    name = run_name(settings, gather(Source(told.data), settings, Cache()))
    if _kept(seed).exists() and json.loads(_kept(seed).read_text())["run"] == name:
        return
    with progress_display() as progress:
        outcome = secateur.run(
            told.data,
            told.scratch / f"seed-{seed}",
            settings={"seed": seed},
            execution=Execution(told.workers, progress=progress),
        )
    tables = as_tables(outcome.result)
    kept = {key: tables[key] for key in tables if key not in ("command", "notes")}
    kept["settings"] = outcome.settings.model_dump(mode="json")
    kept["machine"] = f"{platform.machine()}, {platform.system()}"
    kept["commit"] = commit()
    write_whole(_kept(seed), json.dumps(kept, indent=1, allow_nan=False) + "\n")


def commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=HERE, capture_output=True, text=True
    )
    return done.stdout.strip() or "unknown"


def _of(result: dict[str, Any], model: str, *path: str) -> float:
    value: Any = result["models"][model]
    for key in path:
        value = None if value is None else value[key]
    return float("nan") if value is None else float(value)


COLUMNS: tuple[tuple[str, tuple[str, ...], int], ...] = (
    ("AUROC by subject", ("test", "by_subject", "auroc"), 3),
    ("macro-F1 by subject", ("test", "by_subject", "macro_f1"), 3),
    ("AUROC, windows", ("test", "auroc"), 3),
    ("macro-F1, windows", ("test", "macro_f1"), 3),
    ("macro-F1 at 0.5, windows", ("test", "at_0.5", "macro_f1"), 3),
    ("accuracy", ("test", "accuracy"), 3),
    ("event F1", ("test", "events", "f1"), 3),
    ("parameters", ("parameters",), 0),
    ("MACs", ("macs",), 0),
    ("bytes", ("file_bytes",), 0),
    ("ms", ("latency_ms", "median"), 3),
)


def _cell(values: list[float], digits: int) -> str:
    known = np.array([value for value in values if np.isfinite(value)])
    if not len(known):
        return "–"
    if digits == 0:
        return f"{known.mean():,.0f}"
    return f"{known.mean():.{digits}f} ± {known.std(ddof=1) if len(known) > 1 else 0:.{digits}f}"


def _table(results: list[dict[str, Any]], wanted: int, told: argparse.Namespace) -> str:
    first = results[0]
    counts = [len(first["split"][side]) for side in ("training", "validation", "test")]
    sides = ", ".join(map(str, counts))
    lines = [
        "# The main job on real EEG",
        "",
        f"Command: `python -m benchmarks.quality.main_job --data {told.data} --seeds {told.seeds}`; "
        f"{len(results)} of {wanted} seeds finished; commit {first['commit']}; {first['machine']}; "
        f"Secateur {first['secateur']}, timescoring {first['timescoring']}.",
        "",
        f"Data: {first['data']['name']}, {first['data']['subjects']} subjects, "
        f"{first['data']['recordings']} recordings, {first['data']['seizures']} seizures, "
        f"{first['data']['background']}. Each seed is another split by subject "
        f"({sides} "
        "subjects train, validate, test); thresholds come from validation. Mean ± standard deviation "
        "over seeds; the same subjects recur in several seeds, so these are no independent samples. The "
        "defaults were chosen with these clips in sight, test sides included: an untouched estimate "
        "needs another data set.",
        "",
        *_earlier_defaults(first["settings"]),
        "| model | " + " | ".join(name for name, _, _ in COLUMNS) + " |",
        "|---" * (len(COLUMNS) + 1) + "|",
    ]
    for model in ORDER:
        cells = [
            _cell([_of(result, model, *path) for result in results], digits)
            for _, path, digits in COLUMNS
        ]
        lines.append(f"| {model} | " + " | ".join(cells) + " |")
    always = [
        result["models"]["baseline"]["test"]["events"]["always_firing"]["f1"] for result in results
    ]
    lines += [
        "",
        f"A detector that always fires has an event F1 of {np.mean(always):.3f} on these recordings.",
        "",
        "## Seed by seed: AUROC by subject (macro-F1 by subject)",
        "",
        "| seed | " + " | ".join(ORDER) + " | pruned minus baseline, 95 % (AUROC, windows) |",
        "|---" * (len(ORDER) + 2) + "|",
    ]
    for result in results:
        cells = [
            f"{_of(result, model, 'test', 'by_subject', 'auroc'):.3f} "
            f"({_of(result, model, 'test', 'by_subject', 'macro_f1'):.3f})"
            for model in ORDER
        ]
        change = result["models"]["pruned"]["minus_baseline"]
        low, high = change["intervals"]["auroc"]
        cells.append(f"{change['difference']['auroc']:+.3f} ({low:+.3f} to {high:+.3f})")
        lines.append(f"| {result['seed']} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, *_reading(results)]) + "\n"


def _earlier_defaults(stored: dict[str, Any]) -> list[str]:
    """In which settings these runs differ from what the same command would take today, in words."""
    today = _flat(resolve(None, {"seed": stored["seed"]}).model_dump(mode="json"))
    then = _flat(stored)
    changed = [
        f"`{name}` was {json.dumps(then[name])}, now {json.dumps(value)}"
        for name, value in today.items()
        if name in then and then[name] != value
    ]
    if not changed:
        return []
    return [f"These runs had earlier defaults: {'; '.join(changed)}.", ""]


def _flat(settings: dict[str, Any], before: str = "") -> dict[str, Any]:
    """Settings by dotted name."""
    values: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            values |= _flat(value, f"{before}{name}.")
        else:
            values[before + name] = value
    return values


def _reading(results: list[dict[str, Any]]) -> list[str]:
    """What the numbers say, worked out from them."""

    def values(model: str, metric: str) -> np.ndarray:
        return np.array([_of(one, model, "test", "by_subject", metric) for one in results])

    loss = values("baseline", "auroc") - values("pruned", "auroc")
    scratch = values("scratch", "auroc") - values("pruned", "auroc")
    forest = values("baseline", "auroc") - values("random_forest", "auroc")
    return [
        "",
        "## What this says",
        "",
        f"- AUROC by subject: {values('baseline', 'auroc').mean():.3f} (aimed at: 0.88); macro-F1 by "
        f"subject at the threshold from validation: {values('baseline', 'macro_f1').mean():.3f} "
        "(aimed at: 0.78).",
        f"- Pruned minus baseline, by seed: {', '.join(f'{-x:+.3f}' for x in loss)}; "
        f"mean {-loss.mean():+.3f}.",
        f"- The small network from scratch minus the pruned one, by seed: "
        f"{', '.join(f'{x:+.3f}' for x in scratch)}; mean {scratch.mean():+.3f}.",
        f"- Baseline minus forest, by seed: {', '.join(f'{x:+.3f}' for x in forest)}; the network is "
        f"better on {int((forest > 0).sum())} of {len(forest)} seeds.",
    ]


if __name__ == "__main__":
    main()
