"""Links of the documents lead to files that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.documents import DOCUMENTS

ROOT = Path(__file__).resolve().parents[2]
PAGES = (*DOCUMENTS, ROOT / "CHANGELOG.md")
LINK = re.compile(r"\]\((?!https?://|mailto:|#)([^)\s#]+)")


def broken(page: Path) -> list[str]:
    targets = LINK.findall(page.read_text())
    return [target for target in targets if not (page.parent / target).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert broken(page) == []


def test_a_broken_link_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("[a](other.md), [b](page.md#part), [c](https://example.org/x.md)")
    assert broken(page) == ["other.md"]
