"""The training loops that are compared, each in a process of its own.

Comes in: through a pipe, what to build and then "turn" or "profile". Goes out: through the same pipe,
seconds of a turn, or milliseconds a step by part. Next: `training` starts these processes.

A process of its own, because how the C library keeps memory is decided for a whole process: beside
Secateur's loop the plain one would gain by it too. Turns are still taken one after the other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile, record_function
from torch.utils.data import DataLoader, TensorDataset

from secateur.networks import NetworkSettings, build_network
from secateur.recordings import load_cohort
from secateur.training import AugmentationSettings, TrainingSettings, averaging, loop, train
from secateur.training.draw import EpochDraw
from secateur.windows import (
    Cache,
    ChainSettings,
    WindowSet,
    WindowSettings,
    fit_scale,
    index_windows,
    prepare,
)

BATCH = 32
VALIDATION = 64
"""Windows that each loop validates with after its pass: few, so that the pass is what is measured."""

PLAIN, ALIKE, KEPT, DEFAULT = (
    "plain loop",
    "Secateur, like for like",
    "Secateur, like for like, memory handed back",
    "Secateur, its defaults",
)
UNCHANGED = AugmentationSettings(gain=1, drop_channels=0, permute_channels=False, shift=False)


@dataclass(frozen=True)
class Order:
    """What a process builds: a loop by name, a network, and windows of the cohort in a folder."""

    loop: str
    widths: tuple[int, ...]
    cohort: Path
    cache: Path
    windows: int


def serve(pipe: Connection, order: Order) -> None:
    """Build, then do what comes through the pipe until it is closed."""
    torch.set_num_threads(1)
    training, validation = _windows(order)
    turn = _plain(order, training, validation) if order.loop == PLAIN else None
    turn = turn or _ours(order, training, validation)
    pipe.send("ready")
    while True:
        try:
            wanted = pipe.recv()
        except EOFError:
            return
        if wanted == "turn":
            began = time.process_time()
            turn()
            pipe.send(time.process_time() - began)
        else:
            pipe.send(_profiled(turn, order.windows))


def _windows(order: Order) -> tuple[WindowSet, WindowSet]:
    """As many windows as ordered to learn from and a few to validate with, both classes in both."""
    chain, shape = ChainSettings(missing="skip"), WindowSettings()
    prepared, _ = prepare(load_cohort(order.cohort).entries, chain, Cache(order.cache))
    every = index_windows(prepared, chain, shape)
    generator = np.random.default_rng(0)
    inside = generator.permutation(np.flatnonzero(~every.crosses_event_edge))
    ictal, background = inside[every.labels[inside]], inside[~every.labels[inside]]
    each, few = order.windows // 2, VALIDATION // 2
    if min(len(ictal), len(background)) < each + few:
        raise SystemExit(f"the cohort has fewer than {each + few} windows of a class; order fewer")
    scale = fit_scale(prepared, chain, prepared[0].signal.channels)
    sides = [(0, each), (each, each + few)]
    made = [np.sort(np.concatenate((ictal[a:b], background[a:b]))) for a, b in sides]
    training, validation = (
        WindowSet(prepared, chain, shape, scale, every.take(chosen)) for chosen in made
    )
    return training, validation


def _ours(order: Order, training: WindowSet, validation: WindowSet) -> Callable[[], object]:
    """One epoch of `secateur.training.train`, with all that it does before and after."""
    if order.loop == DEFAULT:
        settings = TrainingSettings(epochs=1, windows_per_epoch=order.windows, batch_size=BATCH)
    else:
        settings = TrainingSettings(
            epochs=1,
            batch_size=BATCH,
            draw="all",
            class_weights="none",
            averaging=0,
            recalibration=0,
            augmentation=UNCHANGED,
        )
    network = build_network(NetworkSettings(widths=order.widths), 18, training.length)

    def turn() -> object:
        unkept = patch.object(loop, "keep_memory", lambda: None)
        with unkept if order.loop == KEPT else nullcontext():
            return train(network, training, validation, settings, 0)

    return turn


def _plain(order: Order, training: WindowSet, validation: WindowSet) -> Callable[[], object]:
    """One epoch as most would write it today, windows in memory."""
    network = _plain_network(order.widths)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3, weight_decay=1e-4)
    criterion = nn.CrossEntropyLoss()
    learned = DataLoader(_tensors(training), batch_size=BATCH, shuffle=True)
    validated = DataLoader(_tensors(validation), batch_size=BATCH)

    def turn() -> object:
        network.train()
        total = 0.0
        for windows, labels in learned:
            optimiser.zero_grad()
            loss = criterion(network(windows), labels)
            loss.backward()
            optimiser.step()
            total += loss.item() * len(labels)
        network.eval()
        with torch.no_grad():
            right = sum(
                int((network(windows).argmax(1) == labels).sum()) for windows, labels in validated
            )
        return total, right

    return turn


def _tensors(windows: WindowSet) -> TensorDataset:
    everything = np.arange(len(windows))
    return TensorDataset(
        torch.from_numpy(windows.batch(everything)),
        torch.from_numpy(windows.labels.astype(np.int64)),
    )


def _plain_network(widths: Iterable[int]) -> nn.Module:
    """The published blocks of torch's own layers, in the published order."""
    told = NetworkSettings()
    blocks: list[nn.Module] = []
    before = 18
    for width, size, pool in zip(widths, told.kernel_sizes, told.pooling, strict=True):
        blocks += [
            nn.Conv1d(before, width, size),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Dropout(told.dropout),
            nn.MaxPool1d(pool),
        ]
        before = width
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(before, 2))


_FORWARD = {
    "Conv1d": "convolution",
    "BatchNorm1d": "batch normalisation",
    "ReLU": "ReLU",
    "Dropout": "dropout",
    "MaxPool1d": "max-pooling",
}
_BACKWARD = {
    "ConvolutionBackward0": "convolution, back",
    "NativeBatchNormBackward0": "batch normalisation, back",
    "ReluBackward0": "ReLU, back",
    "MulBackward0": "dropout, back",
    "MaxPool2DWithIndicesBackward0": "max-pooling, back",
    "_MaximumBackward": "max-pooling, back",
}
_OTHER = {
    "Optimizer.step#Adam.step": "optimiser",
    "enumerate(DataLoader)#_SingleProcessDataLoaderIter.__next__": "making batches",
    "making batches": "making batches",
    "averaging": "averaging",
    "recalibrating": "recalibrating",
}
PARTS = list(dict.fromkeys([*_FORWARD.values(), *_BACKWARD.values(), *_OTHER.values()]))


def _profiled(turn: Callable[[], object], windows: int) -> dict[str, float]:
    """Milliseconds a step by part; "whole" is the step. The profiler itself makes it a little longer."""
    names = {f"forward {kind}": part for kind, part in _FORWARD.items()} | _OTHER
    names |= {f"autograd::engine::evaluate_function: {k}": v for k, v in _BACKWARD.items()}
    with (
        patch.object(nn.Module, "__call__", _named(nn.Module.__call__)),
        patch.object(EpochDraw, "batch", _spanned(EpochDraw.batch, "making batches")),
        patch.object(averaging.Averaged, "step", _spanned(averaging.Averaged.step, "averaging")),
        patch.object(loop, "recalibrate", _spanned(averaging.recalibrate, "recalibrating")),
        profile(activities=[ProfilerActivity.CPU]) as seen,
    ):
        began = time.perf_counter()  # as the profiler measures
        turn()
        whole = time.perf_counter() - began
    steps = windows / BATCH
    found = dict.fromkeys(PARTS, 0.0)
    for event in seen.key_averages():
        if event.key in names:
            found[names[event.key]] += event.cpu_time_total / 1000 / steps
    return found | {"whole": whole * 1000 / steps}


def _named(call: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def run(module: nn.Module, *given: Any) -> Tensor:
        # without gradients it is validation or recalibration, which are told apart
        if not torch.is_grad_enabled():
            return call(module, *given)
        with record_function(f"forward {type(module).__name__}"):
            return call(module, *given)

    return run


def _spanned(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    def run(*given: Any) -> Any:
        with record_function(name):
            return function(*given)

    return run
