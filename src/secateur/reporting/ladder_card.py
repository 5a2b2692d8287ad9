"""The model card of a ladder's `pruned.onnx`: what is certified about it, and what is not.

Comes in: a `LadderResult`. Goes out: Markdown, of the same parts as a run's card where they are the same.
Next: `ladder` writes it beside the detector.
"""

from __future__ import annotations

from secateur.certifying import LadderResult
from secateur.reporting import model_card
from secateur.reporting.ladder_answer import answer, controls_in_words, judged_on
from secateur.reporting.ladder_numbers import (
    Told,
    apart,
    between,
    chosen_rung,
    limit,
    lost,
    rung_label,
    scored,
    statements_of,
)
from secateur.reporting.model_card import literal, table
from secateur.reporting.style import percent, plain
from secateur.scoring import Certificate, in_words
from secateur.scoring.metrics import METRICS, margin_metrics


def ladder_card(result: LadderResult) -> str:
    """The whole card."""
    told, settings = result.result, result.settings
    thresholds = told["certificate"]["circumstances"]["thresholds"]
    rung = chosen_rung(told)
    threshold = thresholds["baseline" if rung is None else rung_label(rung)]
    parts = [
        model_card.what(told, settings, answer(told)),
        model_card.USE,
        model_card.HOW_TO,
        _certificate(told),
        _ladder(told),
        _judged(told),
        model_card.people(told, told["test_data"]),
    ]
    if told["models"]["pruned"]["test"] is not None:
        parts += [model_card.scores(told), model_card.events(told)]
    parts += [
        model_card.size(told),
        model_card.limits(told),
        model_card.provenance(told, threshold),
    ]
    return "\n\n".join(parts) + "\n"


def _certificate(told: Told) -> str:
    claim, *rest = in_words(Certificate.model_validate(told["certificate"]))
    words = "\n\n".join(literal(one) for one in rest)
    check = ""
    if told["chosen"]:
        check = "\n\n```console\n$ secateur verify pruned.onnx\n```"
    return f"## Certificate\n\n**{literal(claim)}**\n\n{words}{check}"


def _ladder(told: Told) -> str:
    rows = [
        [
            rung_label(rung),
            percent(rung["ratio_achieved"], 1),
            METRICS[one.metric].label,
            lost(one.mean, one.metric),
            limit(one.bound, one.metric),
            plain(one.margin),
            f"{one.harm.harmed} of {one.harm.n}",
            rung["verdict"],
        ]
        for rung in told["ladder"]
        for one in statements_of(rung)
    ]
    head = ("Rung", "Kernels cut", "Score", "Mean loss", "At most", "Margin", "Harmed", "Verdict")
    lines = "\n".join(f"- {literal(one)}" for one in controls_in_words(told))
    return f"## The ladder\n\n{table(head, rows)}\n\n### Controls\n\n{lines}"


def _judged(told: Told) -> str:
    """Scores on those who were judged."""
    rung = chosen_rung(told)
    models = [("Baseline", told["baseline"])]
    if rung is not None:
        models.append(("Pruned", dict(rung)))
    rows = []
    for metric in margin_metrics():
        name = METRICS[metric].label
        cells = [
            f"{scored(one['certification']['mean'][metric], metric)} "
            f"{between(one['certification']['intervals'][metric], metric)}"
            for _, one in models
        ]
        if rung is not None:
            less = rung["minus_baseline"]
            cells.append(
                f"{apart(less['mean'][metric], metric)} "
                f"{between(less['intervals'][metric], metric, sign=True)}"
            )
        rows.append([name, *cells])
    head = ["Score", *(name for name, _ in models)]
    if rung is not None:
        head.append("Pruned minus baseline")
    return (
        f"## Scores on those who were judged\n\nJudged on {judged_on(told)}: means over subjects, "
        "unweighted; in brackets 95 %, bootstrap over subjects. Scores by seizure and false alarms: "
        f"timescoring {told['timescoring']}.\n\n{table(head, rows)}"
    )
