"""A run of a study whose networks were explained, and what it is among the others."""

from __future__ import annotations

from dataclasses import dataclass

from secateur.results import ExplainedRun, NetworkExplanations
from secateur.studies.file import REPEATS
from secateur.studies.plan import PLACES
from secateur.studies.table import Row

UNPRUNED = "whole"
"""What networks before pruning are called."""


@dataclass(frozen=True)
class RunOfNetworks:
    """`name`: of its network in the end; `data`: what it was tested on, as the study calls it. `at_random`:
    whether labels were; `scratch`: whether the smaller network has new weights.
    """

    row: Row
    result: ExplainedRun
    name: str
    data: str
    at_random: bool
    scratch: bool

    @classmethod
    def of(cls, row: Row) -> RunOfNetworks:
        """A finished run, whose result must be an `ExplainedRun`."""
        result = row.result
        assert isinstance(result, ExplainedRun)
        values = {k: v for k, v in row.at.items() if k not in (*REPEATS, *PLACES)}
        several = len(values) > 1
        name = ", ".join(f"{k} {v}" if several else str(v) for k, v in values.items()) or "pruned"
        settings = result.settings
        return cls(
            row,
            result,
            name,
            " tested on ".join(source for source in result.where if source),
            bool(settings["training"].get("labels_at_random")),
            settings["pruning"]["retrain"] == "scratch",
        )

    @property
    def networks(self) -> tuple[NetworkExplanations, ...]:
        """Both."""
        return tuple(self.result.explained.values())

    @property
    def own(self) -> NetworkExplanations:
        """The network in the end."""
        return self.result.explained["pruned"]

    @property
    def before(self) -> NetworkExplanations:
        """The network before pruning."""
        return self.result.explained["baseline"]

    @property
    def key(self) -> tuple[str, str, int]:
        """Data, fold and seed: where these are the same, networks learned from the same."""
        return self.data, self.row.fold, self.row.seed
