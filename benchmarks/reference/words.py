"""JSON schemas and docstrings as words in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

HEAD = "<!-- Made by `python -m benchmarks.reference`; a test compares it with the code. -->"


def takes(schema: Mapping[str, Any]) -> str:
    """A JSON schema in words."""
    if "anyOf" in schema:
        return " or ".join(takes(each) for each in schema["anyOf"] if each.get("type") != "null")
    if "enum" in schema:
        return ", ".join(schema["enum"])
    if "prefixItems" in schema:
        return f"{len(schema['prefixItems'])} numbers"
    kind = schema.get("type")
    if kind == "array":
        return "list: " + (takes(schema["items"]) if "$ref" not in schema["items"] else "folds")
    if kind in ("integer", "number"):
        bounds = ", ".join(_bounds(schema))
        return ("whole number" if kind == "integer" else "number") + (
            f" {bounds}" if bounds else ""
        )
    if kind == "object" and "properties" in schema:
        return "table: " + ", ".join(schema["properties"])
    return {"boolean": "true or false", "string": "words", "object": "table"}[str(kind)]


def _bounds(schema: Mapping[str, Any]) -> Iterator[str]:
    words = {
        "minimum": "from {}",
        "exclusiveMinimum": "above {}",
        "maximum": "to {}",
        "exclusiveMaximum": "below {}",
    }
    for key, form in words.items():
        if key in schema:
            yield form.format(f"{schema[key]:.10g}")


def as_text(text: str | None) -> str:
    """A docstring or description on one line."""
    return " ".join((text or "").split())


def row(*cells: str) -> str:
    """A row of a Markdown table."""
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
