"""Results as the dictionaries of schema 1, which the benchmarks' stored runs have."""

from __future__ import annotations

from typing import Any

from secateur.results.ladder import LadderResult
from secateur.results.run import Heading, ModelResult
from secateur.results.scores import EVENT, EventCounts, FullTestScores

Tables = dict[str, Any]


def as_tables(result: Heading) -> Tables:
    """`result` with the keys that `result.json` had up to schema 1."""
    tables = result.model_dump(mode="json", exclude={"settings", "contents", "versions"})
    split = tables["split"]
    split["crossing"] = split.pop("leakage")
    for side in ("test", "certification"):
        if split[side] is None:
            del split[side]
    tables |= {
        "secateur": result.versions.secateur,
        "timescoring": result.versions.timescoring,
        "models": {name: _model(model) for name, model in result.models.items()},
    }
    if isinstance(result, LadderResult):
        tables["sensitivity"] = tables.pop("masking")
        tables["needed"] = [
            {**one, "words": needed.words}
            for one, needed in zip(tables["needed"], result.needed, strict=True)
        ]
    return tables


def _model(model: ModelResult) -> Tables:
    tables = model.model_dump(mode="json")
    if model.after_epochs is not None:
        for after in tables["after_epochs"].values():
            after |= after.pop("scores")
            after.pop("windows")
    if model.test is not None:
        tables["test"] = _test(model.test)
    if model.minus_baseline is not None:
        minus = tables["minus_baseline"]
        minus["by_subject"] = {
            "difference": minus.pop("mean_of_subjects"),
            "intervals": minus.pop("intervals_of_subjects"),
        }
    return tables


def _test(test: FullTestScores) -> Tables:
    tables = test.model_dump(mode="json")
    events = {
        name: tables["events"][name]
        for name in ("delay_median", "delay_p90", "timescoring", "note")
    }
    return {
        **tables["scores"],
        **{name: tables[name] for name in ("confusion", "threshold", "windows")},
        "at_0.5": {**tables["at_half"]["scores"], "confusion": tables["at_half"]["confusion"]},
        "by_subject": {
            **tables["mean_of_subjects"],
            "subjects": [
                {"subject": name, **scores} for name, scores in tables["subjects"].items()
            ],
        },
        "intervals": {
            "what": test.intervals.what,
            "pooled": tables["intervals"]["pooled"],
            "by_subject": tables["intervals"]["mean_of_subjects"],
        },
        "events": {
            **_counts(test.events),
            **events,
            "samples": _counts(test.events.samples),
            "always_firing": _counts(test.events.always_firing),
        },
    }


def _counts(counts: EventCounts) -> Tables:
    return {
        **{name: getattr(counts, name) for name in ("tp", "fp", "ref")},
        **{key.removeprefix(EVENT): value for key, value in counts.scores.items()},
    }
