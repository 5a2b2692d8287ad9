"""The page of a detector's metadata, and its JSON schema, from the pydantic model that reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.reference.words import HEAD, as_text, row, takes
from secateur.detectors.file import CHECKSUM_KEY, INFO_KEY, SCHEMA, DetectorInfo

_SCHEMA = DetectorInfo.model_json_schema()

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
