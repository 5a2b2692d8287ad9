"""What explanations cost beside one inference, and beside captum on the same network, in one run.

    python -m benchmarks.speed.explaining [--rounds 15] [--out benchmarks/speed/explaining.md]

Untrained networks: time doesn't depend on weights. One thread, processor time, contestants in turns, each
with one window by itself, 18 channels of 4 s at 256 Hz.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import numpy as np

from benchmarks.speed.measuring import (
    commit,
    in_turns,
    machine,
    one_thread,
    ratio,
    spread,
    table,
    versions,
)

GOALS = {"contributions": 1.1, "gradient": 3, "integrated, 32 steps": 100, "shap, 512": 700}
"""Multiples of one inference that are aimed for, with 16-32-64 kernels."""
NETWORKS = (("16-32-64", (16, 32, 64)), ("2-3-6", (2, 3, 6)))
_CALLS = {"inference": 40, "gradient": 20, "contributions": 40, "captum, gradient": 10,
          "integrated, 32 steps": 4, "captum, integrated, 32 steps": 4}  # fmt: skip
EVENT = "event of 60 s, gradient"


def timed(work: Callable[[], object], calls: int) -> Callable[[], float]:
    """A contestant: processor seconds of one of so many calls."""

    def once() -> float:
        began = time.process_time()
        for _ in range(calls):
            work()
        return (time.process_time() - began) / calls

    return once


def contestants(widths: tuple[int, ...]) -> dict[str, Callable[[], float]]:
    """All ways to explain one window, and the event of a minute."""
    import torch
    from captum.attr import InputXGradient, IntegratedGradients

    from secateur.detectors import DetectorInfo, PostProcessing, pack
    from secateur.events import Event
    from secateur.explaining import ExplainingDetector
    from secateur.explaining.gradients import input_times_gradient, integrated_gradients
    from secateur.explaining.network import ExplainedNetwork
    from secateur.explaining.removal import Game, fades
    from secateur.networks import NetworkSettings, build_network, to_onnx
    from secateur.recordings import ArrayRecording
    from secateur.windows import ChainSettings, Scale, SignalChain, WindowSettings

    torch.set_num_threads(1)
    network = build_network(NetworkSettings(widths=widths), 18, 1024, 1).eval()
    info = DetectorInfo(
        secateur="0",
        chain=ChainSettings(),
        scale=Scale(mean=(0.0,) * 18, spread=(20.0,) * 18),
        windows=WindowSettings(),
        post_processing=PostProcessing(),
    )
    detector = ExplainingDetector(pack(to_onnx(network), info))
    explained = ExplainedNetwork(detector)
    noise = np.random.default_rng(0).standard_normal((69, 18, 1024)).astype(np.float32)
    window, references = noise[:1], noise[1:5]
    # each call has a window of its own: of one that comes again, a processor foresees every comparison
    windows = cycle([each[None] for each in noise[5:]])
    tensors = cycle([torch.from_numpy(each[None]) for each in noise[5:]])
    tensor, reference = torch.from_numpy(window), torch.from_numpy(references[:1])

    def margin(windows: torch.Tensor) -> torch.Tensor:
        logits = network(windows)
        difference: torch.Tensor = logits[:, 1] - logits[:, 0]
        return difference

    game = Game(explained, window[0], references, fades((0, 256, 512, 768), 1024, 256.0), 256.0)
    names = SignalChain(ChainSettings()).channel_names
    minute = np.random.default_rng(1).standard_normal((18, 256 * 90)) * 20
    recording = ArrayRecording(minute, 256.0, names)
    by_gradient, by_path = InputXGradient(margin), IntegratedGradients(margin)
    work: dict[str, Callable[[], object]] = {
        "inference": lambda: detector.logits(next(windows)),
        "contributions": lambda: explained.contributions(next(windows)),
        "gradient": lambda: input_times_gradient(explained, next(windows)),
        "integrated, 32 steps": lambda: integrated_gradients(explained, window, references, 32),
        "occlusion, one reference": lambda: Game(
            explained, window[0], references[:1], game.cells, 256.0
        ).occlusion(),
        "shap, 512": lambda: game.shapley(512, np.random.default_rng(0)),
        "captum, gradient": lambda: by_gradient.attribute(next(tensors).requires_grad_()),
        "captum, integrated, 32 steps": lambda: by_path.attribute(tensor, reference, n_steps=32),
        EVENT: lambda: detector.explain(recording, Event(20, 60)),
    }
    for each in work.values():
        each()  # sessions are opened, kernels are chosen
    return {name: timed(each, _CALLS.get(name, 1)) for name, each in work.items()}


def page(rounds: int) -> str:
    """The tables in Markdown."""
    lines = [
        "# What explanations cost",
        "",
        "`python -m benchmarks.speed.explaining`; "
        f"{machine()}; {versions('onnxruntime', 'torch', 'captum', 'numpy')}; commit {commit()}.",
        "",
        "One window of 18 channels × 4 s at 256 Hz by itself, processor time on one thread; medians "
        f"of {rounds} rounds, in brackets the quartiles. Multiples are taken within each round, of one "
        "inference of the same network."
        " `shap` asks the network about 430 windows here: three orders of 72 players, "
        "each with its reverse.",
    ]
    for name, widths in NETWORKS:
        seconds = in_turns(contestants(widths), rounds)
        lines += ["", f"## valid, {name}", ""]
        rows = []
        for contestant, values in seconds.items():
            goal = GOALS.get(contestant) if name == NETWORKS[0][0] else None
            rows.append(
                [
                    contestant,
                    spread([1e3 * value for value in values], 3),
                    ratio(values, seconds["inference"]),
                    "" if goal is None else f"≤ {goal:g}×",
                ]
            )
        lines += table(["", "ms", "of one inference", "aim"], rows)
        single = ratio(seconds["captum, gradient"], seconds["gradient"])
        many = ratio(seconds["captum, integrated, 32 steps"], seconds["integrated, 32 steps"])
        lines += [
            "",
            f"captum takes {single} as long for a gradient (aim: 5×), {many} for 32 integrated ones, "
            "which it puts through the network at once.",
        ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", type=Path, help="a Markdown file")
    asked = parser.parse_args()
    one_thread()
    text = page(asked.rounds)
    print(text)
    if asked.out is not None:
        asked.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
