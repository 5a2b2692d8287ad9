"""README's links where there is no repository around it: on a package index."""

from __future__ import annotations

import re

import pytest

from tests.support.documents import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
TARGET = re.compile(r"\]\(([^)\s]+)\)")
pytest.importorskip("hatchling", reason="the wheel's metadata are made with hatchling")


def test_links_are_absolute_and_lead_to_files() -> None:
    from hatch_build import elsewhere

    base = "https://example.org/owner/secateur"
    targets = TARGET.findall(elsewhere(README, f"{base}/"))
    ours = [re.sub(f"^{base}/(?:blob|raw)/HEAD/", "", each) for each in targets if base in each]
    assert len(ours) > 20
    assert sum(f"{base}/raw/HEAD/" in each for each in targets) == README.count("![")
    assert all(each.startswith("https://") for each in targets)
    assert all((ROOT / each.partition("#")[0]).is_file() for each in ours)
    assert len(targets) == len(TARGET.findall(README))


def test_without_an_address_no_link_leads_nowhere() -> None:
    from hatch_build import elsewhere

    text = elsewhere(README, "")
    assert all(each.startswith("https://") for each in TARGET.findall(text))
    assert "![" not in text
    assert "The tutorial needs no recordings" in " ".join(text.split())


def test_the_wheel_s_description_is_that(tmp_path_factory: pytest.TempPathFactory) -> None:
    from hatchling.metadata.core import ProjectMetadata
    from hatchling.plugin.manager import PluginManager

    from hatch_build import elsewhere

    metadata = ProjectMetadata(str(ROOT), PluginManager())
    repository = metadata.hatch.metadata.hook_config["custom"]["repository"]
    assert metadata.core.readme == elsewhere(README, repository)
    assert metadata.core.readme_content_type == "text/markdown"


def test_the_project_s_links_lead_to_files_once_there_is_an_address() -> None:
    from hatch_build import links

    base = "https://example.org/owner/secateur"
    targets = links(base)
    assert targets.pop("Repository") == base
    for target in targets.values():
        assert (ROOT / target.removeprefix(f"{base}/blob/HEAD/")).is_file()
    assert links("") == {}


def test_a_version_that_is_pinned_says_why() -> None:
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    pinned = [line for line in lines if re.search(r'^ +"[\w.\[\]-]+[^"]*(?:==|<|~=)', line)]
    assert len(pinned) > 3
    for line in pinned:
        assert re.search("# pinned: ..|# pinned, ", line), line
