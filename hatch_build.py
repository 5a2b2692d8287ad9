"""README as package indexes show it: links lead into the repository, or are words where none is named."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINK = re.compile(r"(!?)\[([^]]*)\]\((?!https?://|mailto:|#)([^)\s]+)\)")


class ReadmeHook(MetadataHookInterface):
    """Puts README into the metadata; `repository`, in pyproject.toml, is the address of the project's."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set `readme`."""
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        content = elsewhere(text, self.config.get("repository", ""))
        metadata["readme"] = {"content-type": "text/markdown", "text": content}


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
