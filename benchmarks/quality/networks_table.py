"""Every network that has a name: parameters, multiply-accumulates, bytes, milliseconds.

    python benchmarks/quality/networks_table.py [--runs 300] [--write]

Networks as they are built by default, untrained, for 18 channels and 4 s at 256 Hz; their weights change
neither size nor time. ONNX Runtime, one thread, one window; the networks take turns. `--write` puts the
table into docs/networks.md, between its two marks.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from main_job import commit

from secateur.files import write_whole
from secateur.networks import (
    NAMES,
    NetworkSettings,
    build_network,
    count_macs,
    count_parameters,
    kernels_of,
    to_onnx,
)

PAGE = Path(__file__).parents[2] / "docs" / "networks.md"
BEGIN, END = "<!-- table: networks_table.py -->\n", "<!-- end of table -->"
CHANNELS, SAMPLES = 18, 1024


def main() -> None:
    if os.environ.get("OMP_NUM_THREADS") != "1":
        os.environ["OMP_NUM_THREADS"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.argv])
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--write", action="store_true", help="put the table into docs/networks.md")
    told = parser.parse_args()
    torch.set_num_threads(1)
    table = _table(told.runs)
    print(table)
    if told.write:
        before, rest = PAGE.read_text().split(BEGIN)
        write_whole(PAGE, before + BEGIN + table + END + rest.split(END)[1])


def _table(runs: int) -> str:
    networks = {
        name: build_network(NetworkSettings(name=name), CHANNELS, SAMPLES) for name in NAMES
    }
    contents = {name: to_onnx(network.eval()) for name, network in networks.items()}
    times = _milliseconds(contents, runs)
    lines = [
        "| network | kernels | parameters | MACs a window | bytes | ms a window |",
        "|---|---|---|---|---|---|",
    ]
    for name, network in networks.items():
        low, middle, high = np.quantile(times[name], [0.25, 0.5, 0.75])
        kernels = "-".join(map(str, kernels_of(network).values()))
        lines.append(
            f"| `{name}` | {kernels} | {count_parameters(network):,} | "
            f"{count_macs(network, CHANNELS, SAMPLES):,} | {len(contents[name]):,} | "
            f"{middle:.3f} ({low:.3f} to {high:.3f}) |"
        )
    packages = ", ".join(f"{name} {version(name)}" for name in ("onnxruntime", "torch", "secateur"))
    lines += [
        "",
        f"Command: `python benchmarks/quality/networks_table.py --runs {runs} --write`; commit "
        f"{commit()}; {packages}; {platform.system()}, one thread, median of {runs} windows one by one "
        "(quartiles in brackets).",
        "",
    ]
    return "\n".join(lines)


def _milliseconds(contents: dict[str, bytes], runs: int) -> dict[str, list[float]]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    sessions = {
        name: onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        for name, content in contents.items()
    }
    window = np.random.default_rng(0).standard_normal((1, CHANNELS, SAMPLES)).astype(np.float32)
    times: dict[str, list[float]] = {name: [] for name in contents}
    for turn in range(runs + 20):
        for name, session in sessions.items():
            began = time.perf_counter()
            session.run(None, {"windows": window})
            if turn >= 20:
                times[name].append((time.perf_counter() - began) * 1000)
    return times


if __name__ == "__main__":
    main()
