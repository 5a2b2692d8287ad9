"""Files of the repository that the documents link to become part of the site, and links lead there.

A hook of MkDocs, named in mkdocs.yml.
"""

from __future__ import annotations

import re
from pathlib import Path
from posixpath import dirname, normpath, relpath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
ADDED = "repository/"
"""Where in the site those files stand."""

_ITEM = re.compile(r"[-*] |\d+\. ")
_IN_LIST = re.compile(r"[-*] |\d+\. |\s")
_CELL = re.compile(r"<td\b.*?</td>", re.DOTALL)
_LINK = re.compile(r"(\]\()(?!https?://|mailto:|#|/)([^)\s#]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add every file outside of docs/ that a page links to, and those that these link to."""
    waiting = [file.src_uri for file in files.documentation_pages()]
    while waiting:
        page = waiting.pop()
        for target in _targets(page):
            if files.get_file_from_path(target) is None and target.startswith(ADDED):
                source = ROOT / target.removeprefix(ADDED)
                files.append(File.generated(config, target, abs_src_path=str(source)))
                waiting += [target] if target.endswith(".md") else []
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links as they hold in the repository into links within the site."""
    here = page.file.src_uri

    def within(link: re.Match[str]) -> str:
        target = _target(here, link[2])
        return f"{link[1]}{relpath(target, dirname(here) or '.')}" if target else link[0]

    return _LINK.sub(within, _with_lists(markdown))


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Take the backslash away that GitHub wants before a bar in a cell's code, and Markdown here keeps."""
    return _CELL.sub(lambda cell: cell[0].replace("\\|", "|"), html)


def _with_lists(markdown: str) -> str:
    """A blank line before each list that stands right behind a paragraph's line: GitHub needs none."""
    lines: list[str] = []
    fenced, before = False, ""
    for line in markdown.splitlines():
        fenced ^= line.startswith("```")
        if not fenced and _ITEM.match(line) and before.strip() and not _IN_LIST.match(before):
            lines.append("")
        lines.append(line)
        before = line
    return "\n".join(lines) + "\n"


def _targets(page: str) -> list[str]:
    text = (ROOT / _in_repository(page)).read_text(encoding="utf-8")
    return [target for _, link in _LINK.findall(text) if (target := _target(page, link))]


def _target(page: str, link: str) -> str | None:
    """Where in the site a link of a page leads; None where there is no such file."""
    path = normpath(f"{dirname(_in_repository(page))}/{link}".lstrip("/"))
    if path.startswith("..") or not (ROOT / path).is_file():
        return None
    return path.removeprefix("docs/") if path.startswith("docs/") else ADDED + path


def _in_repository(page: str) -> str:
    return page.removeprefix(ADDED) if page.startswith(ADDED) else f"docs/{page}"
