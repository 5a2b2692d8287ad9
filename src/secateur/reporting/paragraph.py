"""What was done and what came out, in sentences for a methods section.

Comes in: a `RunResult`. Goes out: plain text; every number is the run's own. Next: `sections` and
`model_card` show it.
"""

from __future__ import annotations

from secateur.reporting import recipe
from secateur.reporting.splits import divided, how_chosen, prevalence, unseen
from secateur.reporting.style import (
    bounds,
    count,
    number,
    percent,
    plural,
    share,
    signed,
)
from secateur.runs import RunResult


def methods(result: RunResult) -> list[str]:
    """Paragraphs: data and signals, network and pruning, evaluation."""
    return [_data(result), _network(result), _evaluation(result)]


def outcome(result: RunResult) -> str:
    """What came out, in two sentences and no praise."""
    base, pruned = (result.result["models"][name] for name in ("baseline", "pruned"))
    told = pruned["minus_baseline"]
    inside = told["by_subject"]
    before, after = (one["test"]["by_subject"]["auroc"] for one in (base, pruned))
    cut = percent(share(pruned["parameters"], base["parameters"]))
    macs = percent(share(pruned["macs"], base["macs"]))
    return (
        f"The pruned network has {count(pruned['parameters'])} of {count(base['parameters'])} "
        f"parameters ({cut}) and needs {macs} of the multiplications. On the test subjects its "
        f"AUROC (mean over subjects) is {number(after)}, the baseline’s {number(before)}: a difference "
        f"of {signed(inside['difference']['auroc'])} {bounds(inside['intervals']['auroc'], sign=True)} "
        f"inside subjects, and over all windows together of {signed(told['difference']['auroc'])} "
        f"{bounds(told['intervals']['auroc'], sign=True)} ({told['what']})."
    )


def _data(result: RunResult) -> str:
    return (
        f"{recipe.signals(result.result, result.settings)} "
        f"{divided(result.result['split'])}: {_sides(result)}."
    )


def _sides(result: RunResult) -> str:
    split = result.result["split"]
    told = []
    for side, verb in (("training", "train"), ("validation", "validate"), ("test", "test")):
        one = split["counts"][side]
        known = split["crossing"]["known"]
        who = plural(
            *((len(split[side]), "subject") if known else (one["recordings"], "recording"))
        )
        told.append(
            f"{who} to {verb} ({count(one['windows'])} windows, "
            f"{count(one['ictal_windows'])} ictal)"
        )
    test = result.material.test_cohort
    how = how_chosen(split, None if test is None else test.name)
    thinned = ""
    if split["prevalence"]["asked"] is not None:
        thinned = f"; ictal are {prevalence(split)}"
    return f"{told[0]}, {told[1]} and {told[2]}; {how}{thinned}"


def _apart(result: RunResult) -> str:
    """Whether what was tested on is new to the network."""
    if unseen(result.result["split"]):
        return "the test subjects took no part in training, selection or thresholds"
    return "the test windows took no part in it, their subjects did"


def _network(result: RunResult) -> str:
    settings, models = result.settings, result.result["models"]
    pruning = result.result["pruning"]
    cuts = ", ".join(
        f"{before} to {after}"
        for before, after in zip(
            models["baseline"]["kernels"], models["pruned"]["kernels"], strict=True
        )
    )
    channels = result.material.sides["training"].channels
    return (
        f"{recipe.network(settings, models['baseline']['parameters'])} "
        f"{recipe.training(settings, channels)} {recipe.cutting(settings.pruning)} "
        f"{percent(pruning['ratio_requested'])} of the kernels were to go, "
        f"{percent(pruning['ratio_achieved'], 1)} went ({cuts} kernels). On real windows the "
        f"smaller network gave what the whole one gives with those kernels silenced (largest difference "
        f"of a logit {pruning['equivalence_max_abs_error']:.1e}, float64). As controls stand a network "
        "of the pruned size trained from scratch, the same allocation with kernels chosen at random, the "
        "baseline retrained as long, and a random forest on band powers, line length and variance."
    )


def _evaluation(result: RunResult) -> str:
    test = result.result["models"]["baseline"]["test"]
    return (
        f"{recipe.threshold(result.settings)}; {_apart(result)}. Scores are given over all "
        "test windows together (pooled) and as the unweighted mean over test subjects. Intervals of "
        f"pooled scores: {test['intervals']['what']}; those of means over subjects: 95 %, bootstrap "
        f"over subjects, not given for fewer than five. "
        f"{recipe.events(result.result)} {recipe.LATENCY}"
    )
