"""The parts of the report, in their order.

Comes in: a `RunResult`. Goes out: the header and the `Section`s. Next: `report` makes the page of them.
"""

from __future__ import annotations

from secateur.reporting import figures, frame, paragraph, tables
from secateur.reporting.choosing import choose
from secateur.reporting.html import (
    Figures,
    Markup,
    Section,
    bullets,
    join,
    tag,
)
from secateur.reporting.html import paragraph as p
from secateur.reporting.overview import auroc_of, overview, size_rows
from secateur.reporting.splits import tested_on, trained_on
from secateur.reporting.style import (
    MODEL_MEANING,
    MODEL_NAMES,
    bounds,
    count,
    number,
    percent,
    plural,
    short_names,
    signed,
)
from secateur.reporting.traces import excerpt_figure
from secateur.runs import ALL_MODELS, MODELS, RunResult


def header(result: RunResult) -> Markup:
    """Title, what the reader must know before anything else, and every warning."""
    told = result.result
    models, split = told["models"], told["split"]
    lead = (
        f"A seizure detector trained on {trained_on(split)}, cut "
        f"from {count(models['baseline']['parameters'])} to {count(models['pruned']['parameters'])} "
        f"parameters, and tested on {tested_on(split)}."
    )
    return frame.heading(told, f"{told['data']['name']}: how small can the detector be?", lead)


def sections(result: RunResult) -> list[Section]:
    """Every part below the header."""
    drawn = Figures()
    makers = (
        _done,
        _table,
        _differences,
        _thresholds,
        _curves,
        _training,
        _importance,
        _subjects,
        _events,
        _excerpts,
    )
    return [
        *(make(result, drawn) for make in makers),
        frame.data(result.result, [tables.sides(result)]),
        frame.again(result.result, result.settings.to_toml()),
    ]


def _done(result: RunResult, drawn: Figures) -> Section:
    models = result.result["models"]
    tiles = [
        frame.tile(name, percent(told), f"of the baseline: {before} → {after}")
        for name, told, before, after in size_rows(models)
    ]
    base, pruned = auroc_of(models["baseline"]), auroc_of(models["pruned"])
    difference = None if base[0] is None or pruned[0] is None else pruned[0] - base[0]
    tiles.append(
        frame.tile(
            "AUROC, by subject",
            number(pruned[0]),
            f"{signed(difference)} against the baseline’s {number(base[0])}",
        )
    )
    means = bounds(pruned[1])
    right = ""
    if result.material.split.unit != "window":
        right = (
            " Right: filtered EEG of one test seizure, "
            "chosen because it is found well (the misses are further below), with the probability that "
            "each detector gives; yellow marks the labelled seizure, dotted lines the thresholds."
        )
    picture = drawn.html(
        overview(result),
        f"Overview. AUROC by subject: baseline {number(base[0])}, pruned {number(pruned[0])}. Sizes "
        "of the pruned network as shares of the baseline’s."
        f"{' EEG of a test seizure with probabilities.' if right else ''}",
        f"{frame.data_word(result.result)}The run at a glance. Left: AUROC of every model as the mean "
        "over test subjects; lines are 95 % intervals (bootstrap over subjects; none is drawn below five), "
        f"small dots are single subjects. The pruned model’s interval: {means}. Middle: what the "
        f"pruned network needs, as a share of the baseline’s.{right}",
    )
    meanings = [
        Markup(tag("strong", MODEL_NAMES[name]) + ": " + MODEL_MEANING[name]) for name in ALL_MODELS
    ]
    text = [tag("p", one, class_="method") for one in paragraph.methods(result)]
    body = join(
        [
            p(paragraph.outcome(result)),
            tag("ul", *tiles, class_="tiles"),
            picture,
            tag("h3", "Methods, in words"),
            *text,
            tag("h3", "The models"),
            bullets(meanings),
        ]
    )
    return Section("done", "What was done", body)


def _table(result: RunResult, drawn: Figures) -> Section:
    body = join(one(result).html() for one in (tables.sizes, tables.scores, tables.subject_means))
    return Section("models", "All models", body)


def _differences(result: RunResult, drawn: Figures) -> Section:
    models = result.result["models"]
    told = models["pruned"]["minus_baseline"]
    picture = drawn.html(
        figures.forest_plot(models),
        "Forest plot of differences to the baseline. Pruned minus baseline: AUROC "
        f"{signed(told['difference']['auroc'])}, macro-F1 {signed(told['difference']['macro_f1'])}.",
        "Paired differences to the baseline over all test windows together; right of the line is "
        "higher than the baseline. Left: the pruned network on every score. Middle and right: all "
        f"models on AUROC and macro-F1. Lines: {told['what']}, both models on the same resampled data. "
        "An interval that holds zero does not prove that two models are equal. For the Brier score, "
        "lower (left) is better.",
    )
    return Section(
        "differences",
        "Baseline against pruned",
        join(
            [
                picture,
                tables.differences(result).html(),
                tables.differences(result, "by_subject").html(),
            ]
        ),
    )


def _thresholds(result: RunResult, drawn: Figures) -> Section:
    models = result.result["models"]
    limits = ", ".join(
        f"{MODEL_NAMES[name]} {number(models[name]['test']['threshold'])}" for name in MODELS[:2]
    )
    picture = drawn.html(
        figures.confusions(models),
        "Confusion matrices of baseline and pruned; the counts are written in the cells.",
        "Confusion matrices over all test windows, each at its own validation threshold "
        f"({limits}"
        "). Rows: truth, columns: verdict; below each count its share of the row. Counts have no "
        "interval.",
    )
    body = join([tables.thresholds(result).html(), picture])
    return Section("thresholds", "Thresholds and confusion", body)


def _curves(result: RunResult, drawn: Figures) -> Section:
    picture = drawn.html(
        figures.curves(result),
        "ROC and precision-recall curves of all six models.",
        "ROC (left) and precision against recall (right) over all test windows together, in brackets "
        "the area under each (AUROC; average precision). Marks: where each model works at its "
        "validation threshold. Dotted: a detector that knows nothing. The curves are drawn without "
        "bands; the areas’ intervals stand in the table of all models.",
    )
    return Section("curves", "ROC and precision-recall", picture)


def _training(result: RunResult, drawn: Figures) -> Section:
    kept = ", ".join(f"{MODEL_NAMES[name]} {result.records[name]['best_epoch']}" for name in MODELS)
    picture = drawn.html(
        figures.training_curves(result.records),
        f"Loss and validation macro-F1 by epoch of five networks. Kept epochs: {kept}.",
        "Above: loss on training (grey, dashed) and validation subjects; below: macro-F1 on the "
        "validation subjects at a threshold of 0.5. The ring marks the epoch whose weights were "
        f"kept: {kept}. One run each, so no interval.",
    )
    return Section("training", "Training", picture)


def _importance(result: RunResult, drawn: Figures) -> Section:
    pruning = result.result["pruning"]
    picture = drawn.html(
        figures.importance(result.records["pruned"]["scores"], pruning["kept"]),
        "Bar charts of importance scores by layer, sorted; "
        + ", ".join(f"{layer} keeps {len(kept)}" for layer, kept in pruning["kept"].items()),
        f"Importance ({pruning['importance']}) of every kernel of the baseline, by convolution and "
        "sorted. Filled: kept; hollow: cut; the dashed line is the cut. A steep fall at the line "
        "means that the choice was clear, a flat one that it was not. Scores are of one trained "
        "network, so no interval.",
    )
    return Section("importance", "What was cut", join([picture, tables.kernels(result).html()]))


def _subjects(result: RunResult, drawn: Figures) -> Section:
    models = result.result["models"]
    people = models["baseline"]["test"]["by_subject"]["subjects"]
    picture = drawn.html(
        figures.subject_dots(models),
        f"Dot plot of AUROC and macro-F1 of {plural(len(people), 'test subject')} by model; the "
        "numbers stand in the tables below.",
        "Every test subject by itself; the bar joins baseline and pruned, and the last row is the "
        "unweighted mean. A point is one number of one subject and has no interval; intervals of the "
        "means stand in the table of all models. A subject for whom a score is not defined has no "
        "point.",
    )
    told = (tables.by_subject(result, key).html() for key in ("auroc", "macro_f1"))
    return Section("subjects", "Subject by subject", join([picture, *told]))


def _events(result: RunResult, drawn: Figures) -> Section:
    note = result.result["models"]["baseline"]["test"]["events"]["note"]
    parts: list[Markup] = []
    if note:
        inner = tag("p", tag("strong", "Read these with care: "), note)
        parts.append(tag("div", inner, class_="warnings"))
    if result.material.split.unit != "window":
        parts.append(tables.events(result).html())
    return Section("events", "Scores by event", join(parts))


def _excerpts(result: RunResult, drawn: Figures) -> Section:
    if result.material.split.unit == "window":
        scattered = p("The test windows are scattered over the recordings, so no stretch is shown.")
        return Section("eeg", "EEG: misses, finds, false alarms", scattered)
    shown = choose(result)
    names = short_names(sorted({one.prepared.entry.subject for one in shown}))
    chain, hop = result.settings.chain, result.settings.windows.hop
    parts = [
        p(
            "Filtered EEG as the network gets it before scaling "
            f"(montage {chain.montage}, {chain.low:g} to {chain.high:g} Hz). Yellow: labelled seizure. "
            f"Each probability is drawn over the {hop:g} s that its window speaks for; dotted lines: "
            "thresholds. Traces are cut where they would cross more than one neighbour. Chosen by rule: "
            "the worst misses and false alarms of the pruned detector come with the rest."
        )
    ]
    if not any(one.kind == "Worst false alarm" for one in shown):
        parts.append(p("The pruned detector raised no false alarm on the test side."))
    if not any(one.kind == "Worst miss" for one in shown):
        parts.append(p("The pruned detector found at least half of every seizure’s windows."))
    for one in shown:
        entry = one.prepared.entry
        about = f"test subject {names[entry.subject]}, recording {entry.key}"
        parts.append(
            drawn.html(
                excerpt_figure(result, one),
                f"{one.kind}: EEG and probabilities, {one.begin:.0f} to {one.end:.0f} s; {one.why}.",
                f"{frame.data_word(result.result)}{one.kind}: {about}; {one.why}. Single probabilities, "
                "so no interval.",
            )
        )
    return Section("eeg", "EEG: misses, finds, false alarms", join(parts))
