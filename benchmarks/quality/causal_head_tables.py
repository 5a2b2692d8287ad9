"""The page of `causal_head`: each way against the plain threshold, at equal false alarms, by subject."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from itertools import product
from typing import Any

from secateur.scoring.comparing import Comparison, Outcome, compare, in_family

Tables = dict[str, Any]
CHOSEN = "the head"
CONDITIONS = ("as recorded", "behind background")
MODELS = {"baseline": "before pruning", "pruned": "pruned"}
HOURS_A_DAY = 24
_LEAST = 0.05
"""Holm's p below which a difference is shown."""


def page(results: Sequence[Tables]) -> str:
    """Markdown of all folds that there are."""
    electrodes = list(dict.fromkeys(result["electrodes"] for result in results))
    cases = [
        ([result for result in results if result["electrodes"] == name], name, condition, model)
        for name, condition, model in product(electrodes, CONDITIONS, MODELS)
    ]
    lines = ["# A causal head over the last minute", "", *_head(), *_verdict(cases)]
    for name, condition in product(electrodes, CONDITIONS):
        lines += ["", f"## {name[0].upper()}{name[1:]}, recordings {_WHERE[condition]}"]
        for folds, other, place, model in cases:
            if (other, place) == (name, condition):
                lines += ["", *_table(folds, condition, model)]
    return "\n".join([*lines, ""])


_WHERE = {"as recorded": "as they are", "behind background": "behind background"}
_HEAD = """\
What a network of 16-32-64 kernels hands its linear layer (64 numbers for each window before pruning, 6 with
nine of ten kernels removed), or its log odds, and running means of these with time constants of 3, 10 and
20 s (95 % of their weight within 10, 30 and 60 s) go into one more linear layer, whose output is added to
the frozen network's log odds. It learns from the people who trained the network and is stopped early on
those who validated it; before its first step it changes nothing. Nothing of what comes later is seen, and
means begin anew with each recording. **The head** is, of the six, the one with the least loss on
validation. CHB-MIT clips with `eegmat` among the background; each deal of four folds tests all 16 children
and 12 adults. With six pairs the 20 people of `guinea-bissau` are judged, too, of whom nothing was learned.

    python -m benchmarks.quality.causal_head --data CLIPS --background EEGMAT --restless GUINEA-BISSAU

Beside the heads stand the plain threshold, the rules that `--post-processing froc` takes, a head that sees
the features of now alone (what comes of training the last layer on), one that sees no EEG but how long the
recording has been going on (*clock*), and heads on log odds that learn from the validation side, of whom
the network has learned nothing.

*Recordings as they are* flatter whatever looks back: a clip begins with the seizure or after it, so there
is never background before a seizure. *Behind background*, each recording stands behind the last minute of
another one of the same person in which there is no seizure (where there is one); heads learn from both.

*Area*: mean sensitivity by event from no false alarm to as many as the plain rules raise on the same
recordings, each way at thresholds of its own; of each child, then the mean over children and folds.
Differences are paired by fold, with 95 % intervals corrected for overlapping training sets
([statistics.md](../../docs/explanation/statistics.md)); the median is over children. *Could have seen*: the
smallest true difference that these folds would have shown four times in five. *Found with as many*:
seizures, all deals together, at as many false alarms as the plain rules raise. *No alarm on ordinary EEG*: at
thresholds by which none of it is called, however many alarms the clips have. *At the
threshold from validation*: seizures found, false alarms on the clips, and on ordinary EEG a day with
the share of its windows called.
"""


def _head() -> list[str]:
    """A paragraph a line, as Markdown has it here."""
    paragraphs = _HEAD.strip("\n").split("\n\n")
    joined = (each if each.startswith("    ") else " ".join(each.split()) for each in paragraphs)
    return [line for each in joined for line in (each, "")]


def _verdict(cases: Sequence[tuple[list[Tables], str, str, str]]) -> list[str]:
    """The head against the plain threshold and against the features of now, in all cases together."""
    against = ("plain", "features of now")
    compared = [
        (case, other, _compared(case[0], case[2], case[3], CHOSEN, other))
        for case in cases
        for other in against
    ]
    family = in_family([comparison for _, _, comparison in compared])
    shown = sum(_is_shown(each) for each in family)
    lines = [
        "**The head against the plain threshold, and against a last layer trained on without history: "
        f"{shown} of {len(family)} differences are shown to be above zero** (95 %, Holm's correction over "
        "all).",
        "",
        "| electrodes | recordings | network | minus plain | median | could have seen | "
        "minus features of now | median | could have seen |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for k, (_, name, condition, model) in enumerate(cases):
        pair = family[2 * k : 2 * k + 2]
        cells = " | ".join(
            f"{_difference(each)} | {_median(each)} | {_detectable(each)}" for each in pair
        )
        lines.append(f"| {name} | {_WHERE[condition]} | {MODELS[model]} | {cells} |")
    hinges = [each.by_subject.hinge for each in family[::2]]
    parts = [
        f"{_label(name)} ({mean:+.3f} without)" for name, mean in (each for each in hinges if each)
    ]
    lines += ["", f"The child on whom each difference to plain hangs most: {', '.join(parts)}."]
    return lines


def _is_shown(comparison: Comparison) -> bool:
    p, difference = comparison.p_holm, comparison.difference
    return p is not None and difference is not None and p < _LEAST and difference > 0


def _label(subject: str) -> str:
    return subject.rpartition("/")[2]


def _compared(
    folds: Sequence[Tables], condition: str, model: str, ours: str, theirs: str
) -> Comparison:
    outcomes = (_outcomes(folds, condition, model, way) for way in (ours, theirs))
    return compare(next(outcomes), next(outcomes))


def _outcomes(folds: Sequence[Tables], condition: str, model: str, way: str) -> list[Outcome]:
    outcomes = []
    for fold in folds:
        areas = _way(fold, condition, model, way)["by_subject"]
        outcomes.append(
            Outcome(
                f"{fold['seed']}-{fold['fold']}",
                fold["seed"],
                statistics.fmean(areas.values()),
                areas,
                fold["people"]["test"],
                fold["people"]["training"],
            )
        )
    return outcomes


def _way(fold: Tables, condition: str, model: str, way: str) -> Tables:
    judged = fold["models"][model]
    if way == CHOSEN:
        losses = {name: loss for name, loss in judged["losses"].items() if name in HISTORIC}
        way = min(losses, key=lambda name: losses[name])
    result: Tables = judged["judged"][condition]["ways"][way]
    return result


HISTORIC = tuple(
    f"{source}, {history}"
    for source, history in product(("log odds", "features"), ("10 s", "30 s", "60 s"))
)
"""Heads that look back and learn from the training side."""


def _table(folds: Sequence[Tables], condition: str, model: str) -> list[str]:
    seizures = sum(_way(fold, condition, model, "plain")["seizures"] for fold in folds)
    most = sum(fold["models"][model]["judged"][condition]["most"] for fold in folds)
    ways = [*folds[0]["models"][model]["judged"][condition]["ways"]]
    lines = [
        f"{MODELS[model][0].upper()}{MODELS[model][1:]}: {len(folds)} networks, {seizures} seizures; the "
        f"plain rules raise {most} false alarms.",
        "",
        "| | area | minus plain | median | found with as many | no alarm on ordinary EEG | at the threshold "
        "from validation |",
        "|---|---|---|---|---|---|---|",
    ]
    for way in (ways[0], ways[1], CHOSEN, *ways[2:]):
        rows = [_way(fold, condition, model, way) for fold in folds]
        areas = [statistics.fmean(row["by_subject"].values()) for row in rows]
        cells = [f"**{way}**" if way == CHOSEN else way, f"{statistics.fmean(areas):.3f}"]
        if way == "plain":
            cells += ["", ""]
        else:
            comparison = _compared(folds, condition, model, way, "plain")
            cells += [_difference(comparison), _median(comparison)]
        cells += [str(sum(row[key] for row in rows)) for key in ("equal", "none_on_ordinary")]
        lines.append(f"| {' | '.join([*cells, _as_chosen(rows)])} |")
    return lines


def _difference(comparison: Comparison) -> str:
    if comparison.difference is None:
        return "–"
    if comparison.interval is None:
        return f"{comparison.difference:+.3f}"
    low, high = comparison.interval
    return f"{comparison.difference:+.3f} ({low:+.3f} to {high:+.3f})"


def _median(comparison: Comparison) -> str:
    median = comparison.by_subject.median
    return "–" if median is None else f"{median:+.3f}"


def _detectable(comparison: Comparison) -> str:
    return "–" if comparison.detectable is None else f"{comparison.detectable:.3f}"


def _as_chosen(rows: Sequence[Tables]) -> str:
    sets: dict[str, dict[str, float]] = {}
    for row in rows:
        for name, counts in row["chosen"]["sets"].items():
            own = sets.setdefault(name, dict.fromkeys(counts, 0.0))
            for key, value in counts.items():
                own[key] += value
    parts = [
        f"{sum(row['chosen']['found'] for row in rows)} found",
        f"{sets.pop('clips')['alarms']:.0f} on the clips",
    ]
    for name, own in sets.items():
        share = 100 * own["called"] / own["windows"]
        rate = HOURS_A_DAY * own["alarms"] / own["hours"]
        parts.append(f"`{name}` {rate:.0f} a day, {share:.1f} %")
    return "; ".join(parts)
