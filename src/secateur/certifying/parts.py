"""Who stands where when a ladder is certified, and what is trained on it.

Hold-out: one part, whose certification side nobody has learned from, chosen on or taken a threshold from.
Folds: in each repeat, dealt anew, a part for each fold, in which those who are judged stand on the
certification side, and a last part with the same recipe on all subjects, whose networks are deployed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from secateur.certifying.settings import ENOUGH_FOR_HOLDOUT, LadderSettings
from secateur.errors import SplitError
from secateur.pruning import PruningSettings
from secateur.runs.data import PreparedCohort
from secateur.runs.folder import RUNG
from secateur.runs.plan import CONTROLS, Part, Stage, after
from secateur.scoring.metrics import METRICS
from secateur.scoring.statements import LEAST_FOR_MEAN
from secateur.windows import Split, SplitSettings, split_by_subject

_LEAST_TO_LEARN = 3
_NEXT_DEAL = 1009
"""Between the seeds of two parts, so that runs with neighbouring seeds share no training."""


@dataclass(frozen=True)
class Plan:
    """`by`: holdout or folds. `repeats`: parts with a certification side, which together judge everybody
    once, as often as that is done. `final`: the part whose networks are deployed. `rungs`: names of the
    stages that are judged, mild to severe.
    """

    by: str
    repeats: tuple[tuple[Part, ...], ...]
    final: Part
    rungs: tuple[str, ...]

    @property
    def judged(self) -> tuple[Part, ...]:
        """The parts of all repeats."""
        return tuple(part for parts in self.repeats for part in parts)

    @property
    def parts(self) -> tuple[Part, ...]:
        """All parts, each once."""
        return self.judged if self.final in self.judged else (*self.judged, self.final)


def plan(stock: PreparedCohort, settings: LadderSettings, out: Path) -> Plan:
    """Decide who is judged how. Raises `SplitError` where there are too few subjects."""
    people = sorted({each.entry.subject for each in stock.ours})
    _check_judged(stock, people, settings)
    testers = None
    if stock.theirs is not None:
        testers = sorted({each.entry.subject for each in stock.theirs})
    rungs = tuple(rung.name for rung in _rungs(settings))
    deployed = tuple(f"{name}-int8" for name in rungs) if settings.ladder.int8 else rungs
    if _by_holdout(people, settings):
        split = _holdout(people, testers, settings)
        part = Part(out, _stages(settings, controls=True), "", split)
        return Plan("holdout", ((part,),), part, deployed)
    repeats = tuple(
        tuple(
            _fold(people, repeat, fold, settings, out) for fold in _counted(settings.certify.folds)
        )
        for repeat in _counted(settings.ladder.repeats)
    )
    last = split_by_subject(people, settings.split, testers or ())
    final = Part(out, _stages(settings, controls=testers is not None), "", last)
    return Plan("folds", repeats, final, deployed)


def _counted(number: int) -> range:
    return range(1, number + 1)


def _by_holdout(people: Sequence[str], settings: LadderSettings) -> bool:
    certify = settings.certify
    if certify.by == "folds" or (
        certify.by == "auto" and round(certify.share * len(people)) < ENOUGH_FOR_HOLDOUT
    ):
        if len(people) < certify.folds:
            raise SplitError(
                f"{len(people)} subjects can't be dealt into {certify.folds} folds; take at most "
                f"--certify folds:{len(people)}"
            )
        return False
    least = LEAST_FOR_MEAN + _LEAST_TO_LEARN
    if len(people) < least:
        raise SplitError(
            f"{len(people)} subjects: --certify holdout keeps at least {LEAST_FOR_MEAN} for the "
            f"certificate and needs {_LEAST_TO_LEARN} more; take --certify folds:5"
        )
    return True


def _check_judged(stock: PreparedCohort, people: Sequence[str], settings: LadderSettings) -> None:
    """Raise `SplitError` where too few subjects have what the margins' metrics need to be defined."""
    needs = {need for name in settings.constraint.margins for need in METRICS[name].needs}
    seized = {each.entry.subject for each in stock.ours if each.entry.events}
    judged = len(seized) if "seizure" in needs else len(people)
    if judged < LEAST_FOR_MEAN:
        who = f"{judged} subjects"
        if judged < len(people):
            who = f"{judged} of {len(people)} subjects have seizures"
        raise SplitError(
            f"{who}: a certificate needs at least {LEAST_FOR_MEAN}; add recordings of others, or see what "
            "pruning costs with secateur run"
        )


def _holdout(people: list[str], testers: list[str] | None, settings: LadderSettings) -> Split:
    generator = np.random.default_rng([settings.split.seed, 6])
    shuffled = [people[k] for k in generator.permutation(len(people))]
    kept = max(LEAST_FOR_MEAN, round(settings.certify.share * len(people)))
    kept = min(kept, len(people) - _LEAST_TO_LEARN)
    split = split_by_subject(shuffled[kept:], settings.split, testers)
    return replace(split, certification=tuple(sorted(shuffled[:kept])))


def _fold(people: list[str], repeat: int, fold: int, settings: LadderSettings, out: Path) -> Part:
    """One fold of one repeat, with a deal of the subjects and a seed of its own."""
    folds = settings.certify.folds
    chosen = SplitSettings(
        by="folds",
        folds=folds,
        fold=fold,
        validation=settings.split.validation,
        seed=(settings.split.seed + _NEXT_DEAL * (repeat - 1)) % 2**31,
    )
    split = split_by_subject(people, chosen)
    path, name = out / "folds" / str(fold), f"fold {fold}"
    if repeat > 1:
        path, name = out / "repeats" / str(repeat) / str(fold), f"repeat {repeat}, fold {fold}"
    return Part(
        path,
        _stages(settings, controls=True),
        name,
        replace(split, test=(), certification=split.test),
        _NEXT_DEAL * (folds * (repeat - 1) + fold),
    )


def _rungs(settings: LadderSettings) -> list[Stage]:
    needs = ("baseline", "evidence")
    chosen = settings.pruning
    if chosen.target is not None:
        return [Stage(f"{RUNG}target", "pruned", needs, chosen)]
    rungs = settings.ladder.rungs
    cuts: list[PruningSettings] = [chosen.model_copy(update={"ratio": rung}) for rung in rungs]
    return [Stage(f"{RUNG}{cut.ratio:g}", "pruned", needs, cut) for cut in cuts]


def _stages(settings: LadderSettings, controls: bool) -> tuple[Stage, ...]:
    """Everything that is done on one split, in an order in which it can be done."""
    baseline = ("baseline",)
    stages = [Stage("baseline", "baseline"), Stage("evidence", "evidence", baseline)]
    rungs = _rungs(settings)
    stages += rungs
    if settings.ladder.int8:
        stages += [after(rung, "int8", f"{rung.name}-int8") for rung in rungs]
    if controls:  # what a rung is judged against beside the baseline
        stages.append(Stage("retrained", "retrained", baseline, settings.pruning))
    if controls and settings.ladder.controls == "all":
        stages.append(Stage("random_forest", "random_forest"))
        stages += [after(rung, kind, f"{rung.name}-{kind}") for rung in rungs for kind in CONTROLS]
    return tuple(stages)
