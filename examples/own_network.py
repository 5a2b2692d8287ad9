"""A network of one's own: trained, pruned by half, and written as a detector.

python examples/own_network.py RECORDINGS OUT

The command line takes it too, from this folder: `secateur run --network own_network:build --data … --out …`.
It may be anything that torch.fx can trace and whose operations a detector's file may hold
(docs/how-to/own-network.md); what stands in the way is said before anything is trained. Needs the
extra `train`.
"""

from __future__ import annotations

import sys

from torch import Tensor, nn

import secateur


class Residual(nn.Module):
    """A convolution whose input is added to its output: these kernels can only go together."""

    def __init__(self, kernels: int) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(kernels, kernels, 5, padding=2)
        self.norm = nn.BatchNorm1d(kernels)

    def forward(self, x: Tensor) -> Tensor:
        """Both of shape (windows, kernels, steps)."""
        total: Tensor = x + self.norm(self.convolution(x))
        return total.relu()


def build(channels: int, samples: int, classes: int) -> nn.Module:
    """Reads windows × channels × samples, gives windows × classes logits, background first."""
    return nn.Sequential(
        nn.Conv1d(channels, 16, 7),
        nn.BatchNorm1d(16),
        nn.ReLU(),
        nn.MaxPool1d(4),
        Residual(16),
        nn.MaxPool1d(4),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(16, classes),
    )


def main(recordings: str, out: str, **settings: object) -> None:
    """Train, prune and say what went."""
    output = secateur.run(
        recordings, out, settings={"network.name": "own_network:build", **settings}
    )
    for name in ("baseline", "pruned"):
        model = output.result.models[name]
        print(f"{name}: {model.parameters} parameters, kernels {model.kernels}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
