"""The report of a run, as a document."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from timescoring.scoring import EventScoring

from secateur.reporting import methods, run_figures
from secateur.reporting.document import (
    Block,
    Cell,
    Document,
    Folded,
    Note,
    Paragraph,
    Part,
    Picture,
    Points,
    Subheading,
    Table,
    Text,
    Tiles,
    difference,
    scored,
    strong,
)
from secateur.reporting.excerpts import choose, excerpt_figure
from secateur.reporting.froc import curves_of, froc_blocks, worst_in_words
from secateur.reporting.style import (
    MODEL_MEANING,
    MODEL_NAMES,
    NETWORKS,
    PRODUCT,
    UNDEFINED,
    bounds,
    count,
    kilobytes,
    large,
    milliseconds,
    number,
    percent,
    plural,
    share,
    short_names,
    signed,
)
from secateur.results import (
    EventCounts,
    EventScores,
    FullTestScores,
    Heading,
    ModelResult,
    RunResult,
)
from secateur.scoring import beaten_by_always
from secateur.scoring.metrics import METRICS, event_metrics, label_of, window_metrics

if TYPE_CHECKING:
    from secateur import runs

_INSIDE = ("auroc", "macro_f1")
"""What is told subject by subject."""
_AT_HALF = ("accuracy", "macro_f1", "sensitivity", "specificity")

DISCLAIMED = "Simulated data. "


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


def framed(result: Heading, title: str, lead: str, parts: list[Part]) -> Document:
    """A document of a run or a ladder around its parts."""
    return Document(
        kind="report",
        name=f"run {result.run}",
        title=title,
        lead=lead,
        warnings=result.warnings,
        simulated=result.data.simulated,
        parts=parts,
        source=f"Made by secateur {result.versions.secateur}; every number comes from the run’s "
        "result.json.",
        tab=result.data.name,
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
        f"AUROC (mean over subjects) is {number(after.test.mean_of_subjects['auroc'])}, the baseline’s "
        f"{number(before.test.mean_of_subjects['auroc'])}: a difference of "
        f"{signed(minus.mean_of_subjects['auroc'])} "
        f"{bounds(minus.intervals_of_subjects['auroc'], sign=True)} inside subjects, and over all windows "
        f"together of {signed(minus.difference['auroc'])} "
        f"{bounds(minus.intervals['auroc'], sign=True)} ({minus.what})."
    )


def tested(result: Heading) -> dict[str, tuple[ModelResult, FullTestScores]]:
    """Models with scores on a test side, in the order of all tables."""
    return {
        name: (model, model.test)
        for name in MODEL_NAMES
        if (model := result.models.get(name)) is not None and model.test is not None
    }


def word_of(result: Heading) -> str:
    """Stands before captions where the data are simulated."""
    return DISCLAIMED if result.data.simulated else ""


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
        f"{word_of(result)}The run at a glance. Left: AUROC of every model as the mean "
        "over test subjects; lines are 95 % intervals (bootstrap over subjects; none is drawn below five), "
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


def size_tiles(models: Mapping[str, ModelResult]) -> list[tuple[str, str, str]]:
    """What the pruned network needs, in large."""
    return [
        (name, percent(part), f"of the baseline: {before} → {after}")
        for name, part, before, after in run_figures.size_rows(models)
    ]


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
        f"{percent(pruning.ratio_requested)} of the kernels were to go, "
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


def sizes(result: Heading, names: Iterable[str] = tuple(MODEL_NAMES)) -> Table:
    """What each model costs."""
    known = [name for name in names if name in result.models]
    rows: list[list[Cell | str]] = []
    for name in known:
        model = result.models[name]
        latency = model.latency_ms
        rows.append(
            [
                MODEL_NAMES[name],
                ", ".join(map(str, model.kernels)) if model.kernels else UNDEFINED,
                count(model.parameters),
                large(model.macs),
                kilobytes(model.file_bytes),
                milliseconds(latency.median if latency else None),
                milliseconds(latency.p99 if latency else None),
            ]
        )
    return Table(
        "sizes",
        "What each model costs. MACs: multiplications and additions for one window. kB: 1000 bytes. "
        "Latency: one window, ONNX Runtime, one thread, batch 1, on the machine that made this run. "
        "The forest is no network and is not deployed: –.",
        (
            "Model",
            "Kernels by layer",
            "Parameters",
            "MACs a window",
            "File (ONNX)",
            "Latency, median",
            "Latency, 99th percentile",
        ),
        rows,
        marks=known,
    )


def _by_metric(
    result: Heading,
    cell: Callable[[ModelResult, FullTestScores, str], Cell],
    names: Iterable[str],
) -> tuple[tuple[str, ...], list[list[Cell | str]], list[str]]:
    """Heads, rows of models by metric, and marks."""
    models = {name: pair for name, pair in tested(result).items() if name in set(names)}
    rows: list[list[Cell | str]] = [
        [MODEL_NAMES[name], *(cell(*pair, key) for key in window_metrics())]
        for name, pair in models.items()
    ]
    return tuple(METRICS[key].label for key in window_metrics()), rows, list(models)


def scores(result: Heading, names: Iterable[str] = tuple(MODEL_NAMES)) -> Table:
    """All models on the test side, pooled over windows."""
    head, rows, marks = _by_metric(
        result,
        lambda _, test, key: scored(test.scores.get(key), test.intervals.pooled.get(key), key),
        names,
    )
    test = tested(result)["baseline"][1]
    return Table(
        "scores",
        f"Scores over all {count(test.windows)} test windows together (pooled), at each model’s validation "
        f"threshold where one is needed. In brackets: {test.intervals.what}. {_lower_is_better()}",
        ("Model", *head),
        rows,
        marks=marks,
    )


def _lower_is_better() -> str:
    low = [METRICS[key].label for key in window_metrics() if not METRICS[key].higher_is_better]
    return f"{' and '.join(low)}: lower is better."


def subject_means(result: Heading, names: Iterable[str] = tuple(MODEL_NAMES)) -> Table:
    """All models as means over subjects."""
    head, rows, marks = _by_metric(
        result,
        lambda _, test, key: scored(
            test.mean_of_subjects.get(key), test.intervals.mean_of_subjects.get(key), key
        ),
        names,
    )
    expected = ": what to expect for the next patient" if methods.is_unseen(result.split) else ""
    return Table(
        "subject-means",
        "The same scores worked out inside each test subject, then averaged with equal weight"
        f"{expected}. In brackets: 95 %, bootstrap over subjects, – where fewer "
        f"than five subjects have the score. {_undefined_for()}",
        ("Model", *head),
        rows,
        marks=marks,
    )


def _undefined_for() -> str:
    needs = [METRICS[key].label for key in window_metrics() if "seizure" in METRICS[key].needs]
    return (
        f"A subject without a seizure has no {', '.join(needs[:-1])} or {needs[-1]} and is left out of "
        "those means."
    )


def differences(
    result: Heading, inside: bool = False, names: Iterable[str] = tuple(MODEL_NAMES)
) -> Table:
    """Paired differences to the baseline over all windows or, `inside`, inside subjects."""

    def cell(model: ModelResult, _: FullTestScores, key: str) -> Cell:
        minus = model.minus_baseline
        if minus is None:
            return Cell(UNDEFINED)
        if inside:
            return difference(
                minus.mean_of_subjects.get(key), minus.intervals_of_subjects.get(key), key
            )
        return difference(minus.difference.get(key), minus.intervals.get(key), key)

    head, rows, marks = _by_metric(result, cell, set(names) - {"baseline"})
    minus = result.models["pruned"].minus_baseline
    caption = (
        "Each model minus the baseline, over all test windows together. Both are scored on the same "
        "resampled data in every replicate (paired). In brackets: "
        f"{minus.what if minus else UNDEFINED}. For the Brier score a negative difference is an improvement, "
        "for all others a positive one."
    )
    if inside:
        caption = (
            "Each model minus the baseline inside each test subject, then the unweighted mean of the "
            "subjects: a person counts once, however long the recording. In brackets: 95 %, bootstrap "
            "over subjects; a dash for fewer than five."
        )
    name = "differences-inside" if inside else "differences"
    return Table(name, caption, ("Model minus baseline", *head), rows, marks=marks)


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


def after_epochs(result: Heading) -> Iterable[Block]:
    """Scores right after the cut and after so many epochs of retraining, of all that were cut."""
    looked = {
        name: model.after_epochs
        for name in MODEL_NAMES
        if (model := result.models.get(name)) is not None and model.after_epochs
    }
    if not looked:
        return
    yield Picture(
        "after-epochs",
        run_figures.after_epochs(result.models),
        "AUROC and macro-F1 on the test side against epochs of retraining.",
        f"{word_of(result)}The test side right after the cut (0) and after so many epochs of retraining, "
        f"{_on_windows(result)}, at a threshold from validation each; the last mark is the network that was "
        "kept, on all windows. It is the sharpest comparison of criteria: retraining hides most of what they "
        "differ by. One training, so no interval.",
    )
    rows: list[list[Cell | str]] = [
        [
            f"{MODEL_NAMES[name]}, {plural(epochs, 'epoch') if epochs else 'right after the cut'}",
            *(number(at.scores.get(key), METRICS[key].digits) for key in window_metrics()),
        ]
        for name, looks in looked.items()
        for epochs, at in sorted(looks.items())
    ]
    yield Table(
        "after-epochs",
        f"Scores on the test side after so many epochs of retraining, {_on_windows(result)}. No intervals: "
        "the kept network has them, in the table of all models.",
        ("Network", *(METRICS[key].label for key in window_metrics())),
        rows,
        marks=[name for name, looks in looked.items() for _ in looks],
    )


def _on_windows(result: Heading) -> str:
    """What of the test side was looked at in the middle of retraining, in words."""
    looks = [model.after_epochs or {} for model in result.models.values()]
    (windows,) = {at.windows for look in looks for at in look.values()}
    tests = [model.test.windows for model in result.models.values() if model.test is not None]
    if windows is None or windows in tests:
        return "over all its windows"
    return (
        f"on {count(windows)} of its windows, the same for all networks, evenly over subjects, classes and "
        "recordings and weighed as the side has them"
    )


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


def held_fast(result: Heading) -> Iterable[Block]:
    """Kernels that could not go, and why."""
    if result.pruning.held:
        yield Points(
            [
                f"{held.layer}: {plural(held.kernels, 'kernel')} can’t go: {held.reason}"
                for held in result.pruning.held
            ]
        )


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
        "means stand in the table of all models. A subject for whom a score is not defined has no "
        "point.",
    )
    names = short_names(people)
    for key in _INSIDE:
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


def events(result: Heading, names: Iterable[str] = tuple(MODEL_NAMES)) -> Iterable[Block]:
    """Scores by event, with the detector that always fires beside them."""
    models = {name: pair for name, pair in tested(result).items() if name in set(names)}
    baseline = models["baseline"][1].events
    if baseline.note:
        yield Note((strong("Read these with care: "), baseline.note))
    if result.split.unit == "window":
        return
    beaten = _no_better_than_always({name: test.events for name, (_, test) in models.items()})
    if beaten:
        yield Note(beaten)
    version = result.versions.timescoring
    rows: list[list[Cell | str]] = []
    for name, (_, test) in models.items():
        delays = (test.events.delay_median, test.events.delay_p90)
        rows.append([MODEL_NAMES[name], *event_cells(test.events), *map(_seconds, delays), version])
    blind = event_cells(baseline.always_firing)
    rows.append(["A detector that always fires", *blind, UNDEFINED, UNDEFINED, version])
    rules = EventScoring.Parameters()
    yield Table(
        "events",
        "Scores by event on the test side, as SzCORE counts them: any overlap finds a seizure, with "
        f"{rules.toleranceStart:g} s of tolerance before and {rules.toleranceEnd:g} s after; events "
        f"less than {rules.minDurationBetweenEvents:g} s apart count as one, and longer ones are cut "
        f"into pieces of {rules.maxEventDuration:g} s. Delay: from the labelled onset to that of the "
        "first detection that overlaps. timescoring: the version that counted. No intervals are "
        "worked out for scores by event.",
        (*event_head(), "Delay, median", "Delay, 90th percentile", "timescoring"),
        rows,
        marks=[*models, "always"],
    )
    yield from false_alarms(result, names)


def _no_better_than_always(events: Mapping[str, EventScores]) -> Text:
    """Which models' event F1 is not above that of a detector that always fires; empty where all are."""
    pairs = {
        name: (each.scores["event_f1"], each.always_firing.scores["event_f1"])
        for name, each in events.items()
    }
    beaten = [name for name, pair in pairs.items() if beaten_by_always(*pair)]
    if not beaten:
        return ""
    names = ", ".join(f"{MODEL_NAMES[name]} ({number(pairs[name][0])})" for name in beaten)
    blind = number(pairs[beaten[0]][1])
    return (
        strong("No better by event F1 than a detector that always fires "),
        f"({blind}): {names}",
    )


def events_with_froc(result: Heading) -> Iterable[Block]:
    """Scores by event of all models, and what other thresholds would give."""
    yield from events(result)
    curves = curves_of({name: test for name, (_, test) in tested(result).items()})
    yield from froc_blocks(curves, word_of(result))


def event_head() -> tuple[str, ...]:
    """Heads of what `event_cells` gives."""
    return (
        "Detector",
        "Found of",
        "False alarms",
        *(METRICS[key].label for key in event_metrics()),
    )


def event_cells(events: EventCounts) -> list[Cell | str]:
    """Counts, and every metric of events."""
    values = (number(events.scores.get(key), METRICS[key].digits) for key in event_metrics())
    hits = UNDEFINED if events.tp is None else f"{events.tp} of {events.ref}"
    return [hits, count(events.fp), *values]


def false_alarms(result: Heading, names: Iterable[str] = tuple(MODEL_NAMES)) -> Iterable[Block]:
    """False alarms by data set with exact limits, scores of each set, and the budget of thresholds."""
    models = {name: pair for name, pair in tested(result).items() if name in set(names)}
    rows: list[list[Cell | str]] = []
    marks = []
    for name, (model, test) in models.items():
        minus = (
            {}
            if model.minus_baseline is None
            else {each.data: each for each in model.minus_baseline.false_alarms}
        )
        for alarms in test.false_alarms:
            free = ", declared free of seizures" if alarms.declared_seizure_free else ""
            gap = minus.get(alarms.data)
            rows.append(
                [
                    MODEL_NAMES[name],
                    f"{alarms.data}{free}",
                    f"{count(alarms.alarms)} in {number(alarms.hours, 1)} h",
                    scored(alarms.per_day, alarms.interval, "fp_per_day"),
                    number(alarms.limit, 1),
                    percent(alarms.window_share, 1),
                    UNDEFINED
                    if gap is None
                    else difference(gap.per_day, gap.interval, "fp_per_day"),
                    worst_in_words(alarms.people),
                ]
            )
            marks.append(name)
    if rows:
        yield Table(
            "false-alarms",
            "Alarms where there is no seizure, by data set. In brackets: exact 95 % (Poisson) of the rate. "
            "At most: its one-sided 95 % limit. Windows called: of those outside seizures. Minus baseline: "
            "mean over people of the difference a day, in brackets 95 % (none below five people). Most "
            "alarms: the five people with the most a day.",
            (
                "Model",
                "Data set",
                "False alarms",
                "A day",
                "At most",
                "Windows called",
                "Minus baseline",
                "Most alarms",
            ),
            rows,
            words=(1, 7),
            marks=marks,
        )
    yield from _by_set(models)
    for name, (model, _) in models.items():
        if model.budget is not None:
            yield Paragraph(f"{MODEL_NAMES[name]}: {model.budget.words}")


def _by_set(models: Mapping[str, tuple[ModelResult, FullTestScores]]) -> Iterable[Block]:
    """Where there are several data sets, the scores of each."""
    rows: list[list[Cell | str]] = []
    marks = []
    for name, (_, test) in models.items():
        for data_set, parts in test.by_set.items():
            values = (
                number(parts.scores.get(key), METRICS[key].digits) for key in window_metrics()
            )
            means = (number(parts.mean_of_subjects.get(key)) for key in _INSIDE)
            rows.append([MODEL_NAMES[name], data_set, *values, *means])
            marks.append(name)
    if rows:
        yield Table(
            "by-set",
            "Scores of each data set: over all its test windows, then as unweighted means over its subjects.",
            (
                "Model",
                "Data set",
                *(METRICS[key].label for key in window_metrics()),
                *(label_of(f"{key}_by_subject") for key in _INSIDE),
            ),
            rows,
            words=(1,),
            marks=marks,
        )


def _seconds(value: float | None) -> str:
    return UNDEFINED if value is None else f"{number(value, 1)} s"


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
    kinds = {excerpt.kind for excerpt in excerpts}
    if "Worst false alarm" not in kinds:
        yield Paragraph("The pruned detector raised no false alarm on the test side.")
    if "Worst miss" not in kinds:
        yield Paragraph("The pruned detector found at least half of every seizure’s windows.")
    for index, excerpt in enumerate(excerpts, 1):
        entry = excerpt.prepared.entry
        yield Picture(
            f"eeg-{index}",
            excerpt_figure(run, excerpt),
            f"{excerpt.kind}: EEG and probabilities, {excerpt.begin:.0f} to {excerpt.end:.0f} s; "
            f"{excerpt.why}.",
            f"{word_of(run.result)}{excerpt.kind}: test subject {names[entry.subject]}, recording "
            f"{entry.key}; {excerpt.why}. Single probabilities, so no interval.",
        )


def sides(result: Heading) -> Table:
    """Who stands on which side of the split."""
    there = methods.sides_of(result.split)
    names = short_names([who for side in there.values() for who in side])
    rows: list[list[Cell | str]] = []
    for side, who in there.items():
        counts = result.split.counts[side]
        rows.append(
            [
                side.capitalize(),
                count(len(who)),
                count(counts.recordings),
                count(counts.seizures),
                count(counts.windows),
                count(counts.ictal_windows),
                ", ".join(names[subject] for subject in who),
            ]
        )
    return Table(
        "split",
        f"The split. {methods.divided(result.split)}.",
        ("Side", "Subjects", "Recordings", "Seizures", "Windows", "Ictal windows", "Who"),
        rows,
        words=(6,),
    )


def data(result: Heading, tables: list[Table]) -> Part:
    """The recordings, who stands where (`tables`), and what was left out or put right."""
    about = result.data
    ictal = f"{number(about.ictal_hours, 2)} h ({percent(about.prevalence, 1)})"
    rows = [
        ("Data set", about.name),
        ("Simulated", "yes" if about.simulated else "no"),
        ("Read as", f"{about.layout} folder"),
        ("Subjects", "not known" if about.subjects is None else count(about.subjects)),
        ("Recordings", count(about.recordings)),
        ("Seizures", count(about.seizures)),
        ("Recorded", f"{number(about.hours, 2)} h"),
        ("In seizures", ictal),
        ("Background", f"{number(about.background_hours, 2)} h; {about.background}"),
        ("Ictal windows", methods.prevalence(result.split)),
        ("Divided", methods.divided(result.split)),
        *(("Assumed", note) for note in (*about.notes, *result.split.notes)),
    ]
    caption = "The recordings that were used."
    blocks: list[Block] = [
        Table("recordings", caption, ("What", "Value"), rows, words=(1,)),
        *tables,
        Subheading("Recordings left out"),
    ]
    left_out: list[Text] = [
        (strong(problem.recording), f": {problem.reason}") for problem in result.problems
    ]
    blocks.append(Points(left_out) if left_out else Paragraph("No recording had to be left out."))
    blocks.append(Subheading("What was put right"))
    for note in result.notes:
        recordings = Points(note.recordings)
        blocks.append(Paragraph(note.note))
        blocks.append(Folded(plural(len(note.recordings), "recording"), [recordings]))
    if not result.notes:
        blocks.append(Paragraph("Nothing had to be: every recording was used as it is."))
    return Part("data", "Data and split", blocks)


def again(result: Heading, settings: str) -> Part:
    """How to make it once more. `settings`: config.toml."""
    versions = result.versions
    return Part(
        "again",
        "Settings, and how to make it again",
        [
            Paragraph("The command that makes this run again:"),
            Paragraph(result.command, "command"),
            Paragraph(
                f"Run {result.run}, seed {result.seed}, secateur {versions.secateur}, timescoring "
                f"{versions.timescoring}. The same settings and recordings on the same machine give the "
                "same numbers, but for latency."
            ),
            Folded("All settings (config.toml)", [Paragraph(settings, "file")]),
        ],
    )
