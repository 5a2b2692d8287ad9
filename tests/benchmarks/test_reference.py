"""The reference pages are what their command makes of the code."""

from __future__ import annotations

import pytest

from benchmarks.reference import pages


@pytest.mark.parametrize("page", [0, 1], ids=["settings", "study-file"])
def test_the_page_is_what_the_settings_say(page: int) -> None:
    path, content = list(pages())[page]
    assert path.read_text(encoding="utf-8") == content, "python -m benchmarks.reference writes it"
