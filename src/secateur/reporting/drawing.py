"""What all figures are drawn with; from a figure to SVG or PNG, the same bytes each time."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from secateur.reporting.style import GRID, INK, PAPER, SOFT, VARIABLES

FONT = 9.0
_PLACES = 4
_SETTINGS: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": FONT,
    "text.color": INK,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.titlesize": FONT + 1,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "axes.axisbelow": True,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": FONT - 0.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "secateur",
    "path.simplify": True,
    "text.parse_math": False,
}


def look() -> Any:
    """A context in which figures are made and drawn; nothing outside it changes."""
    settings: Any = {**mpl.rcParamsDefault, "backend": "agg", **_SETTINGS}
    return mpl.rc_context(settings)


def new_figure(width: float, height: float) -> Figure:
    """A figure of so many inches whose parts keep out of each other's way."""
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.patch.set_alpha(0)
    return figure


def plain_axes(axes: Axes, *, grid: Literal["x", "y", "both"] | None = None) -> Axes:
    """No background, and lines to read off along `grid` ("x", "y" or "both") if wanted."""
    axes.patch.set_alpha(0)
    axes.tick_params(length=3)
    if grid is not None:
        axes.grid(axis=grid)
    return axes


def draw_interval(
    axes: Axes,
    row: float,
    mean: float | None,
    interval: tuple[float, float] | None,
    look: Mapping[str, Any],
) -> None:
    """A row of a forest plot, a mark on a line. `look`: color, marker, sizes, alpha, label."""
    line = {"color": look["color"], "linewidth": look.get("linewidth", 2)}
    if interval is not None:
        alpha = look.get("alpha", 1.0)
        axes.plot(interval, (row, row), **line, alpha=alpha, solid_capstyle="butt")
    if mean is not None:
        axes.plot(
            mean,
            row,
            look["marker"],
            color=look["color"],
            markersize=look.get("markersize", 6),
            label=look.get("label"),
        )


def name_rows(axes: Axes, names: Sequence[str], ticks: int = 5) -> None:
    """Rows from the top down with their names, and few numbers below."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(ticks, min_n_ticks=min(3, ticks - 1)))


def write_beside(axes: Axes, row: float, text: str, **font: Any) -> None:
    """Words at the right of a row."""
    axes.annotate(
        text,
        (1, row),
        xytext=(5, 0),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        va="center",
        **font,
    )


def legend_below(figure: Figure, handles: Mapping[str, Any], columns: int = 4) -> None:
    """A figure's key, below it: what is drawn by its name."""
    figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=columns)


def handles_of(grid: Iterable[Axes]) -> dict[str, Any]:
    """What axes show, each name once."""
    return {
        name: handle
        for axes in grid
        for handle, name in zip(*axes.get_legend_handles_labels(), strict=True)
    }


def panels(figure: Figure, count: int, columns: int) -> list[Axes]:
    """So many axes in rows; what is left over of the last row is not shown."""
    columns = min(columns, count)
    grid = figure.subplots(-(-count // columns), columns, squeeze=False)
    for axes in grid.flat[count:]:
        axes.set_visible(False)
    return list(grid.flat[:count])


def title_outside(figure: Figure, text: str) -> None:
    """What a figure is of, for where no report stands around it."""
    figure.suptitle(text, fontsize=FONT + 2, x=0.012, color=SOFT, ha="left")


def _settle(figure: Figure) -> None:
    """Lay the figure out for good, on round positions.

    The solver behind the layout goes through its variables in no fixed order; without rounding its
    last digits, and so the bytes, would differ from one time to the next.
    """
    engine = figure.get_layout_engine()
    if engine is None:
        return
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for part in figure.subfigs:
        part.bbox_relative.set_points(np.round(part.bbox_relative.get_points(), _PLACES))
    for axes in figure.axes:
        left, bottom, width, height = (round(v, _PLACES) for v in axes.get_position().bounds)
        axes.set_position((left, bottom, width, height))
    for words in figure.texts:
        x, y = words.get_position()
        words.set_position((round(x, _PLACES), round(y, _PLACES)))


def to_svg(figure: Figure, name: str, alt: str) -> str:
    """SVG for inside HTML. `name` sets its ids apart from other figures'; `alt` is escaped text."""
    _settle(figure)
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"<[^>]+>", lambda match: _clean_tag(match[0], name), text)
    # The page's width decides the size; the view box keeps the proportions.
    size = re.match(r'<svg width="([\d.]+)pt" height="[\d.]+pt"', text)
    width = float(size[1]) * 4 / 3 if size else 960
    head = f'<svg role="img" aria-label="{alt}" style="max-width:{width:.0f}px"'
    return re.sub(r'^<svg width="[^"]*" height="[^"]*"', lambda _: head, text)


def _clean_tag(tag: str, name: str) -> str:
    """One tag for inside HTML: no addresses, ids of its own, short numbers, the page's colours."""
    tag = re.sub(r'\s+xmlns(:\w+)?="[^"]*"', "", tag).replace("xlink:href", "href")
    tag = re.sub(r'\bid="', f'id="{name}-', tag)
    tag = tag.replace("url(#", f"url(#{name}-").replace('href="#', f'href="#{name}-')
    tag = re.sub(r"-?\d+\.\d{3,}", lambda match: f"{float(match[0]):.2f}", tag)
    tag = re.sub(r"(font: [^']*)'DejaVu Sans'[^;\"]*", r"\1var(--sans)", tag)
    for colour, variable in VARIABLES.items():
        tag = tag.replace(colour, f"var({variable})")
    return tag


def to_png(figure: Figure) -> bytes:
    """PNG on white, for where no page sets colours."""
    _settle(figure)
    out, clear = io.BytesIO(), figure.patch.get_alpha()
    figure.patch.set_alpha(1)
    figure.savefig(out, format="png", dpi=200, facecolor=PAPER, metadata={"Software": None})
    figure.patch.set_alpha(clear)
    return out.getvalue()
