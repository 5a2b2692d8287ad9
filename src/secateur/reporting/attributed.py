"""What seconds of channels add to the pruned detector's margin in an excerpt of a run's report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from secateur.detectors import load_detector
from secateur.errors import SettingsError
from secateur.events import Event
from secateur.explaining import ExplainingSettings
from secateur.explaining.network import ExplainedNetwork
from secateur.explaining.segments import EventWindows
from secateur.explaining.shares import Task, shares_of

if TYPE_CHECKING:
    from secateur.runs import RunOutput
    from secateur.windows import Prepared


@dataclass(frozen=True)
class Attribution:
    """Input × gradient, of the mean margin of the windows that speak for an excerpt, in logits.

    `values`: channels × seconds; `seconds`: their sums over channels; `edges`: where each second begins and
    the last one ends, in the recording.
    """

    values: NDArray[np.float64]
    seconds: NDArray[np.float64]
    edges: NDArray[np.float64]


def explained_network(run: RunOutput) -> tuple[ExplainedNetwork | None, str]:
    """The pruned detector's network with its gradient, or None and why there is none."""
    path = run.folder.detector("pruned")
    if not path.is_file():
        return None, f"{path.name} is no longer there"
    network = ExplainedNetwork(load_detector(path))
    try:
        network.require("gradient")
    except SettingsError as error:
        return None, str(error).partition(";")[0]
    return network, ""


def attribution(
    run: RunOutput, network: ExplainedNetwork, prepared: Prepared, begin: float, end: float
) -> Attribution | None:
    """Of the stretch from `begin` to `end` seconds of a test recording.

    None where its windows don't follow each other by a hop.
    """
    side = run.material.sides["test"]
    number = next(k for k, other in enumerate(side.prepared) if other is prepared)
    hop = side.hop / side.rate
    seconds, own = side.seconds, side.recording == number
    starts = side.starts[own & (seconds + hop > begin) & (seconds < end)]
    if not len(starts) or (np.diff(starts) != side.hop).any():
        return None
    first = int(starts[0])
    segment = side.chained(number, first, int(starts[-1]) + side.length)
    names = tuple(map(str, range(len(segment))))
    signal = EventWindows(
        Event(begin, end - begin),
        names,
        segment,
        first / side.rate,
        starts - first,
        side.length,
        side.rate,
    )
    shares = shares_of(Task.of(network, signal, ExplainingSettings(), None))
    assert shares.attribution is not None
    assert shares.by_second is not None
    edges = signal.begin + signal.edges / signal.rate
    return Attribution(shares.attribution, shares.by_second, edges)
