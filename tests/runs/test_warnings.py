from __future__ import annotations

import copy
from typing import Any

from secateur.runs.warnings import find_warnings


def test_nothing_amiss_nothing_said() -> None:
    models, records = quiet()
    assert find_warnings(models, records) == []


def quiet() -> tuple[dict[str, Any], dict[str, Any]]:
    test = {
        "accuracy": 0.9,
        "macro_f1": 0.85,
        "auroc": 0.95,
        "sensitivity": 0.8,
        "specificity": 0.92,
        "intervals": {"what": "95 %, bootstrap over subjects"},
        "events": {"note": None},
        "by_subject": {"subjects": [{}] * 6},
    }
    models = {
        name: {"test": copy.deepcopy(test)}
        for name in ("baseline", "pruned", "scratch", "random", "retrained", "trivial")
    }
    for control in ("scratch", "random"):
        models[control]["test"]["auroc"] = 0.94
    models["trivial"]["test"]["auroc"] = 0.80
    epoch = {"epoch": 1, "training_loss": 0.5, "validation_loss": 0.4}
    record = {"epochs": [epoch, {**epoch, "epoch": 2, "training_loss": 0.4}], "best_epoch": 2}
    return models, {"baseline": copy.deepcopy(record), "pruned": copy.deepcopy(record)}


def test_each_warning_comes_with_its_numbers() -> None:
    changes: list[tuple[str, str, Any, list[str]]] = [
        ("pruned", "macro_f1", 0.80, ["macro-F1 fell more than accuracy", "0.8500 to 0.8000"]),
        ("pruned", "sensitivity", 0.77, ["seizure lost 3.0 points", "0.8000 to 0.7700"]),
        ("pruned", "specificity", 0.88, ["background lost 4.0 points", "0.9200 to 0.8800"]),
        ("scratch", "auroc", 0.949, ["from scratch scored as high as", "0.9490 against 0.9500"]),
        ("random", "auroc", 0.96, ["cut by chance", "scored above", "0.9600 against 0.9500"]),
        ("random", "auroc", 0.90, ["spread widely", "0.9000 to 0.9500"]),
        ("trivial", "auroc", 0.96, ["random forest", "scored above", "0.9600 against 0.9500"]),
    ]
    for model, metric, value, said in changes:
        models, records = quiet()
        models[model]["test"][metric] = value
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
    models["baseline"]["test"]["intervals"]["what"] = "95 %, …: these subjects only"
    models["baseline"]["test"]["events"]["note"] = "clips"
    one, other = find_warnings(models, records)
    assert one.startswith("only 6 test subjects")
    assert other == "event scores: clips"


def test_small_changes_are_not_cried_over() -> None:
    models, records = quiet()
    models["pruned"]["test"].update(
        sensitivity=0.79, specificity=0.91, accuracy=0.89, macro_f1=0.845
    )
    assert find_warnings(models, records) == []
