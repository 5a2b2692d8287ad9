"""A comparison in a sentence, made from its numbers and never typed.

Not shown is not the same as equal: such a claim always says what difference could have been seen.
"""

from __future__ import annotations

from secateur.scoring.comparing.comparison import Comparison
from secateur.scoring.intervals import LEVEL, Interval

_DIGITS = 3


def claim(ours: str, theirs: str, metric: str, at: str, comparison: Comparison) -> str:
    """What may be said, with the numbers that it rests on.

    `at`: where, such as "ratio 0.5", or empty. Judged by p after Holm where there is one. The difference
    is in the metric's unit, turned so that above zero is better.
    """
    where = f" at {at}" if at else ""
    if comparison.difference is None:
        return (
            f"{ours} can't be compared with {theirs}{where}: nothing that both scored in {metric}."
        )
    numbers = f"difference in {metric} {_number(comparison.difference)}"
    if comparison.p is None:
        return (
            f"{ours} can't be tested against {theirs}{where}: {numbers} ({_why_not(comparison)})."
        )
    assert comparison.interval is not None
    basis = f"{numbers}, 95 % {_range(comparison.interval)} ({_rests_on(comparison)})"
    return f"{ours} {_verdict(comparison, theirs)}{where}: {basis}."


def _verdict(comparison: Comparison, theirs: str) -> str:
    p = comparison.p if comparison.p_holm is None else comparison.p_holm
    assert p is not None
    assert comparison.difference is not None
    held = comparison.noninferior
    within = held is not None and held.holds
    if p < 1 - LEVEL and comparison.difference > 0:
        return f"is better than {theirs}"
    if p < 1 - LEVEL:
        less = f", but by less than {held.margin:g}" if held is not None and within else ""
        return f"is worse than {theirs}{less}"
    if held is not None and within:
        return f"is not worse than {theirs} by {held.margin:g} or more"
    short = f", nor within {held.margin:g} of it" if held is not None else ""
    word = "better" if comparison.difference >= 0 else "worse"
    return f"is not shown {word} than {theirs}{short}"


def _rests_on(comparison: Comparison) -> str:
    counts = f"{_count(comparison.folds, 'fold')}{'' if comparison.paired else ' unpaired'}"
    subjects = len(comparison.by_subject.subjects)
    parts = [f"{counts}, {_count(subjects, 'subject')}" if subjects else counts]
    if comparison.p_holm is None:
        assert comparison.p is not None
        parts.append(f"p {_p(comparison.p)}")
    else:
        parts.append(f"p {_p(comparison.p_holm)} after Holm")
    if comparison.detectable is not None:
        parts.append(f"could have seen {_number(comparison.detectable)}")
    return "; ".join(parts)


def _why_not(comparison: Comparison) -> str:
    why = next((note for note in comparison.notes if "two folds" in note or ": " in note), "")
    over = comparison.by_subject
    if over.difference is None or over.interval is None:
        return why
    return (
        f"{why}; over {_count(len(over.subjects), 'subject')} {_number(over.difference)}, "
        f"95 % {_range(over.interval)}, for these trained networks alone"
    )


def _number(value: float) -> str:
    text = f"{value:.{_DIGITS}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def _range(interval: Interval) -> str:
    return f"{_number(interval[0])} to {_number(interval[1])}"


def _p(value: float) -> str:
    return "below 0.001" if value < 0.001 else f"{value:.3f}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
