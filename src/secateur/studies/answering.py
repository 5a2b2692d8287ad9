"""From finished runs to what they say: conditions, comparisons, hypotheses."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from secateur.results import FalseAlarms, Froc, LearningCurves
from secateur.results.study_run import MODELS, ModelName
from secateur.scoring import TIMESCORING_VERSION
from secateur.scoring.comparing import Outcome, Summary, components, summarise
from secateur.scoring.false_alarms import FalseAlarms as AlarmsOfOne
from secateur.scoring.false_alarms import alarm_cost
from secateur.scoring.metrics import AFTER_EPOCHS, BY_SUBJECT, key_of, metric_of, study_metrics
from secateur.studies.adapting import adapted
from secateur.studies.explaining import explained
from secateur.studies.file import REPEATS, StudyFile, as_word
from secateur.studies.findings import (
    At,
    Condition,
    Curve,
    Findings,
    SetAlarms,
    Spread,
    Value,
)
from secateur.studies.questions import check_questions, compared, expected
from secateur.studies.record import Plan, condition_of, read_runs
from secateur.studies.store import Store
from secateur.studies.table import Model, Row, flat, seconds_of


def evaluate_study(plan: Plan, store: Store) -> Findings:
    """What the runs that are finished say. Raises `SettingsError` for what these runs can't be asked."""
    check_questions(plan.study)
    rows, missing = read_runs(plan, store)
    study = plan.study
    groups = _grouped(rows, study)
    conditions = tuple(_conditions(groups, plan))
    return Findings(
        study=study,
        axes={name: tuple(as_word(v) for v in values) for name, values in study.axes.items()},
        fixed={name: as_word(value) for name, value in study.fixed.items()},
        planned=len(plan.runs),
        finished=len(rows),
        conditions=conditions,
        families=(*compared(rows, study), *expected(rows, study)),
        curves=tuple(_curves(groups)),
        spread=tuple(_spread(groups, study)),
        missing=tuple(missing),
        data=_data(rows),
        versions=_versions(rows),
        command=plan.command,
        seconds=seconds_of(rows),
        cautions=(*_cautions(rows, study), *_costs(conditions)),
        rows=tuple(flat(row, _columns(study)) for row in rows),
        explaining=explained(rows),
        adapting=adapted(rows, study),
    )


def _key(at: At) -> tuple[tuple[str, Value], ...]:
    return tuple(at.items())


def _grouped(
    rows: Sequence[Row], study: StudyFile
) -> dict[tuple[tuple[str, Value], ...], list[Row]]:
    """Finished runs by condition, in the order of the axes, also where a condition has none yet."""
    names = [name for name in study.axes if name not in REPEATS]
    values = [[as_word(v) for v in study.axes[name]] for name in names]
    groups: dict[tuple[tuple[str, Value], ...], list[Row]] = {
        tuple(zip(names, point, strict=True)): [] for point in itertools.product(*values)
    }
    for row in rows:
        groups[_key(condition_of(row.at))].append(row)
    return groups


def _conditions(
    groups: Mapping[tuple[tuple[str, Value], ...], list[Row]], plan: Plan
) -> Iterable[Condition]:
    planned: dict[tuple[tuple[str, Value], ...], int] = {}
    for _, at in plan.runs:
        key = _key(condition_of(at))
        planned[key] = planned.get(key, 0) + 1
    for key, rows in groups.items():
        if key not in planned:
            continue  # skipped by the study
        metrics = plan.study.metrics
        yield Condition(
            at=dict(key),
            runs=len(rows),
            planned=planned[key],
            scores={m: summarise(_plain(rows, "pruned", m)) for m in metrics},
            baseline={m: summarise(_plain(rows, "baseline", m)) for m in metrics},
            minus={m: summarise(_plain(rows, "minus", m)) for m in metrics},
            sizes=_sizes(rows, "pruned"),
            baseline_sizes=_sizes(rows, "baseline"),
            stopped=_stopped(rows),
            after=_after(rows, plan.study),
            groups=_sets(rows),
            froc=_froc(rows),
            alarms=_alarms(rows),
        )


def _columns(study: StudyFile) -> tuple[str, ...]:
    """Metrics of runs.parquet: all, and what the study asks of few epochs."""
    questions = (*study.compare, *study.hypothesis)
    asked = (*study.metrics, *(question.metric for question in questions))
    return tuple(dict.fromkeys((*study_metrics(), *asked)))


def _window_metric(study: StudyFile) -> str:
    """The first metric of the study's that is computed from windows, of the network in the end."""
    keys = [key_of(metric)[0] for metric in study.metrics if metric_of(metric).scope != "events"]
    return keys[0] if keys else f"auroc{BY_SUBJECT}"


def _after(rows: Sequence[Row], study: StudyFile) -> dict[str, Summary]:
    keys = [f"{_window_metric(study)}_after_{epochs}" for epochs in AFTER_EPOCHS]
    summaries = {key: summarise(_plain(rows, "pruned", key)) for key in keys}
    return {key: summary for key, summary in summaries.items() if summary.runs}


def _spread(
    groups: Mapping[tuple[tuple[str, Value], ...], list[Row]], study: StudyFile
) -> Iterable[Spread]:
    """Of the networks before pruning, those of several conditions once, and of what each condition lost."""
    metric = _window_metric(study)
    before: dict[Any, list[tuple[At, list[Outcome]]]] = {}
    lost: list[Spread] = []
    for key, rows in groups.items():
        if not rows:
            continue
        outcomes = _plain(rows, "baseline", metric)
        same = frozenset(
            (outcome.fold, outcome.seed, *sorted(outcome.subjects.items())) for outcome in outcomes
        )
        before.setdefault(same, []).append((dict(key), outcomes))
        differences = components(_plain(rows, "minus", metric))
        if study.pruned:
            lost.append(Spread("pruned minus before", metric, dict(key), differences))
    for shared in before.values():
        first = shared[0][0]
        at = {
            axis: v
            for axis, v in first.items()
            if all(at_of_run[axis] == v for at_of_run, _ in shared)
        }
        yield Spread(
            "before pruning" if study.pruned else "trained", metric, at, components(shared[0][1])
        )
    yield from lost


def _plain(rows: Sequence[Row], model: Model, metric: str) -> list[Outcome]:
    """Outcomes with the metric's own sign, for tables."""
    plain = []
    for row in rows:
        outcome = row.outcome(model, metric)
        plain.append(
            Outcome(
                outcome.fold,
                outcome.seed,
                row.score(model, metric),
                row.subjects(model, metric),
                outcome.test,
                outcome.training,
            )
        )
    return plain


def _mean(values: Iterable[Any]) -> float | None:
    known = [float(value) for value in values if value is not None]
    return statistics.fmean(known) if known else None


def _means(rows: Sequence[Row], keys: Mapping[str, Callable[[Row], Any]]) -> dict[str, float]:
    means = {name: _mean(value(row) for row in rows) for name, value in keys.items()}
    return {name: value for name, value in means.items() if value is not None}


def _sizes(rows: Sequence[Row], model: ModelName) -> dict[str, float]:
    def size(name: str) -> Callable[[Row], Any]:
        return lambda row: getattr(row.result.model(model), name)

    return _means(
        rows,
        {
            **{name: size(name) for name in ("parameters", "macs", "file_bytes")},
            "kernels": lambda row: sum(row.result.model(model).kernels or ()),
        },
    )


def _stopped(rows: Sequence[Row]) -> dict[str, float]:
    def best(model: ModelName) -> Callable[[Row], Any]:
        return lambda row: row.result.model(model).best_epoch

    def trained(model: ModelName) -> Callable[[Row], Any]:
        return lambda row: row.result.model(model).epochs.count or None

    return _means(
        rows,
        {
            "best_epoch": best("pruned"),
            "epochs": trained("pruned"),
            "baseline_best_epoch": best("baseline"),
            "baseline_epochs": trained("baseline"),
        },
    )


def _sets(rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    """Means over runs by set of recordings (Bonn's A to E), of the pruned network."""
    seen: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        for name, counts in row.result.model("pruned").groups.items():
            for key, value in counts.items():
                seen.setdefault(name, {}).setdefault(key, []).append(value)
    return {
        name: {key: statistics.fmean(values) for key, values in values_of.items()}
        for name, values_of in seen.items()
    }


def _froc(rows: Sequence[Row]) -> dict[str, tuple[Froc, ...]]:
    """By model the curve of each run that has one, with a seizure to be found."""
    curves: dict[str, tuple[Froc, ...]] = {}
    for model in MODELS:
        tests = [row.result.models[model].test for row in rows if model in row.result.models]
        known = tuple(test.froc for test in tests if test and test.froc and test.froc.seizures)
        if known:
            curves[model] = known
    return curves


def _alarms(rows: Sequence[Row]) -> dict[str, SetAlarms]:
    """False alarms by data set over runs in which those of every network were counted."""
    runs: dict[str, list[dict[ModelName, FalseAlarms]]] = {}
    for row in rows:
        by_set: dict[str, dict[ModelName, FalseAlarms]] = {}
        for model, result in row.result.models.items():
            for each in result.test.false_alarms if result.test else ():
                by_set.setdefault(each.data, {})[model] = each
        for name, counted in by_set.items():
            if counted.keys() == row.result.models.keys():
                runs.setdefault(name, []).append(counted)
    return {name: _set_alarms(counted) for name, counted in runs.items()}


def _set_alarms(runs: Sequence[Mapping[ModelName, FalseAlarms]]) -> SetAlarms:
    models = tuple(runs[0])
    people: dict[str, dict[str, AlarmsOfOne]] = {model: {} for model in models}
    for run in runs:
        for model, counted in run.items():
            for name, own in counted.people.items():
                people[model][name] = people[model].get(name, AlarmsOfOne(0, 0.0)) + own
    return SetAlarms(
        runs[0]["baseline"].declared_seizure_free,
        tuple(run["baseline"].hours for run in runs),
        {model: _known(run[model].per_day for run in runs) for model in models},
        {model: _known(run[model].window_share for run in runs) for model in models},
        people,
        alarm_cost(people["pruned"], people["baseline"], len(runs)) if "pruned" in people else None,
    )


def _known(values: Iterable[float | None]) -> tuple[float, ...]:
    return tuple(value for value in values if value is not None)


def _curves(groups: Mapping[tuple[tuple[str, Value], ...], list[Row]]) -> Iterable[Curve]:
    for key, rows in groups.items():
        for model in MODELS:
            curves = [row.result.model(model).epochs for row in rows]
            longest = max((curve.count for curve in curves), default=0)
            if not longest:
                continue
            reached = [
                [curve for curve in curves if curve.count > epoch] for epoch in range(longest)
            ]
            yield Curve(
                dict(key),
                model,
                {
                    measure: tuple(
                        statistics.fmean(getattr(curve, measure)[epoch] for curve in reached[epoch])
                        for epoch in range(longest)
                    )
                    for measure in LearningCurves.model_fields
                },
                tuple(len(some) for some in reached),
            )


def _costs(conditions: Sequence[Condition]) -> Iterable[str]:
    """Where pruning costs false alarms."""
    for condition in conditions:
        for name, alarms in condition.alarms.items():
            if alarms.cost is not None and alarms.cost.is_shown:
                yield (
                    f"pruning costs false alarms on {name} ({condition.name}): {alarms.cost.words}"
                )


def _data(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    summaries: dict[str, dict[str, Any]] = {}
    for row in rows:
        name = " tested on ".join(source for source in row.result.where if source)
        summaries.setdefault(name, row.result.data.model_dump())
    return summaries


def _versions(rows: Sequence[Row]) -> dict[str, str]:
    """Each version, or all that were met."""
    seen: dict[str, dict[str, None]] = {}
    for row in rows:
        versions = row.result.versions.model_dump(exclude_none=True)
        for name, value in {**versions, "processor": row.result.processor}.items():
            seen.setdefault(name, {})[str(value)] = None
    return {name: " and ".join(values) for name, values in seen.items()}


def _cautions(rows: Sequence[Row], study: StudyFile) -> Iterable[str]:
    data = [row.result.data for row in rows]
    if any(row.result.settings.get("training", {}).get("labels_at_random") for row in rows):
        yield (
            "some networks learned from labels at random: controls of what explanations show, whose "
            "scores say nothing"
        )
    if any(each.simulated for each in data):
        yield "simulated EEG: these numbers say nothing about patients"
    yield from dict.fromkeys(each.background for each in data if each.background)
    declared = {
        each.data: each.declared_seizure_free
        for row in rows
        if (test := row.result.models["baseline"].test) is not None
        for each in test.false_alarms
    }
    free = [name for name, is_free in declared.items() if is_free]
    if free and len(free) < len(declared):
        yield (
            f"{' and '.join(free)}: without seizures, so that the set gives labels away in scores over all "
            "windows; those by subject are over people with seizures and background"
        )
    crossed = {row.result.split.by for row in rows} & {"random", "recording"}
    for by in sorted(crossed):
        yield f"split by {by}: subjects stand on both sides, so nothing is said about people not seen"
    if any("event" in metric or "fp_" in metric for metric in study.metrics):
        yield f"event scores by timescoring {TIMESCORING_VERSION}"
    if any(row.result.problems for row in rows):
        yield "some recordings could not be used; each run's result tells how many"
    builds = sorted({str(row.result.versions.torch) for row in rows})
    if len(builds) > 1:
        yield f"computed with torch {' and '.join(builds)}; last digits may differ between them"
    kinds = sorted({str(row.result.versions.result) for row in rows})
    if len(kinds) > 1:
        yield f"results of versions {' and '.join(kinds)} stand side by side; see the change log"
