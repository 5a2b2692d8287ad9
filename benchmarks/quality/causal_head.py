"""Whether a causal head over what a network saw in the last minute is worth more than its threshold.

    python -m benchmarks.quality.causal_head --data CLIPS --background EEGMAT --restless GUINEA-BISSAU

Networks of 16-32-64 kernels, trained with ordinary EEG among their background, before pruning and with nine
of ten kernels removed, in repeated folds by subject. On each frozen network heads are trained (`HEADS`), on
the people who trained it, and stopped early on those who validated it; they, the plain threshold and the
rules that `choose_by_froc` takes are judged on the people who test, at equal false alarms. Every finished
fold leaves a row (numbers, no EEG) in causal-head.jsonl beside this file; a fold that has one is not done
again. The tables go to benchmarks/quality/causal-head.md.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.special import expit

from benchmarks.quality.causal_head_tables import page
from benchmarks.quality.longer_evidence import found_within
from benchmarks.quality.repeats import has_row, keep_row, rows_of, seeds_of
from secateur.detectors import PostProcessing
from secateur.detectors.choosing import choose_by_froc, froc_curves, rules_of
from secateur.detectors.sweeping import RecordingWindows, froc_of
from secateur.events import Events
from secateur.files import write_whole
from secateur.networks import Network
from secateur.recordings import data_set_of
from secateur.runs import RunFolder, RunSettings, Source, resolve
from secateur.runs.data import RunData, gather
from secateur.runs.plan import Stage
from secateur.runs.run import run_name
from secateur.runs.stages import StageContext, run_stage
from secateur.scoring import Score
from secateur.scoring.froc import (
    KnownCounts,
    OperatingPoint,
    SweptRecording,
    hull,
    mean_sensitivity,
)
from secateur.training import load_network
from secateur.training.draw import EpochDraw
from secateur.training.loop import predict
from secateur.windows import Cache, WindowSet

HERE = Path(__file__).parent
KEPT = HERE / "causal-head.jsonl"
FOLDS = 4
SIX_PAIRS = "F7-T3,T3-T5,T5-O1,F8-T4,T4-T6,T6-O2"
"""Those that guinea-bissau has."""
ELECTRODES = ("18 pairs", "six pairs")
SETTINGS = {
    "network.widths": [16, 32, 64],
    "training.validation_windows": 1024,
    "pruning.ratio": 0.9,
    "split.by": "folds",
    "split.folds": FOLDS,
}
MODELS = ("baseline", "pruned")
BEHIND = 60
"""Windows of the same person's background that stand before a recording, at most."""

DRAWN = 8192
"""Windows that a head learns from, and as many that stop it."""
STEPS, LOOK_EVERY = 600, 5
STEP, DECAY = 0.002, 1e-4
"""Adam's, and its weight decay."""

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Tables = dict[str, Any]


@dataclass(frozen=True)
class Head:
    """A linear layer whose output is added to the network's log odds.

    `means`: time constants, in seconds, of the running means that it sees of `source`, the network's features
    or its log odds, beside these as they are now. "clock" sees no EEG, but how long a recording has gone on.
    `learns_from`: the people of which side; those who validate stop the heads that learn from the others.
    """

    source: str
    means: tuple[float, ...] = ()
    learns_from: str = "training"


HISTORIES: Mapping[str, tuple[float, ...]] = {
    "10 s": (3.0,),
    "30 s": (3.0, 10.0),
    "60 s": (3.0, 10.0, 20.0),
}
"""Of a running mean's weight 95 % lies within three time constants."""
HEADS: Mapping[str, Head] = {
    "clock": Head("clock"),
    "features of now": Head("features"),
    **{f"log odds, {name}": Head("log odds", means) for name, means in HISTORIES.items()},
    **{f"features, {name}": Head("features", means) for name, means in HISTORIES.items()},
    **{
        f"log odds, {name}, of validation": Head("log odds", means, "validation")
        for name, means in HISTORIES.items()
    },
}
"""The last ones learn from people whom the network has not learned from, and are so small that nothing stops
them: what a network says of the people who trained it is surer than what it says of others."""


@dataclass(frozen=True)
class Row:
    """A recording in order of time, as heads go through it: `behind` windows of another one before its own.

    `rows`: indices of all these windows into their side's.
    """

    recording: int
    rows: Indices
    behind: int


@dataclass(frozen=True)
class Side:
    """What a frozen network makes of one side's windows: `features` (n, f), `odds`, its log odds (n,)."""

    windows: WindowSet
    features: Floats
    odds: Floats
    alone: list[Row]
    behind: list[Row]

    @property
    def hop(self) -> float:
        """Seconds from one window to the next."""
        return self.windows.hop / self.windows.rate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--background", required=True)
    parser.add_argument("--restless", required=True, help="judged with six pairs, never trained on")
    parser.add_argument("--seeds", default="1-2", help="deals of the folds: a range or a list")
    parser.add_argument("--scratch", type=Path, default=Path("runs/causal-head"))
    parser.add_argument("--table-only", action="store_true", help="of the folds there are")
    words = parser.parse_args()
    for seed, electrodes, fold in product(seeds_of(words.seeds), ELECTRODES, range(1, FOLDS + 1)):
        if not words.table_only:
            _judge_fold(words, electrodes, seed, fold)
    text = page(rows_of(KEPT))
    write_whole(HERE / "causal-head.md", text)
    print(text)


def _judge_fold(words: argparse.Namespace, electrodes: str, seed: int, fold: int) -> None:
    if has_row(KEPT, electrodes=electrodes, seed=seed, fold=fold):
        return
    changes: dict[str, Any] = {"seed": seed, "split.fold": fold}
    restless = []
    if electrodes == "six pairs":
        changes |= {"chain.montage": "pairs", "chain.channels": SIX_PAIRS.split(",")}
        restless = [f"guinea-bissau={words.restless}"]
    settings = resolve(None, {**SETTINGS, **changes})
    source = Source.of(
        [f"clips={words.data}"], [f"eegmat={words.background}"], test_background=restless
    )
    material = gather(source, settings, Cache())
    name = run_name(settings, material)
    folder = RunFolder(
        words.scratch / f"{electrodes.replace(' ', '-')}-seed-{seed}-fold-{fold}", name
    )
    context = StageContext(material, settings, folder)
    run_stage(Stage("baseline", "baseline"), context)
    run_stage(Stage("pruned", "pruned", ("baseline",), settings.pruning), context)
    split = material.split
    people = {
        side: sum(data_set_of(each) != "guinea-bissau" for each in getattr(split, side))
        for side in ("training", "test")
    }
    models = {
        model: _judge_network(load_network(folder.network(model)), material, settings)
        for model in MODELS
    }
    result = {
        "run": name,
        "electrodes": electrodes,
        "seed": seed,
        "fold": fold,
        "people": people,
        "models": models,
    }
    keep_row(KEPT, _rounded(result), ("electrodes", "seed", "fold"))
    print(f"{electrodes}, seed {seed}, fold {fold}: done", flush=True)


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_rounded(entry) for entry in value]
    return round(value, 5) if isinstance(value, float) else value


def _judge_network(network: Network, material: RunData, settings: RunSettings) -> Tables:
    """Every way on the test side, on recordings as they are and behind background of the same person."""
    generator = np.random.default_rng([settings.seed, 14])
    sides = {name: seen_by(network, each, generator) for name, each in material.sides.items()}
    prior = EpochDraw(sides["training"].windows, settings.training, settings.seed).prior
    validation, test = sides["validation"], sides["test"]

    def threshold_of(odds: Sequence[Floats]) -> float:
        labels = np.concatenate([validation.windows.labels[row.rows] for row in validation.alone])
        return settings.threshold.choose(labels, expit(np.concatenate(odds)), prior)

    as_are = [validation.odds[row.rows] for row in validation.alone]
    plain = settings.post_processing.moved_to(threshold_of(as_are))
    plain = rules_of(plain.model_dump())
    known: list[KnownCounts] = [{} for _ in validation.alone]
    by_froc = choose_by_froc(
        froc_curves(_recordings(validation, validation.alone, as_are, known), plain), plain
    ).rules
    heads = {name: fit_head(head, sides, settings) for name, head in HEADS.items()}
    losses = {name: each.loss for name, each in heads.items()}
    judged: Tables = {}
    for condition, rows in (("as recorded", test.alone), ("behind background", test.behind)):
        own = [test.odds[row.rows] for row in rows]
        counted: list[KnownCounts] = [{} for _ in rows]
        recordings = _recordings(test, rows, own, counted)
        most = _most(recordings, plain)
        ways = {
            "plain": judge(recordings, plain, most),
            "rules by FROC": judge(recordings, by_froc, most),
        }
        for name, each in heads.items():
            rules = plain.moved_to(
                threshold_of([each.odds(validation, row) for row in validation.alone])
            )
            with_head = _recordings(test, rows, [each.odds(test, row) for row in rows], counted)
            ways[name] = judge(with_head, rules, most)
        judged[condition] = {"most": most, "ways": ways}
    return {"features": int(test.features.shape[1]), "losses": losses, "judged": judged}


def seen_by(network: Network, windows: WindowSet, generator: np.random.Generator) -> Side:
    """What `network` hands its linear layer for each of `windows`, and what that makes of it."""
    seen: list[Floats] = []
    handle = network.get_submodule("linear").register_forward_hook(
        lambda layer, inputs, output: seen.append(inputs[0].numpy().astype(np.float64))
    )
    try:
        logits = predict(network, windows).astype(np.float64)
    finally:
        handle.remove()
    alone = [
        Row(k, np.flatnonzero(windows.recording == k), 0) for k in range(len(windows.prepared))
    ]
    behind = _behind_background(windows, alone, generator)
    return Side(windows, np.concatenate(seen), logits[:, 1] - logits[:, 0], alone, behind)


def _behind_background(
    windows: WindowSet, alone: Sequence[Row], generator: np.random.Generator
) -> list[Row]:
    """Each recording behind the last minute of another one of its person in which there is no seizure."""
    people = [part.entry.subject for part in windows.prepared]
    quiet = [not len(part.entry.events.clipped()) for part in windows.prepared]
    rows = []
    for row in alone:
        others = [
            k
            for k, person in enumerate(people)
            if person == people[row.recording] and k != row.recording and quiet[k]
        ]
        before = np.empty(0, dtype=np.int64)
        if others:
            before = alone[others[int(generator.integers(len(others)))]].rows[-BEHIND:]
        rows.append(Row(row.recording, np.concatenate([before, row.rows]), len(before)))
    return rows


def running_mean(values: Floats, seconds: float, hop: float) -> Floats:
    """The exponentially weighted mean of all values so far, shape (n, f), by a time constant in seconds.

    Weights are divided by their sum, so the first value is its own mean: no start is told by a low mean.
    """
    kept = float(np.exp(-hop / seconds))
    sums = lfilter([1.0], [1.0, -kept], values, axis=0)
    weights = lfilter([1.0], [1.0, -kept], np.ones(len(values)))
    return np.asarray(np.divide(sums, weights[:, None]), dtype=np.float64)


def inputs_of(head: Head, side: Side, row: Row) -> Floats:
    """What a head sees at each of a row's windows, shape (n, inputs); nothing of what comes later."""
    if head.source == "clock":
        since = np.arange(len(row.rows), dtype=np.float64) * side.hop
        return np.asarray(np.log1p(since)[:, None])
    values = side.features if head.source == "features" else side.odds[:, None]
    own = values[row.rows]
    return np.concatenate(
        [own, *(running_mean(own, seconds, side.hop) for seconds in head.means)], axis=1
    )


@dataclass(frozen=True)
class FittedHead:
    """A trained head. `loss`: on validation, with every class, data set and subject alike."""

    head: Head
    mean: Floats
    spread: Floats
    weights: Floats
    offset: float
    loss: float

    def odds(self, side: Side, row: Row) -> Floats:
        """Log odds of a row's windows."""
        inputs = (inputs_of(self.head, side, row) - self.mean) / self.spread
        return np.asarray(side.odds[row.rows] + inputs @ self.weights + self.offset)


def fit_head(head: Head, sides: Mapping[str, Side], settings: RunSettings) -> FittedHead:
    """Logistic regression from the network's own log odds on, stopped where validation is best.

    Before the first step it is the network as it is, so stopping there leaves all as it was. Recordings are
    learned from as they are and behind background: among the clips no seizure has background before it.
    """
    inputs, odds, truth = _drawn(head, sides[head.learns_from], settings)
    seen, seen_odds, seen_truth = _drawn(head, sides["validation"], settings)
    mean, spread = inputs.mean(axis=0), np.maximum(inputs.std(axis=0), 1e-6)
    here, there = (torch.from_numpy((each - mean) / spread).float() for each in (inputs, seen))
    odds_here, truth_here, odds_there, truth_there = (
        torch.from_numpy(each).float() for each in (odds, truth, seen_odds, seen_truth)
    )
    layer = torch.nn.Linear(inputs.shape[1], 1)
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    optimiser = torch.optim.Adam(layer.parameters(), lr=STEP, weight_decay=DECAY)
    loss_of = torch.nn.functional.binary_cross_entropy_with_logits
    best, weights, offset = np.inf, np.zeros(inputs.shape[1]), 0.0
    for step in range(STEPS + 1):
        if step % LOOK_EVERY == 0:
            with torch.inference_mode():
                loss = float(loss_of(odds_there + layer(there)[:, 0], truth_there))
            if loss < best:
                best, offset = loss, float(layer.bias.detach()[0])
                weights = layer.weight.detach()[0].double().numpy().copy()
        optimiser.zero_grad()
        loss_of(odds_here + layer(here)[:, 0], truth_here).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return FittedHead(head, mean, spread, weights, offset, best)


def _drawn(head: Head, side: Side, settings: RunSettings) -> tuple[Floats, Floats, Floats]:
    """Inputs, log odds and labels of windows drawn as a network's training draws them, half of them where
    their recording stands behind background.
    """
    drawn = EpochDraw(side.windows, settings.training, settings.seed).sample(DRAWN)
    inputs = []
    for rows, own in ((side.alone, drawn[::2]), (side.behind, drawn[1::2])):
        table = np.concatenate([inputs_of(head, side, row)[row.behind :] for row in rows])
        at = np.empty(len(side.windows), dtype=np.int64)
        at[np.concatenate([row.rows[row.behind :] for row in rows])] = np.arange(len(at))
        inputs.append(table[at[own]])
    chosen = np.concatenate([drawn[::2], drawn[1::2]])
    labels = side.windows.labels[chosen].astype(np.float64)
    return np.concatenate(inputs), side.odds[chosen], labels


def _recordings(
    side: Side, rows: Sequence[Row], odds: Sequence[Floats], known: Sequence[KnownCounts]
) -> list[RecordingWindows]:
    """Rows as event rules and curves take them; what stands before a recording moves it back in time.

    `known`: of each row, what was counted of it already.
    """
    recordings = []
    first = float(side.windows.length - side.windows.hop) / side.windows.rate
    for row, values, counts in zip(rows, odds, known, strict=True):
        entry, moved = side.windows.prepared[row.recording].entry, row.behind * side.hop
        duration = entry.duration + moved
        events = tuple(replace(event, onset=event.onset + moved) for event in entry.events)
        entry = replace(entry, duration=duration, events=Events(events, duration))
        begin = first + np.arange(len(row.rows), dtype=np.float64) * side.hop
        labels = side.windows.labels[row.rows]
        recordings.append(
            RecordingWindows(
                entry,
                duration,
                begin,
                np.asarray(expit(values), dtype=np.float64),
                labels,
                side.hop,
                (),
                counts,
            )
        )
    return recordings


def _most(recordings: Sequence[RecordingWindows], plain: PostProcessing) -> int:
    """False alarms that the plain rules raise."""
    points = froc_of(recordings, plain).points()
    return next(p.alarms.alarms for p in points if p.threshold == plain.threshold)


def judge(recordings: Sequence[RecordingWindows], rules: PostProcessing, most: int) -> Tables:
    """One way on the test side.

    `area`: mean sensitivity from no false alarm to `most`, and `by_subject` the same of each person with
    seizures at the same thresholds; `equal`, `none_on_ordinary`: seizures found with at most `most` false
    alarms, and with none on ordinary EEG; `chosen`: what the threshold from validation does.
    """
    curve = froc_of(recordings, rules)
    points = curve.points()
    ordinary = [name for name in curve.alarms if name != "clips"]
    quiet = [
        point.sensitivity or 0.0
        for k, point in enumerate(points)
        if not sum(curve.alarms[name][k] for name in ordinary)
    ]
    smoothed = [each.smoothed(rules) for each in recordings]
    at = rules.model_copy(update={"smoothing": 0.0})
    return {
        "area": mean_sensitivity(points, most),
        "by_subject": _areas_by_subject(smoothed, at, hull(points), most),
        "seizures": points[0].seizures,
        "equal": round(found_within(points, most) * points[0].seizures),
        "none_on_ordinary": round(max(quiet, default=0.0) * points[0].seizures),
        "chosen": _as_chosen(smoothed, at),
    }


def _score(recording: RecordingWindows, rules: PostProcessing) -> Score:
    """Counts by event at the rules' own threshold."""
    reference, known = recording.entry.events.clipped(), recording.known
    swept = SweptRecording("", reference, 0.0, lambda _: recording.events(rules), 1.0, known)
    return swept.scores([rules.threshold])[0]


def _found_by_subject(
    recordings: Sequence[RecordingWindows], rules: PostProcessing
) -> dict[str, float]:
    """The share of each person's seizures that is found."""
    counts: dict[str, list[int]] = {}
    for each in recordings:
        if len(each.entry.events.clipped()):
            score = _score(each, rules)
            own = counts.setdefault(each.entry.subject, [0, 0])
            own[0] += score.tp
            own[1] += score.ref
    return {name: found / seizures for name, (found, seizures) in counts.items()}


def _areas_by_subject(
    recordings: Sequence[RecordingWindows],
    rules: PostProcessing,
    best: Sequence[OperatingPoint],
    most: int,
) -> dict[str, float]:
    """As `mean_sensitivity`, of each person: 0 for numbers of alarms below the fewest there are."""
    fitting = [
        [point for point in best if point.alarms.alarms <= count][-1:] for count in range(most + 1)
    ]
    times = Counter(point.threshold for points in fitting for point in points)
    sums: defaultdict[str, float] = defaultdict(float)
    for threshold, number in times.items():
        for name, share in _found_by_subject(recordings, rules.moved_to(threshold)).items():
            sums[name] += share * number
    people = sorted(_found_by_subject(recordings, rules))
    return {name: sums[name] / (most + 1) for name in people}


def _as_chosen(recordings: Sequence[RecordingWindows], rules: PostProcessing) -> Tables:
    """At the threshold from validation: seizures found; by data set alarms, hours, and windows called."""
    found = 0
    sets: dict[str, dict[str, float]] = {}
    for each in recordings:
        own = sets.setdefault(
            data_set_of(each.entry.subject), {"alarms": 0, "hours": 0.0, "called": 0, "windows": 0}
        )
        score = _score(each, rules)
        found += score.tp
        own["alarms"] += score.fp
        own["hours"] += max(0.0, each.entry.duration - each.entry.events.seconds) / 3600
        own["called"] += int(np.sum(each.probability[~each.label] >= rules.threshold))
        own["windows"] += int(np.sum(~each.label))
    return {"found": found, "sets": sets}


if __name__ == "__main__":
    main()
