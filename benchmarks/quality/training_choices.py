"""What each choice in chain and training is worth: the baseline alone, one choice taken away at a time.

    python -m benchmarks.quality.training_choices --data FOLDER [--seeds 0,1,4] [--only NAME]

Each finished training leaves one small JSON in benchmarks/quality/runs and is not repeated. The table
goes to benchmarks/quality/training-choices.md. These choices were made by looking at the same subjects,
so the table explains them and proves nothing.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quality.main_job import RUNS, commit, seeds_of
from secateur.detectors.evaluation import WindowTable
from secateur.files import write_whole
from secateur.runs import RunFolder, Source, resolve
from secateur.runs.data import gather
from secateur.runs.plan import Stage
from secateur.runs.stages import StageContext, run_stage
from secateur.scoring import WindowScores
from secateur.scoring.intervals import mean_over
from secateur.windows import Cache

_PLAIN_WINDOWS = {
    "training.augmentation.gain": 1.0,
    "training.augmentation.drop_channels": 0,
    "training.augmentation.permute_channels": False,
    "training.augmentation.shift": False,
}
VARIANTS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "channels not permuted": {"training.augmentation.permute_channels": False},
    "windows not changed at all": _PLAIN_WINDOWS,
    "BatchNorm not recalibrated": {"training.recalibration": 0},
    "no asinh": {"chain.compression": "none"},
    "best epoch from the first on": {"training.least_epochs": 1},
    "threshold as validation has it": {"threshold.shrinkage": 0.0},
    "published method: all of this, every window once": {
        **_PLAIN_WINDOWS,
        "training.recalibration": 0,
        "training.averaging": 0.0,
        "training.draw": "all",
        "training.least_epochs": 1,
        "threshold.shrinkage": 0.0,
        "chain.compression": "none",
    },
}
COLUMNS = {
    "auroc_by_subject": "AUROC by subject",
    "macro_f1_by_subject": "macro-F1 by subject",
    "auroc": "AUROC, windows",
    "macro_f1": "macro-F1, windows",
    "macro_f1_at_half": "macro-F1 at 0.5, windows",
    "threshold": "threshold",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", default="0,1,4")
    parser.add_argument("--only", choices=sorted(VARIANTS))
    told = parser.parse_args()
    seeds = seeds_of(told.seeds)
    for name in [told.only] if told.only else VARIANTS:
        for seed in seeds:
            if not _kept(name, seed).exists():
                _train(told.data, name, seed)
    table = _table(seeds, told)
    write_whole(Path(__file__).parent / "training-choices.md", table)
    print(table)


def _kept(name: str, seed: int) -> Path:
    slug = "-".join(name.replace(":", "").replace(",", "").lower().split()[:4])
    return RUNS / f"choice-{slug}-seed-{seed}.json"


def _train(data: Path, name: str, seed: int) -> None:
    settings = resolve(None, {"seed": seed, **VARIANTS[name]})
    material = gather(Source(data), settings, Cache())
    with tempfile.TemporaryDirectory() as scratch:
        folder = RunFolder(Path(scratch), "choice")
        run_stage(Stage("baseline", "baseline"), StageContext(material, settings, folder))
        record = folder.finished("baseline")
        assert record is not None
        chance = folder.arrays("baseline")["test"]
    test = WindowTable.of(material.sides["test"])
    scores = WindowScores(test.label, chance, record["threshold"])
    means, _ = mean_over(
        test.subject,
        lambda own: WindowScores(test.label[own], chance[own], record["threshold"]).all(),
    )
    kept = {
        "variant": name,
        "changes": VARIANTS[name],
        "seed": seed,
        "commit": commit(),
        "auroc_by_subject": means["auroc"],
        "macro_f1_by_subject": means["macro_f1"],
        "auroc": scores.auroc(),
        "macro_f1": scores.confusion().macro_f1,
        "macro_f1_at_half": scores.confusion(threshold=0.5).macro_f1,
        "threshold": record["threshold"],
        "epochs": len(record["epochs"]),
        "seconds_an_epoch": float(np.mean([epoch["seconds"] for epoch in record["epochs"]])),
    }
    write_whole(_kept(name, seed), json.dumps(kept, indent=1) + "\n")
    print(f"{name}, seed {seed}: AUROC by subject {means['auroc']:.3f}", flush=True)


def _table(seeds: list[int], told: argparse.Namespace) -> str:
    lines = [
        "# What each choice is worth",
        "",
        f"Command: `python -m benchmarks.quality.training_choices --data {told.data} --seeds "
        f"{told.seeds}`. The baseline network alone on subjects that it has not seen; mean over seeds, "
        "each another split by subject; one training each, and chance moves each number too. The "
        "choices were made by looking at the same subjects.",
        "",
        "| setting | seeds | " + " | ".join(COLUMNS.values()) + " |",
        "|---" * (len(COLUMNS) + 2) + "|",
    ]
    for name in VARIANTS:
        paths = [_kept(name, seed) for seed in seeds]
        kept = [json.loads(path.read_text()) for path in paths if path.exists()]
        if kept:
            cells = [f"{np.mean([one[key] for one in kept]):.3f}" for key in COLUMNS]
            lines.append(f"| {name} | {len(kept)} of {len(seeds)} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
