"""The model card of `pruned.onnx`: what it is, for what, how good, what is certified, and where it ends."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from secateur.counts import plural
from secateur.pages import DISCLAIMER
from secateur.reporting import methods
from secateur.reporting.document import (
    UNDEFINED,
    Block,
    Cell,
    Document,
    Paragraph,
    Part,
    Points,
    Table,
    code,
    difference,
    number,
    percent,
    plain,
)
from secateur.reporting.heading import (
    differences,
    events,
    scores,
    sides,
    sizes,
    subject_means,
    tested,
)
from secateur.reporting.ladder import judged_score, verdict_rows
from secateur.reporting.ladder_figures import chosen_rung, rung_label
from secateur.reporting.ladder_words import answer, controls_in_words, judged_on
from secateur.reporting.run import outcome
from secateur.reporting.style import MODEL_NAMES, PRODUCT
from secateur.results import Heading, LadderResult
from secateur.scoring import in_words
from secateur.scoring.metrics import METRICS, margin_metrics

if TYPE_CHECKING:
    from secateur import certifying, runs

_USE = (
    Part(
        "use",
        "Intended use",
        [
            Paragraph(
                "Research on seizure detection: comparing methods, marking recordings for a human reader to "
                "look through, trying out devices."
            )
        ],
    ),
    Part(
        "not-intended",
        "Not intended",
        [
            Paragraph(
                "It is no medical device and was approved by nobody. Not for diagnosis, not for alarms on "
                "which a person depends, not for decisions on treatment, and not for EEG unlike that on "
                "which it was tested (other ages, other electrodes, other background)."
            )
        ],
    ),
    Part(
        "how-to",
        "How to use it",
        [
            Paragraph(
                "secateur detect RECORDING.edf --detector pruned.onnx --out EVENTS.tsv", "command"
            )
        ],
    ),
)


def run_card(run: runs.RunOutput) -> Document:
    """The card of a run's pruned network."""
    result = run.result
    test = tested(result)["pruned"][1]
    test_data = run.material.test_cohort
    return _card(
        result,
        [
            _what(result, run.settings, outcome(result)),
            *_USE,
            _people(result, None if test_data is None else test_data.name),
            _scores(result),
            Part("events", "Events", list(events(result, PRODUCT))),
            _size(result),
            _limits(result),
            _provenance(result, test.threshold),
        ],
    )


def ladder_card(ladder: certifying.LadderOutput) -> Document:
    """The card of a ladder's answer."""
    result = ladder.result
    rung, thresholds = chosen_rung(result), result.certificate.circumstances.thresholds
    on_test = []
    if tested(result):
        on_test = [_scores(result), Part("events", "Events", list(events(result, PRODUCT)))]
    return _card(
        result,
        [
            _what(result, ladder.settings, answer(result)),
            *_USE,
            Part("certificate", "Certificate", list(_certificate(result))),
            Part("ladder", "The ladder", [_ladder(result)]),
            Part("controls", "Controls", [Points(controls_in_words(result))]),
            _judged(result),
            _people(result, result.test_data),
            *on_test,
            _size(result),
            _limits(result),
            _provenance(result, thresholds["baseline" if rung is None else rung_label(rung)]),
        ],
    )


def _card(result: Heading, parts: list[Part]) -> Document:
    simulated = (
        " SIMULATED DATA: no patient was recorded, and nothing here says how it does on patients."
    )
    return Document(
        kind="model card",
        name=result.run,
        title="Model card: seizure detector pruned.onnx",
        lead=f"{DISCLAIMER}.{simulated if result.data.simulated else ''}",
        warnings=(),
        simulated=result.data.simulated,
        parts=parts,
        source="",
    )


def _is_cut(result: Heading) -> bool:
    """False where no rung of a ladder held and the baseline came back."""
    return not isinstance(result, LadderResult) or result.chosen is not None


def _what(result: Heading, settings: runs.RunSettings, outcome: str) -> Part:
    chain, windows = settings.chain, settings.windows
    origin = (
        "It was made from a larger network (",
        code("baseline.onnx"),
        ") by cutting convolution kernels.",
    )
    if not _is_cut(result):
        origin = ("It is ", code("baseline.onnx"), " itself: nothing was cut.")
    text = (
        f"A network of the kind {settings.network.name} that gives a probability of seizure every "
        f"{plain(windows.hop)} s from {plain(windows.length)} s of EEG (montage "
        f"{methods.montage(chain)}, {plain(chain.sampling_rate)} Hz, {plain(chain.low)} to "
        f"{plain(chain.high)} Hz). The file carries its signal chain, threshold and post-processing. "
    )
    return Part("what", "What it is", [Paragraph((text, *origin)), Paragraph(outcome)])


def _people(result: Heading, test_data: str | None) -> Part:
    """Data and sides. `test_data`: name of the data set kept for testing."""
    about, split = result.data, result.split
    known = about.subjects is not None
    people = plural(about.subjects or 0, "subject") if known else "subjects not known"
    text = (
        f"{about.name}{' (simulated)' if about.simulated else ''}: {people}, "
        f"{plural(about.recordings, 'recording')}, {number(about.hours, 2)} h, "
        f"{plural(about.seizures, 'seizure')}; background: {about.background}. "
        f"{methods.divided(split)}; {methods.how_chosen(split, test_data)}. Ictal: "
        f"{methods.prevalence(split)}. {plural(len(result.problems), 'recording')} left out."
    )
    return Part("data", "Data", [Paragraph(text), sides(result)])


def _scores(result: Heading) -> Part:
    """Before and after pruning on the test side."""
    tests = {name: test for name, (_, test) in tested(result).items() if name in PRODUCT}
    limits = ", ".join(
        f"{MODEL_NAMES[name]} {number(test.threshold)}" for name, test in tests.items()
    )
    text = (
        f"Tested on {methods.tested_on(result.split)}. Thresholds were chosen on the validation side: "
        f"{limits}."
    )
    tables = [
        subject_means(result, PRODUCT),
        scores(result, PRODUCT),
        differences(result, names=PRODUCT[1:]),
    ]
    people = plural(len(tests["pruned"].subjects), "test subject")
    return Part("scores", f"Scores on {people}", [Paragraph(text), *tables])


def _size(result: Heading) -> Part:
    """What it costs, and what was cut."""
    pruning, blocks = result.pruning, list[Block]([sizes(result, PRODUCT)])
    if _is_cut(result):
        blocks.append(
            Paragraph(
                f"Kernels ranked by {pruning.importance}; of the {methods.kernels_of(pruning)} "
                f"{percent(pruning.ratio_requested, 1)} asked, {percent(pruning.ratio_achieved, 1)} "
                "cut. Largest difference of a logit to the whole network with those kernels silenced "
                f"(float64): {pruning.equivalence_max_abs_error:.1e}."
            )
        )
        units = pruning.units or {}
        kept = (pruning.kept or {}).items()
        blocks.append(
            Points(
                [
                    (code(layer), f": {len(kernels)} of {units[layer]} kernels kept")
                    for layer, kernels in kept
                ]
            )
        )
    return Part("size", "Size and pruning", blocks)


def _limits(result: Heading) -> Part:
    """What must be known before it is believed."""
    simulated = ["trained or tested on simulated recordings"] if result.data.simulated else []
    items = [
        *simulated,
        *result.warnings,
        f"background in the data: {result.data.background}",
        "one training run with one seed: how much another would differ is not known",
    ]
    return Part("limits", "Limits", [Points(items)])


def _provenance(result: Heading, threshold: float) -> Part:
    """Where it comes from."""
    pruned, versions = result.models["pruned"], result.versions
    rules = pruned.post_processing
    epoch = pruned.best_epoch or UNDEFINED
    items = [
        f"run {result.run}, seed {result.seed}",
        f"secateur {versions.secateur}, timescoring {versions.timescoring}",
        f"threshold {number(threshold)}; {methods.event_rules(rules) if rules else UNDEFINED}",
        f"kept epoch {epoch} of {'retraining' if _is_cut(result) else 'training'}",
        "settings: config.toml; all numbers: result.json; report: report.html",
    ]
    return Part("provenance", "Provenance", [Points(items)])


def _certificate(result: LadderResult) -> Iterable[Block]:
    for text in in_words(result.certificate):
        yield Paragraph(text)
    if result.chosen:
        yield Paragraph("secateur verify pruned.onnx", "command")


def _ladder(result: LadderResult) -> Table:
    head = ("Rung", "Kernels cut", "Score", "Mean loss", "At most", "Margin", "Harmed", "Verdict")
    rows = [
        [rung_label(rung), percent(rung.ratio_achieved, 1), *numbers, rung.verdict]
        for rung, _, numbers in verdict_rows(result)
    ]
    return Table("rungs", "The rungs, mild to severe.", head, rows, words=(2, 7))


def _judged(result: LadderResult) -> Part:
    """Scores on those who were judged."""
    rung = chosen_rung(result)
    rows: list[list[Cell | str]] = []
    for metric in margin_metrics():
        cells: list[Cell | str] = [METRICS[metric].label, judged_score(result.baseline, metric)]
        if rung is not None:
            minus = rung.minus_baseline
            cells.append(judged_score(rung, metric))
            cells.append(difference(minus.mean.get(metric), minus.intervals.get(metric), metric))
        rows.append(cells)
    pruned = () if rung is None else ("Pruned", "Pruned minus baseline")
    table = Table(
        "judged",
        "Means over subjects, unweighted; in brackets 95 %, bootstrap over subjects. Scores by seizure and "
        f"false alarms: timescoring {result.versions.timescoring}.",
        ("Score", "Baseline", *pruned),
        rows,
    )
    text = f"Judged on {judged_on(result)}."
    return Part("judged", "Scores on those who were judged", [Paragraph(text), table])
