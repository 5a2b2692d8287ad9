"""What pruning half of the kernels cost each real subject: one small file, out of a study's runs.

    secateur study studies/main-job.toml --data chbmit-clips --out DIR
    python -m benchmarks.guarantee.clip_losses DIR

Leaves clip_losses.json beside this file, the losses of every subject of every test side of the pruned
networks. The same subjects recur in several seeds, so these are fewer than they look; what is wanted of
them is the shape of their spread.

Those that are kept come from defaults of earlier days, and have a longer tail: with the losses of today's
(evidence/main-job) critical values would be lower, 2.75 in place of 3.17 at 5 % for one file and 16 subjects.
A certificate that is harder to get stays one, so the harsher losses stay until there are more.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secateur.files import write_whole
from secateur.results import StudyRun
from secateur.results.study_run import MODELS
from secateur.scoring import losses_of
from secateur.studies.record import read_plan, read_runs
from secateur.studies.store import store_at

HERE = Path(__file__).parent
KEPT = HERE / "clip_losses.json"
DETECTOR = {"detector": "pruned"}
"""Which runs of the study: neither from scratch nor uncut."""
METRICS = ("auroc", "macro_f1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", help="folder of the study main-job, with its runs")
    words = parser.parse_args()
    rows, _ = read_runs(read_plan(words.study), store_at(words.study))
    kept = gather([row.result for row in rows if row.at.items() >= DETECTOR.items()])
    write_whole(KEPT, json.dumps(kept, indent=1, allow_nan=False) + "\n")
    for metric in METRICS:
        values = kept["losses"][metric]
        print(f"{metric}: {len(values)} losses, mean {np.mean(values):+.4f}")


def gather(runs: Sequence[StudyRun]) -> dict[str, Any]:
    """Losses of all runs by metric, pruned against baseline."""
    losses: dict[str, list[float]] = {metric: [] for metric in METRICS}
    for run in runs:
        tests = [run.models[model].test for model in MODELS]
        baseline, pruned = (test.subjects for test in tests if test is not None)
        for metric in METRICS:
            found = losses_of(baseline, pruned, metric).values
            losses[metric] += [round(float(value), 6) for value in found]
    return {
        "data": sorted({run.data.name for run in runs}),
        "seeds": sorted({int(run.settings["seed"]) for run in runs}),
        "ratio": sorted({run.pruning.ratio_requested for run in runs if run.pruning is not None}),
        "result_versions": sorted({str(run.versions.result) for run in runs}),
        "losses": losses,
    }


def measured(metric: str) -> NDArray[np.float64]:
    """The committed losses in `metric`, shape (subjects over all seeds,)."""
    return np.array(json.loads(KEPT.read_text())["losses"][metric], dtype=np.float64)


if __name__ == "__main__":
    main()
