"""From a size that a network shall have to the ratio that makes it so.

Comes in: a `Target`, a way to decide for a ratio, a way to tell or measure a size. Goes out: the smallest
ratio that meets it, and what goes then. Next: `prune` cuts it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from secateur.errors import SettingsError
from secateur.pruning.allocation.decision import Decision
from secateur.pruning.settings import Target

_HALVINGS = 20
"""Ratios are told apart to a millionth: finer than one kernel of any network."""

_LARGEST = 1 - 1e-9


def meet(
    target: Target,
    decide_at: Callable[[float], Decision],
    size_of: Callable[[Mapping[str, int]], float],
) -> tuple[float, Decision]:
    """The smallest ratio whose network is no larger than `target`, and what goes at it.

    `size_of`: the size, in the target's unit, without so many units of each group; asked once for each
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
    whole = size(begin)
    limit = target.limit * whole if target.share else target.limit
    if whole <= limit:
        return 0.0, begin
    if not size(end) <= limit:
        raise SettingsError(
            f"target {target} can't be met: the smallest network that can be cut "
            f"has {size(end):.6g} of {whole:.6g} ({size(end) / whole:.3g} of the baseline); ask for no "
            "less, or begin with a smaller network"
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
