"""The documents' site builds without a warning, and loads nothing from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.support.documents import ROOT

LOADED = {"link": "href", "script": "src", "img": "src", "iframe": "src", "source": "src"}
AS_TEXT = re.compile(r"^(?:[-*] |\d+\. |\||```|#)", re.MULTILINE)
"""A line of a list, table, fence or heading that was not read as such."""


class Read(HTMLParser):
    """What a page loads, where it leads, which anchors it has, and its paragraphs."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.leads: list[str] = []
        self.anchors: set[str] = set()
        self.paragraphs: list[str] = []
        self._within = False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.anchors |= {named["id"]} if named.get("id") else set()  # type: ignore[arg-type]
        if tag in LOADED and named.get("rel") not in ("prev", "next"):
            self.loads += [named[LOADED[tag]] or ""] if LOADED[tag] in named else []
        elif tag == "a" and named.get("href"):
            self.leads.append(named["href"] or "")
        elif tag == "p":
            self._within = True
            self.paragraphs.append("")

    def handle_endtag(self, tag: str) -> None:
        self._within = self._within and tag != "p"

    def handle_data(self, data: str) -> None:
        if self._within:
            self.paragraphs[-1] += data


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mkdocs", reason="the site is built with the extra `docs`")
    pytest.importorskip("material", reason="the site is built with the extra `docs`")
    pytest.importorskip("mkdocstrings", reason="the site is built with the extra `docs`")
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Read]:
    return {path: Read(path) for path in site.rglob("*.html") if path.name != "404.html"}


@pytest.mark.slow
def test_nothing_is_loaded_from_elsewhere(site: Path, pages: dict[Path, Read]) -> None:
    for path, page in pages.items():
        assert page.loads
        assert [each for each in page.loads if urlsplit(each).netloc] == [], path
        for each in page.loads:
            assert each.startswith("data:") or (path.parent / unquote(urlsplit(each).path)).exists()
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", sheet.read_text()), sheet
    # the theme's script would fetch these two where a page had them
    for path in pages:
        assert not re.search(r'class="[^"]*\b(?:mermaid|md-source__)', path.read_text()), path


@pytest.mark.slow
def test_every_link_leads_to_a_page_and_its_anchor(pages: dict[Path, Read]) -> None:
    followed = 0
    for path, page in pages.items():
        for lead in map(urlsplit, page.leads):
            if lead.scheme or lead.netloc:
                continue
            target = (path.parent / unquote(lead.path)).resolve() if lead.path else path
            target /= "index.html" if target.is_dir() else ""
            assert target.is_file(), f"{path}: {lead.geturl()}"
            if lead.fragment and target.suffix == ".html" and target in pages:
                assert unquote(lead.fragment) in pages[target].anchors, f"{path}: {lead.geturl()}"
            followed += 1
    assert followed > 1000


@pytest.mark.slow
def test_lists_and_tables_are_read_as_such(pages: dict[Path, Read]) -> None:
    """Where GitHub and the site differ: a list, or table, right behind a paragraph's line."""
    for path, page in pages.items():
        for paragraph in page.paragraphs:
            assert not AS_TEXT.search(paragraph), f"{path.name}: {paragraph[:200]}"
