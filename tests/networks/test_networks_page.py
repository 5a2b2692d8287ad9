"""The table in docs/reference/networks.md tells the networks as they are; its command prints it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from secateur.networks import (
    NAMES,
    NetworkSettings,
    build_network,
    count_macs,
    count_parameters,
    kernels_of,
    to_onnx,
)

ROOT = Path(__file__).parents[2]


def rows(text: str) -> dict[str, list[str]]:
    """By network the cells of its line; a line of the table of sizes ends in a time."""
    found = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 6 and re.fullmatch(r"[\d.]+ \([\d.]+ to [\d.]+\)", cells[-1]):
            found[cells[0].strip("`")] = cells[1:]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_the_page_tells_each_network_as_it_is(name: str) -> None:
    network = build_network(NetworkSettings(name=name), 18, 1024).eval()
    kernels, parameters, macs, size, _ = rows(
        (ROOT / "docs" / "reference" / "networks.md").read_text()
    )[name]
    assert kernels == "-".join(map(str, kernels_of(network).values()))
    assert parameters == f"{count_parameters(network):,}"
    assert macs == f"{count_macs(network, 18, 1024):,}"
    # the size depends a little on how the library of the day writes numbers
    assert int(size.replace(",", "")) == pytest.approx(len(to_onnx(network)), rel=0.01)


def test_the_command_prints_the_table() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.speed.networks_table", "--rounds", "2"],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert list(rows(done.stdout)) == list(NAMES)
