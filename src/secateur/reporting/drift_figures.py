"""Figures of a study of drift."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from secateur.reporting.drawing import (
    draw_interval,
    handles_of,
    legend_below,
    name_rows,
    new_figure,
    panels,
    plain_axes,
)
from secateur.reporting.style import COLOURS, DASHES, MARKS, SOFT
from secateur.results.drift_study import DriftFindings, Trial
from secateur.scoring.metrics import METRICS

_METHODS: Mapping[str, str] = {
    "threshold": "random_forest",
    "bn": "retrained",
    "head": "scratch",
    "full": "pruned",
}
"""Whose colour and mark each method has."""
_FAINTEST = 0.45


def network_name(network: str) -> str:
    """A network's name for people."""
    if network == "baseline":
        return "Baseline"
    ratio, _, scratch = network.partition("-")
    share = f"{100 * float(ratio):g} %"
    return f"As small as {share}, from scratch" if scratch else f"Pruned by {share}"


def _look(findings: DriftFindings, network: str) -> dict[str, Any]:
    """Colour and dash by kind; more severe ratios are fainter."""
    ratio, _, scratch = network.partition("-")
    kind = "baseline" if network == "baseline" else "scratch" if scratch else "pruned"
    own = [name for name in findings.networks if name != "baseline" and "-" not in name]
    order = own.index(ratio) if ratio in own else 0
    alpha = 1 - (1 - _FAINTEST) * order / max(1, len(own) - 1)
    return {"color": COLOURS[kind], "linestyle": DASHES[kind], "alpha": alpha, "mark": MARKS[kind]}


def curves(findings: DriftFindings) -> Figure:
    """Each metric by day, a line a network."""
    figure = new_figure(7.4, 5.4)
    metrics = list(dict.fromkeys(curve.metric for curve in findings.curves))
    grid = panels(figure, len(metrics), 2)
    for axes, metric in zip(grid, metrics, strict=True):
        plain_axes(axes, grid="y")
        axes.set_title(METRICS[metric].label)
        axes.set_xlabel("Day")
        for curve in findings.curves:
            if curve.metric != metric:
                continue
            look = _look(findings, curve.network)
            look.pop("mark")
            known = [
                (day, value)
                for day, value in zip(curve.days, curve.mean, strict=True)
                if value is not None
            ]
            if known:
                axes.plot(*zip(*known, strict=True), label=network_name(curve.network), **look)
    legend_below(figure, handles_of(grid), 3)
    return figure


def losses(findings: DriftFindings) -> Figure:
    """AUROC lost by kind of drift: a row a group and network before and after pruning."""
    rows = [
        row
        for row in findings.decay
        if row.metric == "auroc" and not row.network.endswith("-scratch")
    ]
    figure = new_figure(7.4, 1.2 + 0.24 * len(rows))
    axes = plain_axes(figure.subplots(), grid="x")
    axes.axvline(0, color=SOFT, linewidth=0.8)
    for number, row in enumerate(rows):
        look = _look(findings, row.network)
        draw_interval(
            axes,
            number,
            row.lost,
            row.lost_interval,
            {"color": look["color"], "marker": look["mark"], "alpha": look["alpha"]},
        )
    name_rows(axes, [f"{row.group}: {network_name(row.network)}" for row in rows])
    axes.set_xlabel("AUROC lost from the first seven days to the last")
    return figure


def regaining(trials: Sequence[Trial]) -> Figure:
    """What is regained over minutes by method, of the epochs that regain most; a panel a network."""
    networks = list(dict.fromkeys(trial.network for trial in trials))
    columns = min(3, len(networks))
    figure = new_figure(7.4, 0.8 + 2.3 * -(-len(networks) // columns))
    grid = panels(figure, len(networks), columns)
    shares = [100 * trial.regained for trial in trials if trial.regained is not None]
    low, high = min([0, *shares]), max([100, *shares])
    for axes, network in zip(grid, networks, strict=True):
        plain_axes(axes, grid="y")
        axes.set_ylim(low - 5, high + 5)
        axes.set_title(network_name(network), fontsize=8)
        axes.axhline(90, color=SOFT, linewidth=0.8, linestyle=":")
        for method, style in _METHODS.items():
            best: dict[float, float] = {}
            for trial in trials:
                if (trial.network, trial.method) == (
                    network,
                    method,
                ) and trial.regained is not None:
                    share = 100 * trial.regained
                    best[trial.minutes] = max(best.get(trial.minutes, share), share)
            if best:
                points = sorted(best.items())
                axes.plot(
                    *zip(*points, strict=True),
                    color=COLOURS[style],
                    marker=MARKS[style],
                    markersize=4,
                    label=method,
                )
        axes.set_xlabel("Minutes")
        axes.set_ylabel("Regained, %")
    legend_below(figure, handles_of(grid))
    return figure
