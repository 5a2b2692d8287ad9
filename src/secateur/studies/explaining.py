"""The open question that a study of explanations answers: what they cost, and what pruning leaves of them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from secateur.explaining.energy import MODEL
from secateur.explaining.measuring import INFERENCE
from secateur.results import ExplainedRun
from secateur.studies.explained_run import RunOfNetworks
from secateur.studies.prices import Balance, NetworkPrice, alarms_of, balances_of, prices_of
from secateur.studies.reasons import Reasons, reasons_of
from secateur.studies.table import Row


@dataclass(frozen=True)
class Explaining:
    """All of it. `alarms`: false alarms a day by data set and network; `backgrounds`: what each set's
    background is, in words. `meters`: those that were read.
    """

    methods: tuple[str, ...]
    prices: tuple[NetworkPrice, ...]
    balances: tuple[Balance, ...]
    reasons: tuple[Reasons, ...]
    alarms: Mapping[str, Mapping[str, float]]
    backgrounds: Mapping[str, str]
    meters: tuple[str, ...]
    model: str = MODEL
    notes: tuple[str, ...] = ()


def explained(rows: Sequence[Row]) -> Explaining | None:
    """What the runs that were explained say; None where none was."""
    runs = [RunOfNetworks.of(row) for row in rows if isinstance(row.result, ExplainedRun)]
    if not runs:
        return None
    alarms = alarms_of(runs)
    prices = tuple(prices_of(runs))
    unpruned = prices[0].methods
    readings = itertools.chain.from_iterable(
        each.energy for run in runs for net in run.networks for each in net.costs.methods.values()
    )
    notes = {note for run in runs for net in run.networks for note in net.notes}
    return Explaining(
        methods=tuple(
            sorted(unpruned.keys() - {INFERENCE}, key=lambda m: unpruned[m].milliseconds.median)
        ),
        prices=prices,
        balances=tuple(balances_of(runs, alarms)),
        reasons=tuple(reasons_of(runs)),
        alarms=alarms,
        backgrounds={run.data: run.result.data.background for run in runs},
        meters=tuple(dict.fromkeys(reading.meter for reading in readings)),
        notes=tuple(sorted(notes)),
    )
