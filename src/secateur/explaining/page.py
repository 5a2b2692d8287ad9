"""The page on which a recording's explained events are read: one HTML file that fetches nothing."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from jinja2 import Template

from secateur.explaining.checking import Check, Mean
from secateur.explaining.drawing import LEFT, WIDTH, bars_of, head_of, traces_of
from secateur.explaining.explanation import Explanation
from secateur.explaining.settings import MEANING
from secateur.explaining.writing import MEANS, most_of
from secateur.pages import DISCLAIMER, environment


def page(
    title: str, detector: str, explanations: Sequence[Explanation], believed: Check | None = None
) -> str:
    """HTML of all explained events of a recording.

    `title`: its name; `detector`: the file's name; `believed`: the check of detector and method, where there
    was one.
    """
    events = [
        {
            "why": why,
            "traces": traces_of(why),
            "bands": bars_of(why.by_band),
            "head": head_of(why),
            "words": in_words(why),
        }
        for why in explanations
    ]
    return template("explanation.html").render(
        title=title,
        detector=detector,
        events=events,
        believed=believed,
        width=WIDTH,
        left=LEFT,
    )


def check_page(detector: str, data: str, result: Check) -> str:
    """HTML of a check. `detector`, `data`: names of the file and of the folder."""
    return template("check.html").render(
        detector=detector,
        data=data,
        result=result,
        mean_words=mean_words,
    )


def mean_words(mean: Mean) -> str:
    """A mean with its interval."""
    text = f"{mean.value:.3f}"
    if mean.interval is not None:
        text += f" [{mean.interval[0]:.3f}, {mean.interval[1]:.3f}]"
    return text.replace("-", "−")


def in_words(why: Explanation) -> str:
    """What an explanation says, in a sentence or two."""
    channels, bands = most_of(why)
    parts = [
        f"The margin of this event is {why.margin:+.2f} logits on average over {len(why.signal.starts)} "
        "windows"
    ]
    if channels:
        parts.append(f"what raises it most stands on {', '.join(channels)}")
    if bands:
        parts.append(f"in {' and '.join(bands)}")
    text = ", ".join(parts) + "."
    if why.origin is not None:
        text += (
            f" Gradients are of {why.origin.name}, the float file that this detector in 8 bits was made "
            f"from; in 8 bits the margin is {why.origin.margin:+.2f}."
        )
    if why.completeness == why.completeness:  # not nan
        text += f" The attributions add up to {why.completeness:.0%} of what is to be explained."
    return text


@cache
def template(name: str) -> Template:
    """One of this room's templates, with the words that every page has; whatever is put in is escaped."""
    templates = environment("secateur.explaining")
    templates.globals.update(meaning=MEANING, means=MEANS, disclaimer=DISCLAIMER)
    return templates.get_template(name)
