"""torch-pruning as the oracle where it is right, and what our document says of where it isn't."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from secateur.pruning.surgery import cut
from secateur.pruning.tracing import trace
from tests.support.shaken import shaken
from tests.support.small_networks import CHANNELS, KINDS, SAMPLES

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "why-not-torch-pruning.md"


@pytest.fixture(scope="module")
def torch_pruning() -> Any:
    """The package; it needs no torchvision."""
    return pytest.importorskip("torch_pruning", reason="torch-pruning is an extra of development")


def network_of(kind: str, seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return shaken(KINDS[kind](), seed)


@pytest.mark.parametrize("kind", ["Chain", "Residual", "Dense", "Excited", "Power"])
@given(data=st.data())
@settings(max_examples=8)
def test_the_same_units_gone_leave_the_same_network(
    kind: str, torch_pruning: Any, data: st.DataObject
) -> None:
    ours, theirs = network_of(kind, 1), network_of(kind, 1)
    structure = trace(ours, CHANNELS, SAMPLES)
    windows = torch.from_numpy(np.random.default_rng(0).normal(size=(3, CHANNELS, SAMPLES))).float()
    kept = {}
    for group in structure.groups:
        sets = st.sets(st.integers(0, group.size - 1), min_size=1, max_size=group.size - 1)
        kept[group.name] = tuple(sorted(data.draw(sets, group.name)))
        first = theirs.get_submodule(group.convolutions[0].layer)
        graph = torch_pruning.DependencyGraph().build_dependency(theirs, windows)
        gone = sorted(set(range(group.size)) - set(kept[group.name]))
        graph.get_pruning_group(first, torch_pruning.prune_conv_out_channels, gone).prune()
    smaller = cut(ours, structure, kept)
    expected = theirs.state_dict()
    assert list(smaller.state_dict()) == list(expected)
    assert all(torch.equal(value, expected[name]) for name, value in smaller.state_dict().items())
    with torch.no_grad():
        assert torch.equal(smaller(windows), theirs.eval()(windows))


def pieces() -> list[tuple[str, str]]:
    """Each piece of code in the document and what stands under it as its outcome."""
    result = re.findall(r"```python\n(.*?)```\n+```text\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert len(result) == DOCUMENT.read_text().count("```python") > 5
    return result


@pytest.mark.parametrize("number", range(len(pieces())))
def test_the_document_says_what_happens(number: int, torch_pruning: Any) -> None:
    code, outcome = pieces()[number]
    printed = io.StringIO()
    with (
        torch.random.fork_rng(devices=[]),
        contextlib.redirect_stdout(printed),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        torch.manual_seed(0)  # what torch-pruning does to a GRU depends on its weights
        exec(compile(code, DOCUMENT.name, "exec"), {"__name__": "piece"})
    assert printed.getvalue() == outcome
