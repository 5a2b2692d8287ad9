"""What a network is built from.

Comes in: a name and numbers that a user states. Goes out: `NetworkSettings`, checked. Next: `build`
makes the network; checkpoints store the settings.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from secateur.windows import Settings

NAMES = ("valid", "paper")
"""The networks that can be built by name."""


class NetworkSettings(Settings):
    """Blocks of [Conv1d, BatchNorm, ReLU, Dropout, MaxPool], one for each width.

    `widths`: kernels of each convolution. `kernel_sizes`: samples that each convolution sees.
    `pooling`: samples that each max-pooling makes one of. `dropout`: share of activations dropped.
    "paper" pads its convolutions, so that they keep the length; "valid" does not.
    """

    name: Literal["valid", "paper"] = "valid"
    widths: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = (32, 64, 128)
    kernel_sizes: tuple[Annotated[int, Field(ge=1, le=255)], ...] = (7, 5, 3)
    pooling: tuple[Annotated[int, Field(ge=1, le=64)], ...] = (4, 4, 4)
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if not len(self.widths) == len(self.kernel_sizes) == len(self.pooling) >= 1:
            raise ValueError(
                "widths, kernel_sizes and pooling need one value a block each; "
                f"got {len(self.widths)}, {len(self.kernel_sizes)} and {len(self.pooling)}"
            )
        if self.name == "paper" and any(size % 2 == 0 for size in self.kernel_sizes):
            raise ValueError("padded convolutions that keep the length need odd kernel_sizes")
        return self

    def lengths(self, samples: int) -> tuple[int, ...]:
        """Samples that come out of each block for a window of `samples`; 0 or less: it is too short."""
        found = []
        for size, pool in zip(self.kernel_sizes, self.pooling, strict=True):
            samples = (samples if self.name == "paper" else samples - size + 1) // pool
            found.append(samples)
        return tuple(found)
