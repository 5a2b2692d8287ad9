"""What came of a ladder, in sentences; every number is the result's own.

Comes in: what a ladder's result.json holds. Goes out: plain text. Next: `ladder_sections` and `ladder_card`
show it.
"""

from __future__ import annotations

from secateur.reporting.ladder_figures import CONTROL_NAMES, size_of
from secateur.reporting.ladder_numbers import (
    Rung,
    Told,
    better,
    chosen_rung,
    limit,
    metric_of,
    rung_label,
    scored,
    statements_of,
)
from secateur.reporting.style import (
    JUDGED_NAMES,
    bounds,
    count,
    kilobytes,
    large,
    milliseconds,
    number,
    percent,
    plural,
    share,
    signed,
)
from secateur.scoring import Statement


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
    pairs = (
        ("kernels", whole, kept, count),
        ("parameters", base["parameters"], rung["parameters"], count),
        ("MACs a window", base["macs"], rung["macs"], large),
        ("as a file", base["file_bytes"], rung["file_bytes"], kilobytes),
        ("a window", size_of(base, "latency_ms"), size_of(rung, "latency_ms"), milliseconds),
    )
    costs = ", ".join(
        f"{write(after)} {what} for {write(before)} ({percent(share(after, before), 1)})"
        for what, before, after, write in pairs
    )
    held = "is the only one and holds" if len(told["ladder"]) == 1 else "is the last that holds"
    where = "" if len(told["ladder"]) == 1 else f", {_ladder(told)},"
    quantised = ", quantised to 8 bits" if rung["int8"] else ""
    return (
        f"Rung {rung_label(rung)}{where} {held}: with {percent(rung['ratio_achieved'], 1)} of the kernels "
        f"removed{quantised}, the detector has {costs}."
    )


def _held(told: Told, rung: Rung) -> str:
    confidence = percent(told["certificate"]["constraint"]["confidence"])
    claims = "; ".join(_claim(one, told, rung, confidence) for one in statements_of(rung))
    after = _next_failed(told)
    return f"Judged on {judged_on(told)}: {claims}.{f' {after}' if after else ''}"


def _claim(one: Statement, told: Told, rung: Rung, confidence: str) -> str:
    name = JUDGED_NAMES[one.metric]
    before = told["baseline"]["certification"]["mean"][one.metric]
    now = rung["certification"]["mean"][one.metric]
    return (
        f"{name} {scored(now, one.metric)} for {scored(before, one.metric)}, a mean loss of "
        f"{limit(one.mean, one.metric)}, and with {confidence} confidence one of at most "
        f"{limit(one.bound, one.metric)} on patients to come (margin {limit(one.margin, one.metric)}); "
        f"{one.harm.harmed} of {one.harm.n} lost more than the margin"
    )


def _next_failed(told: Told) -> str:
    failed = [rung for rung in told["ladder"] if rung["verdict"] == "failed"]
    if not failed:
        return "No severer rung was tried, so how far one could cut is not known."
    reasons = "; ".join(
        f"{JUDGED_NAMES[one.metric]}: {one.reason}"
        for one in statements_of(failed[0])
        if one.reason
    )
    return f"The next rung, {rung_label(failed[0])}, does not hold ({reasons})."


def _none_holds(told: Told) -> str:
    first = told["ladder"][0]
    reasons = "; ".join(
        f"{JUDGED_NAMES[one.metric]}: mean loss {limit(one.mean, one.metric)}, {one.reason}"
        for one in statements_of(first)
        if one.reason
    )
    which = "The only rung" if len(told["ladder"]) == 1 else "The mildest rung"
    needed = " ".join(f"{one['words'].rstrip('.')}." for one in told["needed"])
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
        for kind in ("scratch", "random", "unstructured")
        if (sentence := _as_well(told, kind, metric))
    ]
    found += [
        sentence
        for name, words in (
            ("retrained", "The whole baseline, merely trained once more,"),
            ("trivial", "A random forest on band powers, which is no network,"),
        )
        if (sentence := _whole(told, name, words, metric))
    ]
    return found


_KINDS = {
    "scratch": "the same small network trained from scratch",
    "random": "kernels chosen by chance",
    "unstructured": "single weights set to zero (which saves no time)",
}


def _as_well(told: Told, kind: str, metric: str) -> str:
    """One sentence on one control over all rungs."""
    equal: list[str] = []
    apart: list[str] = []
    for rung in told["ladder"]:
        one = rung["controls"].get(kind)
        told_mean = None if one is None else one["pruned_minus_control"]["mean"][metric]
        if one is None or told_mean is None:
            continue
        pair = one["pruned_minus_control"]["intervals"][metric]
        words = f"{rung_label(rung)} ({signed(told_mean)} {bounds(pair, sign=True)})"
        (equal if better(metric) * told_mean <= 0 else apart).append(words)
    if not equal and not apart:
        return ""
    name = _KINDS[kind]
    head = f"{name[0].upper()}{name[1:]}: "
    if not equal:
        return f"{head}the pruned network does better at every rung: {', '.join(apart)}."
    better_at = f" The pruned network does better at {', '.join(apart)}." if apart else ""
    return (
        f"{head}as good as the pruned network or better at {', '.join(equal)}, so there pruning has not "
        f"shown its worth.{better_at}"
    )


def _whole(told: Told, name: str, words: str, metric: str) -> str:
    one = told["controls"].get(name)
    if one is None:
        return ""
    base = told["baseline"]["certification"]["mean"][metric]
    score = one["certification"]["mean"][metric]
    if score is None or base is None:
        return ""
    apart = one["minus_baseline"]
    return (
        f"{words} reaches {JUDGED_NAMES[metric]} {scored(score, metric)}, the baseline "
        f"{scored(base, metric)}: {signed(apart['mean'][metric])} "
        f"{bounds(apart['intervals'][metric], sign=True)}."
    )


def which_class(told: Told) -> str:
    """Which class pays at the severest rung, in one sentence."""
    rung = told["ladder"][-1]
    parts = []
    for metric in ("sensitivity", "specificity"):
        apart = rung["minus_baseline"]
        parts.append(
            f"{metric} by {signed(apart['mean'][metric])} "
            f"{bounds(apart['intervals'][metric], sign=True)}"
        )
    return (
        f"At the severest rung, {rung_label(rung)}, {' and '.join(parts)} differ from the baseline’s "
        "(inside subjects; in brackets 95 %, bootstrap over subjects)."
    )


def settings_in_words(told: Told) -> str:
    """How networks were cut and retrained."""
    told_how = told["pruning"]
    there = told["ladder"][0]["controls"]
    names = ", ".join(CONTROL_NAMES[kind] for kind in CONTROL_NAMES if kind in there)
    steps = "at once" if told_how["steps"] == 1 else f"in {told_how['steps']} steps"
    return (
        f"Importance {told_how['importance']}, allocation {told_how['allocation']}, cut {steps}, retrained "
        f"by {told_how['retrain']}; largest difference of a logit to the whole network with the same "
        f"kernels silenced {told_how['equivalence_max_abs_error']:.1e} (float64). Controls: "
        f"{names or 'none'}."
    )


def realised(told: Told) -> str:
    """How much of what is saved in MACs is saved in time, at the answer or the mildest rung."""
    rung = chosen_rung(told) or told["ladder"][0]
    base = told["models"]["baseline"]
    fewer = share(base["macs"], rung["macs"])
    faster = share(size_of(base, "latency_ms"), size_of(rung, "latency_ms"))
    return (
        f"At rung {rung_label(rung)} {number(fewer, 1)} times fewer MACs make the network "
        f"{number(faster, 1)} times faster: {percent(share(faster, fewer))} of it is realised."
    )
