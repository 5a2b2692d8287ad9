"""What a run works on: cohorts, their split, and the windows of each side."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from secateur.errors import ChannelsError, CohortError, SettingsError, SplitError
from secateur.files import kind_of
from secateur.recordings import (
    Cohort,
    DataSet,
    Entry,
    Problem,
    check_data_sets,
    check_folder,
    data_set_of,
    load_data_sets,
)
from secateur.recordings.montage import shared_pairs
from secateur.results import Leakage
from secateur.runs.leakage import leakage, prevalences
from secateur.runs.network_check import check_network
from secateur.runs.settings import RunSettings
from secateur.settings import names_in
from secateur.training import check_weights
from secateur.windows import (
    ALL_SIDES,
    Cache,
    ChainSettings,
    Prepared,
    Scale,
    Split,
    SplitSettings,
    WindowIndex,
    WindowSet,
    check_contents,
    fit_scale,
    index_windows,
    prepare,
    split_by_recording,
    split_by_subject,
    split_windows,
    subsample,
    window_samples,
    with_channels,
)

Progress = Callable[[int, int], None]

DRAWN = ("training", "validation")
"""Sides that may be thinned to a number of windows."""


@dataclass(frozen=True)
class Source:
    """Where a study's recordings are, how strict to be with bad ones, and weights that are there already.
    Nothing here changes a number but the contents of these files, and where there are several folders what
    they are called. `name`: of `data`, where it is to be called otherwise; `more`: further folders.
    """

    data: Path
    test_data: Path | None = None
    strict: bool = False
    weights: Path | None = None
    name: str = ""
    more: tuple[DataSet, ...] = ()

    @property
    def sets(self) -> tuple[DataSet, ...]:
        """All folders but the test data's."""
        return (DataSet(self.data, self.name), *self.more)

    @property
    def words(self) -> list[str]:
        """All of it as the command line takes it."""
        folders = (
            (each.flag, f"{each.name}={each.folder}" if each.name else str(each.folder))
            for each in self.sets
        )
        words = [word for pair in folders for word in pair]
        if self.test_data is not None:
            words += ["--test-data", str(self.test_data)]
        if self.weights is not None:
            words += ["--weights", str(self.weights)]
        return [*words, *(["--strict"] if self.strict else [])]

    def check(self) -> None:
        """Look at every path. Raises `SecateurError` for one not there, of the wrong sort or twice."""
        check_data_sets(self.sets)
        if self.test_data is not None:
            check_folder(self.test_data)
            if self.test_data.resolve() in {each.folder.resolve() for each in self.sets}:
                raise CohortError(
                    f"{self.test_data}: is trained on and is --test-data; leave --test-data away, and some "
                    "of its subjects are kept for testing"
                )
        if self.weights is not None and not self.weights.is_file():
            kind = kind_of(self.weights)
            what = "there is no such file" if kind == "not there" else f"is {kind}, wanted weights"
            raise SettingsError(f"{self.weights}: {what} (safetensors)")
        if self.weights is not None:
            check_weights(self.weights)

    @classmethod
    def of(
        cls,
        data: Sequence[str],
        background: Sequence[str] = (),
        test_data: Path | None = None,
        strict: bool = False,
        weights: Path | None = None,
        test_background: Sequence[str] = (),
    ) -> Source:
        """From `[NAME=]FOLDER` as the command line takes them.

        `background`: declared free of seizures; `test_background`: the same, and everybody in it tests.
        """
        sets = {"data": data, "background": background, "test_background": test_background}
        data, background, test_background = (names_in(sets[name], name) for name in sets)
        first, *others = map(DataSet.parse, data)
        free = [DataSet.parse(text, seizure_free=True) for text in background]
        tests = [
            DataSet.parse(text, seizure_free=True, tests_only=True) for text in test_background
        ]
        more = (*others, *free, *tests)
        return cls(first.folder, test_data, strict, weights, first.name, more)


@dataclass(frozen=True)
class RunData:
    """Windows of each side, and where they come from.

    `recordings`: all that are used, of both folders. `chain`: the settings' chain with its channels
    decided. `leakage`: what stands on the test side and another one. `prevalence`: share of ictal
    windows by side, and over all before any thinning ("natural"). `contents`: hashes of all that was read,
    as `contents_of` gives them.
    """

    cohort: Cohort
    test_cohort: Cohort | None
    recordings: Cohort
    split: Split
    chain: ChainSettings
    scale: Scale
    sides: dict[str, WindowSet]
    leakage: Leakage
    prevalence: dict[str, float]
    problems: tuple[Problem, ...]
    notes: tuple[tuple[str, str], ...]
    contents: dict[str, str | None]

    @property
    def declared(self) -> tuple[str, ...]:
        """Data sets of which the user has said that there is no seizure in them."""
        return self.cohort.declared


@dataclass(frozen=True)
class PreparedCohort:
    """Every recording that can be used, through the chain, before anybody stands anywhere.

    `ours`, `theirs`: of the data and of the test data. `hashes`: of their contents, by path.
    """

    cohort: Cohort
    test_cohort: Cohort | None
    chain: ChainSettings
    ours: tuple[Prepared, ...]
    theirs: tuple[Prepared, ...] | None
    problems: tuple[Problem, ...]
    hashes: dict[Path, str]


def gather(
    source: Source, settings: RunSettings, cache: Cache, progress: Progress | None = None
) -> RunData:
    """Read the folders, run every recording through the chain, divide recordings or windows.

    Raises `CohortError`, `SplitError`, `ChannelsError`: what makes a run impossible.
    """
    stock = prepare_cohort(source, settings, cache, progress)
    return arrange(stock, settings, split_of(stock, settings))


def prepare_cohort(
    source: Source,
    settings: RunSettings,
    cache: Cache,
    progress: Progress | None = None,
    pruned: bool = True,
) -> PreparedCohort:
    """Read the folders and run every recording through the chain, once the network is known to be usable.

    `pruned`: whether kernels will be cut from it.
    """
    cohort, test = _cohorts(source, settings)
    chain = with_channels(settings.chain, cohort)
    check_network(settings, chain, pruned)
    total = len(cohort) + (len(test) if test is not None else 0)
    before = _part(progress, 0, total)
    try:
        ours, problems = prepare(
            cohort.entries, chain, cache, strict=source.strict, progress=before
        )
    except ChannelsError as error:
        raise _with_what_is_shared(error, cohort, chain) from None
    if not ours:
        raise CohortError(f"{source.data}: no recording is left; {problems[0].reason}")
    theirs: list[Prepared] | None = None
    if test is not None:
        then = _part(progress, len(cohort), total)
        theirs, more = prepare(test.entries, chain, cache, strict=source.strict, progress=then)
        problems += more
        if not theirs:
            raise CohortError(f"{test.folder}: no recording of the test data is left")
    hashes = {
        recording.entry.path: cache.content_hash(recording.entry.path)
        for recording in [*ours, *(theirs or ())]
    }
    _refuse_copies([each.entry for each in ours], [each.entry for each in theirs or ()], hashes)
    return PreparedCohort(
        cohort,
        test,
        chain,
        tuple(ours),
        None if theirs is None else tuple(theirs),
        cohort.problems + (test.problems if test else ()) + tuple(problems),
        hashes,
    )


def _refuse_copies(
    ours: Sequence[Entry], theirs: Sequence[Entry], hashes: Mapping[Path, str]
) -> None:
    """Raise `CohortError` where two data sets hold the same recording: its person would be taken for two."""
    first: dict[str, tuple[bool, Entry]] = {}
    for tests, entry in (*((False, each) for each in ours), *((True, each) for each in theirs)):
        before, other = first.setdefault(hashes[entry.path], (tests, entry))
        if (before, data_set_of(other.subject)) != (tests, data_set_of(entry.subject)):
            raise CohortError(
                f"{entry.path}: is the same recording as {other.path}, of another data set; one person "
                "belongs to one data set: leave one of both out"
            )


def _with_what_is_shared(
    error: ChannelsError, cohort: Cohort, chain: ChainSettings
) -> ChannelsError:
    """The error, and of several data sets the pairs that one recording of each has."""
    by_set = {data_set_of(entry.subject): entry for entry in cohort}
    if len(by_set) == 1 or chain.montage not in ("bipolar-18", "pairs"):
        return error
    pairs = shared_pairs(entry.open().channels for entry in by_set.values())
    if not pairs:
        return error
    reason = f"{error.reason}; all data sets have --montage {','.join(pairs)}"
    return ChannelsError(error.path, reason, error.missing)


def arrange(stock: PreparedCohort, settings: RunSettings, split: Split) -> RunData:
    """The windows of each side of `split`; a side on which nobody stands is not there."""
    chain, hashes = stock.chain, stock.hashes
    prepared = [*stock.ours, *(stock.theirs or ())]
    by_side = {
        side: [recording for recording in prepared if split.side_of(recording.entry) == side]
        for side in ALL_SIDES
        if getattr(split, side)
    }
    check_contents(
        {
            side: [(recording.entry, hashes[recording.entry.path]) for recording in by_side[side]]
            for side in by_side
        }
    )
    everything = index_windows(prepared, chain, settings.windows)
    if split.unit == "window":
        scale, sides = _by_window(prepared, everything, chain, settings)
    else:
        scale, sides = _by_name(by_side, chain, settings)
    if settings.training.labels_at_random:
        generator = np.random.default_rng([settings.seed, 15])
        for side in DRAWN:
            sides[side] = sides[side].with_labels_at_random(generator)
    for side, windows in sides.items():
        if side != "certification":  # there each subject is judged by itself
            windows.require_both_classes(side)
    used = {
        recording.entry.path
        for recording in prepared
        if split.unit == "window" or split.side_of(recording.entry)
    }
    recordings = _recordings(stock.cohort, stock.test_cohort, used)
    return RunData(
        cohort=stock.cohort,
        test_cohort=stock.test_cohort,
        recordings=recordings,
        split=split,
        chain=chain,
        scale=scale,
        sides=sides,
        leakage=leakage(sides, recordings.subjects_known),
        prevalence=prevalences(everything, sides),
        problems=stock.problems,
        notes=tuple(
            (recording.entry.key, note) for recording in prepared for note in recording.notes
        ),
        contents=contents_of(stock),
    )


def _cohorts(source: Source, settings: RunSettings) -> tuple[Cohort, Cohort | None]:
    """Both folders, and what they make impossible told before anything is prepared."""
    load = partial(
        load_data_sets,
        strict=source.strict,
        reading=settings.reading,
        labels=settings.labels,
        every_rename=source.test_data is None,
    )
    cohort = load(source.sets)
    test = None
    if source.test_data is not None:
        test = load([DataSet(source.test_data)])
        unused = sorted({*cohort.unused_renames} & {*test.unused_renames})
        if unused:
            raise CohortError(f"no recording has a channel {', '.join(unused)} to rename")
        if {entry.key for entry in cohort} & {entry.key for entry in test}:
            # two folders may use the same file names; the second's keys then begin with its data set
            renamed = (replace(entry, key=f"{test.name}/{entry.key}") for entry in test)
            test = replace(test, entries=tuple(renamed))
        if settings.split.by not in ("subject", "recording"):
            raise SplitError(
                f"with --test-data nobody else tests, so a split by {settings.split.by} has no "
                "meaning; leave --split away"
            )
    # who tests alone may be unknown: nobody of them stands on another side
    _refuse_unknown_subjects(cohort, settings)
    return cohort, test


def _refuse_unknown_subjects(cohort: Cohort, settings: RunSettings) -> None:
    if not cohort.subjects_known and settings.split.by not in ("recording", "random"):
        raise SplitError(
            f"{cohort.name}: who was recorded is not known, so it can't be split by "
            f"{settings.split.by}; take --split recording (or random), which keep no subject apart"
        )


def _part(progress: Progress | None, done_before: int, total: int) -> Progress | None:
    """Progress of one folder as part of both."""
    return None if progress is None else lambda done, _: progress(done_before + done, total)


def split_of(stock: PreparedCohort, settings: RunSettings) -> Split:
    """Who or what stands where, as the settings have it; data sets that only test are not divided."""
    if not stock.cohort.tests_only:
        return _dealt(stock, settings)
    if settings.split.by == "random":
        raise SplitError(
            f"{', '.join(stock.cohort.tests_only)} only test, and a split by window lets every recording "
            "test and train; take --split subject or folds:K"
        )
    testing, others = _parted(stock.ours, stock.cohort.tests_only)
    split = _dealt(replace(stock, ours=others), settings)
    by_subject = split.unit == "subject"
    names = {
        recording.entry.subject if by_subject else recording.entry.key for recording in testing
    }
    return replace(split, test=tuple(sorted({*split.test, *names})))


def _parted(
    prepared: Sequence[Prepared], sets: Container[str]
) -> tuple[tuple[Prepared, ...], tuple[Prepared, ...]]:
    """The recordings of these data sets, and the others."""
    testing = tuple(
        recording for recording in prepared if data_set_of(recording.entry.subject) in sets
    )
    return testing, tuple(
        recording for recording in prepared if data_set_of(recording.entry.subject) not in sets
    )


def _dealt(stock: PreparedCohort, settings: RunSettings) -> Split:
    ours, theirs = stock.ours, stock.theirs
    others = None if theirs is None else [recording.entry for recording in theirs]
    if settings.split.by == "random":
        return Split((), (), (), unit="window")
    if settings.split.by == "recording":
        return within_sets(
            [recording.entry for recording in ours],
            lambda own: split_by_recording(own, settings.split, others),
        )
    people = [recording.entry.subject for recording in ours]
    testers = None if others is None else [entry.subject for entry in others]
    if settings.split.frozen or settings.split.by == "leave-one-subject-out":
        split = split_by_subject(people, settings.split, testers)
    else:
        split = within_sets(
            [recording.entry for recording in ours],
            lambda own: split_by_subject([entry.subject for entry in own], settings.split, testers),
        )
    labels = {name.rpartition("/")[2] for name in people}
    alike = sorted(labels & {name.rpartition("/")[2] for name in testers or ()})
    if alike:
        note = f"called alike in both folders and taken for different people: {', '.join(alike)}"
        split = replace(split, notes=(*split.notes, note))
    return split


def within_sets(entries: Sequence[Entry], divide: Callable[[Sequence[Entry]], Split]) -> Split:
    """Each data set divided by itself, so that every side has every set; `divide` is called with a set's own.

    Raises `SplitError`, with the name of the set that can't be divided.
    """
    by_set: dict[str, list[Entry]] = {}
    for entry in entries:
        by_set.setdefault(data_set_of(entry.subject), []).append(entry)
    splits = []
    for name, own in by_set.items():
        try:
            splits.append(divide(own))
        except SplitError as error:
            raise error if len(by_set) == 1 else SplitError(f"{name}: {error}") from None
    sides = {
        side: tuple(sorted({name for split in splits for name in getattr(split, side)}))
        for side in ALL_SIDES
    }
    notes = tuple(dict.fromkeys(note for split in splits for note in split.notes))
    return Split(**sides, unit=splits[0].unit, notes=notes)


def _by_name(
    by_side: dict[str, list[Prepared]], chain: ChainSettings, settings: RunSettings
) -> tuple[Scale, dict[str, WindowSet]]:
    """Whole recordings on each side; thinning changes the training side alone."""
    scale = fit_scale(by_side["training"], chain, by_side["training"][0].signal.channels)
    chosen: dict[str, WindowIndex] = {}
    if settings.split.prevalence is not None:
        index = index_windows(by_side["training"], chain, settings.windows)
        generator = np.random.default_rng([settings.split.seed, 3])
        chosen["training"] = index.take(
            subsample(index.labels, settings.split.prevalence, generator)
        )
    if settings.split.max_windows is not None:
        for side in DRAWN:
            index = chosen.get(side) or index_windows(by_side[side], chain, settings.windows)
            chosen[side] = index.take(_some(len(index.labels), side, settings.split))
    sides = {
        side: WindowSet(many, chain, settings.windows, scale, chosen.get(side))
        for side, many in by_side.items()
    }
    return scale, sides


def _some(count: int, side: str, settings: SplitSettings) -> NDArray[np.int64]:
    """Indices, rising, of the windows that a side keeps."""
    generator = np.random.default_rng([settings.seed, 4, DRAWN.index(side)])
    size = min(count, settings.max_windows or count)
    return np.sort(generator.choice(count, size, replace=False))


def _by_window(
    prepared: list[Prepared], everything: WindowIndex, chain: ChainSettings, settings: RunSettings
) -> tuple[Scale, dict[str, WindowSet]]:
    """Windows of every recording on every side, after thinning."""
    indices = split_windows(everything.labels, settings.split)
    for side in DRAWN if settings.split.max_windows is not None else ():
        indices[side] = indices[side][_some(len(indices[side]), side, settings.split)]
    chosen = {side: everything.take(which, in_place=True) for side, which in indices.items()}
    length, _ = window_samples(settings.windows, chain.sampling_rate)
    within = (chosen["training"], length)
    scale = fit_scale(prepared, chain, prepared[0].signal.channels, within)
    sides = {
        side: WindowSet(prepared, chain, settings.windows, scale, index)
        for side, index in chosen.items()
    }
    return scale, sides


def _recordings(cohort: Cohort, test: Cohort | None, used: set[Path]) -> Cohort:
    entries = [entry for entry in (*cohort, *(test or ())) if entry.path in used]
    ordered = tuple(sorted(entries, key=lambda entry: (entry.subject, entry.key)))
    if test is None:
        return replace(cohort, entries=ordered, problems=())
    return replace(
        cohort,
        name=f"{cohort.name}; tested on {test.name}",
        simulated=cohort.simulated or test.simulated,
        entries=ordered,
        problems=(),
        notes=cohort.notes + test.notes,
        subjects_known=cohort.subjects_known and test.subjects_known,
    )


def contents_of(stock: PreparedCohort) -> dict[str, str | None]:
    """Hashes of the recordings with their labels, of the data and of the test data.

    What a data set is called is none of it; the names of several are, for they decide the order of people.
    So are those of data sets that only test.
    """
    test = None if stock.theirs is None else _fingerprint(stock.theirs, stock.hashes)
    contents = {"data": _fingerprint(stock.ours, stock.hashes), "test_data": test}
    if stock.cohort.tests_only:
        contents["tests_only"] = ", ".join(stock.cohort.tests_only)
    return contents


def _fingerprint(prepared: Sequence[Prepared], hashes: Mapping[Path, str]) -> str:
    sets = {data_set_of(each.entry.subject) for each in prepared}
    prefix = f"{sets.pop()}/" if len(sets) == 1 else ""
    recordings = [
        [
            each.entry.key.removeprefix(prefix),
            each.entry.subject.removeprefix(prefix),
            hashes[each.entry.path],
            each.entry.duration,
            [(event.onset, event.duration) for event in each.entry.events],
        ]
        for each in prepared
    ]
    return hashlib.sha256(json.dumps(sorted(recordings)).encode()).hexdigest()
