"""What a reader of the result must be told, with its numbers: sentences that stand above every report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from secateur.results.run import ModelResult
from secateur.results.scores import FullTestScores
from secateur.scoring import beaten_by_always
from secateur.scoring.false_alarms import alarm_cost
from secateur.scoring.intervals import minus

_CLASS_LOSS = 0.02
_AS_GOOD = 0.002
_WIDE = 0.03
_RISE = 1.1
RETRAININGS = ("pruned", "scratch", "random", "retrained")


def find_warnings(
    models: Mapping[str, ModelResult],
    records: Mapping[str, Mapping[str, Any]],
    subjects_known: bool = True,
) -> list[str]:
    """All warnings that apply. `records`: the stages' training records, by model."""
    tests = {name: model.test for name, model in models.items() if model.test is not None}
    warnings = [
        *_unequal_loss(tests),
        *_class_losses(tests),
        *_overfitting(records),
        *_controls_as_good(tests),
        *_wide_spread(tests),
        *held_warnings(records["pruned"].get("pruning") or {}),
    ]
    warnings += alarm_warnings(models)
    baseline = tests["baseline"]
    if "these subjects only" in baseline.intervals.what and subjects_known:
        subjects = len(baseline.subjects)
        warnings.append(
            f"only {subjects} test subject{'s' if subjects != 1 else ''}: intervals are over recordings "
            "and speak of these subjects only"
        )
    for name in ("baseline", "pruned"):
        events = tests[name].events
        f1, blind = events.scores["event_f1"], events.always_firing.scores["event_f1"]
        if beaten_by_always(f1, blind):
            own = "none" if f1 is None else f"{f1:.3f}"
            warnings.append(
                f"by event the {name} network is no better than a detector that always fires: F1 {own} "
                f"against {blind:.3f}"
            )
    if baseline.events.note:
        warnings.append(f"event scores: {baseline.events.note}")
    return warnings


def alarm_warnings(models: Mapping[str, ModelResult]) -> Iterator[str]:
    """Where pruning costs false alarms, by data set and paired by person."""
    baseline, pruned = (models[name].test for name in ("baseline", "pruned"))
    if baseline is None or pruned is None:
        return
    theirs = {each.data: each.people for each in baseline.false_alarms}
    for ours in pruned.false_alarms:
        cost = alarm_cost(ours.people, theirs[ours.data])
        if cost is not None and cost.is_shown:
            yield f"pruning costs false alarms on {ours.data}: {cost.words}"


def version_warnings(records: Iterable[Mapping[str, Any]]) -> list[str]:
    """Where stages were computed with one build of torch and others, taken up later, with another."""
    builds = sorted({record["torch"] for record in records if record})
    if len(builds) < 2:
        return []
    return [f"computed with torch {' and '.join(builds)}: last digits may differ between stages"]


Tests = Mapping[str, FullTestScores]


def _unequal_loss(tests: Tests) -> Iterator[str]:
    base, pruned = tests["baseline"].scores, tests["pruned"].scores
    lost = {name: minus(base[name], pruned[name]) for name in ("macro_f1", "accuracy")}
    macro_f1, accuracy = lost["macro_f1"], lost["accuracy"]
    if macro_f1 is not None and accuracy is not None and macro_f1 > max(0.0, accuracy) + 5e-4:
        yield (
            f"macro-F1 fell more than accuracy by pruning: {base['macro_f1']:.4f} to "
            f"{pruned['macro_f1']:.4f} against {base['accuracy']:.4f} to {pruned['accuracy']:.4f}"
        )


def _class_losses(tests: Tests) -> Iterator[str]:
    base, pruned = tests["baseline"].scores, tests["pruned"].scores
    for metric, kind in (("sensitivity", "seizure"), ("specificity", "background")):
        loss = minus(base[metric], pruned[metric])
        if loss is not None and loss > _CLASS_LOSS:
            yield (
                f"the class {kind} lost {100 * loss:.1f} points of {metric} by pruning: "
                f"{base[metric]:.4f} to {pruned[metric]:.4f}"
            )


def _overfitting(records: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for name in ("baseline", "pruned"):
        epochs = records[name]["epochs"]
        lowest = min(epochs, key=lambda epoch: float(epoch["validation_loss"]))
        last = epochs[-1]
        rose = last["validation_loss"] > _RISE * lowest["validation_loss"]
        if rose and last["training_loss"] < lowest["training_loss"]:
            yield (
                f"{name}: validation loss rose from {lowest['validation_loss']:.3f} (epoch "
                f"{lowest['epoch']}) to {last['validation_loss']:.3f} while training loss fell from "
                f"{lowest['training_loss']:.3f} to {last['training_loss']:.3f}; kept is epoch "
                f"{records[name]['best_epoch']}"
            )


def _controls_as_good(tests: Tests) -> Iterator[str]:
    """Controls that the pruned network, or the network at all, should have beaten."""
    for control, other, what, so in (
        (
            "scratch",
            "pruned",
            "the small network trained from scratch scored {} the pruned one",
            "pruning won nothing here but the search for a size",
        ),
        (
            "random",
            "pruned",
            "kernels cut by chance leave a network that scored {} the one pruned by importance",
            "which kernels go did not matter here",
        ),
        (
            "random_forest",
            "baseline",
            "a random forest on band powers scored {} the network",
            "this score can be had without a network",
        ),
    ):
        ours, theirs = tests[control].scores["auroc"], tests[other].scores["auroc"]
        if ours is not None and theirs is not None and ours >= theirs - _AS_GOOD:
            how = "above" if ours > theirs + _AS_GOOD else "as high as"
            yield f"{what.format(how)}: AUROC {ours:.4f} against {theirs:.4f}; {so}"


def held_warnings(pruning: Mapping[str, Any]) -> Iterator[str]:
    """Kernels that no ratio reaches."""
    held = pruning.get("held") or []
    if held:
        kernels = sum(layer["kernels"] for layer in held)
        where = "; ".join(
            f"{layer['kernels']} of {layer['layer']}: {layer['reason']}" for layer in held
        )
        yield (
            f"{kernels} kernels can't go, so of all kernels {100 * pruning['ratio_of_all']:.1f} % went, of "
            f"those that could {100 * pruning['ratio_achieved']:.1f} % ({where})"
        )


def _wide_spread(tests: Tests) -> Iterator[str]:
    scores = (tests[name].scores["auroc"] for name in RETRAININGS)
    values = [score for score in scores if score is not None]
    if values and max(values) - min(values) > _WIDE:
        yield (
            f"scores spread widely over retrainings: AUROC {min(values):.4f} to {max(values):.4f}; "
            "one run is no evidence, use several seeds"
        )
