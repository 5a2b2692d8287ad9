"""Windows of many recordings as one set, read from prepared signals when asked for.

Memory grows with the number of windows, by some bytes each, never with the signals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secateur.errors import ChannelsError, CohortError, RecordingError, SplitError
from secateur.events import Events
from secateur.recordings import Cohort, Entry, Problem, common_channels
from secateur.windows.cache import Cache, Signal
from secateur.windows.chain import PIECE, SignalChain
from secateur.windows.scaling import Scale, ScaleFit, compress, constants, gains_by_second
from secateur.windows.settings import ChainSettings, WindowSettings, window_samples, window_starts

Progress = Callable[[int, int], None]

_UNLIKE = 20.0
"""A recording whose spread is so many times that of the others, or of theirs so small a part, is named."""
_LEAST_COMPARED = 3
"""Of fewer none is known to be the odd one."""


@dataclass(frozen=True)
class Prepared:
    """One recording through montage, resampling and filters, or a part of it by itself: one stretch where it
    has gaps, one channel under montage each.

    `notes`: what had to be put right, in the file and in the montage; of a recording's parts the first has
    them. `spread`: the recording's as recorded, µV, or None. `written`: the cache had it not.
    """

    entry: Entry
    signal: Signal
    notes: tuple[str, ...]
    spread: float | None = None
    written: bool = False


def prepare(
    entries: Sequence[Entry],
    settings: ChainSettings,
    cache: Cache,
    *,
    strict: bool = False,
    progress: Progress | None = None,
) -> tuple[list[Prepared], list[Problem]]:
    """Run recordings through the chain (or find them in the cache).

    `progress`: called with how many are finished, and of how many. Returns those that could be used, in
    their order, and why others could not. Raises `ChannelsError` where a channel is missing, unless
    `settings.missing` is "skip", and `RunError` where the cache can't be written; under `strict` also
    `RecordingError` for any recording that can't be used or whose amplitudes are unlike the others'.
    """
    parts: list[Prepared] = []
    problems: list[Problem] = []
    for count, entry in enumerate(entries, start=1):
        try:
            parts += prepare_one(entry, settings, cache)
        except ChannelsError as error:
            if strict or settings.missing != "skip":
                raise ChannelsError(
                    error.path,
                    f"{error.reason} (--missing zero fills, --missing skip leaves out, --montage "
                    "chooses another)",
                    error.missing,
                ) from None
            problems.append(Problem(entry.key, error.reason))
        except RecordingError as error:
            if strict:
                raise
            problems.append(Problem(entry.key, error.reason))
        if progress:
            progress(count, len(entries))
    unlike = unlike_others([(item.entry, item.spread) for item in parts])
    for k, item in enumerate(parts):
        note = unlike.get(item.entry.path)
        if note and strict:
            raise RecordingError(item.entry.path, note)
        if note and (k == 0 or parts[k - 1].entry.path != item.entry.path):
            parts[k] = replace(item, notes=(*item.notes, note))
    return parts, problems


def unlike_others(spreads: Sequence[tuple[Entry, float | None]]) -> dict[Path, str]:
    """Recordings whose amplitudes are of another order than the others': by path, a note on each.

    `spreads`: each recording's median spread, µV. The others': the median over subjects of their medians.
    """
    by_subject: dict[str, list[float]] = {}
    for entry, spread in spreads:
        if spread:
            by_subject.setdefault(entry.subject, []).append(spread)
    groups = [float(np.median(own)) for own in by_subject.values()]
    if len(groups) < _LEAST_COMPARED:
        groups = [spread for _, spread in spreads if spread]
    if len(groups) < _LEAST_COMPARED:
        return {}
    usual = float(np.median(groups))
    return {
        entry.path: f"its amplitude is unlike the others': a median spread of {spread:.2g} µV, theirs is "
        f"{usual:.2g} µV; is its unit right?"
        for entry, spread in spreads
        if spread and not 1 / _UNLIKE < spread / usual < _UNLIKE
    }


def prepare_one(entry: Entry, settings: ChainSettings, cache: Cache) -> list[Prepared]:
    """One recording as one `Prepared`, or as its parts. Raises as `Cache.recording` and `Entry.open` do."""
    cached = cache.recording(entry.open(), settings, entry.reading.too_slow)
    parts = [(entry, signal) for signal in cached.signals]
    if len(parts) > 1:
        parts = [
            (stretch_of(entry, *stretch), signal)
            for stretch, signal in zip(cached.stretches, cached.signals, strict=True)
        ]
    if settings.montage == "each":
        parts = [
            (channel_of(part, name), signal.channel(k))
            for part, signal in parts
            for k, name in enumerate(cached.names)
        ]
    notes = tuple(dict.fromkeys(entry.notes + cached.notes))
    return [
        Prepared(part, signal, () if k else notes, cached.spread, cached.written)
        for k, (part, signal) in enumerate(parts)
    ]


def with_channels(chain: ChainSettings, cohort: Cohort) -> ChainSettings:
    """`chain`, with the channels that all recordings of the cohort share where it names none itself.

    That is for montage as-recorded; with others `chain` comes back. Raises `CohortError` where there is none.
    """
    if chain.montage != "as-recorded" or chain.channels:
        return chain
    lists = []
    for entry in cohort:
        try:
            lists.append(entry.open().channels)
        except RecordingError:
            continue  # `prepare` says what is wrong with it
    shared = common_channels(lists)
    if not shared:
        raise CohortError(
            f"{cohort.folder}: montage as-recorded needs channels that stand in all {len(lists)} "
            "recordings under one label, and there is none; name them in the config as chain.channels "
            "(with --missing zero or skip), or take another --montage"
        )
    return chain.model_copy(update={"channels": shared})


def channel_of(entry: Entry, channel: str) -> Entry:
    """One channel of a recording as an entry of its own."""
    return replace(entry, key=f"{entry.key}[{channel}]")


def stretch_of(entry: Entry, begin: float, end: float) -> Entry:
    """What was recorded between two gaps, from `begin` to `end` in seconds, as an entry of its own."""
    events = tuple(
        replace(event, onset=onset, duration=until - onset)
        for event in entry.events
        if (onset := max(event.onset - begin, 0.0)) < (until := min(event.end, end) - begin)
    )
    return replace(
        entry,
        key=f"{entry.key}[{begin:g} to {end:g} s]",
        duration=end - begin,
        events=Events(events, end - begin),
        source=entry.source or entry.key,
        source_start=entry.source_start + begin,
    )


@dataclass(frozen=True)
class Labels:
    """Truth for each window, of shape (n,).

    `ictal`: enough of it lies inside an event. `crosses_event_edge`: an event begins or ends inside it.
    """

    ictal: NDArray[np.bool_]
    crosses_event_edge: NDArray[np.bool_]


def label_windows(
    begin: NDArray[np.float64], events: Events, settings: WindowSettings, rate: float
) -> Labels:
    """Label windows by their share inside an event.

    `begin`: seconds, shape (n,). `rate`: Hz, at which a window is a whole number of samples. Raises
    `SettingsError` where it is none.
    """
    length, _ = window_samples(settings, rate)
    inside = events.overlap(begin, begin + length / rate) / (length / rate)
    # a hair of tolerance, or rounding decides about windows that lie exactly half inside
    ictal = inside >= settings.label_share - 1e-9
    return Labels(ictal, (inside > 1e-9) & (inside < 1 - 1e-9))


@dataclass(frozen=True)
class WindowIndex:
    """Where the windows of several recordings lie; all of shape (n,).

    `starts`: first sample; `labels`: ictal; `crosses_event_edge`: an event begins or ends inside;
    `recording`: index into the list of prepared recordings; `back` and `forth`: how far each may be moved,
    in samples: half a hop, or not at all where its neighbour on that side is missing or lies across an
    event's edge.
    """

    starts: NDArray[np.int64]
    labels: NDArray[np.bool_]
    crosses_event_edge: NDArray[np.bool_]
    recording: NDArray[np.int32]
    back: NDArray[np.int32]
    forth: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.starts)

    def take(self, indices: NDArray[np.int64], *, in_place: bool = False) -> WindowIndex:
        """Some of the windows. `in_place`: they may no longer be moved (neighbours are on other sides)."""
        parts = [getattr(self, name)[indices] for name in self.__dataclass_fields__]
        chosen = WindowIndex(*parts)
        none = np.zeros_like(chosen.back)
        return replace(chosen, back=none, forth=none) if in_place else chosen


def index_windows(
    prepared: Sequence[Prepared], chain: ChainSettings, windows: WindowSettings
) -> WindowIndex:
    """All windows of `prepared`, recording after recording.

    Raises `SettingsError` where a window or a hop is no sample at `chain.sampling_rate`.
    """
    rate = chain.sampling_rate
    half = window_samples(windows, rate)[1] // 2
    columns: list[tuple[NDArray[Any], ...]] = []
    for index, part in enumerate(prepared):
        starts = window_starts(part.signal.samples, windows, rate)
        label = label_windows(starts / rate, part.entry.events, windows, rate)
        back = np.zeros(len(starts), dtype=np.int32)
        forth = np.zeros(len(starts), dtype=np.int32)
        back[1:] = np.where(label.crosses_event_edge[:-1], 0, half)
        forth[:-1] = np.where(label.crosses_event_edge[1:], 0, half)
        which = np.full(len(starts), index, dtype=np.int32)
        columns.append((starts, label.ictal, label.crosses_event_edge, which, back, forth))
    kinds = (np.int64, np.bool_, np.bool_, np.int32, np.int32, np.int32)
    joined: list[NDArray[Any]] = [
        np.concatenate([np.empty(0, dtype=kind), *(column[k] for column in columns)])
        for k, kind in enumerate(kinds)
    ]
    return WindowIndex(*joined)


def fit_scale(
    prepared: Sequence[Prepared],
    settings: ChainSettings,
    channels: int,
    within: tuple[WindowIndex, int] | None = None,
) -> Scale:
    """Mean and spread per channel of what trains, µV, as `settings.scaling` takes them.

    `within`: only what these windows (of so many samples) cover; None: the whole recordings.
    """
    fit = ScaleFit(channels, robust=settings.scaling == "running")
    for index, part in enumerate(prepared):
        for first, last in _stretches(index, part, within):
            step = _whole_seconds(settings.sampling_rate)
            for start in range(first, last, step):
                fit.add(part.signal.read(start, min(start + step, last)), settings.sampling_rate)
    return fit.scale()


def _stretches(
    index: int, part: Prepared, within: tuple[WindowIndex, int] | None
) -> Iterator[tuple[int, int]]:
    """What is looked at of a recording: samples from and to."""
    if within is None:
        yield 0, part.signal.samples
        return
    windows, length = within
    first = last = -1
    for start in np.sort(windows.starts[windows.recording == index]).tolist():
        if start > last:
            if last > first:
                yield first, last
            first = start
        last = start + length
    if last > first:
        yield first, last


def _whole_seconds(rate: float) -> int:
    """Samples of about `PIECE` seconds, of whole seconds as running scaling counts them."""
    return round(PIECE) * round(rate)


def rows_by_name(
    names: Sequence[str], recording: NDArray[np.integer]
) -> dict[str, NDArray[np.int64]]:
    """Indices, rising, of the windows of each name that has any, in alphabetical order.

    `names`: of each recording, such as its subject; `recording`: of each window, an index into them.
    """
    unique, rank = np.unique(np.array(names, dtype=np.str_), return_inverse=True)
    group = rank[recording]
    ends = np.cumsum(np.bincount(group, minlength=len(unique)))
    parts = np.split(np.argsort(group, kind="stable"), ends[:-1])
    return {name: rows for name, rows in zip(unique.tolist(), parts, strict=True) if len(rows)}


class WindowSet:
    """Windows of some prepared recordings: all of them, or those that an index chooses.

    Of shape (n,): `labels` (bool), `crosses_event_edge` (bool: an event begins or ends inside), `recording`
    (index into `prepared`), `starts` (first sample), and `subject_of` (a label each).
    """

    def __init__(
        self,
        prepared: Sequence[Prepared],
        chain: ChainSettings,
        windows: WindowSettings,
        scale: Scale,
        index: WindowIndex | None = None,
    ) -> None:
        used = np.arange(len(prepared))
        if index is None:
            index = index_windows(prepared, chain, windows)
        else:  # recordings of which no window was chosen are not part of the set
            used = np.unique(index.recording)
        self.prepared = [prepared[k] for k in used.tolist()]
        self.settings = windows
        self._chain = chain
        self.rate = chain.sampling_rate
        self.length, self.hop = window_samples(windows, self.rate)
        self._mean, self._gain = constants(scale)
        self._gains: list[NDArray[np.float32]] = []
        if chain.scaling == "running":  # depends on all that came before a window: worked out once
            piece = _whole_seconds(self.rate)
            self._gains = [
                gains_by_second(scale, part.signal.pieces(piece), self.rate)
                for part in self.prepared
            ]
        self.starts, self.labels, self.crosses_event_edge = (
            index.starts,
            index.labels,
            index.crosses_event_edge,
        )
        self.recording = np.searchsorted(used, index.recording).astype(np.int32)
        self.back, self.forth = index.back, index.forth

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def channels(self) -> int:
        """Channels of a window."""
        return self.prepared[0].signal.channels

    @property
    def channel_names(self) -> tuple[str, ...]:
        """What the montage calls them."""
        return SignalChain(self._chain).channel_names

    @property
    def recordings(self) -> dict[Path, Entry]:
        """By file: under montage each its channels are several in `prepared`."""
        return {part.entry.path: part.entry for part in self.prepared}

    @property
    def subjects(self) -> tuple[str, ...]:
        """Subjects with a window here, sorted."""
        return tuple(sorted({part.entry.subject for part in self.prepared}))

    @property
    def subject_of(self) -> NDArray[np.str_]:
        """The subject of each window, shape (n,)."""
        return self._named([part.entry.subject for part in self.prepared])

    @property
    def by_subject(self) -> dict[str, NDArray[np.int64]]:
        """Indices, rising, of the windows of each subject who has any, in alphabetical order."""
        return rows_by_name([part.entry.subject for part in self.prepared], self.recording)

    @property
    def key_of(self) -> NDArray[np.str_]:
        """The key of each window's recording, shape (n,)."""
        return self._named([part.entry.key for part in self.prepared])

    def _named(self, names: list[str]) -> NDArray[np.str_]:
        return np.array(names, dtype=np.str_)[self.recording]

    @property
    def seconds(self) -> NDArray[np.float64]:
        """The beginning of the stretch that each window speaks for, in seconds, shape (n,)."""
        return (self.starts + self.length - self.hop) / self.rate

    def trainable(self) -> NDArray[np.int64]:
        """Indices of the windows to learn from: without those across an event's edge, if so set."""
        keep = (
            ~self.crosses_event_edge
            if self.settings.leave_out_edges
            else np.ones(len(self), dtype=np.bool_)
        )
        return np.flatnonzero(keep)

    def with_labels_at_random(self, generator: np.random.Generator) -> WindowSet:
        """The same windows, whose labels have changed places; as many are ictal as before."""
        other = copy(self)
        other.labels = generator.permutation(self.labels)
        return other

    def of_both_classes(self, count: int, generator: np.random.Generator) -> NDArray[np.int64]:
        """Indices of windows in random order: `count` / 2 of each class, or as many as it has."""
        chosen = [
            generator.permutation(np.flatnonzero(self.labels == ictal))[: count // 2]
            for ictal in (True, False)
        ]
        return generator.permutation(np.concatenate(chosen))

    def batch(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """The windows at `indices` as a network takes them: windows × channels × samples, float32."""
        return self.compressed(self.scaled(indices))

    def compressed(self, scaled_windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """The chain's last step, of the same shape."""
        return compress(self._chain, scaled_windows)

    def scaled(
        self, indices: NDArray[np.int64], shifts: NDArray[np.int64] | None = None
    ) -> NDArray[np.float32]:
        """The windows at `indices`, scaled and not yet compressed; `shifts`: samples to move each by."""
        out = np.empty((len(indices), self.channels, self.length), dtype=np.float32)
        starts = self.starts[indices] if shifts is None else self.starts[indices] + shifts
        which = self.recording[indices]
        for row, index, start in zip(out, which.tolist(), starts.tolist(), strict=True):
            window = self.prepared[index].signal.read(start, start + self.length)
            if self._gains:
                second = np.arange(start, start + self.length) // round(self.rate)
                np.multiply(window, self._gains[index][:, second], out=row)
            else:
                np.subtract(window, self._mean, out=row)
        if not self._gains:
            out *= self._gain
        return out

    def in_a_row(self, recording: int) -> tuple[int, int] | None:
        """A recording's samples [first, last) that its windows cover, if these follow each other by a hop."""
        starts = self.starts[self.recording == recording]
        if len(starts) == 0 or (np.diff(starts) != self.hop).any():
            return None
        return int(starts[0]), int(starts[-1]) + self.length

    def chained(self, recording: int, first: int, last: int) -> NDArray[np.float32]:
        """Samples [`first`, `last`) of a recording as windows have them: channels × samples."""
        values = np.array(self.prepared[recording].signal.read(first, last))
        if self._gains:
            values *= self._gains[recording][:, np.arange(first, last) // round(self.rate)]
        else:
            values -= self._mean
            values *= self._gain
        return self.compressed(values)

    def alike_by_subject(self, count: int, seed: int) -> NDArray[np.int64]:
        """Indices, rising, of at most `count` windows, drawn without replacement, subjects alike.

        Ictal windows keep their share of each subject's; at least one of each class stays where there is one.
        """
        if count >= len(self):
            return np.arange(len(self))
        generator = np.random.default_rng([seed, 7])
        groups = [generator.permutation(rows) for rows in self.by_subject.values()]
        chosen: list[NDArray[np.int64]] = []
        remaining = count
        for number, own in enumerate(sorted(groups, key=len)):
            many = min(len(own), remaining // (len(groups) - number))
            ictal, background = own[self.labels[own]], own[~self.labels[own]]
            least, most = min(1, len(ictal)), many - min(1, len(background))
            of_ictal = max(0, min(max(round(many * len(ictal) / len(own)), least), most))
            chosen += [ictal[:of_ictal], background[: many - of_ictal]]
            remaining -= many
        return np.sort(np.concatenate(chosen))

    def require_both_classes(self, side: str) -> None:
        """Raise `SplitError`, naming the side, where all windows are of one class."""
        ictal = int(self.labels.sum())
        if ictal == 0 or ictal == len(self):
            kind = "background" if ictal else "ictal"
            subjects = len(self.subjects)
            raise SplitError(
                f"the {side} side has no {kind} window ({len(self)} windows of {subjects} "
                f"subject{'s' if subjects != 1 else ''}); try another --split-seed or more recordings"
            )
