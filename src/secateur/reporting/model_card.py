"""The model card: what the pruned detector is, for what, how good, and where it ends.

Comes in: a `RunResult`. Goes out: Markdown. Next: `report` writes it beside the detector; `ladder_card`
makes one of the same parts for a ladder.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from secateur.reporting import paragraph, recipe
from secateur.reporting.splits import SIDES, divided, how_chosen, prevalence, tested_on
from secateur.reporting.style import (
    MODEL_NAMES,
    UNDEFINED,
    bounds,
    count,
    kilobytes,
    milliseconds,
    number,
    percent,
    plain,
    plural,
    signed,
)
from secateur.runs import MODELS, RunResult, RunSettings
from secateur.scoring.metrics import METRICS, window_metrics

_BOTH = MODELS[:2]

Told = dict[str, Any]

USE = (
    "## Intended use\n\n"
    "Research on seizure detection: comparing methods, marking recordings for a human reader to "
    "look through, trying out devices.\n\n"
    "## Not intended\n\n"
    "It is no medical device and was approved by nobody. Not for diagnosis, not for alarms on "
    "which a person depends, not for decisions on treatment, and not for EEG unlike that on which "
    "it was tested (other ages, other electrodes, other background)."
)

HOW_TO = (
    "## How to use it\n\n```console\n"
    "$ secateur detect RECORDING.edf --detector pruned.onnx --out EVENTS.tsv\n```"
)


def model_card(result: RunResult) -> str:
    """The whole card."""
    told, settings = result.result, result.settings
    test = result.material.test_cohort
    threshold = told["models"]["pruned"]["test"]["threshold"]
    parts = (
        what(told, settings, paragraph.outcome(result)),
        USE,
        HOW_TO,
        people(told, None if test is None else test.name),
        scores(told),
        events(told),
        size(told),
        limits(told),
        provenance(told, threshold),
    )
    return "\n\n".join(parts) + "\n"


def literal(value: object) -> str:
    """Text from files, with what Markdown or HTML would act upon made harmless."""
    text = " ".join(str(value).split())
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", text).replace("&", "&amp;")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first column names its row."""
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def what(told: Told, settings: RunSettings, outcome: str) -> str:
    """What it is and what came out. `outcome`: plain text."""
    data = told["data"]
    simulated = ""
    if data["simulated"]:
        simulated = (
            "\n\n> **SIMULATED DATA.** No patient was recorded; nothing here says how the detector "
            "does on patients."
        )
    made = "It is `baseline.onnx` itself: nothing was cut."
    if _is_cut(told):
        made = "It was made from a larger network (`baseline.onnx`) by cutting convolution kernels."
    chain, windows = settings.chain, settings.windows
    return (
        f"# Model card: seizure detector `pruned.onnx`{simulated}\n\n"
        "> **Research software, not a medical device.**\n\n"
        f"A network of the kind {literal(settings.network.name)} that gives a probability of seizure every "
        f"{plain(windows.hop)} s from {plain(windows.length)} s of EEG (montage "
        f"{chain.montage}, {plain(chain.sampling_rate)} Hz, {plain(chain.low)} to {plain(chain.high)} "
        f"Hz). The file carries its signal chain, threshold and post-processing. {made}\n\n"
        f"{literal(outcome)}"
    )


def _is_cut(told: Told) -> bool:
    """False where no rung of a ladder held and the baseline came back."""
    return told.get("chosen", "") is not None


def people(told: Told, test_data: str | None) -> str:
    """Data and sides. `test_data`: name of the data set kept for testing."""
    data, split = told["data"], told["split"]
    rows = []
    for side in (side for side in SIDES if side in split):
        one = split["counts"][side]
        who = ", ".join(literal(subject) for subject in split[side])
        numbers = (len(split[side]), one["recordings"], one["seizures"], one["windows"])
        rows.append([side, *(count(value) for value in numbers), who])
    head = ("Side", "Subjects", "Recordings", "Seizures", "Windows", "Who")
    how = how_chosen(split, test_data)
    known = data["subjects"] is not None
    number_of = plural(data["subjects"], "subject") if known else "subjects not known"
    return (
        f"## Data\n\n{literal(data['name'])}{' (simulated)' if data['simulated'] else ''}: "
        f"{number_of}, {plural(data['recordings'], 'recording')}, "
        f"{number(data['hours'], 2)} h, {plural(data['seizures'], 'seizure')}; background: "
        f"{data['background']}. {divided(split)}; {how}. "
        f"Ictal: {prevalence(split)}. "
        f"{plural(len(told['problems']), 'recording')} left out.\n\n{table(head, rows)}"
    )


def scores(told: Told) -> str:
    """Baseline and pruned on the test side."""
    models = told["models"]
    tests = {name: models[name]["test"] for name in _BOTH}
    apart = models["pruned"]["minus_baseline"]
    pooled, means = [], []
    for key in window_metrics():
        label = METRICS[key].label
        pooled.append(
            [
                label,
                *(_scored(tests[name], key, "pooled") for name in _BOTH),
                f"{signed(apart['difference'][key])} {bounds(apart['intervals'][key], sign=True)}",
            ]
        )
        means.append([label, *(_scored(tests[name], key, "by_subject") for name in _BOTH)])
    names = [MODEL_NAMES[name] for name in _BOTH]
    limits = ", ".join(f"{name} {number(tests[name]['threshold'])}" for name in _BOTH)
    subjects = len(tests["pruned"]["by_subject"]["subjects"])
    return (
        f"## Scores on {plural(subjects, 'test subject')}\n\n"
        f"Tested on {tested_on(told['split'])}. Thresholds were chosen on the validation "
        f"side: {limits}. For the Brier score, lower is better.\n\n"
        "Mean over test subjects, unweighted (95 % interval: bootstrap over subjects, – below "
        f"five):\n\n{table(('Score', *names), means)}\n\n"
        f"Over all {count(tests['pruned']['windows'])} test windows together "
        f"({tests['pruned']['intervals']['what']}):\n\n"
        f"{table(('Score', *names, 'Pruned minus baseline'), pooled)}"
    )


def _scored(test: dict[str, Any], key: str, where: str) -> str:
    value = test[key] if where == "pooled" else test["by_subject"][key]
    return f"{number(value)} {bounds(test['intervals'][where][key])}"


def events(told: Told) -> str:
    """Scores by event on the test side."""
    models, version = told["models"], told["timescoring"]
    note = models["baseline"]["test"]["events"]["note"]
    warning = f"**With care:** {literal(note)}.\n\n" if note else ""
    if told["split"]["unit"] == "window":
        return f"## Events\n\n{warning}".rstrip()
    found = {MODEL_NAMES[name]: models[name]["test"]["events"] for name in _BOTH}
    found["Always firing"] = models["baseline"]["test"]["events"]["always_firing"]
    rows = [
        [
            name,
            f"{one['tp']} of {one['ref']}",
            count(one["fp"]),
            number(one["sensitivity"]),
            number(one["precision"]),
            number(one["f1"]),
            number(one["fp_per_day"], 1),
            version,
        ]
        for name, one in found.items()
    ]
    head = ("Detector", "Found", "False alarms", "Sensitivity", "Precision", "F1")
    return f"## Events\n\n{warning}{table((*head, 'False alarms a day', 'timescoring'), rows)}"


def size(told: Told) -> str:
    """What it costs, and what was cut."""
    models, pruning = told["models"], told["pruning"]
    rows = []
    for name in _BOTH:
        model = models[name]
        latency = model["latency_ms"] or {"median": None, "p99": None}
        rows.append(
            [
                MODEL_NAMES[name],
                count(model["parameters"]),
                count(model["macs"]),
                kilobytes(model["file_bytes"]),
                f"{milliseconds(latency['median'])} / {milliseconds(latency['p99'])}",
            ]
        )
    layers = [
        f"- `{layer}`: {len(kept)} of {pruning['units'][layer]} kernels kept"
        for layer, kept in pruning["kept"].items()
    ]
    head = ("Network", "Parameters", "MACs a window", "File", "Latency, median / 99th percentile")
    sizes = (
        f"## Size and pruning\n\n{table(head, rows)}\n\nLatency: one window, ONNX Runtime, one "
        "thread, on the machine that made this run."
    )
    if not _is_cut(told):
        return sizes
    return (
        f"{sizes}\n\nKernels ranked by {pruning['importance']}; "
        f"{percent(pruning['ratio_requested'], 1)} asked, {percent(pruning['ratio_achieved'], 1)} "
        "cut. Largest difference of a logit to the whole network with those kernels silenced "
        f"(float64): {pruning['equivalence_max_abs_error']:.1e}.\n\n" + "\n".join(layers)
    )


def limits(told: Told) -> str:
    """What must be known before it is believed."""
    found = [literal(one) for one in told["warnings"]]
    if told["data"]["simulated"]:
        found.insert(0, "trained or tested on simulated recordings")
    found.append(f"background in the data: {told['data']['background']}")
    found.append("one training run with one seed: how much another would differ is not known")
    lines = "\n".join(f"- {one}" for one in found)
    return f"## Limits\n\n{lines}"


def provenance(told: Told, threshold: float) -> str:
    """Where it comes from."""
    lines = (
        f"run `{told['run']}`, seed {told['seed']}",
        f"secateur {told['secateur']}, timescoring {told['timescoring']}",
        f"threshold {number(threshold)}; {recipe.rules(told['models']['pruned']['post_processing'])}",
        f"kept epoch {told['models']['pruned']['best_epoch'] or UNDEFINED} of "
        f"{'retraining' if _is_cut(told) else 'training'}",
        "settings: `config.toml`; all numbers: `result.json`; report: `report.html`",
    )
    return "## Provenance\n\n" + "\n".join(f"- {line}" for line in lines)
