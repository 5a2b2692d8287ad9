"""What came of a ladder, in sentences; every number is the result's own.

Comes in: what a ladder's result.json holds, and for the methods its settings. Goes out: plain text. Next:
`ladder_sections` and `ladder_card` show it.
"""

from __future__ import annotations

from secateur.certifying import LadderSettings
from secateur.reporting import recipe
from secateur.reporting.ladder_numbers import (
    Rung,
    Told,
    apart,
    between,
    chosen_rung,
    limit,
    metric_of,
    rung_label,
    scored,
    size_of,
    statements_of,
)
from secateur.reporting.style import (
    count,
    kilobytes,
    large,
    milliseconds,
    number,
    percent,
    plain,
    plural,
    share,
)
from secateur.scoring import Statement
from secateur.scoring.metrics import METRICS


def answer(told: Told) -> str:
    """Which rung, how much smaller, what it lost and what is certified; or that none holds."""
    rung = chosen_rung(told)
    return _none_holds(told) if rung is None else f"{_smaller(told, rung)} {_held(told, rung)}"


def judged_on(told: Told) -> str:
    """On whom, to follow "judged on"."""
    people = plural(len(told["baseline"]["certification"]["subjects"]), "subject")
    if told["certified_by"]["how"] == "folds":
        parts = len(told["certified_by"]["parts"])
        return f"{people}, each by networks that had not seen it ({plural(parts, 'fold')})"
    return f"{people} kept for nothing else"


def _ladder(told: Told) -> str:
    labels = [rung_label(rung) for rung in told["ladder"]]
    return "the only rung" if len(labels) == 1 else f"of the ladder {', '.join(labels)}"


def _smaller(told: Told, rung: Rung) -> str:
    base = told["models"]["baseline"]
    whole, kept = (sum(map(int, one["kernels"])) for one in (base, rung))

    def told_as(words: str, before: float | None, after: float | None) -> str:
        return f"{words} ({percent(share(after, before), 1)})"

    times = [size_of(one, "latency_ms") for one in (base, rung)]
    costs = ", ".join(
        told_as(f"{write(rung[key])} of {write(base[key])} {what}", base[key], rung[key])
        for key, what, write in (
            ("parameters", "parameters", count),
            ("macs", "MACs a window", large),
        )
    )
    kernels = told_as(f"{count(kept)} of {count(whole)} kernels", whole, kept)
    file = told_as(
        f"a file of {kilobytes(rung['file_bytes'])} instead of {kilobytes(base['file_bytes'])}",
        base["file_bytes"],
        rung["file_bytes"],
    )
    time = told_as(f"{milliseconds(times[1])} instead of {milliseconds(times[0])} a window", *times)
    held = "is the only one and holds" if len(told["ladder"]) == 1 else "is the last that holds"
    where = "" if len(told["ladder"]) == 1 else f", {_ladder(told)},"
    quantised = ", quantised to 8 bits" if rung["int8"] else ""
    return (
        f"Rung {rung_label(rung)}{where} {held}: with {percent(rung['ratio_achieved'], 1)} of the kernels "
        f"removed{quantised}, the detector has {kernels}, {costs}, {file} and takes {time}."
    )


def _held(told: Told, rung: Rung) -> str:
    confidence = percent(told["certificate"]["constraint"]["confidence"])
    claims = "; ".join(_claim(one, told, rung, confidence) for one in statements_of(rung))
    after = _next_failed(told)
    return f"Judged on {judged_on(told)}: {claims}.{f' {after}' if after else ''}"


def _claim(one: Statement, told: Told, rung: Rung, confidence: str) -> str:
    name = METRICS[one.metric].label
    before = told["baseline"]["certification"]["mean"][one.metric]
    now = rung["certification"]["mean"][one.metric]
    return (
        f"{name} {scored(now, one.metric)} for {scored(before, one.metric)}, a mean loss of "
        f"{limit(one.mean, one.metric)}, and with {confidence} confidence one of at most "
        f"{limit(one.bound, one.metric)} on patients to come (margin {plain(one.margin)}); "
        f"{one.harm.harmed} of {one.harm.n} lost more than the margin"
    )


def _next_failed(told: Told) -> str:
    failed = [rung for rung in told["ladder"] if rung["verdict"] == "failed"]
    if not failed:
        return "No severer rung was tried, so how far one could cut is not known."
    reasons = "; ".join(
        f"{METRICS[one.metric].label}: {one.reason}"
        for one in statements_of(failed[0])
        if one.reason
    )
    return f"The next rung, {rung_label(failed[0])}, does not hold ({reasons})."


def _none_holds(told: Told) -> str:
    first = told["ladder"][0]
    reasons = "; ".join(
        f"{METRICS[one.metric].label}: mean loss {limit(one.mean, one.metric)}, {one.reason}"
        for one in statements_of(first)
        if one.reason
    )
    which = "The only rung" if len(told["ladder"]) == 1 else "The mildest rung"
    needed = " ".join(
        f"{METRICS[one['metric']].label}: {one['words'].partition(': ')[2].rstrip('.')}."
        for one in told["needed"]
    )
    return (
        f"No rung holds, so pruned.onnx is the baseline, uncut. {which}, {rung_label(first)} "
        f"({percent(first['ratio_achieved'], 1)} of the kernels removed), was judged on "
        f"{judged_on(told)}, and could not be shown to hold: {reasons}. Subjects needed: {needed} That a "
        "rung is not certified does not show that it is worse."
    )


def controls_in_words(told: Told) -> list[str]:
    """Which controls do as well as the pruned network or better, plainly."""
    if not any(rung["controls"] for rung in told["ladder"]) and not told["controls"]:
        return [
            "No controls were trained (--controls none): whether pruning does better than a small network "
            "trained from scratch, or than kernels chosen by chance, is not known from this run."
        ]
    metric = metric_of(told)
    found = [
        sentence
        for kind in ("scratch", "scratch-long", "random", "unstructured")
        if (sentence := _as_well(told, kind, metric))
    ]
    found += [
        sentence
        for name, words, why in (
            (
                "retrained",
                "The whole baseline, merely trained once more,",
                " Rungs are retrained too, so as much of what they gain is not owed to cutting.",
            ),
            ("trivial", "A random forest on band powers, which is no network,", ""),
        )
        if (sentence := f"{_whole(told, name, words, metric)}{why}") != why
    ]
    return found


_KINDS = {
    "scratch": ("The same small network trained from scratch", "pruning has not shown its worth"),
    "scratch-long": (
        "The same small network trained from scratch, for as many epochs altogether",
        "pruning has not shown its worth beside longer training",
    ),
    "random": ("Kernels chosen by chance", "choosing them has not shown its worth"),
    "unstructured": (
        "Single weights set to zero",
        "cutting whole kernels costs score, though only that saves time",
    ),
}
"""What a control is, and what follows where it does as well."""


def _as_well(told: Told, kind: str, metric: str) -> str:
    """One sentence on one control over all rungs."""
    equal: list[str] = []
    behind: list[str] = []
    for rung in told["ladder"]:
        one = rung["controls"].get(kind)
        told_mean = None if one is None else one["pruned_minus_control"]["mean"][metric]
        if one is None or told_mean is None:
            continue
        pair = one["pruned_minus_control"]["intervals"][metric]
        words = (
            f"{rung_label(rung)} ({apart(told_mean, metric)} {between(pair, metric, sign=True)})"
        )
        (equal if METRICS[metric].sign * told_mean <= 0 else behind).append(words)
    if not equal and not behind:
        return ""
    name, follows = _KINDS[kind]
    if not equal:
        return f"{name}: the pruned network does better at every rung: {', '.join(behind)}."
    better_at = f" The pruned network does better at {', '.join(behind)}." if behind else ""
    return (
        f"{name}: as good as the pruned network or better at {', '.join(equal)}, so there {follows}."
        f"{better_at}"
    )


def _whole(told: Told, name: str, words: str, metric: str) -> str:
    one = told["controls"].get(name)
    if one is None:
        return ""
    base = told["baseline"]["certification"]["mean"][metric]
    score = one["certification"]["mean"][metric]
    if score is None or base is None:
        return ""
    less = one["minus_baseline"]
    return (
        f"{words} reaches {METRICS[metric].label} {scored(score, metric)}, the baseline "
        f"{scored(base, metric)}: {apart(less['mean'][metric], metric)} "
        f"{between(less['intervals'][metric], metric, sign=True)}."
    )


def which_class(told: Told) -> str:
    """Which class pays at the severest rung, in one sentence."""
    rung = told["ladder"][-1]
    parts = []
    for metric in ("sensitivity", "specificity"):
        less = rung["minus_baseline"]
        parts.append(
            f"{metric} changes by {apart(less['mean'][metric], metric)} "
            f"{between(less['intervals'][metric], metric, sign=True)}"
        )
    return (
        f"At the severest rung, {rung_label(rung)}, {' and '.join(parts)} against the baseline "
        "(inside subjects; in brackets 95 %, bootstrap over subjects)."
    )


def cut_in_words(told: Told) -> str:
    """What was cut, and whether surgery did what it should."""
    rung = chosen_rung(told) or told["ladder"][0]
    asked, done = rung["ratio_requested"], rung["ratio_achieved"]
    return (
        f"Rung {rung_label(rung)}: {percent(asked, 1)} of the kernels were to go, {percent(done, 1)} went. "
        "Largest difference of a logit, on real windows, to the whole network with the same kernels "
        f"silenced: {told['pruning']['equivalence_max_abs_error']:.1e} (float64)."
    )


def methods(told: Told, settings: LadderSettings, channels: int) -> list[str]:
    """Paragraphs: data and signals, network and pruning, judgement. `channels`: of the windows."""
    labels = ", ".join(rung_label(rung) for rung in told["ladder"])
    given = ""
    if told["weights_given"]:
        given = (
            "The baseline’s weights were given in a file, and on whom they were trained is not known; what "
            "is said here of training holds for retraining. "
        )
    network = (
        f"{given}{recipe.network(settings, told['models']['baseline']['parameters'])} "
        f"{recipe.training(settings, channels)} {recipe.cutting(settings.pruning)} So it was for each "
        f"rung ({labels}), from the same baseline."
    )
    return [recipe.signals(told, settings), network, _judgement(told, settings)]


def _judgement(told: Told, settings: LadderSettings) -> str:
    if told["certified_by"]["how"] == "folds":
        who = (
            f"Each subject was judged once, in {len(told['certified_by']['parts'])} folds, by networks "
            "that had not seen it; what is deployed was then made by the same recipe from all subjects "
            "but those kept for validation"
        )
    else:
        who = (
            "The deployed files themselves were judged, on subjects who took no part in training, "
            "selection or thresholds"
        )
    rule = settings.constraint
    share_too = ""
    if rule.harmed_share is not None:
        share_too = f" and that share’s bound at most {percent(rule.harmed_share, 1)}"
    return (
        f"{recipe.threshold(settings)}. {who}. A subject’s loss is the baseline’s score minus the pruned "
        "network’s; losses are averaged over subjects, unweighted. A rung holds where for every score "
        f"with a margin the one-sided {percent(rule.confidence)} upper bound on the mean loss, the larger "
        "of Student’s t and bootstrap-t over subjects, lies below the margin"
        f"{share_too}; the share of patients who lose more than the margin is bounded after Clopper and "
        "Pearson. Rungs were fixed beforehand and tested in order, each at the full level, until one "
        f"failed. {recipe.events(told)} {recipe.LATENCY}"
    )


def realised(told: Told) -> str:
    """How much of what is saved in MACs is saved in time, at the answer or the mildest rung."""
    rung = chosen_rung(told) or told["ladder"][0]
    base = told["models"]["baseline"]
    fewer = share(base["macs"], rung["macs"])
    faster = share(size_of(base, "latency_ms"), size_of(rung, "latency_ms"))
    return (
        f"Rung {rung_label(rung)} needs {number(fewer, 1)} times fewer MACs than the baseline and runs "
        f"{number(faster, 1)} times as fast: {percent(share(faster, fewer))} of the saving is realised."
    )
