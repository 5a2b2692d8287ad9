"""Who stands where when a ladder is certified, and what is trained on it.

Hold-out: one part, whose certification side nobody has learned from, chosen on or taken a threshold from.
Folds: in each repeat, dealt anew, a part for each fold, in which those who are judged stand on the
certification side, and a last part with the same recipe on all subjects, whose networks are deployed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from secateur.certifying.settings import ENOUGH_FOR_HOLDOUT, LadderSettings
from secateur.errors import SplitError
from secateur.pruning import PruningSettings
from secateur.recordings import Entry, data_set_of
from secateur.runs.data import PreparedCohort, within_sets
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
    judged = _judged(stock, people, settings)
    testers = None
    if stock.theirs is not None:
        testers = sorted({each.entry.subject for each in stock.theirs})
    rungs = tuple(rung.name for rung in _rungs(settings))
    deployed = tuple(f"{name}-int8" for name in rungs) if settings.ladder.int8 else rungs
    entries = [each.entry for each in stock.ours]
    if _by_holdout(people, judged, settings):
        split = _holdout(entries, judged, testers, settings)
        part = Part(out, _stages(settings, controls=True), "", split)
        return Plan("holdout", ((part,),), part, deployed)
    repeats = tuple(
        tuple(
            _fold(entries, repeat, fold, settings, out) for fold in _counted(settings.certify.folds)
        )
        for repeat in _counted(settings.ladder.repeats)
    )
    last = within_sets(
        entries, lambda own: split_by_subject(_people(own), settings.split, testers or ())
    )
    final = Part(out, _stages(settings, controls=testers is not None), "", last)
    return Plan("folds", repeats, final, deployed)


def _counted(number: int) -> range:
    return range(1, number + 1)


def _by_holdout(people: Sequence[str], judged: int, settings: LadderSettings) -> bool:
    certify = settings.certify
    if certify.by == "folds" or (
        certify.by == "auto" and round(certify.share * judged) < ENOUGH_FOR_HOLDOUT
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


def _judged(stock: PreparedCohort, people: Sequence[str], settings: LadderSettings) -> int:
    """How many subjects have what the margins' metrics need to be defined. Raises `SplitError`: too few."""
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
    return judged


def _people(entries: Sequence[Entry]) -> list[str]:
    return sorted({entry.subject for entry in entries})


def _holdout(
    entries: Sequence[Entry], judged: int, testers: list[str] | None, settings: LadderSettings
) -> Split:
    people = _people(entries)
    least = math.ceil(LEAST_FOR_MEAN * len(people) / judged)  # so that enough of them are judged
    kept = _kept_by_set(people, max(least, round(settings.certify.share * len(people))))

    def divide(own: Sequence[Entry]) -> Split:
        people = _people(own)
        generator = np.random.default_rng([settings.split.seed, 6])
        shuffled = [people[k] for k in generator.permutation(len(people))]
        count = kept[data_set_of(people[0])]
        split = split_by_subject(shuffled[count:], settings.split, testers)
        return replace(split, certification=tuple(sorted(shuffled[:count])))

    return within_sets(entries, divide)


def _kept_by_set(people: Sequence[str], total: int) -> dict[str, int]:
    """How many of each data set are kept for the certificate: its part of `total`, if so many can be."""
    sizes = Counter(map(data_set_of, people))
    rooms = {name: max(0, size - _LEAST_TO_LEARN) for name, size in sizes.items()}
    total = min(total, sum(rooms.values()))
    kept = dict.fromkeys(sizes, 0)
    for _ in range(total):  # one by one, to the set that lacks most of its part
        name = max(
            (name for name in sizes if kept[name] < rooms[name]),
            key=lambda name: total * sizes[name] / len(people) - kept[name],
        )
        kept[name] += 1
    return kept


def _fold(
    entries: Sequence[Entry], repeat: int, fold: int, settings: LadderSettings, out: Path
) -> Part:
    """One fold of one repeat, with a deal of the subjects and a seed of its own."""
    folds = settings.certify.folds
    chosen = SplitSettings(
        by="folds",
        folds=folds,
        fold=fold,
        validation=settings.split.validation,
        seed=(settings.split.seed + _NEXT_DEAL * (repeat - 1)) % 2**31,
    )
    split = within_sets(entries, lambda own: split_by_subject(_people(own), chosen))
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
