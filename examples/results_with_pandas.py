"""What a run left, in pandas: subjects, training, and how hops of seizures were judged.

python examples/results_with_pandas.py RUN

RUN: the folder of a `secateur run` or `secateur prune`. docs/reference/outputs.md tells what fields mean.
Needs pandas, which no extra brings: pip install -c constraints.txt pandas
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd


def models(run: Path) -> pd.DataFrame:
    """A row for each network: its size and its mean scores over the subjects it was tested on."""
    result = json.loads((run / "result.json").read_text())
    rows = {
        name: {"parameters": model["parameters"], "macs": model["macs"]}
        | model["test"]["mean_of_subjects"]
        for name, model in result["models"].items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def by_subject(run: Path) -> pd.DataFrame:
    """Mean probability of every subject, in seizures and outside of them, by network."""
    windows = pd.read_parquet(run / "predictions.parquet")
    networks = windows.columns[windows.columns.get_loc("label") + 1 :]
    windows["label"] = windows["label"].map({0: "background", 1: "seizure"})
    return windows.groupby(["subject", "label"])[list(networks)].mean().unstack("label")


def training(run: Path) -> pd.DataFrame:
    """The last epoch of every network."""
    return pd.read_csv(run / "history.csv").groupby("model", sort=False).last()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    pd.set_option("display.width", 160, "display.max_columns", None, "display.precision", 3)
    for table in (models, by_subject, training):
        print(f"\n{table.__doc__}\n{table(Path(sys.argv[1]))}")
