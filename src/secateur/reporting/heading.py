"""What runs and ladders both show: whatever the heading of a result holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from timescoring.scoring import EventScoring

from secateur.counts import plural
from secateur.reporting import methods, run_figures
from secateur.reporting.document import (
    UNDEFINED,
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
    count,
    difference,
    kilobytes,
    large,
    milliseconds,
    number,
    percent,
    scored,
    short_names,
    strong,
)
from secateur.reporting.froc import curves_of, froc_blocks, set_in_words, worst_in_words
from secateur.reporting.style import MODEL_NAMES
from secateur.results import (
    EventCounts,
    EventScores,
    FullTestScores,
    Heading,
    ModelResult,
)
from secateur.scoring import beaten_by_always
from secateur.scoring.metrics import METRICS, event_metrics, label_of, window_metrics

SUBJECT_METRICS = ("auroc", "macro_f1")
"""What is told subject by subject."""


DISCLAIMED = "Simulated data. "


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


def size_tiles(models: Mapping[str, ModelResult]) -> list[tuple[str, str, str]]:
    """What the pruned network needs, in large."""
    return [
        (name, percent(part), f"of the baseline: {before} → {after}")
        for name, part, before, after in run_figures.size_rows(models)
    ]


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


def held_fast(result: Heading) -> Iterable[Block]:
    """Kernels that could not go, and why."""
    if result.pruning.held:
        yield Points(
            [
                f"{held.layer}: {plural(held.kernels, 'kernel')} can’t go: {held.reason}"
                for held in result.pruning.held
            ]
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
            gap = minus.get(alarms.data)
            rows.append(
                [
                    MODEL_NAMES[name],
                    set_in_words(alarms.data, alarms.declared_seizure_free),
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
            means = (number(parts.mean_of_subjects.get(key)) for key in SUBJECT_METRICS)
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
                *(label_of(f"{key}_by_subject") for key in SUBJECT_METRICS),
            ),
            rows,
            words=(1,),
            marks=marks,
        )


def _seconds(value: float | None) -> str:
    return UNDEFINED if value is None else f"{number(value, 1)} s"


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
