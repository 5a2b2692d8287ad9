"""From finished parts to a ladder's `result.json`, `history.csv` and `predictions.parquet`.

Comes in: parts with every stage finished, scores of those who are judged, the certificate. Goes out: a
`LadderResult`. Next: `reporting` draws it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet

from secateur.certifying.judging import Judged, Table
from secateur.certifying.parts import Plan
from secateur.certifying.settings import LadderSettings
from secateur.detectors import load_detector
from secateur.detectors.benching import measure_latency
from secateur.detectors.evaluation import WindowTable
from secateur.files import replacing, write_whole
from secateur.runs.data import Material
from secateur.runs.folder import RUNG, RunFolder
from secateur.runs.ledger import Looks
from secateur.runs.plan import CONTROLS
from secateur.runs.result import as_csv, common_fields, score_models
from secateur.runs.workers import Work
from secateur.scoring import Judgement, Needed
from secateur.scoring.certificate import Certificate
from secateur.scoring.intervals import mean_interval
from secateur.scoring.metrics import METRICS, margin_metrics

Report = dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What the ladder came to. `answer`: the stage of the chosen rung, None where none held.

    `judgements`, `certificates`: one for each rung, the first also where it counts as not tested.
    `needed`: where none held, how many subjects would have been needed, by margin.
    """

    plan: Plan
    judged: Judged
    judgements: tuple[Judgement, ...]
    certificates: tuple[Certificate, ...]
    answer: str | None
    needed: tuple[Needed, ...]
    looks: Looks

    @property
    def certificate(self) -> Certificate:
        """The answer's, or where there is none the mildest rung's, which says why."""
        return self.certificates[self.plan.rungs.index(self.answer) if self.answer else 0]


def label_of(name: str) -> str:
    """A network's name for people: 0.5 or 0.5-int8 for a rung."""
    return name.removeprefix(RUNG)


@dataclass(frozen=True)
class LadderResult:
    """A finished ladder. `result` is what result.json holds."""

    folder: RunFolder
    settings: LadderSettings
    material: Material
    outcome: Outcome
    result: Report

    @property
    def certified(self) -> bool:
        """Whether any rung held."""
        return self.outcome.answer is not None


def write_result(
    outcome: Outcome, settings: LadderSettings, work: Work, command: str
) -> LadderResult:
    """Write the tables of a finished ladder into its folder."""
    final = outcome.plan.final
    material, folder = work.material(final), work.folder(final)
    records = {stage.name: folder.finished(stage.name) or {} for stage in final.stages}
    latency = _latency(outcome.plan, folder)
    ladder = [_rung(name, outcome, records, latency) for name in outcome.plan.rungs]
    chosen = _roles(outcome, records)
    models = score_models(
        material,
        {role: records[name] for role, name in chosen.items()},
        {role: folder.arrays(name).get("test", np.empty(0)) for role, name in chosen.items()},
    )
    for role, name in chosen.items():
        models[role]["latency_ms"] = latency.get(name)
    result = {
        **common_fields(material, settings, folder, command),
        "test_data": None if material.test_cohort is None else material.test_cohort.name,
        "weights_given": work.source.weights is not None,
        "certified_by": _certified_by(outcome),
        "models": models,
        "pruning": records[outcome.answer or outcome.plan.rungs[0]]["pruning"],
        "chosen": outcome.answer,
        "ladder": ladder,
        "baseline": _judged("baseline", outcome.judged),
        "controls": {
            name: _judged(name, outcome.judged)
            for name in ("retrained", "trivial")
            if name in outcome.judged.scores
        },
        "sensitivity": _curves(folder),
        "certificate": outcome.certificate.model_dump(mode="json"),
        "needed": [{**one.model_dump(), "words": one.words} for one in outcome.needed],
        "warnings": _warnings(outcome, settings),
    }
    write_whole(folder.path / "result.json", json.dumps(result, indent=1, allow_nan=False) + "\n")
    _write_history(outcome.plan, work)
    _write_predictions(outcome.plan, work, folder.path / "predictions.parquet")
    return LadderResult(folder, settings, material, outcome, result)


def _roles(outcome: Outcome, records: Mapping[str, Any]) -> dict[str, str]:
    """Models under the names that a run gives them, and their stages here."""
    answer = outcome.answer or "baseline"
    rung = answer.removesuffix("-int8")
    roles = {"baseline": "baseline", "pruned": answer}
    for role, name in (
        ("scratch", f"{rung}-scratch"),
        ("scratch-long", f"{rung}-scratch-long"),
        ("random", f"{rung}-random"),
        ("retrained", "retrained"),
        ("trivial", "trivial"),
    ):
        if name in records:
            roles[role] = name
    return roles


def _latency(plan: Plan, folder: RunFolder) -> dict[str, dict[str, float]]:
    names = ["baseline", *plan.rungs]
    floats = [name.removesuffix("-int8") for name in plan.rungs]
    wanted = list(dict.fromkeys([*names, *floats]))
    return measure_latency({name: load_detector(folder.detector(name)) for name in wanted})


def _rung(
    name: str,
    outcome: Outcome,
    records: Mapping[str, Mapping[str, Any]],
    latency: Mapping[str, Any],
) -> Report:
    """All about one rung: what it is, how it was judged, what stands beside it."""
    record = records[name]
    base = name.removesuffix("-int8")
    number = outcome.plan.rungs.index(name)
    scores = outcome.judged.scores
    controls: dict[str, str] = {
        kind: f"{base}-{kind}" for kind in CONTROLS if f"{base}-{kind}" in scores
    }
    if base != name:
        controls["float"] = base
    return {
        "name": name,
        "ratio_requested": record["pruning"]["ratio_requested"],
        "ratio_achieved": record["pruning"]["ratio_achieved"],
        "int8": base != name,
        **{key: record[key] for key in ("parameters", "macs", "file_bytes", "kernels")},
        "latency_ms": latency[name],
        "float_latency_ms": latency[base],
        "float_file_bytes": records[base]["file_bytes"],
        "threshold": record["threshold"],
        "post_processing": record["post_processing"],
        "kept": record["pruning"]["kept"],
        "units": record["pruning"]["units"],
        "verdict": outcome.certificates[number].verdict,
        "statements": [
            one.model_dump(mode="json") for one in outcome.judgements[number].statements
        ],
        **_judged(name, outcome.judged),
        "controls": {
            kind: {
                **_judged(stage, outcome.judged),
                "pruned_minus_control": _means(_apart(scores[name], scores[stage])),
            }
            for kind, stage in controls.items()
        },
    }


def _judged(name: str, judged: Judged) -> Report:
    """Means over those who were judged, with intervals, and the difference from the baseline."""
    table = judged.scores[name]
    return {
        "certification": {**_means(table), "subjects": table},
        "minus_baseline": _means(_apart(table, judged.scores["baseline"])),
    }


def _apart(one: Table, other: Table) -> Table:
    """Differences inside each subject."""
    return {
        subject: {
            metric: _minus(one[subject][metric], other[subject][metric])
            for metric in margin_metrics()
        }
        for subject in one
    }


def _means(table: Table) -> Report:
    found: Report = {"mean": {}, "intervals": {}, "n": {}}
    for metric in margin_metrics():
        values = [one[metric] for one in table.values() if one[metric] is not None]
        known = [value for value in values if value is not None]
        found["mean"][metric] = float(np.mean(known)) if known else None
        found["intervals"][metric] = mean_interval(values)
        found["n"][metric] = len(known)
    return found


def _minus(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def _certified_by(outcome: Outcome) -> Report:
    return {
        "how": outcome.plan.by,
        "parts": [
            {
                "name": part.name,
                **{
                    side: list(getattr(part.split, side))
                    for side in ("training", "validation", "certification", "test")
                },
            }
            for part in outcome.plan.judged
        ],
        "earlier_certifications": outcome.looks.certification - 1,
        "earlier_runs": outcome.looks.runs,
    }


def _curves(folder: RunFolder) -> Report:
    """Cross-entropy against the share of a group that is masked, measured on the baseline."""
    arrays = folder.arrays("evidence")
    return {
        name.removeprefix("curve/"): values.tolist()
        for name, values in arrays.items()
        if name.startswith("curve/")
    }


def _warnings(outcome: Outcome, settings: LadderSettings) -> list[str]:
    """What a reader must know before believing the numbers."""
    found = []
    if outcome.plan.by == "folds":
        found.append(
            "the recipe was judged across folds, not the file that is deployed; folds share training "
            "subjects, and that dependence is ignored"
        )
    if earlier := outcome.looks.certification - 1:
        found.append(
            f"{earlier} earlier certifications looked at some of these recordings; the stated "
            "confidence holds for a first one"
        )
    if outcome.looks.runs:
        found.append(
            f"{outcome.looks.runs} runs scored some of these recordings before; what was learned from "
            "that is not counted"
        )
    if settings.ladder.controls == "none":
        found.append("without controls it isn't known what a small network from scratch would do")
    else:
        found += _beaten(outcome)
    return found


def _beaten(outcome: Outcome) -> list[str]:
    """Where a control does as well as the chosen rung or better, or as the mildest one."""
    rung = outcome.answer or outcome.plan.rungs[0]
    base = rung.removesuffix("-int8")
    metric = next(iter(outcome.certificates[0].constraint.margins))
    sign = METRICS[metric].sign
    ours = _means(outcome.judged.scores[rung])["mean"][metric]
    found = []
    for name, words in (
        (f"{base}-scratch", "the same small network trained from scratch"),
        (
            f"{base}-scratch-long",
            "the same network trained from scratch for as many epochs altogether",
        ),
        (f"{base}-random", "kernels chosen at random"),
        ("trivial", "a random forest on band powers"),
    ):
        theirs = _means(outcome.judged.scores[name])["mean"][metric]
        if ours is None or theirs is None or sign * (theirs - ours) < 0:
            continue
        how = "does better" if sign * (theirs - ours) >= 0.0005 else "does as well"
        found.append(
            f"{words} {how}: mean {METRICS[metric].phrase} {theirs:.3f}, the pruned network "
            f"{ours:.3f} ({label_of(rung)})"
        )
    return found


def _write_history(plan: Plan, work: Work) -> None:
    rows = []
    for part in plan.parts:
        for stage in part.stages:
            record = work.folder(part).finished(stage.name) or {}
            if stage.trains:
                rows += [
                    {"part": part.name, "model": stage.name, **one} for one in record["epochs"]
                ]
    write_whole(plan.final.path / "history.csv", as_csv(rows))


def _write_predictions(plan: Plan, work: Work, path: Path) -> None:
    """Probabilities of baseline and rungs for every window that was judged or tested."""
    names = ["baseline", *plan.rungs]
    tables = []
    for part in plan.parts:
        material, folder = work.material(part), work.folder(part)
        for side in ("certification", "test"):
            if side not in material.sides:
                continue
            table = WindowTable.of(material.sides[side])
            size = len(table.label)
            columns = {
                "side": np.full(size, side),
                "part": np.full(size, part.name),
                "recording": table.key,
                "subject": table.subject,
                "second": table.second,
                "label": table.label.astype(np.int8),
            }
            for name in names:
                columns[name] = folder.arrays(name)[side].astype(np.float32)
            tables.append(pyarrow.table(columns))
    with replacing(path) as beside:
        pyarrow.parquet.write_table(pyarrow.concat_tables(tables), beside, compression="zstd")
