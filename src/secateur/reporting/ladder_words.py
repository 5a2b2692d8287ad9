"""What is said of a ladder: its answer, what controls did, which class pays, how it was done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secateur.counts import plural
from secateur.reporting import methods
from secateur.reporting.document import (
    Cell,
    count,
    difference,
    kilobytes,
    large,
    milliseconds,
    number,
    percent,
    plain,
    share,
    signed,
)
from secateur.reporting.ladder_figures import (
    chosen_rung,
    first_metric,
    rung_label,
    size_of,
)
from secateur.results import Judged, LadderResult, Rung
from secateur.scoring import Statement
from secateur.scoring.metrics import METRICS

if TYPE_CHECKING:
    from secateur import certifying


def limit_of(value: float | None, metric: str) -> str:
    """A bound or margin, with as many decimals as margins have."""
    return number(value, METRICS[metric].loss_digits)


def loss_of(value: float | None, metric: str) -> str:
    """A loss with its sign, as finely."""
    return signed(value, METRICS[metric].loss_digits)


def score_of(judged: Judged, metric: str) -> str:
    """The mean over those who were judged."""
    return number(judged.certification.mean[metric], METRICS[metric].digits)


def confidence_of(result: LadderResult) -> str:
    """Of the certificate, in percent: 95 % or 97.5 %."""
    return f"{plain(100 * result.certificate.constraint.confidence)}\u00a0%"


def answer(result: LadderResult) -> str:
    """Which rung, how much smaller, what it lost and what is certified; or that none holds."""
    rung = chosen_rung(result)
    if rung is None:
        return _none_holds(result)
    claims = "; ".join(_claim(each, result, rung) for each in rung.statements)
    return (
        f"{_smaller(result, rung)} Judged on {judged_on(result)}: {claims}. {_next_failed(result)}"
    )


def folds_of(result: LadderResult) -> str:
    """Into how many folds, and how often."""
    repeats = result.certified_by.repeats
    again = "" if repeats == 1 else f", dealt anew {repeats} times"
    return f"{plural(result.certified_by.folds, 'fold')}{again}"


def how_bounded(result: LadderResult) -> str:
    """How the bound that decides was come by, to follow "upper bound"."""
    if result.certificate.rules == 1:
        return "the larger of Student’s t and bootstrap-t over subjects"
    return (
        "against the baseline and against it retrained as long, crossed random effects of subject and "
        "fold’s training with critical values calibrated by simulation"
    )


def judged_on(result: LadderResult) -> str:
    """On whom, to follow "judged on"."""
    people = plural(len(result.baseline.certification.subjects), "subject")
    if result.certified_by.how == "folds":
        folds = folds_of(result)
        return f"{people}, each by networks that had not seen it ({folds})"
    return f"{people} kept for nothing else"


def _smaller(result: LadderResult, rung: Rung) -> str:
    base = result.models["baseline"]

    def of(words: str, before: float | None, after: float | None) -> str:
        return f"{words} ({percent(share(after, before), 1)})"

    before, kept = (sum(model.kernels or ()) for model in (base, rung))
    times = [size_of(model, "latency_ms") for model in (base, rung)]
    costs = ", ".join(
        of(f"{write(after)} of {write(cost)} {what}", cost, after)
        for cost, after, what, write in (
            (base.parameters, rung.parameters, "parameters", count),
            (base.macs, rung.macs, "MACs a window", large),
        )
    )
    kernels = of(f"{count(kept)} of {count(before)} kernels", before, kept)
    files = f"a file of {kilobytes(rung.file_bytes)} instead of {kilobytes(base.file_bytes)}"
    file = of(files, base.file_bytes, rung.file_bytes)
    time = of(f"{milliseconds(times[1])} instead of {milliseconds(times[0])} a window", *times)
    alone = len(result.ladder) == 1
    held = "is the only one and holds" if alone else "is the last that holds"
    labels = ", ".join(rung_label(each) for each in result.ladder)
    where = "" if alone else f", of the ladder {labels},"
    quantised = ", quantised to 8 bits" if rung.int8 else ""
    return (
        f"Rung {rung_label(rung)}{where} {held}: with {percent(rung.ratio_achieved, 1)} of the "
        f"{methods.kernels_of(result.pruning)} removed{quantised}, the detector has {kernels}, "
        f"{costs}, {file} and takes {time}."
    )


def _claim(statement: Statement, result: LadderResult, rung: Rung) -> str:
    metric, harm = statement.metric, statement.harm
    mean = (
        f"{METRICS[metric].label} {score_of(rung, metric)} for {score_of(result.baseline, metric)}, a mean "
        f"loss of {limit_of(statement.mean, metric)}, and with {confidence_of(result)} confidence one of at "
        f"most {limit_of(statement.bound, metric)} on patients to come (margin {plain(statement.margin)})"
    )
    harmed = f"{harm.harmed} of {harm.n} lost more than the margin"
    allowed = result.certificate.constraint.harmed_share
    if allowed is None:
        return f"{mean}; {harmed}"
    return (  # what was asked for stands first
        f"{harmed} of {plain(statement.margin)} {METRICS[metric].label}, and with {confidence_of(result)} "
        f"confidence at most {percent(harm.bound, 1)} of patients to come would (allowed "
        f"{percent(allowed, 1)}); {mean}"
    )


def _next_failed(result: LadderResult) -> str:
    failed = [rung for rung in result.ladder if rung.verdict == "failed"]
    if not failed:
        return "No severer rung was tried, so how far one could cut is not known."
    reasons = "; ".join(
        f"{METRICS[each.metric].label}: {each.reason}"
        for each in failed[0].statements
        if each.reason
    )
    return f"The next rung, {rung_label(failed[0])}, does not hold ({reasons})."


def _none_holds(result: LadderResult) -> str:
    first = result.ladder[0]
    reasons = "; ".join(
        f"{METRICS[each.metric].label}: mean loss {limit_of(each.mean, each.metric)}, {each.reason}"
        for each in first.statements
        if each.reason
    )
    which = "The only rung" if len(result.ladder) == 1 else "The mildest rung"
    needed = " ".join(
        f"{METRICS[each.metric].label}: {each.words.partition(': ')[2].rstrip('.')}."
        for each in result.needed
    )
    return (
        f"No rung holds, so pruned.onnx is the baseline, uncut. {which}, {rung_label(first)} "
        f"({percent(first.ratio_achieved, 1)} of the {methods.kernels_of(result.pruning)} removed), was "
        f"judged on {judged_on(result)}, and could not be shown to hold: {reasons}. Subjects needed: "
        f"{needed} That a rung is not certified does not show that it is worse."
    )


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


_BESIDE = {
    "retrained": (
        "The whole baseline, merely trained once more,",
        " Rungs are retrained too, so as much of what they gain is not owed to cutting.",
    ),
    "random_forest": ("A random forest on band powers, which is no network,", ""),
}
"""What stands beside the whole ladder, and what is to be said of it."""


def controls_in_words(result: LadderResult) -> list[str]:
    """Which controls do as well as the pruned network or better, plainly."""
    if not any(rung.controls for rung in result.ladder) and not result.controls:
        return [
            "No controls were trained (--controls none): whether pruning does better than a small network "
            "trained from scratch, or than kernels chosen by chance, is not known from this run."
        ]
    metric = first_metric(result)
    sentences = [_as_well(result, kind, metric) for kind in _KINDS]
    sentences += [_control_of_all(result, kind, metric) for kind in _BESIDE]
    return [sentence for sentence in sentences if sentence]


def _as_well(result: LadderResult, kind: str, metric: str) -> str:
    """One sentence on one control over all rungs; empty where there is none."""
    equal: list[str] = []
    behind: list[str] = []
    for rung in result.ladder:
        control = rung.controls.get(kind)
        gap = None if control is None else control.pruned_minus_control.mean[metric]
        if control is None or gap is None:
            continue
        pair = control.pruned_minus_control.intervals[metric]
        words = f"{rung_label(rung)} ({difference(gap, pair, metric).plain})"
        (equal if METRICS[metric].sign * gap <= 0 else behind).append(words)
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


def _control_of_all(result: LadderResult, kind: str, metric: str) -> str:
    control, (name, follows) = result.controls.get(kind), _BESIDE[kind]
    means = [judged.certification.mean[metric] for judged in (control, result.baseline) if judged]
    if control is None or None in means:
        return ""
    minus = control.minus_baseline
    gap = difference(minus.mean[metric], minus.intervals[metric], metric)
    return (
        f"{name} reaches {METRICS[metric].label} {score_of(control, metric)}, the baseline "
        f"{score_of(result.baseline, metric)}: {gap.plain}.{follows}"
    )


def which_class(result: LadderResult) -> str:
    """Which class pays at the severest rung, in one sentence."""
    rung = result.ladder[-1]
    changes = [
        f"{metric} changes by {_paired(rung, metric).plain}"
        for metric in ("sensitivity", "specificity")
    ]
    return (
        f"At the severest rung, {rung_label(rung)}, {' and '.join(changes)} against the baseline "
        "(inside subjects; in brackets 95 %, bootstrap over subjects)."
    )


def _paired(judged: Judged, metric: str) -> Cell:
    """A network's difference from the baseline inside subjects."""
    minus = judged.minus_baseline
    return difference(minus.mean[metric], minus.intervals[metric], metric)


def ladder_methods(
    result: LadderResult, settings: certifying.LadderSettings, channels: int
) -> list[str]:
    """Paragraphs: data and signals, network and pruning, judgement. `channels`: of the windows."""
    labels = ", ".join(rung_label(rung) for rung in result.ladder)
    weights = ""
    if result.weights_given:
        weights = (
            "The baseline’s weights were given in a file, and on whom they were trained is not known; what "
            "is said here of training holds for retraining. "
        )
    network = (
        f"{weights}{methods.network(settings, result.models['baseline'].parameters or 0)} "
        f"{methods.training(settings.training, channels)} {methods.cutting(settings.pruning)} "
        f"So it was for each rung ({labels}), from the same baseline."
    )
    who = (
        "The deployed files themselves were judged, on subjects who took no part in training, "
        "selection or thresholds"
    )
    if result.certified_by.how == "folds":
        who = (
            f"Each subject was judged in {folds_of(result)}, by networks "
            "that had not seen it; what is deployed was then made by the same recipe from all subjects "
            "but those kept for validation"
        )
    rule = settings.constraint
    share_too = ""
    if rule.harmed_share is not None:
        share_too = f" and that share’s bound at most {percent(rule.harmed_share, 1)}"
    judgement = (
        f"{methods.threshold(settings)}. {who}. A subject’s loss is the baseline’s score minus the pruned "
        "network’s; losses are averaged over subjects, unweighted. A rung holds where for every score "
        f"with a margin the one-sided {confidence_of(result)} upper bound on the mean loss ("
        f"{how_bounded(result)}) lies below the margin"
        f"{share_too}; the share of patients who lose more than the margin is bounded after Clopper and "
        "Pearson. Rungs were fixed beforehand and tested in order, each at the full level, until one "
        f"failed. {methods.events(result)} {methods.LATENCY}"
    )
    return [methods.signals(result.data, settings), network, judgement]
