"""What attributions say of true seizures, and how much of that the network bears out: for comparing networks.

Seizures are the reference's, so that they are the same for every network, whatever it calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from secateur.detectors import Detector
from secateur.errors import SecateurError, SettingsError
from secateur.events import Event
from secateur.explaining.network import ExplainedNetwork
from secateur.explaining.segments import Background, Segments
from secateur.explaining.settings import Method, StudiedSettings
from secateur.explaining.trials import Trial, one_window
from secateur.recordings import Entry
from secateur.results import Attributed, ExplainedEvent

_ORDERS = 4
"""Random orders beside which deletion and insertion stand."""


@dataclass(frozen=True)
class ExplainedSeizures:
    """`trial`: the first window, on which costs can be measured; None where nothing could be explained."""

    events: tuple[ExplainedEvent, ...]
    notes: tuple[str, ...]
    trial: Trial | None


def explained_seizures(
    detector: Detector, entries: Iterable[Entry], settings: StudiedSettings
) -> ExplainedSeizures:
    """Some seizures of each subject, as many as `settings` say, by each method that the network allows."""
    network = ExplainedNetwork(detector)
    methods = [method for method in settings.methods if _allows(network, method)]
    events: list[ExplainedEvent] = []
    notes: list[str] = []
    first: Trial | None = None
    for entry, chosen in _chosen(entries, detector, settings.events):
        try:
            segments = Segments(detector, entry.open(), chosen, entry.events)
            signals, candidates = segments.read(background=True)
        except SecateurError as error:
            notes.append(f"{entry.key}: {type(error).__name__}")
            continue
        if not candidates:
            notes.append(f"{entry.key}: holds no background")
            continue
        background = _standing_in(candidates, settings.references)
        for signal in signals:
            spread = np.linspace(0, len(signal.starts) - 1, settings.windows + 2)
            trials = [
                Trial(
                    network, one_window(signal, index), background, settings.of_method("gradient")
                )
                for index in np.unique(spread.round().astype(int)[1:-1]).tolist()
            ]
            first = first or trials[0]
            events.append(_explained(entry, signal.event, trials, methods, settings))
    return ExplainedSeizures(tuple(events), tuple(notes), first)


def _allows(network: ExplainedNetwork, method: Method) -> bool:
    try:
        network.require(method)
    except SettingsError:
        return False
    return True


def _chosen(
    entries: Iterable[Entry], detector: Detector, count: int
) -> list[tuple[Entry, list[Event]]]:
    """So many seizures of each subject, evenly spread over those beside which there is background."""
    length = detector.info.window_and_hop[0] / detector.info.chain.sampling_rate
    by_subject: dict[str, list[tuple[Entry, Event]]] = {}
    for entry in entries:
        merged = entry.events.merged()
        if entry.duration - sum(event.duration for event in merged) < 2 * length:
            continue
        own = by_subject.setdefault(entry.subject, [])
        own += [(entry, event) for event in merged if event.duration >= length]
    by_entry: dict[str, tuple[Entry, list[Event]]] = {}
    for own in by_subject.values():
        places = np.linspace(0, len(own) - 1, min(count, len(own))).round().astype(int)
        for index in np.unique(places).tolist():
            entry, event = own[index]
            by_entry.setdefault(entry.key, (entry, []))[1].append(event)
    return list(by_entry.values())


def _standing_in(candidates: list[NDArray[np.float32]], count: int) -> Background:
    """Evenly spread over the recording's windows without a seizure: the same for every network.

    Where one network alone is explained, those that it calls don't stand in; here that would compare networks
    by different windows. Where there are fewer than `count`, some come twice.
    """
    places = np.linspace(0, len(candidates) - 1, count).round().astype(int)
    return Background(np.stack([candidates[k] for k in places]), (0.0,) * count, 0.0)


def _explained(
    entry: Entry,
    event: Event,
    trials: list[Trial],
    methods: Sequence[Method],
    settings: StudiedSettings,
) -> ExplainedEvent:
    """Means over an event's windows."""
    generator = np.random.default_rng(0)  # the same orders for every network
    by_channel = {method: np.zeros(len(trials[0].signal.channels)) for method in methods}
    curves = np.zeros((len(methods) + 2, 2))
    margins, references = [], []
    for trial in trials:
        orders = []
        for method in methods:
            shares = replace(trial, settings=settings.of_method(method)).attribution()
            assert shares.attribution is not None
            by_channel[method] += shares.attribution.sum(axis=1) / len(trials)
            orders.append(np.argsort(-shares.attribution.ravel(), kind="stable"))
        loud = trial.amplitude().ravel()
        orders.append(np.argsort(-loud, kind="stable"))
        orders += [generator.permutation(loud.size) for _ in range(_ORDERS)]
        own = trial.curves(orders)
        curves += np.vstack((own[:-_ORDERS], own[-_ORDERS:].mean(axis=0))) / len(trials)
        margins.append(trial.network.margins(trial.signal.segment[None])[0])
        references.append(trial.network.margins(trial.background.windows).mean())
    *attributed, amplitude, chance = curves.tolist()
    return ExplainedEvent(
        subject=entry.subject,
        recording=entry.key,
        onset=event.onset,
        margin=_rounded(float(np.mean(margins))),
        reference=_rounded(float(np.mean(references))),
        amplitude=(_rounded(amplitude[0]), _rounded(amplitude[1])),
        chance=(_rounded(chance[0]), _rounded(chance[1])),
        methods={
            method: Attributed(
                by_channel=tuple(_rounded(value) for value in by_channel[method].tolist()),
                fall=_rounded(own[0]),
                rise=_rounded(own[1]),
            )
            for method, own in zip(methods, attributed, strict=True)
        },
    )


def _rounded(value: float) -> float:
    """Five digits are more than a map bears, and results are kept by the hundred."""
    return float(f"{value:.5g}")
