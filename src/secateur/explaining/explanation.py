"""An event explained: what each channel, second and band of it adds to the margin by which it was called."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from secateur.detectors import Detector
from secateur.errors import SettingsError
from secateur.events import Event, Events
from secateur.explaining.network import ExplainedNetwork
from secateur.explaining.segments import EventWindows, Segments
from secateur.explaining.settings import REPLACING, ExplainingSettings, Method
from secateur.explaining.shares import Errors, Shares, Task, mean_margin, shares_of
from secateur.recordings import Recording
from secateur.windows import TooSlow

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FloatOrigin:
    """The float detector that one in 8 bits was made from, and that gradients were taken of.

    `margin`: the event's mean margin in 8 bits, beside the explained one's.
    """

    name: str
    sha256: str
    margin: float


@dataclass(frozen=True)
class Explanation:
    """Why an event was called, by one method: shares of the mean margin of its windows, in logits.

    `seconds`: where each second of the shares begins in the recording, shape (seconds,). `evaluations`:
    windows that the network was asked about. `background`: what stands in for what is taken away; "" where
    nothing is. `origin`: of a detector in 8 bits the float file that was explained in its place. `signal`:
    the scaled signal that was explained.
    """

    event: Event
    method: Method
    shares: Shares
    evaluations: int
    milliseconds: float
    signal: EventWindows = field(repr=False)
    background: str = ""
    origin: FloatOrigin | None = None
    notes: tuple[str, ...] = ()

    @property
    def channels(self) -> tuple[str, ...]:
        """Labels of the montage's channels."""
        return self.signal.channels

    @property
    def seconds(self) -> Floats:
        """Where each second begins in the recording, shape (seconds,)."""
        return self.signal.seconds

    @property
    def attribution(self) -> Floats | None:
        """Channels × seconds, in logits; None where the method says nothing of channels or of seconds."""
        return self.shares.attribution

    @property
    def by_channel(self) -> Floats | None:
        """Shape (channels,), in logits; None where the method says nothing of channels."""
        return self.shares.by_channel

    @property
    def by_second(self) -> Floats | None:
        """Shape (seconds,), in logits; None where the method says nothing of seconds."""
        return self.shares.by_second

    @property
    def by_band(self) -> dict[str, float]:
        """Logits by the name of the band; empty where the method says nothing of bands."""
        return dict(self.shares.by_band)

    @property
    def errors(self) -> Errors:
        """Standard errors, where values were drawn."""
        return self.shares.errors

    @property
    def margin(self) -> float:
        """The mean of the event's windows: seizure logit minus background's."""
        return self.shares.margin

    @property
    def reference(self) -> float:
        """The margin that attributions are counted from."""
        return self.shares.reference

    @property
    def total(self) -> float | None:
        """The sum of all attributions; None where the method doesn't share the margin out."""
        sums = self.by_channel if self.by_second is None else self.by_second
        return None if sums is None else float(sums.sum())

    @property
    def completeness(self) -> float:
        """The sum of all attributions as a share of margin − reference: 1 where all is shared out.

        nan where the method doesn't share the margin out, or there is nothing to share.
        """
        gap = self.margin - self.reference
        return float("nan") if self.total is None or gap == 0 else self.total / gap

    def ranked_channels(self) -> list[tuple[str, float]]:
        """Channels by what they add, the most first; none where the method says nothing of channels."""
        return [] if self.by_channel is None else ranked(self.channels, self.by_channel)


def ranked(channels: Sequence[str], by_channel: Floats) -> list[tuple[str, float]]:
    """Channels with what they add, the most first."""
    order = np.argsort(-by_channel, kind="stable")
    return [(channels[k], float(by_channel[k])) for k in order]


def explain_events(
    detector: Detector | ExplainedNetwork,
    recording: Recording,
    events: Sequence[Event],
    settings: ExplainingSettings | None = None,
    *,
    others: Events | None = None,
    too_slow: TooSlow = "refuse",
) -> list[Explanation]:
    """Explanations of events of one recording, which is gone through once.

    `detector`: or its network, which then needn't be opened again. `others`: further events, from which
    background keeps away. Raises `EventsError` for an event that lies outside of the recording, across a gap,
    or about which no window decides; `SettingsError` where the network doesn't allow the method;
    `RecordingError` where the recording holds no background, and as reading does.
    """
    settings = settings or ExplainingSettings()
    own = detector if isinstance(detector, ExplainedNetwork) else ExplainedNetwork(detector)
    network = own.explained_by(settings.method)
    network.require(settings.method)
    segments = Segments(own.detector, recording, events, others, too_slow)
    background = None
    signals, candidates = segments.read(background=settings.method in REPLACING)
    if settings.method in REPLACING:
        background = segments.background(own, candidates, settings.references)
    tasks = [Task.of(network, signal, settings, background) for signal in signals]
    return [_explained(task, own, segments.notes) for task in tasks]


def _explained(task: Task, own: ExplainedNetwork, notes: tuple[str, ...]) -> Explanation:
    began, asked = time.perf_counter(), task.network.evaluations
    shares = shares_of(task)
    milliseconds = 1e3 * (time.perf_counter() - began)
    if len(task.chosen) < len(task.signal.starts):
        spread = (
            f"{len(task.chosen)} of the event's {len(task.signal.starts)} windows, evenly spread"
        )
        notes = (*notes, spread)
    origin = None
    if task.network is not own:
        file = task.network.detector
        margin = mean_margin(replace(task, network=own))
        origin = FloatOrigin(file.path.name, file.fingerprint, margin)
    return Explanation(
        event=task.signal.event,
        method=task.settings.method,
        shares=shares,
        evaluations=task.network.evaluations - asked,
        milliseconds=milliseconds,
        signal=task.signal,
        background="" if task.background is None else task.background.words,
        origin=origin,
        notes=notes,
    )


def event_at(detector: Detector, second: float) -> Event:
    """The stretch around `second` about which a single window decides. Raises `SettingsError`."""
    if not (np.isfinite(second) and second >= 0):
        raise SettingsError(f"at {second:g} s: wanted a time in seconds, 0 or later")
    hop = detector.info.window_and_hop[1] / detector.info.chain.sampling_rate
    return Event(max(0.0, second - hop / 2), 0.999 * hop)
