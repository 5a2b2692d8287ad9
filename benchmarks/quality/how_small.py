"""How far kernels can go: ratios, criteria, allocations, schedules and retraining, each against scratch.

    python -m benchmarks.quality.how_small --data FOLDER [--seeds 0-2] [--only cost-*] [--table-only]

Each finished training leaves one small JSON (numbers, no EEG) in benchmarks/quality/runs and is not
repeated while its name stays the same; to do one again, delete it. The table goes to
benchmarks/quality/how-small.md. Started twice, with --share 1/2 and --share 2/2, two processes share
the seeds.
"""

from __future__ import annotations

import argparse
import json
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from benchmarks.quality.how_small_tables import table
from benchmarks.quality.main_job import RUNS, commit, seeds_of
from secateur.detectors import load_detector
from secateur.detectors.benching import measure_latency
from secateur.detectors.evaluation import WindowTable
from secateur.files import write_whole
from secateur.pruning import PruningSettings
from secateur.runs import RunFolder, Source, resolve
from secateur.runs.data import RunData, gather
from secateur.runs.plan import Stage
from secateur.runs.run import run_name
from secateur.runs.stages import StageContext, run_stage
from secateur.scoring import WindowScores
from secateur.scoring.intervals import mean_over
from secateur.windows import Cache

RATIOS = (0.25, 0.5, 0.75, 0.9, 0.95, 0.98)
CRITERIA = ("l1", "l2", "random", "taylor", "taylor-by-class")
WAYS: dict[str, dict[str, Any]] = {
    "global": {"allocation": "global"},
    "sensitivity": {"allocation": "sensitivity"},
    "cost": {"allocation": "cost"},
    "dynamic": {"allocation": "dynamic"},
    "iterative:3": {"steps": 3},
    "rewind": {"retrain": "rewind"},
    "distil": {"retrain": "distil"},
}
FAR = (0.9, 0.95)


def stages() -> list[Stage]:
    """Every training of one seed, in an order in which it can be done."""
    found = [Stage("baseline", "baseline"), Stage("retrained", "retrained")]
    for ratio in reversed(RATIOS):  # the hardest first: they say most, and train fastest
        for name in CRITERIA:
            found.append(_cut(name, ratio, {"importance": name}))
        found.append(_control(found[-len(CRITERIA)], "scratch"))
    for ratio in FAR:
        for name, told in WAYS.items():
            found.append(_cut(name, ratio, told))
            if "allocation" in told:  # another shape, so another small network to be as good as
                found.append(_control(found[-1], "scratch"))
        found.append(_control(_cut("l1", ratio, {}), "unstructured"))
    return found


def _cut(name: str, ratio: float, told: dict[str, Any]) -> Stage:
    settings = PruningSettings.model_validate({"ratio": ratio, **told})
    return Stage(f"rung-{name.replace(':', '-')}-{ratio:g}", "pruned", ("baseline",), settings)


def _control(of: Stage, kind: Any) -> Stage:
    return Stage(f"{of.name}-{kind}", kind, (of.name,), of.pruning, of.name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", default="0-2", help="a range such as 0-4, or a list such as 0,3")
    parser.add_argument("--scratch", type=Path, default=Path("runs/how-small"))
    parser.add_argument("--share", default="1/1", help="which share of the seeds: 1/2 or 2/2")
    parser.add_argument("--only", default="*", help="trainings by name, such as cost-*,dynamic-*")
    parser.add_argument("--table-only", action="store_true", help="of the runs there are")
    told = parser.parse_args()
    seeds = seeds_of(told.seeds)
    first, of = map(int, told.share.split("/"))
    if not told.table_only:
        for seed in seeds[first - 1 :: of]:
            _run(told, seed)
    kept = [json.loads(path.read_text()) for path in sorted(RUNS.glob("how-small-*.json"))]
    text = table([one for one in kept if one["seed"] in seeds], told.data, told.seeds)
    write_whole(Path(__file__).parent / "how-small.md", text)
    print(text)


def _kept(stage: str, seed: int) -> Path:
    return RUNS / f"how-small-{stage.removeprefix('rung-')}-seed-{seed}.json"


def _run(told: argparse.Namespace, seed: int) -> None:
    """All trainings of one seed that have left no file yet."""
    settings = resolve(None, {"seed": seed, "pruning.retrain": "rewind"})  # keeps early weights
    material = gather(Source(told.data), settings, Cache())
    folder = RunFolder(told.scratch / f"seed-{seed}", run_name(settings, material))
    bench = StageContext(material, settings, folder)
    for stage in stages():
        name = stage.name.removeprefix("rung-")
        asked = any(fnmatch(name, pattern) for pattern in told.only.split(","))
        if asked and not _kept(stage.name, seed).exists():
            for need in ("baseline", *stage.needs):
                run_stage(next(one for one in stages() if one.name == need), bench)
            run_stage(stage, bench)
            _keep(stage, bench.material, folder, seed)


def _keep(stage: Stage, material: RunData, folder: RunFolder, seed: int) -> None:
    """Score on the test side and leave the numbers."""
    record = folder.finished(stage.name)
    assert record is not None
    chance, threshold = folder.arrays(stage.name)["test"], float(record["threshold"])
    test = WindowTable.of(material.sides["test"])
    means, each = mean_over(
        test.subject,
        lambda own: WindowScores(test.label[own], chance[own], threshold).all(),
    )
    pair = {name: load_detector(folder.detector(name)) for name in ("baseline", stage.name)}
    latency = measure_latency(pair)
    kept = {
        "stage": stage.name,
        "kind": stage.kind,
        "pruning": stage.pruning and stage.pruning.model_dump(mode="json"),
        "seed": seed,
        "commit": commit(),
        "data": material.cohort.name,
        "sides": {side: len(windows.subjects) for side, windows in material.sides.items()},
        **{key: record[key] for key in ("parameters", "macs", "file_bytes", "kernels")},
        "zero_weights": record.get("zero_weights"),
        "ms": latency[stage.name]["median"],
        "ms_baseline": latency["baseline"]["median"],
        "epochs": len(record["epochs"]),
        "threshold": threshold,
        "by_subject": means,
        "subjects": {
            subject: {key: one[key] for key in ("auroc", "macro_f1", "sensitivity", "specificity")}
            for subject, one in each.items()
        },
    }
    write_whole(_kept(stage.name, seed), json.dumps(kept, indent=1) + "\n")
    auroc = means["auroc"]
    print(f"seed {seed}, {stage.name}: AUROC by subject {auroc or 0:.3f}", flush=True)


if __name__ == "__main__":
    main()
