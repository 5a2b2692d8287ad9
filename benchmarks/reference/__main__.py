"""Writes the pages."""

from __future__ import annotations

from benchmarks.reference import pages

for path, content in pages():
    path.write_text(content, encoding="utf-8")
    print(path)
