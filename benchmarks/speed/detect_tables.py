"""What `detect` has measured, as a page.

Comes in: `Found`. Goes out: Markdown. Next: it stands in detect.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.speed.detect_ways import STAGES
from benchmarks.speed.hour import CHANNELS, RATE
from benchmarks.speed.measuring import commit, machine, ratio, spread, table, versions

NAMES = {
    "a": "(a) MNE reads and filters, eager PyTorch window by window",
    "b": "(b) edfio, SciPy, ONNX Runtime window by window",
    "c": "(c) Secateur, 32-64-128 kernels",
    "d": "(d) Secateur, 16-32-64 kernels",
    "e": "(e) Secateur, 16-32-64 kernels in 8 bits",
    "a, picked": "as (a), channels that the montage lacks left out before the filter",
    "a, pruned": "as (a), 16-32-64 kernels",
}
OWN = ("c", "d", "e")
MIB = 2**20


@dataclass(frozen=True)
class Found:
    """`short`: what each way told of the short recording, a round each; `long`: of the long one, once.

    `bench`: what `secateur bench --json` told of the detectors of ways c, d and e. `imports`: processor
    seconds. `workers`: wall seconds by number of processes. `same`: whether b and c found the same `events`.
    """

    short_seconds: float
    long_seconds: float
    what: str
    short: dict[str, list[dict[str, Any]]]
    long: dict[str, dict[str, Any]]
    bench: dict[str, dict[str, Any]]
    imports: list[float]
    workers: dict[int, list[float]]
    same: bool
    events: int
    rounds: int

    def seconds(self, name: str) -> list[float]:
        """Of each round."""
        return [float(one["seconds"]) for one in self.short[name]]

    def part(self, name: str, stage: str) -> float:
        """Median seconds of a stage."""
        return float(np.median([one["parts"][stage] for one in self.short[name]]))

    @property
    def multiply(self) -> float:
        """Float32 operations a second: the best that this run has seen."""
        return max(float(one["limits"]["multiply"]) for one in self.bench.values())

    @property
    def copy(self) -> float:
        """Bytes a second, the best."""
        return max(float(one["limits"]["copy"]) for one in self.bench.values())

    def least_network(self, name: str) -> float:
        """Seconds that the network's operations take at the matrix product's rate."""
        hops = self.short_seconds / self.bench[name]["hop"]
        return float(2 * self.bench[name]["macs_a_hop"] * hops / self.multiply)

    def least_bytes(self) -> float:
        """Seconds that it takes to move the file's bytes, and the montage's channels as float32, once."""
        return self.short_seconds * RATE * (2 * CHANNELS + 4 * 18) / self.copy

    def of_network(self, name: str) -> float:
        """The network's part as a multiple of its limit."""
        return self.part(name, "network") / self.least_network(name)

    def of_whole(self, name: str) -> float:
        """The whole as a multiple of the network's limit and that of moving bytes."""
        return float(np.median(self.seconds(name))) / (
            self.least_network(name) + self.least_bytes()
        )

    def times(self, slow: str, fast: str) -> float:
        """How many times as long `slow` takes."""
        return float(np.median(np.divide(self.seconds(slow), self.seconds(fast))))


def text_of(found: Found) -> str:
    """The page."""
    long = found.long_seconds / found.short_seconds
    extrapolated = float(np.median(found.seconds("a"))) * long
    return "\n".join(
        [
            "# From EDF on disk to events on disk",
            "",
            f"Command: `python -m benchmarks.speed.detect --data FOLDER --rounds {found.rounds}`; commit "
            f"{commit()}; {machine()}; "
            f"{versions('secateur', 'numpy', 'scipy', 'mne', 'edfio', 'torch', 'onnxruntime')}.",
            "",
            f"{CHANNELS} channels, {RATE} Hz, {found.what}; windows of 4 s every second, `valid` networks. "
            "Weights are random, on which speed does not depend; thresholds call 1 % of the windows. "
            "Processor time of one thread; each way in a process of its own, after a minute of the same "
            "recording; files are in the page cache. (a) filters by MNE's default FIR, of zero phase; (b) "
            "by the same Butterworth as Secateur. (b) and (c) "
            + (
                f"found the same {found.events} events." if found.same else "DID NOT find the same."
            ),
            "",
            f"## {found.short_seconds / 60:g} minutes",
            "",
            *_short(found),
            "",
            "Starting is all before: imports, opening, and that minute.",
            "",
            f"## {found.long_seconds / 3600:.2g} hours",
            "",
            *table(
                ["way", "seconds", "as fast as (a)", "MiB resident"],
                [[NAMES["a"] + ", from the above", f"{extrapolated:.1f}", "1.0", "–"]]
                + [
                    [
                        NAMES[name],
                        f"{one['seconds']:.1f}",
                        f"{extrapolated / one['seconds']:.1f}",
                        f"{one['resident'] / MIB:.0f}",
                    ]
                    for name, one in found.long.items()
                ],
            ),
            "",
            "## Where the time goes",
            "",
            *_parts(found),
            "",
            f"The limit is the machine's in this run: {found.multiply / 1e9:.0f} GFLOP/s in a float32 matrix "
            f"product, {found.copy / 1e9:.1f} GB/s in copying; for the network its multiply-accumulates, "
            "for the whole those, the file's bytes and the montage's channels as float32, moved once. "
            "The filter's own operations are not in it. "
            f"Were the network free, (d) would be {_without_network(found):.0f} times as fast as (a).",
            "",
            "## Streams, starting, two processes",
            "",
            *_beside(found),
            "",
            "## What was aimed at",
            "",
            *_goals(found),
            "",
        ]
    )


def _short(found: Found) -> list[str]:
    slow = found.seconds("a")
    rows = [
        [
            NAMES[name],
            spread(found.seconds(name), 3),
            f"{min(found.seconds(name)):.3f}",
            ratio(slow, found.seconds(name)),
            f"{np.median([one['start'] for one in told]):.2f}",
            f"{max(one['resident'] for one in told) / MIB:.0f}",
        ]
        for name, told in found.short.items()
    ]
    header = ["way", "seconds", "best", "as fast as (a)", "starting, s", "MiB resident"]
    return table(header, rows)


def _parts(found: Found) -> list[str]:
    rows = [[stage, *(f"{found.part(name, stage) * 1000:.0f}" for name in OWN)] for stage in STAGES]
    whole = {name: float(np.median(found.seconds(name))) for name in OWN}
    rest = {name: whole[name] - sum(found.part(name, stage) for stage in STAGES) for name in OWN}
    rows += [
        ["opening the detector, the rest", *(f"{rest[name] * 1000:.0f}" for name in OWN)],
        ["whole", *(f"{whole[name] * 1000:.0f}" for name in OWN)],
        ["network at the limit", *(f"{found.least_network(name) * 1000:.0f}" for name in OWN)],
        ["bytes at the limit", *(f"{found.least_bytes() * 1000:.0f}" for _ in OWN)],
        ["network, as a multiple of its limit", *(f"{found.of_network(name):.1f}" for name in OWN)],
        ["whole, as a multiple of its limit", *(f"{found.of_whole(name):.1f}" for name in OWN)],
    ]
    return table(["ms", *(NAMES[name] for name in OWN)], rows)


def _without_network(found: Found) -> float:
    rest = float(np.median(found.seconds("d"))) - found.part("d", "network")
    return float(np.median(found.seconds("a"))) / rest


def _beside(found: Found) -> list[str]:
    rows = [
        [
            NAMES[name],
            f"{one['window']['median']:.3f} ({one['window']['p99']:.3f})",
            f"{one['push']['median']:.3f} ({one['push']['p99']:.3f})",
            f"{one['patients']:,}",
            f"{one['file_bytes'] / 1024:.0f}",
        ]
        for name, one in found.bench.items()
    ]
    one, two = (float(np.median(found.workers[count])) for count in (1, 2))
    return [
        *table(
            ["`secateur bench`", "ms a window (p99)", "ms a hop (p99)", "patients", "KiB"], rows
        ),
        "",
        f"Imports of what `detect` needs: {np.median(found.imports):.2f} s of processor time. Eight "
        f"recordings, (c): {one:.2f} s on the clock with one process, {two:.2f} s with two.",
    ]


def _goals(found: Found) -> list[str]:
    memory = max(found.long[name]["resident"] for name in OWN) / MIB
    grown = max(
        found.long[name]["resident"] / max(one["resident"] for one in found.short[name])
        for name in OWN
    )
    workers = float(np.median(np.divide(found.workers[1], found.workers[2])))
    push = float(found.bench["d"]["push"]["p99"])
    goals = [
        ("(c) against (a)", found.times("a", "c"), 5.0, "at least", "times as fast"),
        ("(d) against (a)", found.times("a", "d"), 12.0, "at least", "times as fast"),
        *(
            (f"({name}) the network's part", found.of_network(name), 2.0, "at most", "of its limit")
            for name in OWN
        ),
        *(
            (f"({name}) the whole", found.of_whole(name), 3.0, "at most", "of its limit")
            for name in OWN
        ),
        ("the long recording", memory, 400.0, "at most", "MiB resident"),
        ("the long recording's memory", grown, 1.1, "at most", "of the short one's"),
        ("two processes", workers, 1.8, "at least", "times as fast"),
        ("(d) a hop in a stream", push, 1.0, "at most", "ms at the 99th percentile"),
        ("imports", float(np.median(found.imports)), 1.0, "at most", "s"),
    ]
    rows = []
    for what, value, goal, way, unit in goals:
        reached = value >= goal if way == "at least" else value <= goal
        rows.append(
            [
                what,
                f"{way} {goal:g} {unit}",
                f"{value:.3g}",
                "reached" if reached else "not reached",
            ]
        )
    return table(["what", "goal", "here", ""], rows)
