"""A number with its noun, for all texts that count."""

from __future__ import annotations


def plural(how_many: int, noun: str) -> str:
    """1 subject, 2 subjects."""
    return f"{how_many:,} {noun}" + ("" if how_many == 1 else "s")
