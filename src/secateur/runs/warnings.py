"""What a reader of the result must be told, with its numbers.

Comes in: the models' reports and training records. Goes out: sentences. Next: `result` stores them,
the report shows them at the top.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from secateur.runs.data import Material

_OTHER_PREVALENCE = 0.05
_CLASS_LOSS = 0.02
_AS_GOOD = 0.002
_WIDE = 0.03
_RISE = 1.1
_NAMED = 5
"""Recordings of implausible amplitude that warnings name; the notes name all."""
RETRAININGS = ("pruned", "scratch", "random", "retrained")


def find_warnings(
    models: Mapping[str, Mapping[str, Any]],
    records: Mapping[str, Mapping[str, Any]],
    subjects_known: bool = True,
) -> list[str]:
    """All warnings that apply. `models` as in result.json; `records`: the stages' training records."""
    tests = {name: model["test"] for name, model in models.items()}
    found = [
        *_unequal_loss(tests),
        *_class_losses(tests),
        *_overfitting(records),
        *_controls_as_good(tests),
        *_wide_spread(tests),
        *_held(records["pruned"].get("pruning") or {}),
    ]
    what = tests["baseline"]["intervals"]["what"]
    if "these subjects only" in what and subjects_known:
        subjects = len(tests["baseline"]["by_subject"]["subjects"])
        found.append(
            f"only {subjects} test subject{'s' if subjects != 1 else ''}: intervals are over recordings "
            "and speak of these subjects only"
        )
    note = tests["baseline"]["events"]["note"]
    if note:
        found.append(f"event scores: {note}")
    return found


def split_warnings(material: Material) -> list[str]:
    """What the split lets through, and where a side's share of ictal windows is not the data's own."""
    found = []
    if material.crossing.words:
        found.append(
            f"{material.crossing.words}; scores speak of these people and not of new patients"
        )
    filled = {key for key, note in material.notes if "filled with zeros" in note}
    if filled:
        found.append(
            f"channels that were missing are zeros in {len(filled)} of {len(material.whole)} recordings; "
            "the notes say which"
        )
    found += [f"{key}: {note}" for key, note in material.notes if "amplitude is" in note][:_NAMED]
    told = material.prevalence
    if abs(told["test"] - told["natural"]) > _OTHER_PREVALENCE and material.split.unit == "window":
        found.append(
            f"the test side was thinned: {100 * told['test']:.1f} % of its windows are ictal, "
            f"{100 * told['natural']:.1f} % of all; accuracy, precision and F1 depend on that share"
        )
    return found + list(material.split.notes)


Tests = Mapping[str, Mapping[str, Any]]


def _unequal_loss(tests: Tests) -> Iterator[str]:
    base, pruned = tests["baseline"], tests["pruned"]
    fell = {
        name: base[name] - pruned[name]
        for name in ("macro_f1", "accuracy")
        if base[name] is not None and pruned[name] is not None
    }
    if len(fell) == 2 and fell["macro_f1"] > max(0.0, fell["accuracy"]) + 5e-4:
        yield (
            f"macro-F1 fell more than accuracy by pruning: {base['macro_f1']:.4f} to "
            f"{pruned['macro_f1']:.4f} against {base['accuracy']:.4f} to {pruned['accuracy']:.4f}"
        )


def _class_losses(tests: Tests) -> Iterator[str]:
    base, pruned = tests["baseline"], tests["pruned"]
    for metric, kind in (("sensitivity", "seizure"), ("specificity", "background")):
        before, after = base[metric], pruned[metric]
        if before is not None and after is not None and before - after > _CLASS_LOSS:
            yield (
                f"the class {kind} lost {100 * (before - after):.1f} points of {metric} by pruning: "
                f"{before:.4f} to {after:.4f}"
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
            "trivial",
            "baseline",
            "a random forest on band powers scored {} the network",
            "this score can be had without a network",
        ),
    ):
        ours, theirs = tests[control]["auroc"], tests[other]["auroc"]
        if ours is not None and theirs is not None and ours >= theirs - _AS_GOOD:
            how = "above" if ours > theirs + _AS_GOOD else "as high as"
            yield f"{what.format(how)}: AUROC {ours:.4f} against {theirs:.4f}; {so}"


def _held(pruning: Mapping[str, Any]) -> Iterator[str]:
    """Kernels that no ratio reaches."""
    held = pruning.get("held") or []
    if held:
        kernels = sum(one["kernels"] for one in held)
        where = "; ".join(f"{one['kernels']} of {one['layer']}: {one['reason']}" for one in held)
        yield (
            f"{kernels} kernels can't go, so of all kernels {100 * pruning['ratio_of_all']:.1f} % went, of "
            f"those that could {100 * pruning['ratio_achieved']:.1f} % ({where})"
        )


def _wide_spread(tests: Tests) -> Iterator[str]:
    values = [tests[name]["auroc"] for name in RETRAININGS if tests[name]["auroc"] is not None]
    if values and max(values) - min(values) > _WIDE:
        yield (
            f"scores spread widely over retrainings: AUROC {min(values):.4f} to {max(values):.4f}; "
            "one run is no evidence, use several seeds"
        )
