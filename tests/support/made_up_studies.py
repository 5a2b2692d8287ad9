"""Studies whose results are made up, for tests of what is made of results: no network, no recording."""

from __future__ import annotations

import hashlib
import itertools
import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from secateur.results import read_study_run
from secateur.scoring import window_metrics
from secateur.studies import Plan, read_study
from secateur.studies.file import REPEATS

Changes = Callable[[Mapping[str, Any], dict[str, Any]], dict[str, Any] | str | None]
"""From a run's place on the axes and its result: another result, a failure's reason, or none yet."""

PEOPLE = tuple(f"Made up/sub-{number:02}" for number in range(1, 13))


def plan_of(text: str, folder: Path) -> Plan:
    """A plan of a study file's text, with names as good as any."""
    path = folder / "made-up.toml"
    path.write_text(text, encoding="utf-8")
    study = read_study(path)
    runs = []
    for values in itertools.product(*study.axes.values()):
        at = dict(zip(study.axes, values, strict=True))
        if any(all(at.get(k) == v for k, v in skip.items()) for skip in study.skip):
            continue
        runs.append((hashlib.sha256(repr(at).encode()).hexdigest()[:16], at))
    return Plan(study, tuple(runs), {"data": "recordings"}, "secateur study made-up.toml")


def fill(plan: Plan, folder: Path, change: Changes = lambda _, result: result) -> Path:
    """Results of a plan's runs, by chance with a seed of their own, and as `change` has them."""
    for name, at in plan.runs:
        result = change(at, _result(name, at))
        if result is None:
            continue
        failed = isinstance(result, str)
        content = {"run": name, "error": result} if isinstance(result, str) else result
        path = folder / ("failed" if failed else "runs") / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
        if not failed:
            read_study_run(path.read_bytes(), name)  # what is made up is a result, too
    return folder


def _result(name: str, at: Mapping[str, Any]) -> dict[str, Any]:
    seed, fold = int(at.get("seed", 0)), int(at.get("fold", 1))
    people = sorted(PEOPLE, key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest())
    test = sorted(people[4 * (fold - 1) : 4 * fold])
    training = sorted(set(people) - set(test))
    axes = {key: value for key, value in at.items() if key not in REPEATS}
    before = _model(random.Random(f"{seed} {fold}"), test, 0.0)
    loss = 0.02 * float(axes.get("ratio", 0.5))
    after = _model(random.Random(f"{seed} {fold} {axes}"), test, loss)
    return {
        "schema": 2,
        "run": name,
        "kind": "run",
        "settings": {"seed": seed},
        "contents": {"data": "made up"},
        "versions": {
            "secateur": "0.0",
            "result": 5,
            "chain": 3,
            "torch": "2.0",
            "timescoring": "0.0.7",
        },
        "processor": "x86_64",
        "seconds": {"material": 0.5, "baseline": 9.0, "pruned": 4.0},
        "where": ["data", None],
        "data": {
            "name": "Made up",
            "subjects": 12,
            "recordings": 24,
            "seizures": 36,
            "background": "post-ictal background only",
            "simulated": True,
        },
        "split": {
            "training": training,
            "validation": [],
            "test": test,
            "by": "subject",
            "unit": "subject",
            "fold": fold,
            "seed": seed,
            "counts": {"training": _side(800), "test": _side(400)},
        },
        "problems": 0,
        "models": {"baseline": before, "pruned": after},
        "pruning": None,
        "ladder": None,
    }


def _side(windows: int) -> dict[str, int]:
    return {"recordings": 8, "seizures": 12, "windows": windows, "ictal_windows": windows // 2}


def _model(chance: random.Random, test: list[str], loss: float) -> dict[str, Any]:
    def score() -> float:
        return min(0.999, max(0.01, chance.gauss(0.85 - loss, 0.03)))

    epochs = chance.randrange(4, 9)
    return {
        "parameters": 1000,
        "macs": 200_000,
        "file_bytes": 5000,
        "kernels": [4, 8],
        "best_epoch": epochs - 1,
        "test": {
            "scores": {metric: score() for metric in window_metrics()},
            "threshold": 0.5,
            "windows": 400,
            "subjects": {name: {metric: score() for metric in window_metrics()} for name in test},
            "events": {
                "tp": 3,
                "fp": 1,
                "ref": 4,
                "scores": {
                    "event_sensitivity": score(),
                    "event_precision": score(),
                    "event_f1": score(),
                    "fp_per_day": 20 * score(),
                },
            },
        },
        "epochs": {
            key: [round(score(), 6) for _ in range(epochs)]
            for key in ("training_loss", "validation_loss", "validation_macro_f1")
        },
        "groups": {},
        "after_epochs": None,
    }
