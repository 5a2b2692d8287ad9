"""Reading a page of HTML again: its tags, its words, and whether it is well nested."""

from __future__ import annotations

from html.parser import HTMLParser

_EMPTY = {"meta", "br", "path", "use", "rect", "line", "circle"}
HOSTILE = "<script>alert('&')</script>$x_1$"
"""A name that would do harm in a page that lets it."""


class Page(HTMLParser):
    """What a page holds: every tag with its attributes, its text, and whether it is well nested."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in _EMPTY:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self) -> str:
        return " ".join(self.words)
