"""What names a version, and what cites, agree with the package."""

from __future__ import annotations

import re

import yaml

import secateur
from tests.support.documents import ROOT


def test_cards_name_the_version_that_this_is() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    card = yaml.safe_load((ROOT / "szcore.yaml").read_text())
    assert citation["version"] == card["version"] == secateur.__version__
    assert citation["license"] == card["license"] == "BSD-3-Clause"
    assert citation["title"] == card["title"]


def test_the_citation_has_what_the_format_wants() -> None:
    """Citation File Format 1.2.0: these four are needed, and of a reference type, title and authors."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["cff-version"] == "1.2.0"
    (paper,) = citation["references"]
    assert {"type", "title", "authors", "year", "url"} <= set(paper)
    assert paper["url"].endswith(paper["identifiers"][0]["value"].removeprefix("arXiv:"))


def test_the_changes_stand_by_version_newest_first() -> None:
    heads = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    versions = [tuple(map(int, head.split()[0].split("."))) for head in heads]
    assert versions == sorted(versions, reverse=True)
    assert len(versions) == len(set(versions)) >= 2
    assert secateur.__version__ in {head.split()[0] for head in heads}
