"""The parts of a ladder's report, in their order.

Comes in: a `LadderResult`. Goes out: the header and the `Section`s. Next: `ladder` makes the page of them.
"""

from __future__ import annotations

from secateur.certifying import LadderResult
from secateur.reporting import (
    frame,
    ladder_answer,
    ladder_figures,
    ladder_pareto,
    ladder_tables,
    tables,
)
from secateur.reporting.html import Figures, Markup, Section, bullets, folded, join, tag
from secateur.reporting.html import paragraph as p
from secateur.reporting.ladder_numbers import (
    Told,
    chosen_rung,
    limit,
    margins_of,
    metric_of,
    rung_label,
    statements_of,
)
from secateur.reporting.overview import size_rows
from secateur.reporting.style import count, number, percent, plain, plural
from secateur.scoring import Certificate, in_words
from secateur.scoring.metrics import METRICS


def header(told: Told) -> Markup:
    """Title, the question, and every warning."""
    margins = " and ".join(
        f"{plain(value)} of {METRICS[metric].label}" for metric, value in margins_of(told).items()
    )
    confidence = percent(told["certificate"]["constraint"]["confidence"])
    lead = (
        f"A seizure detector cut kernel by kernel, {plural(len(told['ladder']), 'rung')}; what may be "
        f"lost: {margins}, at {confidence} confidence. Judged on {ladder_answer.judged_on(told)}."
    )
    holds = (
        "the smallest detector that holds" if told["chosen"] else "no smaller detector is certified"
    )
    return frame.heading(told, f"{told['data']['name']}: {holds}", lead)


def sections(result: LadderResult) -> list[Section]:
    """Every part below the header."""
    drawn, told = Figures(), result.result
    sides = [tables.sides(result)]
    if told["certified_by"]["how"] == "folds":
        sides.append(ladder_tables.who_judged(told))
    return [
        _answer(told),
        _certificate(told),
        _sizes(told, drawn),
        _ladder(told, drawn),
        _kernels(told, drawn),
        _controls(told),
        _classes(told, drawn),
        _test(result),
        _methods(result),
        frame.data(told, sides),
        frame.again(told, result.settings.to_toml()),
    ]


def _answer(told: Told) -> Section:
    parts = [p(ladder_answer.answer(told), class_="method")]
    rung = chosen_rung(told)
    if rung is not None:
        kernels = [sum(map(int, one["kernels"])) for one in (told["models"]["baseline"], rung)]
        tiles = [
            frame.tile(
                "Kernels",
                percent(kernels[1] / kernels[0]),
                f"of the baseline: {count(kernels[0])} → {count(kernels[1])}",
            )
        ]
        tiles += [
            frame.tile(name, percent(part), f"of the baseline: {before} → {after}")
            for name, part, before, after in size_rows(told["models"])
        ]
        tiles += [
            frame.tile(
                f"Loss of {METRICS[one.metric].label}",
                f"≤\u00a0{limit(one.bound, one.metric)}",
                f"on average, {percent(told['certificate']['constraint']['confidence'])} confidence; "
                f"seen {limit(one.mean, one.metric)}, margin {plain(one.margin)}",
            )
            for one in statements_of(rung)
        ]
        parts.append(tag("ul", *tiles, class_="tiles"))
    return Section("answer", "The answer", join(parts))


def _certificate(told: Told) -> Section:
    claim, *rest = in_words(Certificate.model_validate(told["certificate"]))
    body = join(
        [
            p(tag("strong", claim), class_="method"),
            *(p(one) for one in rest),
            p(
                "pruned.onnx is the baseline and carries no certificate; each rung’s stands in its own file "
                "in rungs/. ",
                tag("code", "secateur verify FILE"),
                " says it in words.",
            )
            if told["chosen"] is None
            else p(
                "The certificate stands in pruned.onnx; ",
                tag("code", "secateur verify pruned.onnx"),
                " works it out again from its own numbers and says this in words.",
            ),
        ]
    )
    return Section("certificate", "The certificate, in words", body)


def _sizes(told: Told, drawn: Figures) -> Section:
    metric = METRICS[metric_of(told)].label
    rung, far = chosen_rung(told), ladder_pareto.too_far(told)
    best = (
        "No rung is certified." if rung is None else f"The answer, {rung_label(rung)}, is ringed."
    )
    undrawn = f" Too far off to be drawn: {'; '.join(far)}." if far else ""
    picture = drawn.html(
        ladder_pareto.pareto(told),
        f"{metric} of baseline, rungs and controls against MACs, bytes and milliseconds; the numbers "
        f"stand in the tables below. {best}",
        f"{frame.data_word(told)}{metric} (mean over subjects judged) against what a network costs; to the "
        "left is smaller. Filled: rungs that hold; hollow: not certified; ringed: the answer. Bars: 95 % "
        "interval of the paired difference to the baseline (bootstrap over subjects), drawn around the "
        "baseline’s score, so they can be held against the margin (dashed). A rung is judged by a one-sided "
        "bound, not by its bar. Controls stand at the size of the rung that they belong to, a little "
        "aside; single weights set to zero save none of it. Numbers: the rung. All sizes on "
        f"logarithmic axes.{undrawn}",
    )
    body = join([picture, p(ladder_answer.realised(told)), ladder_tables.sizes(told).html()])
    return Section("sizes", "Score against size", body)


def _ladder(told: Told, drawn: Figures) -> Section:
    metrics = margins_of(told)
    names = ", ".join(METRICS[metric].label for metric in metrics)
    picture = drawn.html(
        ladder_figures.loss_strips(told),
        f"Dot plot of every subject’s loss of {names} at each rung; the numbers stand in the folded "
        "tables below.",
        f"{frame.data_word(told)}What each subject lost: a dot a subject, a row a rung; crosses lost more "
        "than the margin (dashed). The line above the dots runs from the mean loss to its one-sided upper "
        "bound, which must end left of the dashed line. The last row, if there, is the baseline trained "
        "once more: the noise that training alone makes.",
    )
    tables_of = [
        folded(
            f"Loss of {METRICS[metric].label}, subject by subject",
            ladder_tables.losses(told, metric).html(),
        )
        for metric in metrics
    ]
    body = join(
        [
            ladder_tables.verdicts(told).html(),
            picture,
            *tables_of,
            folded("All scores of those who were judged", ladder_tables.scores(told).html()),
        ]
    )
    return Section("ladder", "The ladder", body)


def _kernels(told: Told, drawn: Figures) -> Section:
    rungs = told["ladder"]
    groups = len(rungs[0]["units"])
    whose = (
        " They are those of the deployed networks; each fold cut its own."
        if told["certified_by"]["how"] == "folds"
        else ""
    )
    parts = [
        p(ladder_answer.cut_in_words(told)),
        drawn.html(
            ladder_figures.kept_kernels(told),
            f"Kernels kept in {plural(groups, 'group')} of tied convolutions at "
            f"{plural(len(rungs), 'rung')}.",
            "Kernels kept by layer (dark) at each rung; those that stay longest stand at the left, so the "
            "place along a row is no number of a kernel. Convolutions whose kernels can only go together "
            f"are one group.{whose}",
        ),
    ]
    if told["sensitivity"]:
        parts.append(
            drawn.html(
                ladder_figures.sensitivity_curves(told),
                f"Rise of cross-entropy against the share of kernels silenced, {plural(groups, 'group')}.",
                "Sensitivity: how much the baseline’s cross-entropy rises when the least important kernels "
                "of one group alone are silenced, without retraining. In brackets the group’s kernels. One "
                "network, so no interval; what retraining mends is not in it.",
            )
        )
    return Section("kernels", "What was cut", join(parts))


def _controls(told: Told) -> Section:
    parts = [bullets(ladder_answer.controls_in_words(told))]
    if any(rung["controls"] for rung in told["ladder"]):
        parts.append(ladder_tables.controls(told).html())
    return Section("controls", "Controls", join(parts))


def _classes(told: Told, drawn: Figures) -> Section:
    picture = drawn.html(
        ladder_figures.classes(told),
        "Sensitivity and specificity against the share of kernels removed. "
        + ladder_answer.which_class(told),
        f"{frame.data_word(told)}Sensitivity (left) and specificity (right) by window, means over subjects "
        "judged. Bars: 95 % interval of the paired difference to the baseline (line). Each network has its "
        "own threshold from validation, so a gain on one side may be a loss on the other.",
    )
    return Section(
        "classes", "Which class pays", join([p(ladder_answer.which_class(told)), picture])
    )


def _test(result: LadderResult) -> Section:
    told = result.result
    test = told["models"]["baseline"]["test"]
    if test is None:
        body = p(
            "No subject was kept for a test: each was judged once, and those scores stand above. To test the "
            "deployed file on other people, give their recordings as ",
            tag("code", "--test-data FOLDER"),
            ".",
        )
        return Section("test", "Test side", body)
    people = plural(len(test["by_subject"]["subjects"]), "subject")
    which = "the answer" if told["chosen"] else "the baseline itself, since no rung holds"
    parts = [
        p(
            f"{people} took no part in training, thresholds or the certificate; these numbers decided "
            f"nothing and certify nothing. Pruned is {which}. AUROC, mean over subjects: baseline "
            f"{number(test['by_subject']['auroc'])}, pruned "
            f"{number(told['models']['pruned']['test']['by_subject']['auroc'])}."
        )
    ]
    parts += [
        one.html()
        for one in (
            tables.subject_means(result),
            tables.scores(result),
            tables.differences(result, "by_subject"),
        )
    ]
    note = test["events"]["note"]
    if note:
        inner = tag("p", tag("strong", "Read these with care: "), note)
        parts.append(tag("div", inner, class_="warnings"))
    parts.append(tables.events(result).html())
    return Section("test", "Test side", join(parts))


def _methods(result: LadderResult) -> Section:
    channels = result.material.sides["training"].channels
    told = ladder_answer.methods(result.result, result.settings, channels)
    return Section("methods", "Methods, in words", join(p(one, class_="method") for one in told))
