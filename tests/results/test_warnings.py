from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from secateur.results import AlarmCount, FalseAlarms, ModelResult, load
from secateur.results.warnings import find_warnings, version_warnings


def test_nothing_amiss_nothing_said() -> None:
    models, records = quiet()
    assert find_warnings(models, records) == []


MAIN_JOB = Path(__file__).parent / "files" / "run-of-clips-schema-1.json"
MODELS = ("baseline", "pruned", "scratch", "random", "retrained", "random_forest")


def quiet() -> tuple[dict[str, ModelResult], dict[str, Any]]:
    """A real run's models, with scores that nothing is amiss with."""
    scores = {
        "accuracy": 0.9,
        "macro_f1": 0.85,
        "auroc": 0.95,
        "sensitivity": 0.8,
        "specificity": 0.92,
    }
    result = load(MAIN_JOB)
    models = {name: result.models[name] for name in MODELS}
    for name, auroc in {"scratch": 0.94, "random": 0.94, "random_forest": 0.80}.items():
        models[name] = with_scores(models[name], scores | {"auroc": auroc})
    for name in ("baseline", "pruned", "retrained"):
        models[name] = with_scores(models[name], scores)
    quiet_events = changed(models["baseline"], "events", note=None)
    models["baseline"] = changed(quiet_events, "intervals", what="95 %, bootstrap over subjects")
    epoch = {"epoch": 1, "training_loss": 0.5, "validation_loss": 0.4}
    record = {"epochs": [epoch, {**epoch, "epoch": 2, "training_loss": 0.4}], "best_epoch": 2}
    return models, {"baseline": copy.deepcopy(record), "pruned": copy.deepcopy(record)}


def with_scores(model: ModelResult, scores: Mapping[str, float | None]) -> ModelResult:
    assert model.test is not None
    test = model.test.model_copy(update={"scores": {**model.test.scores, **scores}})
    return model.model_copy(update={"test": test})


def changed(model: ModelResult, part: str, **fields: Any) -> ModelResult:
    assert model.test is not None
    record = getattr(model.test, part).model_copy(update=fields)
    return model.model_copy(update={"test": model.test.model_copy(update={part: record})})


def test_each_warning_comes_with_its_numbers() -> None:
    changes: list[tuple[str, str, Any, list[str]]] = [
        ("pruned", "macro_f1", 0.80, ["macro-F1 fell more than accuracy", "0.8500 to 0.8000"]),
        ("pruned", "sensitivity", 0.77, ["seizure lost 3.0 points", "0.8000 to 0.7700"]),
        ("pruned", "specificity", 0.88, ["background lost 4.0 points", "0.9200 to 0.8800"]),
        ("scratch", "auroc", 0.949, ["from scratch scored as high as", "0.9490 against 0.9500"]),
        ("random", "auroc", 0.96, ["cut by chance", "scored above", "0.9600 against 0.9500"]),
        ("random", "auroc", 0.90, ["spread widely", "0.9000 to 0.9500"]),
        (
            "random_forest",
            "auroc",
            0.96,
            ["random forest", "scored above", "0.9600 against 0.9500"],
        ),
    ]
    for model, metric, value, said in changes:
        models, records = quiet()
        models[model] = with_scores(models[model], {metric: value})
        (warning,) = find_warnings(models, records)
        assert all(part in warning for part in said)


def test_a_rising_validation_loss_is_told() -> None:
    models, records = quiet()
    records["pruned"]["epochs"][1]["validation_loss"] = 0.6
    (warning,) = find_warnings(models, records)
    assert warning.startswith("pruned: validation loss rose from 0.400 (epoch 1) to 0.600")


def test_kernels_that_can_not_go_are_told_with_both_shares() -> None:
    models, records = quiet()
    held = [{"layer": "a", "kernels": 32, "reason": "they are the network's outputs"}]
    pruning = {"held": held, "ratio_achieved": 0.5, "ratio_of_all": 0.1}
    records["pruned"]["pruning"] = pruning
    (warning,) = find_warnings(models, records)
    assert warning == (
        "32 kernels can't go, so of all kernels 10.0 % went, of those that could 50.0 % (32 of a: they "
        "are the network's outputs)"
    )


def test_few_subjects_and_event_notes_are_told() -> None:
    models, records = quiet()
    few = changed(models["baseline"], "intervals", what="95 %, …: these subjects only")
    models["baseline"] = changed(few, "events", note="clips")
    subjects, events = find_warnings(models, records)
    assert subjects.startswith("only 5 test subjects")
    assert events == "event scores: clips"


def test_small_changes_are_not_cried_over() -> None:
    models, records = quiet()
    small = {"sensitivity": 0.79, "specificity": 0.91, "accuracy": 0.89, "macro_f1": 0.845}
    models["pruned"] = with_scores(models["pruned"], small)
    assert find_warnings(models, records) == []


def test_stages_by_several_builds_of_torch_are_told() -> None:
    same = {"torch": "2.13.0+cpu"}
    assert version_warnings([same, same, {}]) == []
    (warning,) = version_warnings([same, {"torch": "2.14.0"}, same])
    assert warning.startswith("computed with torch 2.13.0+cpu and 2.14.0: last digits may differ")


def test_a_network_that_is_no_better_than_always_firing_is_named_and_the_recordings_are_not() -> (
    None
):
    models, records = quiet()
    assert models["pruned"].test is not None
    blind = models["pruned"].test.events.always_firing.scores["event_f1"]
    scores = {**models["pruned"].test.events.scores, "event_f1": blind}
    models["pruned"] = changed(models["pruned"], "events", scores=scores)
    (warning,) = find_warnings(models, records)
    assert warning == (
        "by event the pruned network is no better than a detector that always fires: F1 "
        f"{blind:.3f} against {blind:.3f}"
    )


def test_what_pruning_costs_in_false_alarms_is_told_by_data_set() -> None:
    def with_alarms(model: ModelResult, alarms: int) -> ModelResult:
        people = {f"quiet/p{k}": AlarmCount(alarms=alarms, hours=0.5) for k in range(5)}
        counted = FalseAlarms(
            data="quiet",
            declared_seizure_free=True,
            alarms=5 * alarms,
            hours=2.5,
            per_day=48.0 * alarms,
            interval=None,
            limit=None,
            words="",
            window_share=None,
            subjects=people,
        )
        assert model.test is not None
        return model.model_copy(
            update={"test": model.test.model_copy(update={"false_alarms": (counted,)})}
        )

    models, records = quiet()
    models["baseline"] = with_alarms(models["baseline"], 1)
    models["pruned"] = with_alarms(models["pruned"], 1)
    assert find_warnings(models, records) == []
    models["pruned"] = with_alarms(models["pruned"], 2)
    (warning,) = find_warnings(models, records)
    assert warning == (
        "pruning costs false alarms on quiet: +48 a day by person (48 to 48, 5 people)"
    )
