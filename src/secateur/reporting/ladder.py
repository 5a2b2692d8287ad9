"""The report of a ladder, as a document: the answer, its certificate, every rung and its controls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from secateur.counts import plural
from secateur.reporting import ladder_figures
from secateur.reporting.document import (
    UNDEFINED,
    Block,
    Cell,
    Document,
    Folded,
    Paragraph,
    Part,
    Picture,
    Points,
    Table,
    Tiles,
    bounds,
    code,
    count,
    difference,
    kilobytes,
    large,
    milliseconds,
    number,
    percent,
    plain,
    scored,
    share,
    short_names,
    signed,
    strong,
)
from secateur.reporting.heading import (
    after_epochs,
    again,
    data,
    differences,
    events_with_froc,
    framed,
    held_fast,
    scores,
    sides,
    size_tiles,
    subject_means,
    tested,
    word_of,
)
from secateur.reporting.ladder_figures import (
    CONTROL_NAMES,
    chosen_rung,
    first_metric,
    margins_of,
    rung_label,
    size_of,
)
from secateur.reporting.ladder_words import (
    answer,
    confidence_of,
    controls_in_words,
    how_bounded,
    judged_on,
    ladder_methods,
    limit_of,
    loss_of,
    score_of,
    which_class,
)
from secateur.reporting.methods import kernels_of
from secateur.reporting.style import MODEL_NAMES
from secateur.results import Judged, LadderResult, ModelResult, Rung, Sizes
from secateur.scoring import Statement, in_words
from secateur.scoring.metrics import METRICS, event_metrics, margin_metrics

if TYPE_CHECKING:
    from secateur import certifying

_VERDICTS = {"passed": "holds", "failed": "does not hold", "not tested": "not tested"}


def ladder_document(ladder: certifying.LadderOutput) -> Document:
    """All parts; to be called where figures look as `drawing.look` says."""
    result = ladder.result
    margins = " and ".join(
        f"{plain(value)} of {METRICS[metric].label}" for metric, value in margins_of(result).items()
    )
    lead = (
        f"A seizure detector cut kernel by kernel, {plural(len(result.ladder), 'rung')}; what may be "
        f"lost: {margins}, at {confidence_of(result)} confidence. Judged on {judged_on(result)}."
    )
    holds = (
        "the smallest detector that holds" if result.chosen else "no smaller detector is certified"
    )
    tables = [sides(result)]
    if result.certified_by.how == "folds":
        tables.append(_who_judged(result))
    channels = ladder.material.sides["training"].channels
    in_methods = ladder_methods(result, ladder.settings, channels)
    parts = [
        ("answer", "The answer", _answer(result)),
        ("certificate", "The certificate, in words", _certificate(result)),
        ("sizes", "Score against size", _sizes(result)),
        ("ladder", "The ladder", _ladder(result)),
        ("kernels", "What was cut", _kernels(result)),
        ("controls", "Controls", _controls(result)),
        ("classes", "Which class pays", (*_classes(result), *judged_alarms(result))),
        ("test", "Test side", _test(result)),
        ("methods", "Methods, in words", (Paragraph(text, "lead") for text in in_methods)),
    ]
    return framed(
        result,
        f"{result.data.name}: {holds}",
        lead,
        [
            *(Part(anchor, title, list(blocks)) for anchor, title, blocks in parts),
            data(result, tables),
            again(result, ladder.settings.to_toml()),
        ],
    )


def _answer(result: LadderResult) -> Iterable[Block]:
    yield Paragraph(answer(result), "lead")
    rung = chosen_rung(result)
    if rung is None:
        return
    before, after = (sum(model.kernels or ()) for model in (result.models["baseline"], rung))
    of_kernels = f"of the baseline: {count(before)} → {count(after)}"
    losses = [
        (
            f"Loss of {METRICS[each.metric].label}",
            f"≤\u00a0{limit_of(each.bound, each.metric)}",
            f"on average, {confidence_of(result)} confidence; "
            f"seen {limit_of(each.mean, each.metric)}, margin {plain(each.margin)}",
        )
        for each in rung.statements
    ]
    kernels = ("Kernels", percent(share(after, before)), of_kernels)
    yield Tiles([kernels, *size_tiles(result.models), *losses])


def _certificate(result: LadderResult) -> Iterable[Block]:
    claim, *rest = in_words(result.certificate)
    yield Paragraph(strong(claim), "lead")
    for text in rest:
        yield Paragraph(text)
    if result.chosen is None:
        yield Paragraph(
            (
                "pruned.onnx is the baseline and carries no certificate; each rung’s stands in its own file "
                "in rungs/. ",
                code("secateur verify FILE"),
                " says it in words.",
            )
        )
    else:
        yield Paragraph(
            (
                "The certificate stands in pruned.onnx; ",
                code("secateur verify pruned.onnx"),
                " works it out again from its own numbers and says this in words.",
            )
        )


def _sizes(result: LadderResult) -> Iterable[Block]:
    metric = METRICS[first_metric(result)].label
    rung, far = chosen_rung(result), ladder_figures.too_far(result)
    best = (
        "No rung is certified." if rung is None else f"The answer, {rung_label(rung)}, is ringed."
    )
    undrawn = f" Too far off to be drawn: {'; '.join(far)}." if far else ""
    yield Picture(
        "sizes",
        ladder_figures.pareto(result),
        f"{metric} of baseline, rungs and controls against MACs, bytes and milliseconds; the numbers "
        f"stand in the tables below. {best}",
        f"{word_of(result)}{metric} (mean over subjects judged) against what a network costs; to the "
        "left is smaller. Filled: rungs that hold; hollow: not certified; ringed: the answer. Bars: 95 % "
        "interval of the paired difference to the baseline (bootstrap over subjects), drawn around the "
        "baseline’s score, so they can be held against the margin (dashed). A rung is judged by a one-sided "
        "bound, not by its bar. Controls stand at the size of the rung that they belong to, a little "
        "aside; single weights set to zero save none of it. Numbers: the rung. All sizes on "
        f"logarithmic axes.{undrawn}",
    )
    rung = rung or result.ladder[0]
    fewer, faster = _savings(result, rung)
    yield Paragraph(
        f"Rung {rung_label(rung)} needs {number(fewer, 1)} times fewer MACs than the baseline and runs "
        f"{number(faster, 1)} times as fast: {percent(share(faster, fewer))} of the saving is realised."
    )
    yield sizes_of_rungs(result)


def _savings(result: LadderResult, rung: Rung) -> tuple[float | None, float | None]:
    """How many times fewer MACs, and how many times as fast."""
    base = result.models["baseline"]
    faster = share(size_of(base, "latency_ms"), size_of(rung, "latency_ms"))
    return share(base.macs, rung.macs), faster


def sizes_of_rungs(result: LadderResult) -> Table:
    """What each rung costs, and how much of what was saved in MACs is saved in time."""
    base = result.models["baseline"]
    rows: list[list[Cell | str]] = [
        ["Baseline", UNDEFINED, _kernels_of(base), *_costs(base, base), *[UNDEFINED] * 3]
    ]
    for rung in result.ladder:
        fewer, faster = _savings(result, rung)
        label = rung_label(rung)
        rows.append(
            [
                Cell(f"{label} ★", strong=True) if rung.name == result.chosen else label,
                percent(rung.ratio_achieved, 1),
                _kernels_of(rung),
                *_costs(rung, base),
                *(UNDEFINED if v is None else f"{number(v, 1)} ×" for v in (fewer, faster)),
                percent(share(faster, fewer)),
            ]
        )
    return Table(
        "rungs",
        "What each rung costs; below each number its share of the baseline’s; ★: the answer. Removed: share "
        "of the kernels that can go. MACs: multiplications and additions for one window. kB: 1000 bytes. "
        "Time: one window, ONNX Runtime, one thread, batch 1, median, on the machine that made this run. "
        "Realised: how many times faster, as a share of how many times fewer MACs.",
        (
            "Rung",
            "Removed",
            "Kernels by layer",
            "Parameters",
            "MACs a window",
            "File (ONNX)",
            "Time a window",
            "Fewer MACs",
            "Faster",
            "Realised",
        ),
        rows,
        words=(2,),
        marks=["baseline", *("pruned" for _ in result.ladder)],
    )


def _kernels_of(model: Rung | Sizes) -> str:
    return ", ".join(map(str, model.kernels)) if model.kernels else UNDEFINED


def _costs(model: Rung | ModelResult, base: ModelResult) -> list[Cell]:
    cells = []
    for key, write in (
        ("parameters", count),
        ("macs", large),
        ("file_bytes", kilobytes),
        ("latency_ms", milliseconds),
    ):
        value = size_of(model, key)
        part = "" if model is base else percent(share(value, size_of(base, key)), 1)
        cells.append(Cell(write(value), part))
    return cells


def _ladder(result: LadderResult) -> Iterable[Block]:
    metrics = margins_of(result)
    names = ", ".join(METRICS[metric].label for metric in metrics)
    yield _verdicts(result)
    yield Picture(
        "losses",
        ladder_figures.loss_strips(result),
        f"Dot plot of every subject’s loss of {names} at each rung; the numbers stand in the folded "
        "tables below.",
        f"{word_of(result)}What each subject lost: a dot a subject, a row a rung; crosses lost more "
        "than the margin (dashed). The line above the dots runs from the mean loss to its one-sided upper "
        "bound, which must end left of the dashed line. The last row, if there, is the baseline trained "
        "once more: the noise that training alone makes.",
    )
    for metric in metrics:
        title = f"Loss of {METRICS[metric].label}, subject by subject"
        yield Folded(title, [_losses(result, metric)])
    yield Folded("What the bounds are made of", [_bounds(result)])
    yield Folded("All scores of those who were judged", [_judged_scores(result)])


def verdict_rows(result: LadderResult) -> Iterable[tuple[Rung, Statement, list[str]]]:
    """Each rung and score with a margin: loss, bound, margin, who was harmed."""
    for rung in result.ladder:
        for each in rung.statements:
            metric = each.metric
            yield (
                rung,
                each,
                [
                    METRICS[metric].label,
                    loss_of(each.mean, metric),
                    limit_of(each.bound, metric),
                    plain(each.margin),
                    f"{each.harm.harmed} of {each.harm.n}",
                ],
            )


def _verdicts(result: LadderResult) -> Table:
    """What each rung lost, what is certified, and who was harmed."""
    rows: list[list[Cell | str]] = []
    marks = []
    for rung, each, (label, *numbers) in verdict_rows(result):
        again = each.retrained_harm
        verdict = _VERDICTS[rung.verdict]
        if rung.verdict == "failed":
            verdict += f": {each.reason}" if each.reason else ", but for this score it would"
        rows.append(
            [
                rung_label(rung),
                label,
                str(each.n),
                *numbers,
                percent(each.harm.bound, 1),
                UNDEFINED if again is None else f"{again.harmed} of {again.n}",
                verdict,
            ]
        )
        marks.append("pruned" if rung.verdict == "passed" else "failed")
    allowed, confidence = result.certificate.constraint.harmed_share, confidence_of(result)
    also = ""
    if allowed is not None:
        also = f", and here decides too: at most {percent(allowed, 1)} is allowed"
    return Table(
        "verdicts",
        "The ladder, mild to severe: each rung is tested at the full level, until one does not hold; later "
        "ones count as not tested, and their numbers are shown for what they are. Loss: baseline minus "
        "pruned inside each subject, then the unweighted mean; above zero is worse. At most: upper "
        f"bound on the mean over patients, one-sided, {confidence} ({how_bounded(result)}); "
        "it must lie below the margin. Harmed: subjects who lost more than the margin; beside "
        f"it the exact upper bound (Clopper-Pearson, {confidence}) on the share of such patients{also}. "
        "Retrained: as many would have been counted as harmed by training the baseline once more.",
        (
            "Rung",
            "Score",
            "Subjects",
            "Loss",
            "At most",
            "Margin",
            "Harmed",
            "Share at most",
            "Harmed, baseline retrained",
            "Verdict",
        ),
        rows,
        words=(9,),
        marks=marks,
    )


def _bounds(result: LadderResult) -> Table:
    """What each bound is made of: comparisons, repeats, luck of training, critical value."""
    rows: list[list[Cell | str]] = []
    for rung in result.ladder:
        for each in rung.statements:
            bounds = "; ".join(
                f"{name} {limit_of(bound, each.metric)}" for name, bound in each.bounds.items()
            )
            rows.append(
                [
                    rung_label(rung),
                    METRICS[each.metric].label,
                    str(each.repeats),
                    loss_of(each.mean, each.metric),
                    loss_of(each.retrained_mean, each.metric),
                    percent(each.training_share),
                    percent(each.level, 2),
                    number(each.critical, 2),
                    bounds or UNDEFINED,
                ]
            )
    return Table(
        "bounds",
        "What the bounds are made of. Repeats: how often folds were dealt anew. Loss: against the baseline, "
        "and against it retrained as long. Luck of training: estimated share of a loss’s variance. "
        "Critical: standard errors above the mean at the level, calibrated by simulation. The largest bound "
        "decides.",
        (
            "Rung",
            "Score",
            "Repeats",
            "Loss",
            "Loss to retrained",
            "Luck of training",
            "Level",
            "Critical",
            "Bounds",
        ),
        rows,
        words=(1, 8),
    )


def _judged_scores(result: LadderResult) -> Table:
    """Every score of every network that was judged, as means over subjects."""
    models: list[tuple[str, str, Judged]] = [("Baseline", "baseline", result.baseline)]
    models += [(rung_label(rung), "pruned", rung) for rung in result.ladder]
    models += [(MODEL_NAMES[name], name, judged) for name, judged in result.controls.items()]
    counted = ", ".join(METRICS[key].label for key in event_metrics() if METRICS[key].margin)
    return Table(
        "judged",
        "Scores of every network on those who were judged, worked out inside each subject and averaged with "
        "equal weight, each network at its own validation threshold. In brackets: 95 %, bootstrap over "
        "subjects, – where fewer than five have the score; they tell how much subjects differ, not how "
        f"much networks do. {counted}: counted by event (timescoring {result.versions.timescoring}).",
        ("Network", *(METRICS[key].label for key in margin_metrics())),
        [
            [label, *(judged_score(judged, metric) for metric in margin_metrics())]
            for label, _, judged in models
        ],
        marks=[mark for _, mark, _ in models],
    )


def judged_score(judged: Judged, metric: str) -> Cell:
    """A network's mean over those who were judged."""
    means = judged.certification
    return scored(means.mean.get(metric), means.intervals.get(metric), metric)


def _losses(result: LadderResult, metric: str) -> Table:
    """What each subject lost at each rung."""
    before = result.baseline.certification.subjects
    people = sorted(before)
    names = short_names(people)
    columns = [(rung_label(rung), rung.certification.subjects) for rung in result.ladder]
    if "retrained" in result.controls:
        again = result.controls["retrained"].certification.subjects
        columns.append((MODEL_NAMES["retrained"], again))
    sign = METRICS[metric].sign
    rows: list[list[Cell | str]] = []
    for subject in people:
        score = before[subject][metric]
        cells = [number(score, METRICS[metric].digits)]
        for _, table in columns:
            after = table[subject][metric]
            gone = None if score is None or after is None else sign * (score - after)
            cells.append(loss_of(gone, metric))
        rows.append([names[subject], *cells])
    return Table(
        f"losses-{metric}",
        f"Loss of {METRICS[metric].label} of each subject at each rung. –: not defined for this subject.",
        ("Subject", "Baseline’s score", *(label for label, _ in columns)),
        rows,
    )


def _kernels(result: LadderResult) -> Iterable[Block]:
    rungs, pruning = result.ladder, result.pruning
    rung, groups = chosen_rung(result) or rungs[0], len(rungs[0].units)
    yield Paragraph(
        f"Rung {rung_label(rung)}: {percent(rung.ratio_requested, 1)} of the {kernels_of(pruning)} were to "
        f"go, {percent(rung.ratio_achieved, 1)} went. Largest difference of a logit, on real windows, to the "
        "whole network with the same kernels silenced: "
        f"{pruning.equivalence_max_abs_error:.1e} (float64)."
    )
    yield from held_fast(result)
    whose = ""
    if result.certified_by.how == "folds":
        whose = " They are those of the deployed networks; each fold cut its own."
    yield Picture(
        "kernels",
        ladder_figures.kept_kernels(result),
        f"Kernels kept in {plural(groups, 'group')} of tied convolutions at "
        f"{plural(len(rungs), 'rung')}.",
        "Kernels kept by layer (dark) at each rung; those that stay longest stand at the left, so the "
        "place along a row is no number of a kernel. Convolutions whose kernels can only go together "
        f"are one group.{whose}",
    )
    if result.masking:
        yield Picture(
            "masking",
            ladder_figures.masking_curves(result),
            f"Rise of cross-entropy against the share of kernels silenced, {plural(groups, 'group')}.",
            "Sensitivity: how much the baseline’s cross-entropy rises when the least important kernels "
            "of one group alone are silenced, without retraining. In brackets the group’s kernels. One "
            "network, so no interval; what retraining mends is not in it.",
        )


def _controls(result: LadderResult) -> Iterable[Block]:
    yield Points(controls_in_words(result))
    if any(rung.controls for rung in result.ladder):
        yield _beside_controls(result)


def _beside_controls(result: LadderResult) -> Table:
    """The first margin's metric of every rung beside its controls, with the paired difference."""
    metric = first_metric(result)
    kinds = [kind for kind in CONTROL_NAMES if any(kind in rung.controls for rung in result.ladder)]
    rows: list[list[Cell | str]] = []
    for rung in result.ladder:
        cells: list[Cell | str] = [score_of(rung, metric)]
        for kind in kinds:
            control = rung.controls.get(kind)
            if control is None:
                cells += [UNDEFINED, UNDEFINED]
                continue
            minus = control.pruned_minus_control
            gap = difference(minus.mean[metric], minus.intervals[metric], metric)
            cells += [score_of(control, metric), gap]
        rows.append([rung_label(rung), *cells])
    head: list[Cell | str] = ["Rung", "Pruned"]
    for kind in kinds:
        head += [CONTROL_NAMES[kind], Cell("pruned", "minus this")]
    quantised = ""
    if any(rung.int8 for rung in result.ladder):
        quantised = " Rungs are quantised to 8 bits, controls are not."
    return Table(
        "controls",
        f"{METRICS[metric].label} of each rung and its controls on the same subjects, and the difference "
        "inside subjects (in brackets: 95 %, bootstrap over subjects). From scratch: a network of the "
        "rung’s size trained from new random weights. Random kernels: as many cut, chosen by chance, "
        "retrained alike. Single weights: as many weights set to zero, the smallest of each layer, which "
        f"saves no kernel and no time.{quantised}",
        head,
        rows,
    )


def _classes(result: LadderResult) -> Iterable[Block]:
    sentence = which_class(result)
    yield Paragraph(sentence)
    yield Picture(
        "classes",
        ladder_figures.classes(result),
        f"Sensitivity and specificity against the share of kernels removed. {sentence}",
        f"{word_of(result)}Sensitivity (left) and specificity (right) by window, means over subjects "
        "judged. Bars: 95 % interval of the paired difference to the baseline (line). Each network has its "
        "own threshold from validation, so a gain on one side may be a loss on the other.",
    )


def _test(result: LadderResult) -> Iterable[Block]:
    models = tested(result)
    if not models:
        yield Paragraph(
            (
                "No subject was kept for a test: each was judged once, and those scores stand above. To test "
                "the deployed file on other people, give their recordings as ",
                code("--test-data FOLDER"),
                ".",
            )
        )
        return
    baseline, pruned = (models[name][1] for name in ("baseline", "pruned"))
    people = plural(len(baseline.subjects), "subject")
    which = "the answer" if result.chosen else "the baseline itself, since no rung holds"
    yield Paragraph(
        f"{people} took no part in training, thresholds or the certificate; these numbers decided "
        f"nothing and certify nothing. Pruned is {which}. AUROC, mean over subjects: baseline "
        f"{number(baseline.mean_of_subjects['auroc'])}, pruned "
        f"{number(pruned.mean_of_subjects['auroc'])}."
    )
    yield subject_means(result)
    yield scores(result)
    yield differences(result, inside=True)
    yield from after_epochs(result)
    yield from events_with_froc(result)


def _who_judged(result: LadderResult) -> Table:
    """Which part learned from whom and judged whom."""
    columns = ("training", "validation", "certification")
    parts = [
        (part.name, [getattr(part, side) for side in columns]) for part in result.certified_by.parts
    ]
    names = short_names(sorted({name for _, sides in parts for side in sides for name in side}))
    return Table(
        "folds",
        "Who was judged by which networks: each part’s networks learned from the first, took their "
        "threshold and their best epoch from the second, and were judged on the third, which they had "
        "not seen.",
        ("Part", "Learned from", "Validated on", "Judged on"),
        [
            [
                name.capitalize() or "The deployed file",
                *(", ".join(names[who] for who in side) for side in who_where),
            ]
            for name, who_where in parts
        ],
        words=(1, 2, 3),
    )


_WORST = 5


def judged_alarms(result: LadderResult) -> Iterable[Block]:
    """The table; none where an earlier version told no rates of people."""
    rows: list[list[Cell | str]] = []
    for name, judged in _networks(result).items():
        costs = (
            {}
            if judged is result.baseline
            else judged.certification.alarm_costs(result.baseline.certification)
        )
        for data_set, rates in judged.certification.alarm_rates.items():
            cost = costs.get(data_set)
            rows.append(
                [
                    name,
                    data_set,
                    number(sum(rates.values()) / len(rates), 1),
                    UNDEFINED
                    if cost is None
                    else Cell(signed(cost.per_day, 1), bounds(cost.interval, 1, sign=True)),
                    worst_rates(rates),
                ]
            )
    if rows:
        yield Table(
            "judged-alarms",
            "False alarms a day on those who judged, by data set: unweighted means over people. "
            "Minus baseline: "
            "inside each person, then the mean, in brackets 95 % (bootstrap over people; none below five). "
            "Most alarms: the five people with the most a day. Where a person has few hours, one "
            "alarm is many "
            "a day.",
            ("Network", "Data set", "A day", "Minus baseline", "Most alarms a day"),
            rows,
            words=(1, 4),
        )


def _networks(result: LadderResult) -> dict[str, Judged]:
    """Baseline, rungs, the controls of all, and those of the chosen rung or of the mildest."""
    rung = chosen_rung(result) or result.ladder[0]
    return {
        MODEL_NAMES["baseline"]: result.baseline,
        **{f"Rung {rung_label(each)}": each for each in result.ladder},
        **{
            f"{rung_label(rung)}: {CONTROL_NAMES[kind]}": control
            for kind, control in rung.controls.items()
        },
        **{MODEL_NAMES[name]: judged for name, judged in result.controls.items()},
    }


def worst_rates(rates: Mapping[str, float]) -> str:
    """The five people with the most alarms a day, of those with any."""
    names = short_names(list(rates))
    worst = sorted((who for who in rates if rates[who]), key=lambda who: (-rates[who], who))
    return ", ".join(f"{names[who]} {rates[who]:.3g}" for who in worst[:_WORST]) or UNDEFINED
