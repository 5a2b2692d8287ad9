"""From a study file to its runs, each named by what decides its numbers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from secateur.certifying.settings import LadderSettings, resolve_ladder
from secateur.detectors.adapting import StudiedAdapting
from secateur.errors import SecateurError, SettingsError
from secateur.explaining import StudiedSettings
from secateur.networks import check_code, code_of
from secateur.pruning import PruningSettings
from secateur.recordings import DataSet
from secateur.results import identity
from secateur.runs.data import PreparedCohort, Source, contents_of
from secateur.runs.settings import (
    PostProcessingSettings,
    RunSettings,
    ThresholdSettings,
    resolve,
)
from secateur.settings import Settings, checked, flags_of, overrides_of, settings_of
from secateur.studies.file import StudyFile, as_word, matches
from secateur.studies.findings import At

Kind = Literal["run", "prune", "train", "explain", "adapt"]
PLACES = ("data", "test-data", "background", "test-background")
"""Axes and flags whose values are names of folders."""
BITS = "bits"
"""Axis or flag that says whether networks are judged in floats (32) or in 8 bits."""
ADAPT = "adapt."
"""Begins axes and flags that are keys of the table [adapt]."""
_ADAPTING = {f"{ADAPT}{key}" for key in StudiedAdapting.model_fields}
OWN = "own"
"""Test data that is the data itself."""


@dataclass(frozen=True)
class Job:
    """One run to do. `at`: its values on the axes. `name`, `baseline`, `pruned`: its identity, and those of
    the network before pruning and, where runs share one, of the pruned network. `contents`: hashes of what
    its data holds. `work`: expected effort, in no unit. `bits`: in which its
    networks are judged.
    """

    name: str
    at: At
    kind: Kind
    settings: RunSettings
    source: Source
    baseline: str
    pruned: str = ""
    contents: Mapping[str, str | None] = field(default_factory=dict)
    where: tuple[str, str | None] = ("data", None)
    work: float = field(default=0.0, compare=False)
    explain: StudiedSettings | None = None
    bits: int = 32
    adapt: StudiedAdapting | None = None


@dataclass(frozen=True)
class Draft:
    """A run before its data is looked at. `where`: names of its data and of its test data. `bits`: in which
    its networks are judged.
    """

    at: At
    kind: Kind
    settings: RunSettings
    source: Source
    where: tuple[str, str | None]
    explain: StudiedSettings | None = None
    bits: int = 32
    adapt: StudiedAdapting | None = None


def drafts(study: StudyFile, sources: Mapping[str, Source]) -> list[Draft]:
    """Every combination of the axes but those skipped, its settings resolved.

    Raises `SettingsError` that names the axis, what came and what there is.
    """
    kind = _kind_of(study)
    model: type[RunSettings] = LadderSettings if kind == "prune" else RunSettings
    resolver = resolve_ladder if kind == "prune" else resolve
    _refuse_unknown(study, model)
    planned = []
    for at in combinations(study):
        flags = {**study.fixed, **at}
        for when in study.when:
            if matches(at, when.where):
                flags |= when.flags
        where = _where(flags, sources, study)
        more = _background(flags, sources, study)
        bits = _bits(flags, kind, study)
        flags = {
            name: value
            for name, value in flags.items()
            if name not in (*PLACES, BITS) and name not in _labels_of(study, model)
        }
        try:
            adapt, flags = _adapting(study, flags)
            settings = resolver(study.settings, overrides_of(model, flags))
            check_code(settings.network)
        except SecateurError as error:
            raise SettingsError(f"{study.name} at {_words(at)}: {error}") from None
        if where[1] is not None and settings.split.by not in ("subject", "recording"):
            raise SettingsError(
                f"{study.name} at {_words(at)}: on test data of its own nobody else tests, so a split by "
                f"{settings.split.by} has no meaning; take subject or recording"
            )
        if adapt is not None and settings.split.by in ("recording", "random"):
            raise SettingsError(
                f"{study.name} at {_words(at)}: [adapt] is of subjects whom the network hasn't seen, and a "
                f"split by {settings.split.by} lets everybody train; take subject or folds:K"
            )
        data = sources[where[0]]
        test = None if where[1] is None else sources[where[1]].data
        source = Source(data.data, test, data.strict, more=more)
        planned.append(Draft(at, kind, settings, source, where, study.explain, bits, adapt))
    if not planned:
        raise SettingsError(
            f"{study.name}: every combination of its axes is skipped; nothing is left"
        )
    return planned


def combinations(study: StudyFile) -> Iterator[At]:
    """The runs' values on the axes, the last axis fastest."""
    for values in itertools.product(*study.axes.values()):
        at: At = {name: as_word(value) for name, value in zip(study.axes, values, strict=True)}
        if not any(matches(at, skipped) for skipped in study.skip):
            yield at


def named(draft: Draft, stock: PreparedCohort, work: float = 0.0) -> Job:
    """A draft with its identity and its baseline's, once its recordings are known."""
    settings = draft.settings.model_dump(mode="json")
    trained = draft.settings
    if draft.kind == "train":
        settings, trained = _of_baseline(draft.settings), undecided(draft.settings)
    contents = {**contents_of(stock), "code": code_of(draft.settings.network)}
    tables = {"explain": draft.explain, "adapt": draft.adapt}
    more: dict[str, Any] = {
        name: table.model_dump(mode="json") for name, table in tables.items() if table
    }
    if draft.bits != 32:
        more[BITS] = draft.bits
    return Job(
        name=identity(settings, contents, kind=draft.kind, **more),
        at=draft.at,
        kind=draft.kind,
        settings=draft.settings,
        source=draft.source,
        baseline=identity(_of_baseline(trained), contents, kind="baseline"),
        pruned=identity(settings, contents, kind="pruned"),
        contents=contents,
        where=draft.where,
        work=work,
        explain=draft.explain,
        bits=draft.bits,
        adapt=draft.adapt,
    )


def _adapting(
    study: StudyFile, flags: Mapping[str, Any]
) -> tuple[StudiedAdapting | None, dict[str, Any]]:
    """How a run's networks are fitted to its test subjects, and the flags that say nothing of it."""
    own = {name: value for name, value in flags.items() if name.startswith(ADAPT)}
    others = {name: value for name, value in flags.items() if name not in own}
    if study.adapt is None:
        return None, others
    tables = {**study.adapt.model_dump(), **{k.removeprefix(ADAPT): v for k, v in own.items()}}
    return checked(StudiedAdapting, tables, None), others


def undecided(settings: RunSettings) -> RunSettings:
    """Settings without what is decided once a network is trained: runs that differ in it alone share one."""
    decisions = {"threshold": ThresholdSettings(), "post_processing": PostProcessingSettings()}
    return settings.model_copy(update=decisions)


def _of_baseline(settings: RunSettings) -> dict[str, Any]:
    """Settings without those of pruning, but for the early weights that are kept for it."""
    tables = settings.model_dump(mode="json")
    pruning: PruningSettings = settings.pruning
    tables["pruning"] = pruning.rewind_to if pruning.retrain == "rewind" else None
    return tables


def _kind_of(study: StudyFile) -> Kind:
    """A ladder where any name is one that `prune` alone has."""
    tables = [f"[{name}]" for name in ("explain", "adapt") if getattr(study, name) is not None]
    if len(tables) > 1:
        raise SettingsError(f"{study.name}: {' and '.join(tables)}; a study does one of both")
    if tables and not study.pruned:
        raise SettingsError(
            f"{study.name}: {tables[0]} is of networks before pruning and pruned; leave pruned = false away"
        )
    if _names(LadderSettings).difference(_names(RunSettings)) & {*_used(study)}:
        if not study.pruned:
            raise SettingsError(
                f"{study.name}: pruned = false, and flags of prune; leave either away"
            )
        if tables:
            raise SettingsError(f"{study.name}: {tables[0]}, and flags of prune; leave either away")
        return "prune"
    if study.explain is not None:
        return "explain"
    if study.adapt is not None:
        return "adapt"
    return "run" if study.pruned else "train"


def _names(model: type[Settings]) -> set[str]:
    """What may be said of a run: flags, and the dotted names of settings."""
    return {*flags_of(model), *(setting.name for setting in settings_of(model))}


def _used(study: StudyFile) -> list[str]:
    return [*study.axes, *study.fixed, *(name for when in study.when for name in when.flags)]


def _labels_of(study: StudyFile, model: type[RunSettings]) -> set[str]:
    """Axes that are no flags, whose values mean what [[when]] says of them."""
    explained = {name for when in study.when for name in when.where}
    return (study.axes.keys() & explained) - _names(model) - {*PLACES, BITS, *_ADAPTING}


def _refuse_unknown(study: StudyFile, model: type[RunSettings]) -> None:
    run, prune = _names(RunSettings), _names(LadderSettings)
    for name in _used(study):
        if name in {*_names(model), *PLACES, BITS, *_labels_of(study, model)}:
            continue
        if name in _ADAPTING and study.adapt is not None:
            continue
        if name.startswith(ADAPT):
            raise SettingsError(
                f"{study.name}: {name} is no key of a table [adapt] that is there; there can be "
                f"{', '.join(sorted(_ADAPTING))}, each with such a table, which may be empty"
            )
        if name in run:
            ladder = next(each for each in _used(study) if each in prune - run)
            raise SettingsError(
                f"{study.name}: {name} is a flag of run and {ladder} one of prune; a study does one of both"
            )
        flags = {*flags_of(RunSettings), *flags_of(LadderSettings), *PLACES, BITS}
        raise SettingsError(
            f"{study.name}: {name} is no flag of run or prune, nor another setting's name "
            f"(docs/reference/settings.md); there is {', '.join(sorted(flags))}"
        )
    both = [name for name in study.axes if name in study.fixed]
    if both:
        raise SettingsError(f"{study.name}: {both[0]} stands in [axes] and in [fixed]")


def _where(
    flags: Mapping[str, Any], sources: Mapping[str, Source], study: StudyFile
) -> tuple[str, str | None]:
    data = str(flags.get("data", "data"))
    test = flags.get("test-data")
    test = None if test in (None, OWN, data) else str(test)
    for name in filter(None, (data, test)):
        _need(name, sources, study)
    return data, test


def _need(name: str, sources: Mapping[str, Source], study: StudyFile) -> None:
    if name not in sources:
        raise SettingsError(
            f"{study.name} needs recordings called {name}: give --data {name}=FOLDER"
            + (f"; there is {', '.join(sources)}" if sources else "")
        )


def _bits(flags: Mapping[str, Any], kind: Kind, study: StudyFile) -> int:
    bits = flags.get(BITS, 32)
    if isinstance(bits, bool) or bits not in (8, 32):
        raise SettingsError(f"{study.name}: {BITS} is 32 (floats) or 8, got {bits!r}")
    if bits == 8 and kind in ("prune", "explain", "adapt"):
        words = "flags of prune; say int8" if kind == "prune" else f"[{kind}]; leave either away"
        raise SettingsError(f"{study.name}: {BITS} = 8, and {words}")
    return int(bits)


def _background(
    flags: Mapping[str, Any], sources: Mapping[str, Source], study: StudyFile
) -> tuple[DataSet, ...]:
    """Folders that are declared free of seizures, by the names that the study gives them; "none": none."""
    sets = []
    for flag, tests_only in (("background", False), ("test-background", True)):
        for name in filter(None, str(as_word(flags.get(flag, ""))).split(",")):
            if name != "none":
                _need(name, sources, study)
                sets.append(DataSet(sources[name].data, name, True, tests_only))
    return tuple(sets)


def _words(at: At) -> str:
    return ", ".join(f"{name} {value}" for name, value in at.items())
