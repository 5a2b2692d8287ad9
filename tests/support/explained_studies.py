"""Results of explained runs that are made up, as those of `made_up_studies`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.support.made_up_studies import PEOPLE

MILLISECONDS = {"baseline": 1.0, "pruned": 0.4}
"""Of an inference; a hop of the shared pass takes a quarter."""
MULTIPLES = {"contributions": 1.25, "gradient": 3.0, "shap": 400.0}
CHANNELS = 8


def explained(at: Mapping[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    """A run's result with explanations: the pruned network's maps are the whole one's with two channels
    swapped, those of labels at random are turned round. Every seed divides people alike.
    """
    at_random = at.get("detector") == "at random"
    seed, fold = int(at.get("seed", 1)), int(at.get("fold", 1))
    settings = {
        "seed": seed,
        "windows": {"hop": 1.0},
        "training": {"labels_at_random": True} if at_random else {},
        "pruning": {"retrain": "finetune"},
    }
    people = list(PEOPLE[4 * (fold - 1) : 4 * fold])
    for model in result["models"].values():
        scores = model["test"]["subjects"].values()
        model["test"]["subjects"] = dict(zip(people, scores, strict=True))
    sides = {"test": people, "training": sorted({*PEOPLE} - {*people}), "seed": 1}
    return {
        **result,
        "kind": "explain",
        "settings": settings,
        "split": {**result["split"], **sides},
        "explained": {
            model: {
                "costs": _costs(MILLISECONDS[model]),
                "peak_bytes": {"inference": 70_000_000, "gradient": 74_000_000},
                "events": [
                    _event(name, _map(seed, fold, model, at_random=at_random)) for name in people
                ],
                "notes": [],
            }
            for model in ("baseline", "pruned")
        },
    }


def _map(seed: int, fold: int, model: str, *, at_random: bool) -> list[float]:
    values = [float((channel * 3 + fold) % CHANNELS) for channel in range(CHANNELS)]
    if seed == 2:
        values[0], values[1], values[2] = values[1], values[2], values[0]
    if at_random:
        values = [-value for value in values]
    if model == "pruned":
        values[3], values[4] = values[4], values[3]
    return values


def _times(milliseconds: float) -> dict[str, Any]:
    latency = {"median": milliseconds, "p99": 2 * milliseconds}
    return {
        "calls": 10,
        "processor": latency,
        "elapsed": {"median": 1.5 * milliseconds, "p99": 9.0},
    }


def _costs(milliseconds: float) -> dict[str, Any]:
    macs = round(1_000_000 * milliseconds)
    inference = {
        "times": _times(milliseconds),
        "macs": macs,
        "bytes_moved": macs // 10,
        "evaluations": 1,
        "energy": [],
    }
    methods = {"inference": inference}
    for method, multiple in MULTIPLES.items():
        methods[method] = {
            **inference,
            "times": _times(multiple * milliseconds),
            "macs": round(multiple * macs),
        }
    return {"methods": methods, "hop": _times(milliseconds / 4), "macs_a_hop": macs // 4}


def _event(subject: str, values: list[float]) -> dict[str, Any]:
    own = {"by_channel": values, "fall": 2.0, "rise": 3.0}
    return {
        "subject": subject,
        "recording": f"{subject}/run-01",
        "onset": 12.0,
        "margin": 4.0,
        "reference": -1.0,
        "amplitude": [1.5, 2.0],
        "chance": [1.0, 1.0],
        "methods": {"gradient": own, "shap": own},
    }
