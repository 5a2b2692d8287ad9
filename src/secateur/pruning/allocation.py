"""How many sets of coupled channels each group gives up: by a share, by a budget, by what the loss or a
size asks.

Which ones go is said by their scores: the smallest do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from secateur.errors import SettingsError
from secateur.networks.network import evaluating
from secateur.pruning.costs import CostModel
from secateur.pruning.groups import Group, Structure
from secateur.pruning.readers import Batches, tensors, zeroed_where_read
from secateur.pruning.settings import PruningSettings, Target

Scores = Mapping[str, NDArray[np.float64]]

SHARES = (0.25, 0.5, 0.75, 0.9, 1.0)
"""Of each group's sets, masked one after the other; the last leaves one."""

_HALVINGS = 20
"""Ratios are told apart to a millionth: finer than one kernel of any network."""
_LARGEST = 1 - 1e-9
_NOTHING = 1e-12
"""The share that channels without any importance count as: a logarithm needs one."""


@dataclass(frozen=True)
class Decision:
    """`removed`: sets of coupled channels that go, by group. `kernels`: how many kernels these are, coupled
    ones counted once for each convolution that has them: what is asked for, after rounding and tying, to
    the kernel.
    """

    removed: dict[str, int]
    kernels: int


def decide(
    scores: Scores,
    structure: Structure,
    settings: PruningSettings,
    curves: Mapping[str, Curve] | None = None,
    cost: CostModel | None = None,
) -> Decision:
    """How many sets of coupled channels each group gives up under `settings`.

    `settings.ratio` is a share of each group's sets ("uniform"), of all kernels ("global", "sensitivity",
    "dynamic": the same as global, to be asked anew with new scores), or of the cost ("cost"). A ratio of
    0 changes nothing. `curves`: from `measure_curves`, for "sensitivity". `cost`: from `macs_of`, priced
    in microseconds or not, for "cost". Numbers suit `settings.round_to` (see `levels`). No group loses
    its last set, whatever the ratio.

    Raises `SettingsError` where scores are missing or no numbers, or curves or cost are needed.
    """
    compared = relative(scores, structure)
    step, ratio = settings.round_to, settings.ratio
    if ratio == 0:
        removed = dict.fromkeys(structure.names, 0)
    elif settings.allocation == "sensitivity":
        if curves is None:
            raise SettingsError("allocation sensitivity needs curves: measure_curves makes them")
        removed = least_loss(structure, curves, ratio, step)
    elif settings.allocation == "cost":
        if cost is None:
            raise SettingsError("allocation cost needs the cost of each layer: macs_of gives it")
        removed = most_importance(structure, compared, cost, (1 - ratio) * cost.of({}), step)
    else:
        one_by_one = settings.allocation == "uniform"
        ranked = scores if settings.allocation == "global-unnormalised" else compared
        raw = uniform(structure, ratio) if one_by_one else from_all(structure, ranked, ratio)
        removed = {group.name: nearest(group, raw[group.name], step) for group in structure.groups}
    kernels = sum(removed[g.name] * g.kernels_each for g in structure.groups)
    return Decision(removed, kernels)


def kept_by_score(scores: NDArray[np.float64], removed: int) -> tuple[int, ...]:
    """Indices, rising, of what stays when the `removed` smallest go; of equals the first goes first."""
    order = np.argsort(scores, kind="stable")
    return tuple(sorted(int(k) for k in order[removed:]))


def levels(group: Group, round_to: int) -> NDArray[np.int64]:
    """Numbers of sets, rising, that may go so that what is kept suits `round_to`.

    The kernels that each convolution keeps (those that could go; what is held fast isn't counted) are
    a multiple of `round_to` and at least one multiple, where the convolution is that wide. Where no
    number of sets can make it so (three kernels a set, fewer sets than eight), any number may go but
    the last.
    """
    step = 1
    for slot in group.convolutions:
        width = slot.places.shape[1]
        if group.size * width >= round_to:
            step = math.lcm(step, round_to // math.gcd(round_to, width))
    if step > group.size:
        step = 1
    kept = np.arange(group.size // step * step, 0, -step)
    return np.asarray(group.size - kept, dtype=np.int64)


def nearest(group: Group, number: int, round_to: int) -> int:
    """The permitted number of sets nearest to `number`; of two as near the one that removes fewer."""
    permitted = levels(group, round_to)
    return int(permitted[np.argmin(np.abs(permitted - number))])


def relative(scores: Scores, structure: Structure) -> dict[str, NDArray[np.float64]]:
    """Scores divided by their mean in the group: longer sums make larger norms.

    Raises `SettingsError` where a group has no scores, too few, or some that are no numbers.
    """
    compared = {}
    for group in structure.groups:
        score = np.asarray(scores.get(group.name, ()), dtype=np.float64)
        if score.shape != (group.size,) or not np.isfinite(score).all():
            raise SettingsError(
                f"group {group.name} has {group.size} sets of channels and needs a finite score for "
                f"each, but got {int(np.isfinite(score).sum())} finite ones of {score.size}"
            )
        compared[group.name] = score / max(float(score.mean()), 1e-300)
    return compared


def removed_of(kernels: int, ratio: float) -> int:
    """Kernels that go from a layer of `kernels`: ratio · kernels, halves rounded up; one always stays."""
    return min(kernels - 1, wanted_of(kernels, ratio))


def wanted_of(kernels: int, ratio: float) -> int:
    """Ratio · kernels, halves rounded up."""
    # the small term undoes binary fractions: 0.35 · 10 is meant to be 3.5
    return math.floor(ratio * kernels + 0.5 + 1e-9)


def uniform(structure: Structure, ratio: float) -> dict[str, int]:
    """The ratio of each group's sets: the published method."""
    return {group.name: removed_of(group.size, ratio) for group in structure.groups}


def from_all(structure: Structure, scores: Scores, ratio: float) -> dict[str, int]:
    """The ratio of all kernels together: the smallest scores go wherever they are.

    `scores`: relative to their layer's mean, or as they are ("global-unnormalised": what arXiv 2509.05190
    says of ranking kernels can be read either way). The best set of each layer stays. Sets go in the order
    of their scores, of equals the first; one counts once for each convolution that has it, so the number is
    met to within half of such a set, and exactly where no channels are coupled.
    """
    candidates = [
        (float(value), number, group.kernels_each)
        for number, group in enumerate(structure.groups)
        for value in np.sort(scores[group.name])[:-1]
    ]
    candidates.sort(key=lambda candidate: candidate[0])
    gone = np.cumsum([0, *(kernels for _, _, kernels in candidates)])
    count = int(np.argmin(np.abs(gone - wanted_of(structure.kernels, ratio))))
    removed = dict.fromkeys(structure.names, 0)
    for _, number, _ in candidates[:count]:
        removed[structure.groups[number].name] += 1
    return removed


@dataclass(frozen=True)
class Curve:
    """`rise[k]`: mean cross-entropy above the uncut network's (nats) with `removed[k]` sets masked.

    `removed` rises from 0; all other groups are complete.
    """

    removed: tuple[int, ...]
    rise: tuple[float, ...]

    def at(self, removed: NDArray[np.int64]) -> NDArray[np.float64]:
        """The rise at any number of sets: straight between points, never less than further left.

        A loss that falls when kernels go is taken for noise: it earns nothing.
        """
        never_falling = np.maximum.accumulate(self.rise)
        return np.interp(removed, self.removed, never_falling)


def measure_curves(
    network: nn.Module,
    structure: Structure,
    scores: Scores,
    batches: Batches,
) -> dict[str, Curve]:
    """Mask each group's least important channels where they are read, one group at a time, and see the loss.

    One pass over `batches` for each share in `SHARES` and each group. The network stays as it was.
    """
    baseline = _loss(network, structure, batches, {})
    curves = {}
    for group in structure.groups:
        order = np.argsort(scores[group.name], kind="stable")
        numbers = sorted({removed_of(group.size, share) for share in SHARES} - {0})
        rises = [
            _loss(network, structure, batches, {group.name: order[:number]}) - baseline
            for number in numbers
        ]
        curves[group.name] = Curve((0, *numbers), (0.0, *rises))
    return curves


def _loss(
    network: nn.Module,
    structure: Structure,
    batches: Batches,
    gone: Mapping[str, NDArray[np.int64]],
) -> float:
    total, seen = 0.0, 0
    zeroed = zeroed_where_read(network, structure, gone)
    with evaluating(network), zeroed, torch.inference_mode():
        for windows, labels in tensors(network, batches):
            loss = nn.functional.cross_entropy(network(windows).double(), labels, reduction="sum")
            total, seen = total + float(loss), seen + len(labels)
    return total / seen


def least_loss(
    structure: Structure, curves: Mapping[str, Curve], ratio: float, round_to: int
) -> dict[str, int]:
    """Sets of each group such that the ratio of all kernels goes with the least summed rise.

    Rises of groups are added as if they did not act on each other. Exact, by dynamic programming over
    groups and kernels gone; where that number can't be met to the kernel (coupled channels, rounding),
    the nearest is taken.
    """
    least = np.full(structure.kernels + 1, np.inf)
    least[0] = 0
    choices = []
    for group in structure.groups:
        if group.name not in curves:
            raise SettingsError(
                f"sensitivity has no curve for group {group.name}: measure_curves makes one for each"
            )
        numbers = levels(group, round_to)
        after = np.full_like(least, np.inf)
        choice = np.zeros(len(least), dtype=np.int64)
        rises = curves[group.name].at(numbers)
        for number, rise in zip(numbers, rises, strict=True):
            kernels = int(number) * group.kernels_each
            candidate = np.full_like(least, np.inf)
            candidate[kernels:] = least[: len(least) - kernels] + rise
            better = candidate < after
            after[better] = candidate[better]
            choice[better] = number
        least = after
        choices.append(choice)
    reached = np.flatnonzero(np.isfinite(least))
    at = int(reached[np.argmin(np.abs(reached - wanted_of(structure.kernels, ratio)))])
    removed = {}
    for group, choice in zip(reversed(structure.groups), reversed(choices), strict=True):
        removed[group.name] = int(choice[at])
        at -= removed[group.name] * group.kernels_each
    return {name: removed[name] for name in structure.names}


def most_importance(
    structure: Structure, scores: Scores, cost: CostModel, budget: float, round_to: int
) -> dict[str, int]:
    """Sets of each group that go so that what stays costs at most `budget` and keeps most importance: the
    product over groups of the share of their importance that stays.

    Groups stand in series: what one has lost no other gives back, and a plain sum would buy most for its
    money by leaving the dearest layer a single kernel. By greed: again and again the group goes down to the
    level whose loss (of the product's logarithm) is the least for the cost that it saves; then what still
    fits comes back. Where not even the smallest network is within the budget, that one is returned.
    `scores`: only their proportions inside a group count.
    """
    permitted = {group.name: levels(group, round_to) for group in structure.groups}
    worth = {}
    for group in structure.groups:
        best_first = np.cumsum(np.sort(scores[group.name])[::-1])
        shares = np.maximum(best_first / max(best_first[-1], 1e-300), _NOTHING)
        worth[group.name] = np.log(shares[group.size - permitted[group.name] - 1])
    at = dict.fromkeys(permitted, 0)

    def cost_at(name: str, level: int) -> float:
        chosen = {**at, name: level}
        return cost.of({each: int(permitted[each][k]) for each, k in chosen.items()})

    now = cost.of({})
    while now > budget:
        steps = [
            ((worth[name][k] - worth[name][level]) / (now - max(after, budget)), name, level, after)
            for name, k in at.items()
            for level in range(k + 1, len(permitted[name]))
            if (after := cost_at(name, level)) < now
        ]
        if not steps:
            break
        _, name, level, now = min(steps)
        at[name] = level
    while fitting := [
        (worth[name][k - 1] - worth[name][k], name)
        for name, k in at.items()
        if k and cost_at(name, k - 1) <= budget
    ]:
        at[max(fitting)[1]] -= 1
    return {name: int(permitted[name][k]) for name, k in at.items()}


def _amount(value: float) -> str:
    """A size to be read: 4,104,640 and 0.0531."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def meet(
    target: Target,
    decide_at: Callable[[float], Decision],
    size_of: Callable[[Mapping[str, int]], float],
) -> tuple[float, Decision]:
    """The smallest ratio whose network is no larger than `target`, and what goes at it.

    `size_of`: the size, in the target's unit, without so many sets of each group; asked once for each
    allocation. By bisection: the ratio is the smallest one where sizes fall as ratios rise, as
    parameters, MACs and bytes do under uniform and global allocation. Where they needn't (latency, which
    is noisy and should come as a median of many; allocations that are solved anew for each ratio), the
    network returned meets the target, but one at a smaller ratio might too.

    Raises `SettingsError` where not even the smallest network meets it, saying what can be reached.
    """
    known: dict[tuple[tuple[str, int], ...], float] = {}

    def size(decision: Decision) -> float:
        key = tuple(decision.removed.items())
        if key not in known:
            known[key] = size_of(decision.removed)
        return known[key]

    begin, end = decide_at(0.0), decide_at(_LARGEST)
    baseline = size(begin)
    limit = target.limit * baseline if target.share else target.limit
    if baseline <= limit:
        return 0.0, begin
    if not size(end) <= limit:
        raise SettingsError(
            f"target {target} can't be met: the smallest network that can be cut "
            f"has {_amount(size(end))} of {_amount(baseline)} ({size(end) / baseline:.3g} of the baseline); "
            "ask for no less, or begin with a smaller network"
        )
    missed, met = 0.0, _LARGEST
    for _ in range(_HALVINGS):
        middle = (missed + met) / 2
        decision = decide_at(middle)
        if size(decision) <= limit:
            met, end = middle, decision
        else:
            missed = middle
    return met, end
