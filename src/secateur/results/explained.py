"""What a run of a study of explanations leaves beside its scores: what each network's attributions say of the
same seizures, and what each method costs.
"""

from __future__ import annotations

from typing import Literal

from secateur.results.run import Latency
from secateur.results.scores import Record
from secateur.results.study_run import ModelName, StudyRun


class Times(Record):
    """Of so many calls, in milliseconds: processor time, and time that went by."""

    calls: int
    processor: Latency
    elapsed: Latency


class Joules(Record):
    """Energy of a call by one meter. `idle`: what it counts in the same time where nothing is done."""

    meter: str
    busy: float
    idle: float


class MethodCost(Record):
    """What it costs to explain one window, by itself and once its session is open.

    `macs`: multiply-accumulates; `bytes_moved`: of tensors and weights that operators read and write;
    `evaluations`: windows that the network was asked about. All three of the network alone, without filters
    of bands. `energy`: by every meter that can be read; none where there is none.
    """

    times: Times
    macs: int
    bytes_moved: int
    evaluations: int
    energy: tuple[Joules, ...]


class NetworkCosts(Record):
    """`methods`: by name, "inference" among them. `hop`: of the shared pass over a recording, the network
    alone, and its multiply-accumulates.
    """

    methods: dict[str, MethodCost]
    hop: Times
    macs_a_hop: int


class Attributed(Record):
    """What one method says of an event: logits by channel, and by how much the margin falls and rises, on
    average, where what it names first goes and comes first.
    """

    by_channel: tuple[float, ...]
    fall: float
    rise: float


class ExplainedEvent(Record):
    """One seizure, by its subject, its recording's key and its onset in seconds.

    `margin`: mean of the windows looked at; `reference`: the mean margin of what stands in. `amplitude`,
    `chance`: fall and rise by the order of plain amplitude, and by random orders.
    """

    subject: str
    recording: str
    onset: float
    margin: float
    reference: float
    amplitude: tuple[float, float]
    chance: tuple[float, float]
    methods: dict[str, Attributed]


class NetworkExplanations(Record):
    """One network of the run. `peak_bytes`: of memory, of a process that opens the detector's file and does
    nothing but one method, by method; None where the system doesn't tell. `notes`: seizures that couldn't be
    explained, and why.
    """

    costs: NetworkCosts
    peak_bytes: dict[str, int] | None
    events: tuple[ExplainedEvent, ...]
    notes: tuple[str, ...]


class ExplainedRun(StudyRun):
    """A run whose networks were explained."""

    kind: Literal["explain"]
    explained: dict[ModelName, NetworkExplanations]
