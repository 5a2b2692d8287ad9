"""The report of a run, as a document."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from secateur.counts import plural
from secateur.reporting import methods, run_figures
from secateur.reporting.attributed import explained_network
from secateur.reporting.document import (
    UNDEFINED,
    Block,
    Cell,
    Document,
    Paragraph,
    Part,
    Picture,
    Points,
    Subheading,
    Table,
    Tiles,
    bounds,
    count,
    number,
    percent,
    share,
    short_names,
    signed,
    strong,
)
from secateur.reporting.excerpts import choose, excerpt_figure
from secateur.reporting.heading import (
    SUBJECT_METRICS,
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
    sizes,
    subject_means,
    tested,
    word_of,
)
from secateur.reporting.style import MODEL_MEANING, MODEL_NAMES, NETWORKS, PRODUCT
from secateur.results import (
    RunResult,
)
from secateur.scoring.metrics import METRICS

if TYPE_CHECKING:
    from secateur import runs

_AT_HALF = ("accuracy", "macro_f1", "sensitivity", "specificity")


def run_document(run: runs.RunOutput) -> Document:
    """All parts; to be called where figures look as `drawing.look` says."""
    result = run.result
    before, after = (result.models[name] for name in PRODUCT)
    lead = (
        f"A seizure detector trained on {methods.trained_on(result.split)}, cut from "
        f"{count(before.parameters)} to {count(after.parameters)} parameters, and tested on "
        f"{methods.tested_on(result.split)}."
    )
    parts = (
        ("done", "What was done", _done),
        ("models", "All models", _models),
        ("differences", "Baseline against pruned", _differences),
        ("after", "Right after the cut", _after_epochs),
        ("thresholds", "Thresholds and confusion", _thresholds),
        ("curves", "ROC and precision-recall", _curves),
        ("training", "Training", _training),
        ("importance", "What was cut", _importance),
        ("subjects", "Subject by subject", _subjects),
        ("events", "Scores by event", lambda run: events_with_froc(run.result)),
        ("eeg", "EEG: misses, finds, false alarms", _excerpts),
    )
    return framed(
        result,
        f"{result.data.name}: how small can the detector be?",
        lead,
        [
            *(
                Part(anchor, title, blocks)
                for anchor, title, make in parts
                if (blocks := list(make(run)))
            ),
            data(result, [sides(result)]),
            again(result, run.settings.to_toml()),
        ],
    )


def outcome(result: RunResult) -> str:
    """What came out, in two sentences and no praise."""
    before, after = (result.models[name] for name in PRODUCT)
    minus = after.minus_baseline
    assert before.test is not None
    assert after.test is not None
    assert minus is not None  # a run tests
    cut, macs = (
        percent(share(getattr(after, key), getattr(before, key))) for key in ("parameters", "macs")
    )
    return (
        f"The pruned network has {count(after.parameters)} of {count(before.parameters)} "
        f"parameters ({cut}) and needs {macs} of the multiplications. On the test subjects its "
        f"AUROC ({methods.mean_over(after.test.subjects, 'auroc')}) is "
        f"{number(after.test.mean_of_subjects['auroc'])}, the baseline’s "
        f"{number(before.test.mean_of_subjects['auroc'])}: a difference of "
        f"{signed(minus.mean_of_subjects['auroc'])} "
        f"{bounds(minus.intervals_of_subjects['auroc'], sign=True)} inside subjects, and over all windows "
        f"together of {signed(minus.difference['auroc'])} "
        f"{bounds(minus.intervals['auroc'], sign=True)} ({minus.what})."
    )


def _done(run: runs.RunOutput) -> Iterable[Block]:
    result = run.result
    before, after = (test for _, test in list(tested(result).values())[:2])
    means = [test.mean_of_subjects["auroc"] for test in (before, after)]
    gap = None if None in means else means[1] - means[0]  # type: ignore[operator]
    yield Paragraph(outcome(result))
    yield Tiles(
        [
            *size_tiles(result.models),
            (
                "AUROC, by subject",
                number(means[1]),
                f"{signed(gap)} against the baseline’s {number(means[0])}",
            ),
        ]
    )
    right = ""
    if result.split.unit != "window":
        right = (
            " Right: filtered EEG of one test seizure, "
            "chosen because it is found well (the misses are further below), with the probability that "
            "each detector gives; yellow marks the labelled seizure, dotted lines the thresholds."
        )
    yield Picture(
        "overview-of-scores",
        run_figures.overview(run),
        f"Overview. AUROC by subject: baseline {number(means[0])}, pruned {number(means[1])}. Sizes "
        "of the pruned network as shares of the baseline’s."
        f"{' EEG of a test seizure with probabilities.' if right else ''}",
        f"{word_of(result)}The run at a glance. Left: AUROC of every model as the "
        f"{methods.mean_over(after.subjects, 'auroc')}; lines are 95 % intervals (bootstrap over subjects; "
        "none is drawn below five), "
        "small dots are single subjects. The pruned model’s interval: "
        f"{bounds(after.intervals.mean_of_subjects['auroc'])}. Middle: what the "
        f"pruned network needs, as a share of the baseline’s.{right}",
    )
    yield Subheading("Methods, in words")
    for text in run_methods(run):
        yield Paragraph(text, "lead")
    yield Subheading("The models")
    yield Points(
        [(strong(MODEL_NAMES[name]), f": {MODEL_MEANING[name]}") for name in tested(result)]
    )


def run_methods(run: runs.RunOutput) -> list[str]:
    """Paragraphs: data and signals, network and pruning, evaluation."""
    result, settings = run.result, run.settings
    before, after = (result.models[name] for name in PRODUCT)
    test_data = run.material.test_cohort
    pairs = zip(before.kernels or (), after.kernels or (), strict=True)
    cuts = ", ".join(f"{kernels} to {rest}" for kernels, rest in pairs)
    channels, pruning = run.material.sides["training"].channels, result.pruning
    new = "the test windows took no part in it, their subjects did"
    if methods.is_unseen(result.split):
        new = "the test subjects took no part in training, selection or thresholds"
    assert before.test is not None  # a run tests
    return [
        f"{methods.signals(result.data, settings)} {methods.divided(result.split)}: "
        f"{methods.who_learned(result.split, None if test_data is None else test_data.name)}.",
        f"{methods.network(settings, before.parameters or 0)} "
        f"{methods.training(settings.training, channels)} {methods.cutting(settings.pruning)} "
        f"{percent(pruning.ratio_requested)} of the {methods.kernels_of(pruning)} were to go, "
        f"{percent(pruning.ratio_achieved, 1)} went ({cuts} kernels). On real windows the "
        f"smaller network gave what the whole one gives with those kernels silenced (largest difference "
        f"of a logit {pruning.equivalence_max_abs_error:.1e}, float64). As controls stand a network of the "
        "pruned size trained from scratch, as long and for as many epochs as both altogether, the same "
        "allocation with kernels chosen at random, the baseline retrained as long, and a random forest on "
        "band powers, line length and variance.",
        f"{methods.threshold(settings)}; {new}. Scores are given over all "
        "test windows together (pooled) and as the unweighted mean over test subjects. Intervals of "
        f"pooled scores: {before.test.intervals.what}; those of means over subjects: 95 %, bootstrap "
        f"over subjects, not given for fewer than five. {methods.events(result)} {methods.LATENCY}",
    ]


def _models(run: runs.RunOutput) -> Iterable[Block]:
    yield sizes(run.result)
    yield scores(run.result)
    yield subject_means(run.result)


def _differences(run: runs.RunOutput) -> Iterable[Block]:
    minus = run.result.models["pruned"].minus_baseline
    assert minus is not None  # a run tests
    yield Picture(
        "differences",
        run_figures.differences(run.result.models),
        "Forest plot of differences to the baseline. Pruned minus baseline: AUROC "
        f"{signed(minus.difference['auroc'])}, macro-F1 {signed(minus.difference['macro_f1'])}.",
        "Paired differences to the baseline over all test windows together; right of the line is "
        "higher than the baseline. Left: the pruned network on every score. Middle and right: all "
        f"models on AUROC and macro-F1. Lines: {minus.what}, both models on the same resampled data. "
        "An interval that holds zero does not prove that two models are equal. For the Brier score, "
        "lower (left) is better.",
    )
    yield differences(run.result)
    yield differences(run.result, inside=True)


def _after_epochs(run: runs.RunOutput) -> Iterable[Block]:
    yield from after_epochs(run.result)


def _thresholds(run: runs.RunOutput) -> Iterable[Block]:
    models = tested(run.result)
    rows: list[list[Cell | str]] = []
    for name, (_, test) in models.items():
        pairs = [
            number(where.get(key))
            for key in _AT_HALF
            for where in (test.at_half.scores, test.scores)
        ]
        rows.append([MODEL_NAMES[name], number(test.threshold), *pairs])
    yield Table(
        "thresholds",
        "Scores over all test windows at a threshold of 0.5 beside those at the model’s own, chosen "
        "on the validation subjects. Intervals of the latter stand in the table of scores.",
        (
            "Model",
            "Own threshold",
            *(
                Cell(METRICS[key].label, where)
                for key in _AT_HALF
                for where in ("at 0.5", "at its own")
            ),
        ),
        rows,
        marks=list(models),
    )
    limits = ", ".join(
        f"{MODEL_NAMES[name]} {number(models[name][1].threshold)}" for name in PRODUCT
    )
    yield Picture(
        "confusion",
        run_figures.confusions(run.result.models),
        "Confusion matrices of baseline and pruned; the counts are written in the cells.",
        f"Confusion matrices over all test windows, each at its own validation threshold ({limits}). "
        "Rows: truth, columns: verdict; below each count its share of the row. Counts have no interval.",
    )


def _curves(run: runs.RunOutput) -> Iterable[Block]:
    yield Picture(
        "curves",
        run_figures.curves(run),
        f"ROC and precision-recall curves of all {len(run.probability)} models.",
        "ROC (left) and precision against recall (right) over all test windows together, in brackets "
        "the area under each (AUROC; average precision). Marks: where each model works at its "
        "validation threshold. Dotted: a detector that knows nothing. The curves are drawn without "
        "bands; the areas’ intervals stand in the table of all models.",
    )


def _training(run: runs.RunOutput) -> Iterable[Block]:
    kept = ", ".join(f"{MODEL_NAMES[name]} {run.records[name]['best_epoch']}" for name in NETWORKS)
    yield Picture(
        "training",
        run_figures.training_curves(run.records),
        f"Loss and validation macro-F1 by epoch of {len(NETWORKS)} networks. Kept epochs: {kept}.",
        "Above: loss on training (grey, dashed) and validation subjects; below: macro-F1 on the "
        "validation subjects at a threshold of 0.5. The ring marks the epoch whose weights were "
        f"kept: {kept}. One run each, so no interval.",
    )


def _importance(run: runs.RunOutput) -> Iterable[Block]:
    pruning = run.result.pruning
    kept, importance = pruning.kept or {}, run.records["pruned"]["scores"]
    yield Picture(
        "importance",
        run_figures.importance(importance, kept),
        "Bar charts of importance scores by layer, sorted; "
        + ", ".join(f"{layer} keeps {len(stays)}" for layer, stays in kept.items()),
        f"Importance ({pruning.importance}) of every kernel of the baseline, by convolution and "
        "sorted. Filled: kept; hollow: cut; the dashed line is the cut. A steep fall at the line "
        "means that the choice was clear, a flat one that it was not. Scores are of one trained "
        "network, so no interval.",
    )
    rows: list[list[Cell | str]] = []
    for layer, stays in kept.items():
        before = len(importance[layer])
        gone = sorted(set(range(before)) - set(stays))
        which = ", ".join(map(str, gone)) or UNDEFINED
        rows.append([layer, count(before), count(len(stays)), count(len(gone)), which])
    yield Table(
        "kernels",
        "Kernels of each convolution. Kernels are counted from 0.",
        ("Layer", "Before", "Kept", "Cut", "Which were cut"),
        rows,
        words=(4,),
    )
    yield from held_fast(run.result)


def _subjects(run: runs.RunOutput) -> Iterable[Block]:
    models = tested(run.result)
    people = list(models["baseline"][1].subjects)
    yield Picture(
        "subjects",
        run_figures.subject_dots(run.result.models),
        f"Dot plot of AUROC and macro-F1 of {plural(len(people), 'test subject')} by model; the "
        "numbers stand in the tables below.",
        "Every test subject by itself; the bar joins baseline and pruned, and the last row is the "
        "unweighted mean. A point is one number of one subject and has no interval; intervals of the "
        "means stand in the table of all models. Subjects without a seizure, or without "
        "background, have neither score and no row.",
    )
    names = short_names(people)
    for key in SUBJECT_METRICS:
        rows: list[list[Cell | str]] = [
            [names[who], *(number(test.subjects[who].get(key)) for _, test in models.values())]
            for who in people
        ]
        means = (test.mean_of_subjects.get(key) for _, test in models.values())
        rows.append(["Mean", *(Cell(number(mean), strong=True) for mean in means)])
        yield Table(
            f"subjects-{key}",
            f"{METRICS[key].label} of each test subject; the mean is unweighted. –: not defined, as the "
            "AUROC of a subject without a seizure.",
            ("Subject", *(MODEL_NAMES[name] for name in models)),
            rows,
        )


def _excerpts(run: runs.RunOutput) -> Iterable[Block]:
    if run.result.split.unit == "window":
        yield Paragraph(
            "The test windows are scattered over the recordings, so no stretch is shown."
        )
        return
    excerpts = choose(run)
    names = short_names(sorted({excerpt.prepared.entry.subject for excerpt in excerpts}))
    chain, hop = run.settings.chain, run.settings.windows.hop
    yield Paragraph(
        "Filtered EEG as the network gets it before scaling "
        f"(montage {methods.montage(chain)}, {chain.low:g} to {chain.high:g} Hz). Yellow: labelled seizure. "
        f"Each probability is drawn over the {hop:g} s that its window speaks for; dotted lines: "
        "thresholds. Traces are cut where they would cross more than one neighbour. Chosen by rule: "
        "the worst misses and false alarms of the pruned detector come with the rest."
    )
    network, reason = explained_network(run)
    if network is None:
        yield Paragraph(f"What seconds and channels add to the margin isn't drawn: {reason}.")
    else:
        yield Paragraph(
            "Behind the traces: what each second of each channel adds to the pruned detector’s margin (its "
            "seizure logit minus its background logit, mean over the windows drawn, counted from a flat "
            "signal), by input × gradient; below them its sums over channels. Filled orange raises the "
            "margin, hatched blue lowers it. It says what the network added up, and nothing of where a "
            "seizure begins or comes from. How far it can be believed: secateur explain --check pruned.onnx."
        )
    kinds = {excerpt.kind for excerpt in excerpts}
    if "Worst false alarm" not in kinds:
        yield Paragraph("The pruned detector raised no false alarm on the test side.")
    if "Worst miss" not in kinds:
        yield Paragraph("The pruned detector found at least half of every seizure’s windows.")
    for index, excerpt in enumerate(excerpts, 1):
        entry = excerpt.prepared.entry
        yield Picture(
            f"eeg-{index}",
            excerpt_figure(run, excerpt, network),
            f"{excerpt.kind}: EEG and probabilities, {excerpt.begin:.0f} to {excerpt.end:.0f} s; "
            f"{excerpt.why}.",
            f"{word_of(run.result)}{excerpt.kind}: test subject {names[entry.subject]}, recording "
            f"{entry.key}; {excerpt.why}. Single probabilities, so no interval.",
        )
