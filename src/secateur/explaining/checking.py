"""How far a detector's attributions can be believed, on known seizures: each measure beside a control.

Each value is a mean over events (an event's windows count together) with a bootstrap interval over events.
What decides is the difference to the control, event by event.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from secateur.detectors import Detector
from secateur.errors import CohortError, RecordingError, SecateurError, SettingsError
from secateur.events import Event
from secateur.explaining.bands import BANDS, EDGES, power_by_band
from secateur.explaining.network import ExplainedNetwork
from secateur.explaining.scalp import electrodes_of_channel
from secateur.explaining.segments import Background, EventWindows, Segments
from secateur.explaining.settings import ExplainingSettings
from secateur.explaining.shares import Task, shares_of
from secateur.explaining.trials import (
    Measures,
    Trial,
    amplitude_of,
    measured,
    one_window,
    relative_distance,
)
from secateur.recordings import Cohort, Entry
from secateur.recordings.montage import parse_label
from secateur.recordings.simulated.truth import SeizureTruth, truth_of
from secateur.scoring.intervals import Interval, mean_interval

Floats = NDArray[np.float64]
MOST_EVENTS = 40
_WINDOWS = 3
"""Of each event."""
_SHUFFLED_EVENTS = 12
"""Events on which layers are shuffled."""
FIRST_SECONDS = 5.0
_LITTLE = 0.1
_MOST_RESIDUAL = 10.0
"""A share of almost nothing counts no more than this."""


@dataclass(frozen=True)
class Mean:
    """A mean over events. `interval`: 95 %; None for fewer than five events."""

    value: float
    interval: Interval | None

    @classmethod
    def of(cls, values: Sequence[float]) -> Mean:
        """The mean of one value an event."""
        return cls(float(np.mean(values)), mean_interval(list(values)))


@dataclass(frozen=True)
class Finding:
    """One measure beside its control. `passed`: None where the interval leaves it open.

    `better`: by how much the measure is better than its control, in its own unit.
    """

    name: str
    value: Mean
    control_name: str
    control: Mean
    better: Mean
    passed: bool | None
    words: str
    unit: str = ""


@dataclass(frozen=True)
class Check:
    """What came out.

    `detector`: the SHA-256 of its file. `events`: how many were looked at; `simulated`: of how many of them
    the truth was known.
    """

    detector: str
    method: str
    events: int
    simulated: int
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """In words, what passed and what didn't."""
        passed = [finding.name for finding in self.findings if finding.passed]
        failed = [finding.name for finding in self.findings if finding.passed is False]
        open_ = [finding.name for finding in self.findings if finding.passed is None]
        parts = [f"Of {len(self.findings)} measures of {self.method}, {len(passed)} passed"]
        if failed:
            parts.append(f"not: {', '.join(failed)}")
        if open_:
            parts.append(f"left open by so few events: {', '.join(open_)}")
        return "; ".join(parts) + "."


@dataclass(frozen=True)
class _Explained:
    """An event, its windows' measures, and its truth where that is known."""

    signal: EventWindows
    measures: list[Measures]
    background: Background
    truth: SeizureTruth | None


def check(
    detector: Detector,
    cohort: Cohort,
    settings: ExplainingSettings | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Check:
    """Put the attributions of a method to the test, on the seizures that `cohort` knows of.

    Raises `SettingsError` for a method that doesn't attribute to channels and seconds, or that the network
    doesn't allow; `CohortError` where no seizure can be explained.
    """
    settings = settings or ExplainingSettings()
    if settings.method in ("contributions", "bands") or settings.players != "cells":
        raise SettingsError(
            f"--check with {settings.method}: wanted a method that gives channels × seconds: gradient, "
            "integrated, occlusion or shap with players cells"
        )
    network = ExplainedNetwork(detector)
    network.require(settings.method)
    generator = np.random.default_rng(settings.seed)
    chosen, left_out = _chosen(cohort, detector.info.windows.length)
    explained: list[_Explained] = []
    reasons: dict[str, list[str]] = {}
    total = sum(len(events) for _, events in chosen)
    for entry, events in chosen:
        try:
            segments = Segments(detector, entry.open(), events, entry.events)
            signals, candidates = segments.read(background=True)
            background = segments.background(network, candidates, settings.references)
        except SecateurError as error:
            reason = error.reason if isinstance(error, RecordingError) else str(error)
            reasons.setdefault(reason, []).append(entry.key)
            continue
        truths = truth_of(entry.path) if entry.simulated else ()
        for signal in signals:
            shuffle = len(explained) < _SHUFFLED_EVENTS
            measures = _measures(network, signal, background, settings, generator, shuffle)
            truth = next((t for t in truths if abs(t.onset - signal.event.onset) < 0.5), None)
            explained.append(_Explained(signal, measures, background, truth))
            if progress:
                progress(len(explained), total)
    notes = [_counted_out(reason, keys) for reason, keys in reasons.items()]
    if left_out:
        notes.append(_counted_out("hold no background beside their seizures", left_out))
    if not explained:
        reason = f" ({notes[0]})" if notes else ""
        raise CohortError(f"{cohort.folder}: holds no seizure that could be explained{reason}")
    known = [each for each in explained if each.truth is not None]
    findings = [*_general(explained), *_against_truth(network, known, settings)]
    return Check(
        detector.fingerprint,
        settings.method,
        len(explained),
        len(known),
        tuple(findings),
        tuple(notes),
    )


def _chosen(cohort: Cohort, window: float) -> tuple[list[tuple[Entry, list[Event]]], list[str]]:
    """At most so many events, evenly spread; and recordings that leave no window of background."""
    some = [entry for entry in cohort if len(entry.events)]
    kept = [entry for entry in some if entry.duration - entry.events.seconds >= window]
    left_out = [entry.key for entry in some if entry not in kept]
    every = [(entry, event) for entry in kept for event in entry.events.merged()]
    taken = np.unique(np.linspace(0, len(every) - 1, min(MOST_EVENTS, len(every))).round())
    by_entry: dict[str, tuple[Entry, list[Event]]] = {}
    for index in taken.astype(int) if every else ():
        entry, event = every[index]
        by_entry.setdefault(entry.key, (entry, []))[1].append(event)
    return list(by_entry.values()), left_out


def _counted_out(reason: str, keys: Sequence[str]) -> str:
    more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
    return f"{keys[0]}{more}: {reason}"


def _measures(
    network: ExplainedNetwork,
    signal: EventWindows,
    background: Background,
    settings: ExplainingSettings,
    generator: np.random.Generator,
    shuffle: bool,
) -> list[Measures]:
    count = len(signal.starts)
    chosen = np.unique(np.linspace(0, count - 1, _WINDOWS + 2).round().astype(int)[1:-1])
    return [
        measured(
            Trial(network, one_window(signal, int(index)), background, settings),
            generator,
            shuffle=shuffle and number == 0,
        )
        for number, index in enumerate(chosen)
    ]


def _finding(
    name: str,
    pairs: Sequence[tuple[float, float]],
    control: str,
    words: tuple[str, str],
    *,
    larger: bool = True,
    unit: str = "",
) -> Finding:
    """A measure and its control, one pair an event. `words`: where it passed, and where it did not."""
    values, controls = ([pair[side] for pair in pairs] for side in (0, 1))
    better = Mean.of([(a - b) if larger else (b - a) for a, b in pairs])
    passed = None
    if better.interval is not None:
        low, high = better.interval
        passed = True if low > 0 else False if high <= 0 else None
    text = words[0] if passed else words[1]
    if passed is None:
        text = "These events leave it open: the difference to the control may be either way."
    return Finding(name, Mean.of(values), control, Mean.of(controls), better, passed, text, unit)


_CHANCE = (
    "What the attribution names first matters more to the network than seconds of channels by chance.",
    "What the attribution names first matters no more to the network than what chance names.",
)
_LOUD = (
    "The attribution knows more than which channels are loud.",
    "It does no better than naming what is loudest: it may only be finding loud channels.",
)
_COMPLETE = (
    "The attributions add up to what they explain, but for less than a tenth.",
    "The attributions don't add up to what they explain: read them as an order, not as shares.",
)
_STEADY = (
    "Noise of a twentieth of the amplitude changes the map less than another event does.",
    "Noise of a twentieth of the amplitude changes the map as much as another event does.",
)
_LEARNED = (
    "The map changes once what was learned is gone: it shows the network, not the EEG alone.",
    "The map hardly changes when what was learned is gone: it shows the EEG, not the network.",
)


def _general(explained: Sequence[_Explained]) -> list[Finding]:
    """What needs no truth."""

    def pairs(read: Callable[[Measures], tuple[float, float]]) -> list[tuple[float, float]]:
        rows = [np.mean([read(m) for m in each.measures], axis=0) for each in explained]
        return [(float(row[0]), float(row[1])) for row in rows]

    chance, amplitude = "a random order", "the order of plain amplitude"
    findings = [
        _finding("removed, beside chance", pairs(lambda m: (m.falls[0], m.falls[2])),
                 chance, _CHANCE, unit="logits"),
        _finding("removed, beside amplitude", pairs(lambda m: (m.falls[0], m.falls[1])),
                 amplitude, _LOUD, unit="logits"),
        _finding("added, beside chance", pairs(lambda m: (m.rises[0], m.rises[2])),
                 chance, _CHANCE, unit="logits"),
        _finding("added, beside amplitude", pairs(lambda m: (m.rises[0], m.rises[1])),
                 amplitude, _LOUD, unit="logits"),
        _finding("completeness error", pairs(lambda m: (min(m.residual, _MOST_RESIDUAL), _LITTLE)),
                 "a tenth of what is explained", _COMPLETE, larger=False),
    ]  # fmt: skip
    shaken = [
        (float(np.mean([m.shaken for m in each.measures])), _to_others(each, explained))
        for each in explained
    ]
    shuffled = [(abs(m.shuffled[-1]), 0.5) for e in explained for m in e.measures if m.shuffled]
    if len(explained) > 1:
        control = "the difference to another event's map"
        findings.append(
            _finding("change under small noise", shaken, control, _STEADY, larger=False)
        )
    if shuffled:
        name = "likeness once all layers are shuffled"
        finding = _finding(name, shuffled, "one half", _LEARNED, larger=False)
        findings.append(replace(finding, words=f"{finding.words} {_layer_by_layer(explained)}"))
    return findings


def _layer_by_layer(explained: Sequence[_Explained]) -> str:
    """How alike the map stays as one layer after the other is shuffled, in words."""
    rows = [np.abs(m.shuffled) for each in explained for m in each.measures if m.shuffled]
    likeness = ", ".join(f"{value:.2f}" for value in np.mean(rows, axis=0))
    return f"Its likeness as one layer after the other is shuffled, the last first: {likeness}."


def _to_others(each: _Explained, explained: Sequence[_Explained]) -> float:
    """How far an event's first map is from those of the others that have its shape; 1 where none has."""
    own = each.measures[0].map
    distances = [
        relative_distance(own, other.measures[0].map)
        for other in explained
        if other is not each and other.measures[0].map.shape == own.shape
    ]
    return float(np.mean(distances)) if distances else 1.0


def _against_truth(
    network: ExplainedNetwork, known: Sequence[_Explained], settings: ExplainingSettings
) -> list[Finding]:
    """Of simulated seizures: attribution where and when the simulation begins, and in its band."""
    rows: dict[str, list[tuple[float, float, float]]] = {"channels": [], "first": [], "band": []}
    for each in known:
        assert each.truth is not None
        shares = shares_of(Task.of(network, each.signal, settings, each.background))
        loud = amplitude_of(each.signal) ** 2
        near = _channels_near(each.signal.channels, each.truth.first)
        if near.any() and shares.by_channel is not None:
            own = _share(shares.by_channel, near)
            rows["channels"].append((own, _share(loud.sum(axis=1), near), float(near.mean())))
        begin = each.truth.onset
        early = (each.signal.seconds >= begin) & (each.signal.seconds < begin + FIRST_SECONDS)
        if shares.by_second is not None and early.any():
            own = _share(shares.by_second, early)
            rows["first"].append((own, _share(loud.sum(axis=0), early), float(early.mean())))
        if shares.by_band:
            band = int(np.argmax(_bands_of(each.truth)))
            right = np.arange(len(BANDS)) == band
            powers = power_by_band(each.signal.segment, each.signal.rate)
            own = _share(np.array([shares.by_band[name] for name in BANDS]), right)
            rows["band"].append((own, float(powers[band]), 1 / len(BANDS)))
    return [
        finding for key, triples in rows.items() if triples for finding in _beside(key, triples)
    ]


_PLACES = {
    "channels": "on channels of the electrode where the simulation begins",
    "first": f"in the first {FIRST_SECONDS:g} s of the simulated seizure",
    "band": "in the strongest band of the simulated seizure",
}


def _beside(key: str, triples: Sequence[tuple[float, float, float]]) -> list[Finding]:
    """Shares of the attribution beside those of the signal's power, and of as much by chance."""
    words = (
        f"More of the attribution lies {_PLACES[key]} than of the control.",
        f"No more of the attribution lies {_PLACES[key]} than of the control.",
    )
    controls = (("chance", "as much by chance", 2), ("power", "share of the signal's power", 1))
    return [
        _finding(
            f"{_PLACES[key]}, beside {short}",
            [(row[0], row[side]) for row in triples],
            control,
            words,
        )
        for short, control, side in controls
    ]


def _share(values: Floats, chosen: NDArray[np.bool_]) -> float:
    """Share of what raises the margin that lies on the chosen; 0 where nothing raises it."""
    positive = np.clip(values, 0, None)
    total = float(positive.sum())
    return float(positive[chosen].sum()) / total if total > 0 else 0.0


def _channels_near(channels: Sequence[str], electrode: str) -> NDArray[np.bool_]:
    """Channels of which an electrode is one side."""
    derivation = parse_label(electrode)
    today = "" if derivation is None else derivation.plus
    return np.array([today in electrodes_of_channel(name) for name in channels])


def _bands_of(truth: SeizureTruth) -> Floats:
    """Share of the seizure's power by band."""
    hertz = np.arange(len(truth.power)) + 0.5
    band = np.searchsorted(EDGES, hertz, side="right")
    return np.asarray(np.bincount(band, weights=truth.power, minlength=len(BANDS)), dtype="f8")
