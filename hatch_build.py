"""What package indexes show: README and links into the repository, or words where none is named."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINK = re.compile(r"(!?)\[([^]]*)\]\((?!https?://|mailto:|#)([^)\s]+)\)")


class ReadmeHook(MetadataHookInterface):
    """Puts README and links into the metadata; `repository`, in pyproject.toml, is the project's address."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set `readme` and `urls`."""
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        repository = self.config.get("repository", "").rstrip("/")
        content = elsewhere(text, repository)
        metadata["readme"] = {"content-type": "text/markdown", "text": content}
        metadata["urls"] = links(repository)


def links(repository: str) -> dict[str, str]:
    """The project's links by what they are called; none without an address."""
    pages = {
        "Repository": "",
        "Documents": "/blob/HEAD/docs/index.md",
        "Changes": "/blob/HEAD/CHANGELOG.md",
    }
    return {name: repository + path for name, path in pages.items()} if repository else {}


def elsewhere(text: str, repository: str) -> str:
    """`text` with links that hold outside of the `repository`, an address such as https://HOST/OWNER/PROJECT.

    Without an address links become their words, and pictures go.
    """

    def absolute(link: re.Match[str]) -> str:
        kind = "raw" if link[1] else "blob"
        return f"{link[1]}[{link[2]}]({repository.rstrip('/')}/{kind}/HEAD/{link[3]})"

    def words(link: re.Match[str]) -> str:
        return "" if link[1] else link[2]

    return _LINK.sub(absolute if repository else words, text)
