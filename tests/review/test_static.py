"""The page's files as they are: nothing inline, nothing from elsewhere, uPlot as it was published."""

from __future__ import annotations

import hashlib
import re
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import pytest

STATIC = Path(str(files("secateur"))) / "review" / "static"
MODULES = sorted((STATIC / "js").glob("*.js"))
IMPORTED = re.compile(r'^import [^;]*?from "([^"]+)";', re.M | re.S)


class Elements(HTMLParser):
    """Start tags of a page with their attributes, and the text within scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inline = ""
        self._within = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._within = tag

    def handle_endtag(self, tag: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within in ("script", "style"):
            self.inline += data.strip()


@pytest.fixture(scope="module")
def page() -> Elements:
    return Elements((STATIC / "index.html").read_text(encoding="utf-8"))


def test_uplot_is_what_npm_published() -> None:
    folder = STATIC / "uplot"
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    sums = {name: digest for digest, name in (line.split() for line in lines)}
    for name, digest in sums.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name
    assert set(sums) == {path.name for path in folder.iterdir()} - {"SHA256SUMS"}
    assert "MIT License" in (folder / "LICENSE").read_text()


def test_the_policy_for_content_forbids_nothing_that_the_page_has(page: Elements) -> None:
    assert page.inline == ""
    for tag, attributes in page.tags:
        assert "style" not in attributes, tag
        assert not [name for name in attributes if name.startswith("on")], tag


def test_everything_that_is_loaded_lies_beside_the_page(page: Elements) -> None:
    loaded = [value for _, a in page.tags for name in ("src", "href") if (value := a.get(name))]
    local = [address for address in loaded if address != "#"]
    assert {f"static/js/{module.name}" for module in MODULES} <= set(local), "none is waited for"
    for address in local:
        assert address.startswith("static/")
        assert (STATIC.parent / address).is_file(), address
    assert not re.findall(r"url\(|@import", (STATIC / "review.css").read_text())


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_modules_import_what_lies_there(module: Path) -> None:
    text = module.read_text(encoding="utf-8")
    for address in IMPORTED.findall(text):
        target = module.parent / address
        assert target.is_file(), address
    assert "innerHTML" not in text  # names of files and comments are text, never markup
    assert "https://" not in text


def test_every_module_is_used() -> None:
    imported = {name for m in MODULES for name in IMPORTED.findall(m.read_text(encoding="utf-8"))}
    assert imported == {f"./{m.name}" for m in MODULES} - {"./main.js"}


def test_the_documents_have_the_keys() -> None:
    """Name and meaning of every key, as the page's own dialog has them."""
    keys = (STATIC / "js" / "keys.js").read_text(encoding="utf-8")
    page = STATIC.parents[3] / "docs" / "how-to" / "review-page.md"
    if not page.is_file():
        pytest.skip("the documents are not here")
    rows = re.findall(r'^    \["([^"]+)", \[.*?\], "([^"]+)", commands', keys, re.M)
    assert len(rows) > 20
    text = page.read_text(encoding="utf-8")
    assert [row for row in rows if f"| {row[0]} | {row[1]} |" not in text] == []
