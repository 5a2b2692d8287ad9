"""A study of drift as a document: what is lost over weeks, when it is seen, what it takes to regain it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from secateur.counts import plural
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
    Table,
    Text,
    bounds,
    code,
    count,
    large,
    number,
    percent,
    signed,
    strong,
)
from secateur.reporting.drift_figures import curves, losses, network_name, regaining
from secateur.results.drift_study import Decay, Detection, DriftFindings, Pair, Trial
from secateur.scoring.metrics import METRICS

REGAINED = 0.9
"""Share of what was lost that counts as regained."""


def drift_document(findings: DriftFindings) -> Document:
    """The report."""
    settings = findings.settings
    who = settings["patients"]
    seeds = settings["seeds"]
    lead = (
        f"{plural(who['patients'], 'simulated patient')}, {who['days']} days of {who['stretches']} × "
        f"{who['seconds'] / 60:g} minutes, {plural(len(seeds), 'seed')}; {findings.finished} of "
        f"{findings.planned} patient-days have a result."
    )
    warnings = ["simulated EEG: these numbers say nothing about patients"]
    if settings["reduced"]:
        warnings.insert(0, f"reduced: {settings['reduced']}")
    if findings.finished < findings.planned:
        warnings.insert(0, f"{findings.planned - findings.finished} patient-days are missing")
    parts = [
        Part("answer", "In short", list(_answer(findings))),
        Part("decay", "What is lost", list(_decay(findings))),
        Part("detection", "When the monitor sees it", list(_detection(findings))),
        Part("regaining", "What it takes to regain it", list(_regaining(findings))),
        Part("policies", "Never, every week, on alarm", list(_policies(findings))),
    ]
    if findings.real:
        parts.append(Part("real", "Real EEG, what little there is", list(_real(findings))))
    return Document(
        kind="Study",
        name=settings["name"],
        title=settings["title"] or settings["name"],
        lead=f"{settings['question']} {lead}",
        warnings=warnings,
        simulated=True,
        parts=parts,
        source=f"Made by {findings.command or 'secateur study'}; numbers in drift.json.",
    )


def _estimate(text: str, pair: Pair, *, sign: bool = False) -> Cell:
    return Cell(text, bounds(pair, sign=sign) if pair else "")


def _in_brackets(pair: Pair, *, sign: bool = False) -> str:
    return f" (95 %: {bounds(pair, sign=sign)})" if pair else ""


def _all(findings: DriftFindings, metric: str) -> list[Decay]:
    return [row for row in findings.decay if (row.group, row.metric) == ("all", metric)]


def _detected(findings: DriftFindings, group: str) -> list[Detection]:
    return [row for row in findings.detection if row.group == group]


def _answer(findings: DriftFindings) -> Iterator[Block]:
    points: list[Text] = []
    for row in _all(findings, "auroc"):
        if row.network.endswith("-scratch") or row.lost is None:
            continue
        words = f" lost {number(row.lost)} of AUROC{_in_brackets(row.lost_interval)}"
        if row.more_than_baseline is not None:
            words += (
                f", {signed(row.more_than_baseline)} beyond the baseline, paired by patient"
                f"{_in_brackets(row.more_interval, sign=True)}"
            )
        points.append((strong(network_name(row.network)), f"{words}."))
    for seen in _detected(findings, "all")[:1]:
        points.append(
            (
                strong("The monitor"),
                f" called {seen.called} of {seen.drifting} drifting patients after the onset, and "
                f"{seen.false} of {seen.steady} steady ones.",
            )
        )
    tried = {trial.network for trial in findings.trials}
    for network in (name for name in findings.networks if name in tried):
        points.append((strong(network_name(network)), _way_back(findings.trials, network)))
    yield Points(points)


def _way_back(trials: Sequence[Trial], network: str) -> str:
    """What a network regains its macro-F1 by, in a sentence."""
    if all(trial.metric != "macro_f1" for trial in trials if trial.network == network):
        return " lost too little macro-F1, where ways back were tried, to regain any."
    best = cheapest(trials, network, "macro_f1")
    if best is None:
        return " regains 90 % of the macro-F1 that it lost by no way that was tried."
    return (
        " regains 90 % of the macro-F1 that it lost cheapest by "
        f"{best.method} on {best.minutes:g} minutes."
    )


def cheapest(trials: Sequence[Trial], network: str, metric: str) -> Trial | None:
    """The way that regains 90 % with the fewest labelled minutes, then the fewest operations."""
    enough = [
        trial
        for trial in trials
        if (trial.network, trial.metric) == (network, metric)
        and (trial.regained or 0.0) >= REGAINED
    ]

    def price(trial: Trial) -> tuple[float, float]:
        return 0.0 if trial.method == "bn" else trial.minutes, trial.macs

    return min(enough, key=price, default=None)


def _decay(findings: DriftFindings) -> Iterator[Block]:
    yield Paragraph(
        "Before: the first seven days. After: the last seven. Lost: before minus after inside each patient, "
        "for false alarms after minus before, so that above zero is always worse."
    )
    yield Picture(
        "curves",
        curves(findings),
        "Four panels: AUROC, macro-F1, sensitivity by seizure and false alarms a day over days, by network.",
        "Means over patients by day. AUROC and macro-F1 of days with a seizure.",
    )
    for metric in dict.fromkeys(row.metric for row in findings.decay):
        yield Table(
            f"decay-{metric.replace('_', '-')}",
            f"{METRICS[metric].label}: before and after, all patients.",
            [
                "Network",
                "Parameters",
                "Before",
                "After",
                "Lost (95 %)",
                "Beyond the baseline (95 %)",
                "Slope a week (95 %)",
                "Day on which 0.05 are lost",
            ],
            [
                [
                    network_name(row.network),
                    count(findings.parameters.get(row.network)),
                    number(row.before),
                    number(row.after),
                    _estimate(number(row.lost), row.lost_interval),
                    _estimate(signed(row.more_than_baseline), row.more_interval, sign=True),
                    _estimate(signed(row.slope), row.slope_interval, sign=True),
                    _until(row),
                ]
                for row in _all(findings, metric)
            ],
        )
    yield Picture(
        "losses",
        losses(findings),
        "AUROC lost by kind of drift, for the baseline and each pruned network, with intervals.",
        "AUROC lost by kind of drift; intervals where there are five patients or more.",
    )
    tables = [
        _by_kind(metric, findings) for metric in dict.fromkeys(row.metric for row in findings.decay)
    ]
    yield Folded("All four by kind of drift, as tables", tables)


def _until(row: Decay) -> str:
    """The day on which 0.05 are lost, by how many; it is told of scores of windows alone."""
    if row.metric not in ("auroc", "macro_f1"):
        return "–"
    if not row.reached:
        return "nobody"
    return f"{number(row.days_until, 0)} ({row.reached} of {row.patients})"


def _by_kind(metric: str, findings: DriftFindings) -> Table:
    return Table(
        f"by-kind-{metric.replace('_', '-')}",
        f"{METRICS[metric].label} lost by kind of drift, so that above zero is worse.",
        ["Drift", "Network", "Patients", "Before", "After", "Lost (95 %)", "Beyond the baseline"],
        [
            [
                row.group,
                network_name(row.network),
                str(row.patients),
                number(row.before),
                number(row.after),
                _estimate(number(row.lost), row.lost_interval),
                _estimate(signed(row.more_than_baseline), row.more_interval, sign=True),
            ]
            for row in findings.decay
            if row.metric == metric and row.group != "all"
        ],
        words=(1,),
    )


def _detection(findings: DriftFindings) -> Iterator[Block]:
    if all(row.unknown_days == 1 for row in findings.detection):
        yield Note("On no day was enough known for the monitor to say anything.")
    yield Paragraph(
        "The monitor judges days against a patient’s first seven. Two of its ten numbers are of the "
        "network’s probabilities; the others are the same for every network."
    )
    yield Table(
        "detection",
        "Drift called by the monitor.",
        [
            "Network",
            "Drifting patients",
            "Called after the onset",
            "Median delay, days",
            "Called before",
            "Steady patients",
            "Called",
            "Days not known",
        ],
        [
            [
                network_name(row.network),
                str(row.drifting),
                str(row.called),
                number(row.delay, 0),
                str(row.early),
                str(row.steady),
                str(row.false),
                percent(row.unknown_days),
            ]
            for row in _detected(findings, "all")
        ],
    )
    kinds = [
        group
        for group in dict.fromkeys(row.group for row in findings.detection)
        if group not in ("all", "no drift")
    ]
    if kinds:
        yield Table(
            "detection-by-kind",
            "Drift called after the onset, by kind of drift, and the median delay in days.",
            ["Drift", "Patients", *(network_name(name) for name in findings.networks)],
            [_detection_row(group, _detected(findings, group)) for group in kinds],
        )


def _detection_row(group: str, rows: Sequence[Detection]) -> list[str]:
    """A kind of drift: its patients, and by network how many were called, how many days after the onset."""
    called = [
        f"{row.called}, {row.delay:.0f} days" if row.delay is not None else "none" for row in rows
    ]
    return [group, str(rows[0].drifting), *called]


def _regaining(findings: DriftFindings) -> Iterator[Block]:
    relearning = findings.settings["relearning"]
    yield Paragraph(
        "Learned from the first minutes, so far as they hold a seizure, of the first day with one on "
        f"which all drift is there; judged on the next {plural(relearning['judged_days'], 'day')} with a "
        "seizure. Only patients who had lost 0.02 of the metric or more. Regained: what was gained by "
        "what had been lost, summed over patients; above 100 % it is better than before. BatchNorm’s "
        "statistics (bn) need no labels; a threshold moves no AUROC."
    )
    if not findings.trials:
        yield Note("Nobody had lost anything that could be regained, or nobody was tried.")
        return
    for metric in dict.fromkeys(trial.metric for trial in findings.trials):
        yield from _regaining_of(metric, findings)


def _regaining_of(metric: str, findings: DriftFindings) -> Iterator[Block]:
    """One metric: a figure, the cheapest way by network, and all that was tried."""
    phrase, name = METRICS[metric].phrase, metric.replace("_", "-")
    trials = sorted(
        (trial for trial in findings.trials if trial.metric == metric),
        key=lambda trial: findings.networks.index(trial.network),
    )
    yield Picture(
        f"regaining-{name}",
        regaining(trials),
        f"Share of the lost {phrase} that is regained over minutes, by method, a panel for each network.",
        f"Share of the lost {phrase} that is regained, with the epochs that regain most, in hindsight.",
    )
    rows = []
    for network in dict.fromkeys(trial.network for trial in trials):
        best = cheapest(trials, network, metric)
        rows.append(_trial_row(best) if best else [network_name(network), "none", *["–"] * 7])
    heads = [
        "Network",
        "Method",
        "Minutes",
        "Epochs",
        "Patients",
        "Lost",
        "Regained",
        "Processor seconds",
        "Multiply-accumulates",
    ]
    caption = f"The cheapest way that regains 90 % of the lost {phrase}."
    yield Table(f"cheapest-{name}", caption, heads, rows, words=(1,))
    every = [_trial_row(trial) for trial in trials]
    caption = f"Every way that was tried, by {phrase}."
    table = Table(f"tried-{name}", caption, heads, every, words=(1,))
    yield Folded(f"All that was tried, by {phrase}", [table])


def _trial_row(trial: Trial) -> list[str]:
    return [
        network_name(trial.network),
        trial.method,
        f"{trial.minutes:g}",
        str(trial.epochs or "–"),
        str(trial.patients),
        number(trial.lost),
        percent(trial.regained),
        f"{trial.processor_seconds:.2g}",
        large(trial.macs),
    ]


def _policies(findings: DriftFindings) -> Iterator[Block]:
    policies = findings.settings["policies"]
    yield Paragraph(
        (
            "Relearned by ",
            code(policies["method"]),
            f" on {policies['minutes']:g} minutes of a day: never, every {policies['every']} days, or "
            "when the monitor called drift. Scores of the days after the first seven.",
        )
    )
    if not findings.policies:
        yield Note("Not tried.")
        return
    patients = findings.policies[0].patients
    yield Paragraph(f"In {plural(patients, 'patient')}, some of whom stay as they are.")
    yield Table(
        "policies",
        "When to relearn; costs are means of a patient over all days.",
        [
            "Network",
            "When",
            "AUROC",
            "Macro-F1",
            "AUROC against never (95 %)",
            "Times",
            "Labelled minutes",
            "Processor seconds",
            "Multiply-accumulates",
        ],
        [
            [
                network_name(row.network),
                {"weekly": f"every {policies['every']} days", "alarm": "on alarm"}.get(
                    row.policy, row.policy
                ),
                number(row.auroc),
                number(row.macro_f1),
                _estimate(signed(row.against_never), row.against_never_interval, sign=True),
                number(row.relearned, 1),
                number(row.minutes, 0),
                number(row.processor_seconds, 1),
                large(row.macs),
            ]
            for row in findings.policies
        ],
        words=(1,),
    )


def _real(findings: DriftFindings) -> Iterator[Block]:
    yield Note(
        "Clips of seizures and of what follows them, of a few children: this can contradict a finding, not "
        "carry one. Earlier and later parts differ in their seizures as well as in time."
    )
    yield Table(
        "real",
        "AUROC of earlier and later recordings of children who taught the networks nothing.",
        ["Child", "Parts", "Recordings", *(network_name(name) for name in findings.networks)],
        [
            [
                pair.child,
                f"{pair.first}, {pair.second}",
                f"{pair.recordings[0]}, {pair.recordings[1]}",
                *(
                    " → ".join(number(value) for value in pair.auroc[name])
                    for name in findings.networks
                ),
            ]
            for pair in findings.real
        ],
        words=(1, 2),
    )
