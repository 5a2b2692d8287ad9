"""The tables of a ladder's report.

Comes in: what a ladder's result.json holds. Goes out: `Table`s. Next: `ladder_sections` puts them beside
the figures.
"""

from __future__ import annotations

from typing import Any

from secateur.reporting.html import Cell, Markup, Table, tag, with_interval
from secateur.reporting.ladder_numbers import (
    CONTROL_NAMES,
    Rung,
    Told,
    apart,
    between,
    limit,
    lost,
    metric_of,
    rung_label,
    scored,
    size_of,
    statements_of,
)
from secateur.reporting.style import (
    MODEL_NAMES,
    UNDEFINED,
    count,
    kilobytes,
    large,
    milliseconds,
    number,
    percent,
    plain,
    share,
    short_names,
)
from secateur.scoring.metrics import METRICS, margin_metrics

_VERDICTS = {"passed": "holds", "failed": "does not hold", "not tested": "not tested"}


def sizes(told: Told) -> Table:
    """What each rung costs, and how much of what was saved in MACs is saved in time."""
    base = told["models"]["baseline"]
    rows: list[list[Cell]] = [["Baseline", UNDEFINED, _kernels(base), *_costs(base, base)]]
    rows[0] += [UNDEFINED] * 3
    for rung in told["ladder"]:
        name = rung_label(rung)
        cell = tag("strong", name, " ★") if rung["name"] == told["chosen"] else name
        fewer = share(base["macs"], rung["macs"])
        faster = share(size_of(base, "latency_ms"), size_of(rung, "latency_ms"))
        rows.append(
            [
                cell,
                percent(rung["ratio_achieved"], 1),
                _kernels(rung),
                *_costs(rung, base),
                _times(fewer),
                _times(faster),
                percent(share(faster, fewer)),
            ]
        )
    caption = (
        "What each rung costs; below each number its share of the baseline’s; ★: the answer. Removed: share "
        "of all kernels. MACs: multiplications and additions for one window. kB: 1000 bytes. Time: one "
        "window, ONNX Runtime, one thread, batch 1, median, on the machine that made this run. Realised: "
        "how many times faster, as a share of how many times fewer MACs."
    )
    head = ("Rung", "Removed", "Kernels by layer", "Parameters", "MACs a window", "File (ONNX)")
    more = ("Time a window", "Fewer MACs", "Faster", "Realised")
    return Table(caption, (*head, *more), rows, _marks(told), words=(2,))


def _marks(told: Told) -> list[str]:
    return ["baseline", *("pruned" for _ in told["ladder"])]


def _kernels(model: Rung) -> str:
    return ", ".join(map(str, model["kernels"])) if model["kernels"] else UNDEFINED


def _costs(model: Rung, base: Rung) -> list[Cell]:
    found: list[Cell] = []
    for key, write in (
        ("parameters", count),
        ("macs", large),
        ("file_bytes", kilobytes),
        ("latency_ms", milliseconds),
    ):
        value = size_of(model, key)
        own = write(value)
        found.append(
            own
            if model is base
            else with_interval(own, percent(share(value, size_of(base, key)), 1))
        )
    return found


def _times(value: float | None) -> str:
    return UNDEFINED if value is None else f"{number(value, 1)} ×"


def verdicts(told: Told) -> Table:
    """What each rung lost, what is certified, and who was harmed."""
    confidence = percent(told["certificate"]["constraint"]["confidence"])
    rows: list[list[Cell]] = []
    marks = []
    for rung in told["ladder"]:
        for one in statements_of(rung):
            harm, idle = one.harm, one.retrained_harm
            verdict = _VERDICTS[rung["verdict"]]
            if rung["verdict"] == "failed":
                verdict += f": {one.reason}" if one.reason else ", but for this score it would"
            rows.append(
                [
                    rung_label(rung),
                    METRICS[one.metric].label,
                    str(one.n),
                    lost(one.mean, one.metric),
                    limit(one.bound, one.metric),
                    plain(one.margin),
                    f"{harm.harmed} of {harm.n}",
                    percent(harm.bound, 1),
                    UNDEFINED if idle is None else f"{idle.harmed} of {idle.n}",
                    verdict,
                ]
            )
            marks.append("pruned" if rung["verdict"] == "passed" else "failed")
    allowed = told["certificate"]["constraint"]["harmed_share"]
    also = (
        ""
        if allowed is None
        else f", and here decides too: at most {percent(allowed, 1)} is allowed"
    )
    caption = (
        "The ladder, mild to severe: each rung is tested at the full level, until one does not hold; later "
        "ones count as not tested, and their numbers are shown for what they are. Loss: baseline minus "
        "pruned inside each subject, then the unweighted mean; above zero is worse. At most: upper "
        f"bound on the mean over patients, one-sided, {confidence} (the more careful of cluster t and "
        "bootstrap-t); it must lie below the margin. Harmed: subjects who lost more than the margin; beside "
        f"it the exact upper bound (Clopper-Pearson, {confidence}) on the share of such patients{also}. "
        "Retrained: as many would have been counted as harmed by training the baseline once more."
    )
    head = ("Rung", "Score", "Subjects", "Loss", "At most", "Margin", "Harmed", "Share at most")
    last = ("Harmed, baseline retrained", "Verdict")
    return Table(caption, (*head, *last), rows, marks, words=(9,))


def scores(told: Told) -> Table:
    """Every score of every network that was judged, as means over subjects."""
    models: list[tuple[str, str, Any]] = [("Baseline", "baseline", told["baseline"])]
    models += [(rung_label(rung), "pruned", rung) for rung in told["ladder"]]
    models += [(MODEL_NAMES[name], name, one) for name, one in told["controls"].items()]
    rows: list[list[Cell]] = [
        [
            label,
            *(
                with_interval(
                    scored(one["certification"]["mean"][metric], metric),
                    between(one["certification"]["intervals"][metric], metric),
                )
                for metric in margin_metrics()
            ),
        ]
        for label, _, one in models
    ]
    caption = (
        "Scores of every network on those who were judged, worked out inside each subject and averaged with "
        "equal weight, each network at its own validation threshold. In brackets: 95 %, bootstrap over "
        "subjects, – where fewer than five have the score; they tell how much subjects differ, not how "
        f"much networks do. The last three are counted by event (timescoring {told['timescoring']})."
    )
    return Table(
        caption,
        ("Network", *(METRICS[key].label for key in margin_metrics())),
        rows,
        [mark for _, mark, _ in models],
    )


def losses(told: Told, metric: str) -> Table:
    """What each subject lost at each rung."""
    whole = told["baseline"]["certification"]["subjects"]
    known = sorted(whole)
    names = short_names(known)
    columns = [(rung_label(rung), rung["certification"]["subjects"]) for rung in told["ladder"]]
    if "retrained" in told["controls"]:
        idle = told["controls"]["retrained"]["certification"]["subjects"]
        columns.append((MODEL_NAMES["retrained"], idle))
    rows: list[list[Cell]] = []
    for subject in known:
        before = whole[subject][metric]
        cells = []
        for _, table in columns:
            after = table[subject][metric]
            gone = (
                None if before is None or after is None else METRICS[metric].sign * (before - after)
            )
            cells.append(lost(gone, metric))
        rows.append([names[subject], scored(before, metric), *cells])
    label = METRICS[metric].label
    caption = f"Loss of {label} of each subject at each rung. –: not defined for this subject."
    head = ("Subject", "Baseline’s score", *(label for label, _ in columns))
    return Table(caption, head, rows)


def controls(told: Told) -> Table:
    """The first margin's metric of every rung beside its controls, with the paired difference."""
    metric = metric_of(told)
    kinds = [kind for kind in CONTROL_NAMES if any(kind in r["controls"] for r in told["ladder"])]
    rows: list[list[Cell]] = []
    for rung in told["ladder"]:
        cells: list[Cell] = [scored(rung["certification"]["mean"][metric], metric)]
        for kind in kinds:
            one = rung["controls"].get(kind)
            if one is None:
                cells += [UNDEFINED, UNDEFINED]
                continue
            less = one["pruned_minus_control"]
            cells += [
                scored(one["certification"]["mean"][metric], metric),
                with_interval(
                    apart(less["mean"][metric], metric),
                    between(less["intervals"][metric], metric, sign=True),
                ),
            ]
        rows.append([rung_label(rung), *cells])
    head: list[Cell] = ["Rung", "Pruned"]
    for kind in kinds:
        head += [
            CONTROL_NAMES[kind],
            Markup(tag("span", "pruned") + "<br>" + tag("span", "minus this")),
        ]
    quantised = " Rungs are quantised to 8 bits, controls are not." if _int8(told) else ""
    caption = (
        f"{METRICS[metric].label} of each rung and its controls on the same subjects, and the difference "
        "inside subjects (in brackets: 95 %, bootstrap over subjects). From scratch: a network of the "
        "rung’s size trained from new random weights. Random kernels: as many cut, chosen by chance, "
        "retrained alike. Single weights: as many weights set to zero, the smallest of each layer, which "
        f"saves no kernel and no time.{quantised}"
    )
    return Table(caption, head, rows)


def _int8(told: Told) -> bool:
    return any(rung["int8"] for rung in told["ladder"])


def who_judged(told: Told) -> Table:
    """Which part learned from whom and judged whom."""
    parts = told["certified_by"]["parts"]
    sides = ("training", "validation", "certification")
    everyone = [name for part in parts for side in sides for name in part[side]]
    names = short_names(sorted(set(everyone)))
    rows: list[list[Cell]] = []
    for part in parts:
        who = [", ".join(names[name] for name in part[side]) for side in sides]
        rows.append([part["name"].capitalize() or "The deployed file", *who])
    caption = (
        "Who was judged by which networks: each part’s networks learned from the first, took their "
        "threshold and their best epoch from the second, and were judged on the third, which they had "
        "not seen."
    )
    head = ("Part", "Learned from", "Validated on", "Judged on")
    return Table(caption, head, rows, words=(1, 2, 3))
