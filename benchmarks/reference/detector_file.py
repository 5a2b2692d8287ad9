"""The page of a detector's metadata, and its JSON schema, from the pydantic model that reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from math import exp
from typing import Any

from benchmarks.reference.words import HEAD, as_text, row, takes
from secateur.detectors.event_rules import _TOLERANCE
from secateur.detectors.file import CHECKSUM_KEY, INFO_KEY, SCHEMA, DetectorInfo
from secateur.recordings.montage import FIXED
from secateur.windows.chain import _NOTCH_QUALITY
from secateur.windows.scaling import FLAT, MEMORY, PRIOR, REACH, TO_DEVIATION

_SCHEMA = DetectorInfo.model_json_schema()

_PRIOR = PRIOR + 1


def _montages() -> str:
    return "\n".join(
        f"   - `{name}`: {', '.join(channel.replace('-Avg', '') for channel in channels)}"
        + (", each minus the mean of these" if name == "unipolar-19" else "")
        for name, channels in FIXED.items()
    )


_INTRODUCTION = f"""
# A detector's file
{HEAD}

One ONNX model, which any ONNX tool opens. Its input `windows` is n × channels × samples, filtered and
scaled; its output `logits` is n × 2, background first. Two entries of its metadata make it a detector:

- `{INFO_KEY}`: JSON with all that is needed to run the network, described below and by a
  [JSON schema](detector.schema.json). Today's `schema` is {SCHEMA}; files of earlier ones are read, and
  what they lack has its default.
- `{CHECKSUM_KEY}`: SHA-256 over the file's bytes, these 64 digits read as zeros. It finds damage, not
  forgery: [security](../security.md).

```python
import json

import onnx

entries = {{each.key: each.value for each in onnx.load("pruned.onnx").metadata_props}}
info = json.loads(entries["{INFO_KEY}"])
print(info["chain"]["montage"], info["post_processing"]["threshold"])
```

`secateur inspect pruned.onnx --full` shows the same in words. The schema tells names, kinds and bounds;
what must also fit together (a scale for each channel, a network that takes such windows) is checked
when a file is read.

## From samples to a probability

What a reader in another language computes, from microvolts on; everything is causal, and begins anew after
a gap.

1. **Montage** (`chain.montage`): channels × samples in µV, in the order below. A pair A-B is A minus B,
   both against one reference, or as recorded; T3, T4, T5, T6 and T7, T8, P7, P8 are the same four
   electrodes. What is missing is zeros where `chain.missing` is zero.
{_montages()}
   - `as-recorded`, `pairs`: `chain.channels`. `each`: every channel goes through all of it by itself, as a
     network of one channel takes it, and the mean of their probabilities counts.
2. **Resampling** to `chain.sampling_rate`, where the recording has another rate: by any low-pass that keeps
   the band up to `high`, its delay taken off. (Ours: polyphase FIR, a sinc under Kaiser's window, β = 5,
   ten zero crossings a side.)
3. **Band-pass**: Butterworth from `low` to `high`, of `order` poles at either edge, by the bilinear
   transform with both edges pre-warped: `scipy.signal.butter(order, [low, high], "bandpass",
   fs=sampling_rate, output="sos")`. It begins as if the first sample's value had stood for ever:
   `sosfilt_zi(sos)` times that value. In double precision.
4. **Notch**, where `notch` isn't null: `scipy.signal.iirnotch(notch, {_NOTCH_QUALITY:g},
   fs=sampling_rate)`, begun alike.
5. **Scaling** `training-set`: (x − `scale.mean`) / `scale.spread`, channel by channel. `running`: x ·
   exp(−c), where c begins at log(`scale.spread`), and at the end of each whole second k = 0, 1, … (counted
   from the first sample) becomes c + (q − c) / min(k + {_PRIOR}, {MEMORY}), with q = log({TO_DEVIATION} ·
   median |x| over that second), kept within ± log {exp(REACH):g} of c; a second for which {TO_DEVIATION} ·
   median |x| is below {FLAT:g} µV changes nothing.
6. **Compression** `asinh`: each value's inverse hyperbolic sine. `none`: nothing.
7. **Windows** of `windows.length` seconds every `windows.hop` seconds, from the first sample on, whole ones
   only. The network's logits b (background) and s (seizure) give the probability 1 / (1 + exp(b − s)); it
   speaks for the window's last hop.
8. **Events** by [PostProcessing](#postprocessing). Joining and dropping allow for rounding of
   {_TOLERANCE:g} s.

A test (`tests/detectors/test_page_of_the_file.py`) reads a file so, without Secateur's chain, and gets the
detector's probabilities.
"""


def detector_schema() -> str:
    """The schema as a JSON document."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return json.dumps(head | _SCHEMA, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def detector_page() -> str:
    """What stands in a detector's file, table by table."""
    lines = [_INTRODUCTION.strip()]
    for name, model in {"The whole": _SCHEMA, **_SCHEMA["$defs"]}.items():
        if "properties" in model:
            lines += ["", f"## {name}", "", *_described(model)]
            lines += ["", "| field | takes | default | |", "|---|---|---|---|", *_rows(model)]
    return "\n".join(lines) + "\n"


def _described(model: Mapping[str, Any]) -> Iterator[str]:
    for number, paragraph in enumerate(model.get("description", "").split("\n\n")):
        if number:
            yield ""
        yield as_text(paragraph)


def _rows(model: Mapping[str, Any]) -> Iterator[str]:
    for name, field in model["properties"].items():
        default = json.dumps(field.get("default"), ensure_ascii=False)
        needed = name in model.get("required", ())
        empty = default in ('""', "[]", "null") or default.startswith("{")
        yield row(
            f"`{name}`",
            _kind(field),
            "*needed*" if needed else "" if empty or "default" not in field else f"`{default}`",
            as_text(field.get("description")),
        )


def _kind(schema: Mapping[str, Any]) -> str:
    """What a field may be, in words; other tables are linked."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})" if "properties" in _SCHEMA["$defs"][name] else name
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    kind = schema.get("type")
    if kind == "null":
        return "null"
    if kind == "array" and "items" in schema:
        return f"list: {_kind(schema['items'])}"
    if kind == "object":
        values = schema.get("additionalProperties")
        return f"object of {_kind(values)}" if isinstance(values, dict) else "object"
    return "anything" if kind is None else takes(schema)
