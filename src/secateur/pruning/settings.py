"""What is cut.

Comes in: what a user states. Goes out: `PruningSettings`, checked. Next: `plan` follows it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from secateur.windows import Settings


class PruningSettings(Settings):
    """`ratio`: share of the kernels that goes (the published method: half).

    `importance`: how kernels are ranked; the least important go. `random` ranks by chance.
    `allocation`: "uniform" takes the ratio from each convolution; "global" takes it from the network as a
    whole, scores being divided by their layer's mean first, so a layer gives up more or less than others.
    """

    ratio: Annotated[float, Field(ge=0, lt=1)] = 0.5
    importance: Literal["l1", "random"] = "l1"
    allocation: Literal["uniform", "global"] = "uniform"
