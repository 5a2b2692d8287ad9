"""What whole jobs of one version of Secateur give: two runs, a ladder and a study, number by number.

Done through the command line, whose words outlive the names of modules. A number's name is its path in the
JSON; `RENAMED`, `MOVED` and `ORDERED` lead names of earlier schemas to those of today.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet
from numpy.typing import NDArray

Rows = Iterator[tuple[str, NDArray[Any] | str]]

SETTINGS = """
[network]
widths = [4, 6, 8]
[training]
epochs = 2
windows_per_epoch = 160
recalibration = 2
averaging = 0.99
[training.augmentation]  # what training can do beside its defaults is held too
gain = 1.3
drop_channels = 3
permute_channels = true
"""
OTHER = """
[network]
name = "paper"
widths = [6, 8]
kernel_sizes = [5, 5]
pooling = [4, 4]
[training]
epochs = 2
windows_per_epoch = 160
recalibration = 2
averaging = 0.99
[training.augmentation]  # what training can do beside its defaults is held too
gain = 1.3
drop_channels = 3
permute_channels = true
"""
STUDY = """
question = "Does anything survive?"
[axes]
ratio = [0.5, 0.75]
importance = ["l1", "taylor"]
fold = [1, 2]
[fixed]
epochs = 1
least-epochs = 1
split = "folds:2"
[settings.network]
widths = [4, 6, 8]
[settings.training]
windows_per_epoch = 160
recalibration = 2
averaging = 0.99
[settings.training.augmentation]  # what training can do beside its defaults is held too
gain = 1.3
drop_channels = 3
permute_channels = true
[[compare]]
axis = "ratio"
to = "baseline"
[[compare]]
axis = "importance"
to = "l1"
margin = 0.1
[[hypothesis]]
says = "half can go"
that = { ratio = 0.5 }
than = "baseline"
is = "not-worse"
margin = 0.1
"""
JOBS: dict[str, str] = {
    "run": "run --seed 3 --config settings.toml",
    "other-run": "run --seed 4 --config other.toml --importance taylor --allocation global "
    "--schedule iterative:2 --retrain rewind --split folds:3 --fold 2 --montage each --at-most 400",
    "ladder": "prune --seed 3 --config settings.toml --certify folds:3 --rungs 0.5,0.75 --margin auroc=0.3",
    "study": "study study.toml",
}
VOLATILE = (
    *("schema", "secateur", "run", "command", "versions", "processor", "torch"),
    *("seconds", "latency_ms", "float_latency_ms"),
)
"""Keys of what differs from one time to the next, and of what names a version."""
RENAMED: dict[str, str] = {"trivial": "random_forest"}
"""Names of earlier schemas, and those of today."""
MOVED = (
    (r"\.scores(?=\.)", ""),
    (r"\bat_0\.5\.", "at_half."),
    (r"\btest\.by_subject\.subjects\.", "test.subjects."),
    (r"\btest\.by_subject\.", "test.mean_of_subjects."),
    (r"\btest\.intervals\.by_subject\.", "test.intervals.mean_of_subjects."),
    (r"\bminus_baseline\.by_subject\.difference\.", "minus_baseline.mean_of_subjects."),
    (r"\bminus_baseline\.by_subject\.intervals\.", "minus_baseline.intervals_of_subjects."),
    (r"\bsplit\.crossing\.", "split.leakage."),
    (r"^(ladder\.)?sensitivity\.", r"\1masking."),
    (r"\bevents\.((?:\w+\.)?)(sensitivity|precision|f1)$", r"events.\1event_\2"),
)
"""Paths of schema 1, and where the same stands today."""
ORDERED = ("accuracy", "macro_f1", "auroc", "auprc", "brier", "sensitivity", "specificity")
"""What a study's list of a subject's scores stands for."""


def job_rows(cohort: Path) -> Rows:
    """Every number that the jobs leave, named `jobs/path/job/file`."""
    with tempfile.TemporaryDirectory(prefix="golden-jobs-") as name:
        folder = Path(name)
        (folder / "settings.toml").write_text(SETTINGS)
        (folder / "other.toml").write_text(OTHER)
        (folder / "study.toml").write_text(STUDY)
        for job, words in JOBS.items():
            secateur(f"{words} --data {cohort} --out {job} --workers 1", folder)
            yield from outcome_rows(job, folder / job)


def outcome_rows(job: str, out: Path) -> Rows:
    """Numbers of a job's `result.json`, or of each run of a study and of its report; probabilities."""
    if (out / "result.json").exists():
        result = json.loads((out / "result.json").read_text())
        for section, value in result.items():
            for path, leaf in leaves({section: value}):
                yield f"jobs/{path}/{job}/result.json {RENAMED.get(section, section)}", leaf
    for path, leaf in leaves(list(study_results(out))):
        yield f"jobs/{path}/{job}/runs", leaf
    report = out / "study.md"
    if report.exists():
        yield f"jobs/all/{job}/study.md numbers", json.dumps(numbers(report.read_text()))
    predictions = out / "predictions.parquet"
    if predictions.exists():
        table = pyarrow.parquet.read_table(predictions)
        for column in table.column_names:
            if pyarrow.types.is_floating(table.schema.field(column).type):
                values = table[column].to_numpy()
                yield f"jobs/{RENAMED.get(column, column)}/{job}/predictions", values


def study_results(out: Path) -> Iterator[dict[str, Any]]:
    """Results of a study's runs, each named by its values on the axes."""
    plan = out / "plan.json"
    for run in json.loads(plan.read_text())["runs"] if plan.exists() else ():
        point = ",".join(f"{axis}={value}" for axis, value in run["at"].items())
        result = json.loads((out / "runs" / f"{run['run']}.json").read_text())
        yield {"name": point, **result}


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Each leaf of JSON with its dotted path; what is volatile is left out.

    Items of a list are named by their `name`, `subject` or `metric`, otherwise by their place.
    """
    if isinstance(value, dict):
        for key, item in ((str(key), item) for key, item in value.items()):
            if key not in VOLATILE:
                yield from leaves(item, (*path, RENAMED.get(key, key)))
    elif isinstance(value, list) and len(path) > 1 and path[-2] == "subjects":
        yield from leaves(dict(zip(ORDERED, value, strict=True)), path)
    elif isinstance(value, list):
        for place, item in enumerate(value):
            inside = item if isinstance(item, dict) else {}
            names = [str(inside[key]) for key in ("name", "subject", "metric") if key in inside]
            name = names[0] if names else str(place)
            yield from leaves(item, (*path, RENAMED.get(name, name)))
    else:
        name = ".".join(path).replace("/", ":")
        for old, new in MOVED:
            name = re.sub(old, new, name)
        yield name, json.dumps(value)


def numbers(text: str) -> list[str]:
    """The numbers of a report in their order, those in words, names of files and versions left out."""
    return re.findall(r"(?<![\w.])[+−-]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?(?![\w.]*\w)", text)


def secateur(words: str, folder: Path) -> None:
    """Run a command of the version that this process runs; a constraint that isn't met is no error."""
    command = [sys.executable, "-m", "secateur", *words.split()]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 2):
        raise SystemExit(f"golden: secateur {words}: {done.stderr[-2000:]}")
