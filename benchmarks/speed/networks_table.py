"""Every network that has a name: parameters, multiply-accumulates, bytes, milliseconds.

    python -m benchmarks.speed.networks_table [--rounds 50] [--write]

Networks as they are built by default, untrained, for 18 channels and 4 s at 256 Hz; their weights change
neither size nor time. ONNX Runtime, one thread, one window at a time, 20 in a round; the networks take
turns. `--write` puts the table into docs/reference/networks.md, between its two marks.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import onnxruntime
import torch

from benchmarks.speed.measuring import (
    HERE,
    commit,
    in_turns,
    machine,
    one_thread,
    spread,
    table,
    versions,
)
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

PAGE = HERE.parents[1] / "docs" / "reference" / "networks.md"
BEGIN, END = "<!-- table: networks_table.py -->\n", "<!-- end of table -->"
CHANNELS, SAMPLES = 18, 1024
WINDOWS = 20


def main() -> None:
    one_thread()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument(
        "--write", action="store_true", help="put the table into docs/reference/networks.md"
    )
    told = parser.parse_args()
    torch.set_num_threads(1)
    text = _measured(told.rounds)
    print(text)
    if told.write:
        before, rest = PAGE.read_text().split(BEGIN)
        write_whole(PAGE, before + BEGIN + text + END + rest.split(END)[1])


def _measured(rounds: int) -> str:
    networks = {
        name: build_network(NetworkSettings(name=name), CHANNELS, SAMPLES) for name in NAMES
    }
    contents = {name: to_onnx(network.eval()) for name, network in networks.items()}
    seconds = in_turns({name: _runner(content) for name, content in contents.items()}, rounds)
    rows = [
        [
            f"`{name}`",
            "-".join(map(str, kernels_of(network).values())),
            f"{count_parameters(network):,}",
            f"{count_macs(network, CHANNELS, SAMPLES):,}",
            f"{len(contents[name]):,}",
            spread([1000 * one for one in seconds[name]], 3),
        ]
        for name, network in networks.items()
    ]
    header = ["network", "kernels", "parameters", "MACs a window", "bytes", "ms a window"]
    told = (
        f"Command: `python -m benchmarks.speed.networks_table --rounds {rounds} --write`; commit "
        f"{commit()}; {machine()}; {versions('secateur', 'onnxruntime', 'torch')}. Processor time of one "
        f"window, median of {rounds} rounds of {WINDOWS} windows one by one (quartiles in brackets)."
    )
    return "\n".join([*table(header, rows), "", told, ""])


def _runner(content: bytes) -> Callable[[], float]:
    """Runs some windows; gives the processor's seconds for one."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    window = np.random.default_rng(0).standard_normal((1, CHANNELS, SAMPLES)).astype(np.float32)

    def run() -> float:
        began = time.process_time()
        for _ in range(WINDOWS):
            session.run(None, {"windows": window})
        return (time.process_time() - began) / WINDOWS

    run()
    return run


if __name__ == "__main__":
    main()
