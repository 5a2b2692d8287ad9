"""An explanation as JSON and as a table."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from secateur.errors import SettingsError
from secateur.events import Event
from secateur.explaining.checking import Check, Finding, Mean
from secateur.explaining.explanation import Explanation
from secateur.explaining.settings import MEANING

MEANS = (
    "In logits, of the mean margin (seizure minus background) of the windows that decided about the event. "
    "It says what the detector's network added up, and nothing of where a seizure begins or comes from."
)
_DIGITS = 6


def as_json(why: Explanation) -> dict[str, Any]:
    """An explanation for machines; numbers that aren't known are null."""
    return {
        "event": event_json(why.event),
        "method": why.method,
        "methodDescription": MEANING[why.method],
        "attributionDescription": MEANS,
        "margin": _number(why.margin),
        "reference": _number(why.reference),
        "completeness": _number(why.completeness),
        "background": why.background or None,
        "floatDetector": _origin(why),
        "channels": _by_name(why.channels, why.by_channel),
        "channelErrors": _by_name(why.channels, why.errors.by_channel),
        "seconds": [_number(float(second)) for second in why.seconds],
        "bySecond": _row(why.by_second),
        "bySecondErrors": _row(why.errors.by_second),
        "bands": {name: _number(value) for name, value in why.by_band.items()} or None,
        "attribution": None if why.attribution is None else [_row(row) for row in why.attribution],
        "windows": len(why.signal.starts),
        "networkEvaluations": why.evaluations,
        "milliseconds": round(why.milliseconds, 1),
        "notes": list(why.notes),
    }


def _origin(why: Explanation) -> dict[str, Any] | None:
    """The float file that was explained in the place of one in 8 bits."""
    if why.origin is None:
        return None
    margin = _number(why.origin.margin)
    return {"name": why.origin.name, "sha256": why.origin.sha256, "marginIn8Bits": margin}


def event_json(event: Event) -> dict[str, Any]:
    """An event's times, in seconds."""
    return {"onset": _number(event.onset), "duration": _number(event.duration)}


def as_table(why: Explanation) -> str:
    """A TSV: seconds of the recording down, channels across, each second's sum; n/a where unknown."""
    lines = ["\t".join(("second", "all", *why.channels))]
    for column, second in enumerate(why.seconds):
        total = "n/a" if why.by_second is None else f"{why.by_second[column]:.6g}"
        cells = (
            ["n/a"] * len(why.channels)
            if why.attribution is None
            else [f"{value:.6g}" for value in why.attribution[:, column]]
        )
        lines.append("\t".join((f"{second:.2f}", total, *cells)))
    return "\n".join(lines) + "\n"


def most_telling(ranked: Sequence[tuple[str, float]], count: int = 3) -> list[str]:
    """Of channels with what they add, the most first, those that add most; those that don't add, not."""
    return [name for name, value in ranked[:count] if value > 0]


def most_of(why: Explanation, count: int = 3) -> tuple[list[str], list[str]]:
    """The channels and the bands that raise the margin most, the most first; those that don't, not."""
    channels = most_telling(why.ranked_channels(), count)
    bands = sorted(why.by_band, key=lambda band: -why.by_band[band])
    return channels, [band for band in bands[: min(2, count)] if why.by_band[band] > 0]


def _number(value: float) -> float | None:
    return round(value, _DIGITS) if math.isfinite(value) else None


def _row(values: Any) -> list[float | None] | None:
    return None if values is None else [_number(float(value)) for value in values]


def _by_name(names: tuple[str, ...], values: Any) -> dict[str, float | None] | None:
    if values is None:
        return None
    return {name: _number(float(value)) for name, value in zip(names, values, strict=True)}


def check_json(result: Check) -> dict[str, Any]:
    """A check for machines; `check_of` reads it."""
    return {
        "detectorSHA256": result.detector,
        "method": result.method,
        "events": result.events,
        "simulatedEvents": result.simulated,
        "verdict": result.verdict,
        "findings": [
            {
                "name": finding.name,
                "unit": finding.unit or "share",
                "value": _mean(finding.value),
                "controlName": finding.control_name,
                "control": _mean(finding.control),
                "better": _mean(finding.better),
                "passed": finding.passed,
                "words": finding.words,
            }
            for finding in result.findings
        ],
        "notes": list(result.notes),
    }


def check_of(path: Path) -> Check:
    """The check that a check.json holds. Raises `SettingsError` where it is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        findings = [
            Finding(
                name=str(each["name"]),
                value=_mean_of(each["value"]),
                control_name=str(each["controlName"]),
                control=_mean_of(each["control"]),
                better=_mean_of(each["better"]),
                passed=None if each["passed"] is None else bool(each["passed"]),
                words=str(each["words"]),
                unit="" if each["unit"] == "share" else str(each["unit"]),
            )
            for each in content["findings"]
        ]
        counts = int(content["events"]), int(content["simulatedEvents"])
        notes = tuple(map(str, content["notes"]))
        names = str(content["detectorSHA256"]), str(content["method"])
        return Check(*names, *counts, tuple(findings), notes)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise SettingsError(f"{path}: is no check.json of `secateur explain --check`") from None


def _mean_of(content: Any) -> Mean:
    interval, mean = content["interval"], content["mean"]
    ends = None if interval is None else (float(interval[0]), float(interval[1]))
    return Mean(math.nan if mean is None else float(mean), ends)


def _mean(mean: Mean) -> dict[str, Any]:
    interval = None if mean.interval is None else [_number(end) for end in mean.interval]
    return {"mean": _number(mean.value), "interval": interval}
