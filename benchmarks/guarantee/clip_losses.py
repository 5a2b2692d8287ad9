"""What pruning half of the kernels cost each real subject: one small file, out of the main job's runs.

    python -m benchmarks.guarantee.clip_losses

Comes in: benchmarks/quality/runs/main-job-seed-*.json. Goes out: clip_losses.json beside this file, the
losses of every subject of every seed's test side. Next: `families` draws patients from it.

The same 16 subjects recur in several seeds, so these are fewer than they look; what is wanted of them is
the shape of their spread.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secateur.files import write_whole
from secateur.scoring import losses_of

HERE = Path(__file__).parent
KEPT = HERE / "clip_losses.json"
RUNS = HERE.parent / "quality" / "runs"
METRICS = ("auroc", "macro_f1")


def main() -> None:
    kept = gather([json.loads(path.read_text()) for path in sorted(RUNS.glob("main-job-seed-*"))])
    write_whole(KEPT, json.dumps(kept, indent=1, allow_nan=False) + "\n")
    for metric in METRICS:
        values = kept["losses"][metric]
        print(f"{metric}: {len(values)} losses, mean {np.mean(values):+.4f}")


def gather(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Losses of all results by metric, pruned against baseline."""
    losses: dict[str, list[float]] = {metric: [] for metric in METRICS}
    for result in results:
        tables = [
            {
                one["subject"]: one
                for one in result["models"][model]["test"]["by_subject"]["subjects"]
            }
            for model in ("baseline", "pruned")
        ]
        for metric in METRICS:
            found = losses_of(tables[0], tables[1], metric).values
            losses[metric] += [round(float(value), 6) for value in found]
    return {
        "data": sorted({result["data"]["name"] for result in results}),
        "seeds": [result["seed"] for result in results],
        "ratio": sorted({result["pruning"]["ratio_requested"] for result in results}),
        "commits": sorted({result["commit"] for result in results}),
        "losses": losses,
    }


def measured(metric: str) -> NDArray[np.float64]:
    """The committed losses in `metric`, shape (subjects over all seeds,)."""
    return np.array(json.loads(KEPT.read_text())["losses"][metric], dtype=np.float64)


if __name__ == "__main__":
    main()
