"""Windows of many recordings as one set, cut out of memory-mapped signals when asked for.

Comes in: entries of a cohort, settings, a cache. Goes out: a `WindowSet` whose `batch` gives
windows × channels × samples, scaled. Next: `training` learns from it, `pruning` proves on it, the
controls draw features from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secateur.errors import ChannelsError, RecordingError, SplitError
from secateur.recordings import Entry, Problem
from secateur.windows.cache import Cache
from secateur.windows.chain import SignalChain
from secateur.windows.scaling import Scale, ScaleFit, compress, scaled
from secateur.windows.settings import ChainSettings, WindowSettings
from secateur.windows.slicing import label_windows, window_samples, window_starts

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Prepared:
    """One recording through montage, resampling and filters: `data` channels × samples, µV.

    `notes`: what had to be put right, in the file and in the montage.
    """

    entry: Entry
    data: NDArray[np.float32]
    notes: tuple[str, ...]


def prepare(
    entries: Sequence[Entry],
    settings: ChainSettings,
    cache: Cache,
    *,
    strict: bool = False,
    progress: Progress | None = None,
) -> tuple[list[Prepared], list[Problem]]:
    """Run recordings through the chain (or find them in the cache).

    Returns those that could be used, in their order, and why others could not. A missing channel is an
    error unless `settings.missing` is "skip"; `strict` makes every unusable recording an error.
    """
    done: list[Prepared] = []
    problems: list[Problem] = []
    for count, entry in enumerate(entries, start=1):
        try:
            recording = entry.open()
            wiring = SignalChain(settings).wiring(recording.channels, recording.path)
            data = cache.prepared(recording, settings)
            done.append(Prepared(entry, data, recording.notes + wiring.notes))
        except ChannelsError as error:
            if strict or settings.missing != "skip":
                raise
            problems.append(Problem(entry.key, error.reason))
        except RecordingError as error:
            if strict:
                raise
            problems.append(Problem(entry.key, error.reason))
        if progress:
            progress(count, len(entries))
    return done, problems


def fit_scale(prepared: Iterable[Prepared], settings: ChainSettings, channels: int) -> Scale:
    """The training subjects' mean and spread per channel, as `settings.scaling` wants them."""
    fit = ScaleFit(channels, robust=settings.scaling == "running")
    for one in prepared:
        fit.add(one.data, settings.sampling_rate)
    return fit.scale()


class WindowSet:
    """All windows of some prepared recordings.

    Of shape (n,): `labels` (bool), `edge` (an event begins or ends inside), `recording` (index into
    `prepared`), `starts` (first sample), and `subject_of` (one label each).
    """

    def __init__(
        self,
        prepared: Sequence[Prepared],
        chain: ChainSettings,
        windows: WindowSettings,
        scale: Scale,
    ) -> None:
        self.prepared = list(prepared)
        self.settings = windows
        self._chain = chain
        self.rate = chain.sampling_rate
        self.length, self.hop = window_samples(windows, self.rate)
        # A constant scale is applied to each batch, so that signals stay on disk; a running one
        # depends on all that came before a window and is worked out once.
        self._running = chain.scaling == "running"
        self._scale = scale
        self._signals = [
            scaled(chain, scale, np.asarray(one.data)) if self._running else one.data
            for one in self.prepared
        ]
        starts, labels, edges, which = [], [], [], []
        for index, one in enumerate(self.prepared):
            begin = window_starts(one.data.shape[1], windows, self.rate)
            label = label_windows(begin, one.entry.events, windows, self.rate)
            starts.append(begin)
            labels.append(label.ictal)
            edges.append(label.edge)
            which.append(np.full(len(begin), index, dtype=np.int64))
        self.starts = np.concatenate(starts) if starts else np.empty(0, dtype=np.int64)
        self.labels = np.concatenate(labels) if labels else np.empty(0, dtype=np.bool_)
        self.edge = np.concatenate(edges) if edges else np.empty(0, dtype=np.bool_)
        self.recording = np.concatenate(which) if which else np.empty(0, dtype=np.int64)

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def channels(self) -> int:
        """Channels of a window."""
        return int(self.prepared[0].data.shape[0])

    @property
    def subject_of(self) -> NDArray[np.str_]:
        """The subject of each window, shape (n,)."""
        names = np.array([one.entry.subject for one in self.prepared])
        return names[self.recording]

    @property
    def key_of(self) -> NDArray[np.str_]:
        """The key of each window's recording, shape (n,)."""
        names = np.array([one.entry.key for one in self.prepared])
        return names[self.recording]

    @property
    def seconds(self) -> NDArray[np.float64]:
        """The beginning of the stretch that each window speaks for, in seconds, shape (n,)."""
        return (self.starts + self.length - self.hop) / self.rate

    def trainable(self) -> NDArray[np.int64]:
        """Indices of the windows to learn from: without those across an event's edge, if so set."""
        keep = ~self.edge if self.settings.leave_out_edges else np.ones(len(self), dtype=np.bool_)
        return np.flatnonzero(keep)

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
        for row, (index, start) in enumerate(zip(indices, starts, strict=True)):
            out[row] = self._signals[self.recording[index]][:, start : start + self.length]
        if self._running:
            return out
        # one call for the batch: windows side by side, as if they were one signal
        flat = out.transpose(1, 0, 2).reshape(self.channels, -1)
        flat = scaled(self._chain, self._scale, flat)
        return np.ascontiguousarray(
            flat.reshape(self.channels, len(indices), -1).transpose(1, 0, 2)
        )

    def shift_limits(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """How far each window may be moved back and forth, in samples: half a hop, or not at all.

        A window stays where its neighbour on that side is missing, or lies across an event's edge.
        """
        same = self.recording[1:] == self.recording[:-1]
        half = self.hop // 2
        back = np.zeros(len(self), dtype=np.int64)
        forth = np.zeros(len(self), dtype=np.int64)
        back[1:][same & ~self.edge[:-1]] = half
        forth[:-1][same & ~self.edge[1:]] = half
        return back, forth

    def require_both_classes(self, side: str) -> None:
        """Raise `SplitError`, naming the side, where all windows are of one class."""
        ictal = int(self.labels.sum())
        if ictal == 0 or ictal == len(self):
            kind = "background" if ictal else "ictal"
            subjects = len(set(self.subject_of.tolist()))
            raise SplitError(
                f"the {side} side has no {kind} window ({len(self)} windows of {subjects} "
                f"subject{'s' if subjects != 1 else ''}); try another --split-seed or more recordings"
            )
