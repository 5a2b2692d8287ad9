"""How events are explained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, get_args

from pydantic import Field

from secateur.settings import Flag, Settings

Method = Literal["gradient", "integrated", "contributions", "occlusion", "shap", "bands"]
METHODS: tuple[Method, ...] = get_args(Method)
MEANING: Mapping[Method, str] = {
    "gradient": "input × gradient: each sample times the margin's gradient there",
    "integrated": "gradients integrated on the way from the recording's own background",
    "contributions": "each second's share of the average that the network ends in, exact",
    "occlusion": "by how much the margin falls where a second of a channel is replaced by background",
    "shap": "Shapley values: what a second of a channel adds, on average over the orders of coming",
    "bands": "by how much the margin falls where a band is replaced by background's",
}
BY_GRADIENT = frozenset(("gradient", "integrated"))
"""Methods that need the margin's gradient."""
REPLACING = frozenset(("integrated", "occlusion", "shap", "bands"))
"""Methods that put the recording's own background in the place of what they take away."""


class ExplainingSettings(Settings):
    """How events are explained."""

    method: Annotated[Method, Flag("method")] = "gradient"
    """gradient, integrated, contributions, occlusion, shap or bands."""
    steps: Annotated[int, Field(ge=1, le=4096), Flag("steps")] = 32
    """For integrated: gradients for each window."""
    samples: Annotated[int, Field(ge=1, le=1 << 20), Flag("samples")] = 512
    """For shap: coalitions asked for each window, about; all where 12 players or fewer make not much more."""
    players: Annotated[Literal["cells", "channels", "seconds"], Flag("players")] = "cells"
    """For shap: who plays: cells (seconds of channels), channels or seconds; bands play by themselves."""
    references: Annotated[int, Field(ge=1, le=32), Flag("references")] = 4
    """Windows of the recording's own background that stand in for what is taken away."""
    windows: Annotated[int, Field(ge=1, le=1 << 16), Flag("windows")] = 60
    """Windows of an event that are explained at most, evenly spread; gradient and contributions take all."""
    seed: Annotated[int, Field(ge=0)] = 0
    """For shap: of the orders."""


class StudiedSettings(Settings):
    """How the networks of a study are explained: on true seizures of the test side, the same for all."""

    methods: Annotated[
        tuple[Literal["gradient", "integrated", "occlusion", "shap"], ...], Field(min_length=1)
    ] = (
        "gradient",
        "integrated",
        "occlusion",
        "shap",
    )
    """Methods whose maps are compared and put to the test; the cost is measured of all."""
    events: Annotated[int, Field(ge=1)] = 2
    """Seizures of each test subject, evenly spread over them."""
    windows: Annotated[int, Field(ge=1)] = 2
    """Windows of each seizure, evenly spread."""
    steps: Annotated[int, Field(ge=1, le=4096)] = 32
    """For integrated."""
    samples: Annotated[int, Field(ge=1, le=1 << 20)] = 512
    """For shap."""
    references: Annotated[int, Field(ge=1, le=32)] = 4
    """Windows of the recording's own background that stand in for what is taken away."""
    rounds: Annotated[int, Field(ge=1)] = 8
    """How often each method's cost is measured, all of them in turns."""

    def of_method(self, method: Method) -> ExplainingSettings:
        """The settings of one method."""
        return ExplainingSettings(
            method=method,
            steps=self.steps,
            samples=self.samples,
            references=self.references,
            windows=self.windows,
        )
