"""How steady each criterion's choice of kernels is: over seeds, and over the epochs around early stopping.

    python -m benchmarks.quality.stability --data FOLDER [--epochs 8]

One baseline of 16-32-64 kernels is trained three times on the same split: as it is, with windows in another
order from the same initial weights, and from other initial weights. Half of each layer is chosen by each
criterion; what two networks choose is compared. The table goes to benchmarks/quality/stability.md.
"""

from __future__ import annotations

import argparse
import copy
from pathlib import Path

from torch import nn

from benchmarks.speed.measuring import commit
from secateur.files import write_whole
from secateur.networks import build_network
from secateur.pruning import CalibrationData, trace
from secateur.pruning.allocation import kept_by_score, removed_of
from secateur.pruning.groups import Structure
from secateur.pruning.importance import score_groups
from secateur.pruning.settings import IMPORTANCES
from secateur.pruning.stability import OVER_ALL, overlaps, rank_correlations
from secateur.runs import Source, resolve
from secateur.runs.data import RunData, gather
from secateur.training import TrainingHooks, train
from secateur.windows import Cache


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=8)
    told = parser.parse_args()
    given = {
        "network.widths": [16, 32, 64],
        "training.epochs": told.epochs,
        "training.patience": 99,
    }
    material = gather(Source(told.data), resolve(None, given), Cache())
    first, around = _trained(material, told.epochs, weights=0, order=0)
    compared = {
        "epochs around the best": around,
        "order of windows": [first, _trained(material, told.epochs, weights=0, order=1)[0]],
        "initial weights": [first, _trained(material, told.epochs, weights=1, order=1)[0]],
    }
    calibration = CalibrationData.of(material.sides["training"], 0)
    text = _table(compared, calibration, told)
    write_whole(Path(__file__).parent / "stability.md", text)
    print(text)


def _trained(
    material: RunData, epochs: int, weights: int, order: int
) -> tuple[nn.Module, list[nn.Module]]:
    """The network of the best epoch, and those of the best epoch and its two neighbours, as they learned."""
    given = {"network.widths": [16, 32, 64], "training.epochs": epochs, "training.patience": 99}
    settings, sides = resolve(None, given), material.sides
    shape = sides["training"].channels, sides["training"].length
    network = build_network(settings.network, *shape, weights)
    seen: dict[int, nn.Module] = {}

    def keep(epoch: int, learning: nn.Module) -> None:
        seen[epoch] = copy.deepcopy(learning).eval()

    fit = train(
        network,
        sides["training"],
        sides["validation"],
        settings.training,
        order,
        TrainingHooks(between=keep),
    )
    middle = min(max(fit.best, 2), epochs - 1)
    return network, [seen[epoch] for epoch in (middle - 1, middle, middle + 1)]


def _table(
    compared: dict[str, list[nn.Module]], calibration: CalibrationData, told: argparse.Namespace
) -> str:
    structure = _structure(next(iter(compared.values()))[0], calibration)
    units = {group.name: group.size for group in structure.groups}
    lines = [
        "# How steady the choice of kernels is",
        "",
        f"Command: `python -m benchmarks.quality.stability --data {told.data} --epochs {told.epochs}`; "
        f"commit {commit()}. `valid` with 16-32-64 kernels, half of each layer kept. Jaccard index of what "
        "two networks keep (1: the same kernels), Kendall's τ of their scores in brackets (0: chance). One "
        "split, one network each: a description, not a test.",
        "",
        "| criterion | " + " | ".join(compared) + " |",
        "|---" * (len(compared) + 1) + "|",
    ]
    chance = ""
    for importance in IMPORTANCES:
        cells = []
        for networks in compared.values():
            # random draws anew each time, as it would for another run
            scores = [
                score_groups(network, structure, importance, calibration.batches, seed)
                for seed, network in enumerate(networks)
            ]
            kept = [
                {name: kept_by_score(one[name], removed_of(units[name], 0.5)) for name in units}
                for one in scores
            ]
            found = overlaps(kept, units)[OVER_ALL]
            tau = rank_correlations(scores)[OVER_ALL]
            chance = f"{found.by_chance:.2f}"
            cells.append(f"{found.jaccard:.2f} ({tau or 0:+.2f})")
        lines.append(f"| {importance} | " + " | ".join(cells) + " |")
    lines += ["", f"By chance: {chance}."]
    return "\n".join(lines) + "\n"


def _structure(network: nn.Module, calibration: CalibrationData) -> Structure:
    return trace(network, *calibration.proof.shape[1:])


if __name__ == "__main__":
    main()
