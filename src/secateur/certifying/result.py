"""From finished parts to a ladder's `result.json`, `history.csv` and `predictions.parquet`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet

from secateur import results
from secateur.certifying.judging import Judged, Table
from secateur.certifying.parts import Plan
from secateur.certifying.settings import LadderSettings
from secateur.detectors import load_detector
from secateur.detectors.benching import measure_latency
from secateur.detectors.evaluation import WindowTable
from secateur.files import replacing, write_whole
from secateur.results import (
    CertifiedBy,
    JudgedControl,
    JudgedMeans,
    JudgedPart,
    Latency,
    Means,
    Pruning,
    Rules,
    Rung,
)
from secateur.results.warnings import alarm_warnings, held_warnings, version_warnings
from secateur.runs.data import RunData
from secateur.runs.folder import RUNG, RunFolder
from secateur.runs.ledger import Looks
from secateur.runs.plan import CONTROLS
from secateur.runs.result import as_csv, score_models, set_warnings, versions, window_columns
from secateur.runs.workers import Work
from secateur.scoring import Judgement, Needed
from secateur.scoring.certificate import Certificate
from secateur.scoring.intervals import mean_interval, minus
from secateur.scoring.metrics import METRICS, margin_metrics


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
class LadderOutput:
    """A finished ladder. `result` is what result.json holds."""

    folder: RunFolder
    settings: LadderSettings
    material: RunData
    outcome: Outcome
    result: results.LadderResult

    @property
    def certified(self) -> bool:
        """Whether any rung held."""
        return self.outcome.answer is not None


def judged_fields(outcome: Outcome, settings: LadderSettings, work: Work) -> dict[str, Any]:
    """What a finished ladder adds to the result that was begun, by field."""
    final = outcome.plan.final
    material, folder = work.material(final), work.folder(final)
    records = {stage.name: _as_deployed(folder, stage.name) for stage in final.stages}
    every = [
        work.folder(part).finished(stage.name) or {}
        for part in outcome.plan.parts
        for stage in part.stages
    ]
    latency = _latency(outcome.plan, folder)
    roles = _roles(outcome, records)
    judged = outcome.judged
    models = score_models(
        material,
        {role: records[name] for role, name in roles.items()},
        {role: folder.arrays(name).get("test", np.empty(0)) for role, name in roles.items()},
        {role: latency[name] for role, name in roles.items() if name in latency},
    )
    baseline = results.Judged(**_judged("baseline", judged))
    rungs = tuple(_rung(name, outcome, records, latency) for name in outcome.plan.rungs)
    pruning = records[outcome.answer or outcome.plan.rungs[0]]["pruning"]
    return {
        "versions": versions(every),
        "models": models,
        "pruning": Pruning.model_validate(pruning),
        "warnings": (
            *_warnings(outcome, settings),
            *(held_warnings(pruning) if pruning["held"] else ()),
            *set_warnings(material),
            *alarm_warnings(models),
            *_more_alarms(rungs, baseline, outcome.answer),
            *version_warnings(every),
        ),
        "test_data": None if material.test_cohort is None else material.test_cohort.name,
        "weights_given": work.source.weights is not None,
        "certified_by": _certified_by(outcome),
        "chosen": outcome.answer,
        "ladder": rungs,
        "baseline": baseline,
        "controls": {
            name: results.Judged(**_judged(name, judged))
            for name in ("retrained", "random_forest")
            if name in judged.repeats
        },
        "masking": _masking(folder),
        "certificate": outcome.certificate,
        "needed": outcome.needed,
    }


def _more_alarms(
    rungs: Sequence[results.Rung], baseline: results.Judged, answer: str | None
) -> Iterator[str]:
    """Where the chosen rung raises more false alarms than the baseline on those who judged."""
    for rung in rungs:
        for data, cost in (
            rung.certification.alarm_costs(baseline.certification).items()
            if rung.name == answer
            else ()
        ):
            if cost.is_shown:
                yield f"pruning costs false alarms on {data}, of those who judged: {cost.words}"


def _as_deployed(folder: RunFolder, name: str) -> dict[str, Any]:
    """A stage's record with the size of its file as it is now, the certificate in it."""
    path = folder.detector(name)
    size = {"file_bytes": path.stat().st_size} if path.exists() else {}
    return {**(folder.finished(name) or {}), **size}


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
        ("random_forest", "random_forest"),
    ):
        if name in records:
            roles[role] = name
    return roles


def _latency(plan: Plan, folder: RunFolder) -> dict[str, dict[str, float]]:
    names = ["baseline", *plan.rungs]
    floats = [name.removesuffix("-int8") for name in plan.rungs]
    names_with_float = list(dict.fromkeys([*names, *floats]))
    return measure_latency(
        {name: load_detector(folder.detector(name)) for name in names_with_float}
    )


def _rung(
    name: str,
    outcome: Outcome,
    records: Mapping[str, Mapping[str, Any]],
    latency: Mapping[str, Mapping[str, float]],
) -> Rung:
    """All about one rung: what it is, how it was judged, what stands beside it."""
    record, judged = records[name], outcome.judged
    base = name.removesuffix("-int8")
    number = outcome.plan.rungs.index(name)
    controls: dict[str, str] = {
        kind: f"{base}-{kind}" for kind in CONTROLS if f"{base}-{kind}" in judged.repeats
    }
    if base != name:
        controls["float"] = base
    pruning = Pruning.model_validate(record["pruning"])
    return Rung(
        name=name,
        ratio_requested=pruning.ratio_requested,
        ratio_achieved=pruning.ratio_achieved,
        int8=base != name,
        **{key: record[key] for key in ("parameters", "macs", "file_bytes", "kernels")},
        latency_ms=Latency(**latency[name]),
        float_latency_ms=Latency(**latency[base]),
        float_file_bytes=records[base]["file_bytes"],
        threshold=record["threshold"],
        post_processing=Rules(**record["post_processing"]),
        kept=pruning.kept,
        units=pruning.units,
        verdict=outcome.certificates[number].verdict,
        statements=outcome.judgements[number].statements,
        **_judged(name, judged),
        controls={
            kind: JudgedControl(
                **_judged(stage, judged),
                pruned_minus_control=_means(
                    _differences(judged.scores(name), judged.scores(stage))
                ),
            )
            for kind, stage in controls.items()
        },
    )


def _judged(name: str, judged: Judged) -> dict[str, Means]:
    """Means over those who were judged, with intervals, and the difference from the baseline; by field."""
    table = judged.scores(name)
    return {
        "certification": JudgedMeans(
            **dict(_means(table)), subjects=table, repeats=tuple(judged.repeats[name])
        ),
        "minus_baseline": _means(_differences(table, judged.scores("baseline"))),
    }


def _differences(table: Table, other: Table) -> Table:
    """Differences inside each subject."""
    return {
        subject: {
            metric: minus(table[subject][metric], other[subject][metric])
            for metric in margin_metrics()
        }
        for subject in table
    }


def _means(table: Table) -> Means:
    mean, intervals, counts = {}, {}, {}
    for metric in margin_metrics():
        known = [value for each in table.values() if (value := each[metric]) is not None]
        mean[metric] = float(np.mean(known)) if known else None
        intervals[metric] = mean_interval(known)
        counts[metric] = len(known)
    return Means(mean=mean, intervals=intervals, n=counts)


def _certified_by(outcome: Outcome) -> CertifiedBy:
    sides = ("training", "validation", "certification", "test")
    parts = []
    for repeat, each in enumerate(outcome.plan.repeats, start=1):
        for part in each:
            assert part.split is not None
            who = {side: getattr(part.split, side) for side in sides}
            parts.append(JudgedPart(name=part.name, repeat=repeat, seed_step=part.seed_step, **who))
    return CertifiedBy(
        how=outcome.plan.by,
        parts=tuple(parts),
        earlier_certifications=outcome.looks.certification - 1,
        earlier_runs=outcome.looks.runs,
    )


def _masking(folder: RunFolder) -> dict[str, Any]:
    """Cross-entropy against the share of a group that is masked, measured on the baseline."""
    arrays = folder.arrays("evidence")
    return {
        name.removeprefix("curve/"): values.tolist()
        for name, values in arrays.items()
        if name.startswith("curve/")
    }


def _warnings(outcome: Outcome, settings: LadderSettings) -> list[str]:
    """What a reader must know before believing the numbers."""
    warnings = []
    if outcome.plan.by == "folds":
        warnings.append(
            "the recipe was judged across folds, not the file that is deployed; that folds share training "
            "subjects is ignored"
        )
    if earlier := outcome.looks.certification - 1:
        spent = "certification has spent its" if earlier == 1 else "certifications have spent their"
        warnings.append(
            f"{earlier} earlier {spent} share of the error that may be made on some of these recordings"
        )
    if runs := outcome.looks.runs:
        warnings.append(
            f"{runs} run{'' if runs == 1 else 's'} scored some of these recordings before; what was learned "
            "from that is not counted"
        )
    if settings.ladder.controls == "none":
        warnings.append(
            "without controls it isn't known what a small network from scratch would do"
        )
    else:
        warnings += _beaten(outcome)
    return warnings


def _beaten(outcome: Outcome) -> list[str]:
    """Where a control does as well as the chosen rung or better, or as the mildest one."""
    rung = outcome.answer or outcome.plan.rungs[0]
    base = rung.removesuffix("-int8")
    metric = next(iter(outcome.certificates[0].constraint.margins))
    sign = METRICS[metric].sign
    ours = _means(outcome.judged.scores(rung)).mean[metric]
    warnings = []
    for name, words in (
        (f"{base}-scratch", "the same small network trained from scratch"),
        (
            f"{base}-scratch-long",
            "the same network trained from scratch for as many epochs altogether",
        ),
        (f"{base}-random", "kernels chosen at random"),
        ("random_forest", "a random forest on band powers"),
    ):
        theirs = _means(outcome.judged.scores(name)).mean[metric]
        if ours is None or theirs is None or sign * (theirs - ours) < 0:
            continue
        how = "does better" if sign * (theirs - ours) >= 0.0005 else "does as well"
        warnings.append(
            f"{words} {how}: mean {METRICS[metric].phrase} {theirs:.3f}, the pruned network "
            f"{ours:.3f} ({label_of(rung)})"
        )
    return warnings


def write_history(plan: Plan, work: Work) -> None:
    """Every network's epochs as history.csv."""
    rows = []
    for part in plan.parts:
        for stage in part.stages:
            record = work.folder(part).finished(stage.name) or {}
            if stage.trains:
                rows += [
                    {"part": part.name, "model": stage.name, **epoch} for epoch in record["epochs"]
                ]
    write_whole(plan.final.path / "history.csv", as_csv(rows))


def write_predictions(plan: Plan, work: Work) -> None:
    """Probabilities of baseline and rungs for every window that was judged or tested."""
    names = ["baseline", *plan.rungs]
    tables = []
    for part in plan.parts:
        material, folder = work.material(part), work.folder(part)
        for side in ("certification", "test"):
            if side not in material.sides:
                continue
            table = WindowTable.of(material.sides[side])
            columns = {
                "side": np.full(len(table), side),
                "part": np.full(len(table), part.name),
                **window_columns(table),
            }
            for name in names:
                columns[name] = folder.arrays(name)[side].astype(np.float32)
            tables.append(pyarrow.table(columns))
    with replacing(plan.final.path / "predictions.parquet") as beside:
        pyarrow.parquet.write_table(pyarrow.concat_tables(tables), beside, compression="zstd")
