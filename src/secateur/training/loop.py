"""The one training loop, for networks before and after they are cut.

A plain loop on purpose: on a CPU, workers, compilation and bfloat16 all lose, and batches come from
signals on disk nearly as fast as from tensors. One thread a process; the same seed on the same machine
gives the same bits.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from secateur.errors import TrainingError
from secateur.processes import keep_memory
from secateur.scoring import WindowScores
from secateur.training.averaging import Averaged, recalibrate
from secateur.training.draw import EpochDraw
from secateur.training.settings import TrainingSettings
from secateur.windows import WindowSet, probability_of

_PREDICT_BATCH = 64


@dataclass(frozen=True)
class Epoch:
    """One pass: mean losses (cross-entropy, class-weighted alike) and validation scores."""

    epoch: int
    training_loss: float
    validation_loss: float
    validation_macro_f1: float
    validation_auroc: float
    seconds: float

    def as_row(self) -> dict[str, float | int]:
        """For a table."""
        return asdict(self)


@dataclass(frozen=True)
class Fit:
    """How training went. `best` counts epochs from 1; `stopped_early`: patience ran out."""

    epochs: tuple[Epoch, ...]
    best: int
    stopped_early: bool


Progress = Callable[[Epoch, int], None]
"""Told after each epoch: its record, and how many there are at most."""

Between = Callable[[int, nn.Module], None]
"""Called with an epoch's number, from 1, and a network."""

Masked = Callable[[int, nn.Module, nn.Module], AbstractContextManager[None]]
"""Called with an epoch's number and the networks that learn and are kept; what it returns is entered."""

_TEMPERATURE, _TEACHING = 2.0, 0.5


@dataclass(frozen=True)
class TrainingHooks:
    """What stands beside a network that learns; without it, it learns from labels alone.

    `progress`: told after each epoch. `teacher`: a network whose soft outputs are half of the loss, at
    temperature 2 (G. Hinton et al., Distilling the Knowledge in a Neural Network, 2015). `between`: called
    after each epoch with its number and the network as it is learning, weights not averaged; what it
    changes is learned on from. `watch`: called after each epoch with its number and the network that was
    validated, which it must leave as it is. `masked`: called after each epoch's pass with its number, the
    network as it is learning, which it may change, and the one that is kept; what it returns is in force
    while the second is recalibrated and validated.
    """

    progress: Progress | None = None
    teacher: nn.Module | None = None
    between: Between | None = None
    watch: Between | None = None
    masked: Masked | None = None


@contextmanager
def reproducible(seed: int) -> Iterator[None]:
    """One thread, deterministic kernels and torch's generator at `seed`; all as before afterwards."""
    threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    rules: Any = torch.utils.deterministic
    fills = rules.fill_uninitialized_memory
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        torch.use_deterministic_algorithms(True)
        # it would fill each fresh tensor with NaN before use: a search for defects, not part of the order
        rules.fill_uninitialized_memory = False
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(deterministic)
            rules.fill_uninitialized_memory = fills
            torch.set_num_threads(threads)


def train(
    network: nn.Module,
    training: WindowSet,
    validation: WindowSet,
    settings: TrainingSettings,
    seed: int,
    hooks: TrainingHooks | None = None,
) -> Fit:
    """Train `network` in place; it ends in evaluation mode with its best epoch's weights.

    `seed` decides the order of windows and dropout. Raises `TrainingError` where the loss leaves the
    finite numbers, `SplitError` where a side lacks a class.
    """
    training.require_both_classes("training")
    validation.require_both_classes("validation")
    keep_memory()
    with reproducible(seed):
        return _train(network, training, validation, settings, seed, hooks or TrainingHooks())


def _train(
    network: nn.Module,
    training: WindowSet,
    validation: WindowSet,
    settings: TrainingSettings,
    seed: int,
    hooks: TrainingHooks,
) -> Fit:
    draw = EpochDraw(training, settings, seed)
    weights = torch.tensor(draw.class_weights(), dtype=torch.float32)
    learner = _Learner(
        network,
        Averaged(network, settings.averaging),
        nn.CrossEntropyLoss(weight=weights),
        torch.optim.Adam(
            network.parameters(),
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
            fused=True,
        ),
        hooks.teacher,
    )
    looked_at = validation.alike_by_subject(settings.validation_windows, seed)
    kept = learner.averaged.network
    epochs: list[Epoch] = []
    best, best_score = 0, -math.inf
    best_weights: dict[str, Tensor] = {}
    for number in range(1, settings.epochs + 1):
        began = time.perf_counter()
        loss = _one_pass(learner, draw, settings.batch_size)
        if not math.isfinite(loss):
            raise TrainingError(
                f"the training loss became {loss} in epoch {number}; "
                f"a smaller learning_rate than {settings.learning_rate:g} may help"
            )
        with hooks.masked(number, network, kept) if hooks.masked else nullcontext():
            recalibrate(kept, _unchanged(training, draw, settings.recalibration))
            epoch = _validated(kept, (validation, looked_at), weights, number, loss, began)
        epochs.append(epoch)
        counts = number >= min(settings.least_epochs, settings.epochs)
        if counts and _improves(epoch.validation_macro_f1, best_score, settings.min_improvement):
            best, best_score = number, epoch.validation_macro_f1
            best_weights = {k: v.detach().clone() for k, v in kept.state_dict().items()}
        if hooks.progress:
            hooks.progress(epoch, settings.epochs)
        if hooks.watch:
            hooks.watch(number, kept)
        if hooks.between:
            hooks.between(number, network)
        if best and number - best >= settings.patience:
            break
    network.load_state_dict(best_weights)
    network.eval()
    return Fit(tuple(epochs), best, len(epochs) < settings.epochs)


def _improves(score: float, best: float, least: float) -> bool:
    """Whether `score` is above `best`, by `least` or more: an equal epoch never is an improvement."""
    return score > best and score >= best + least


@dataclass(frozen=True)
class _Learner:
    network: nn.Module
    averaged: Averaged
    criterion: nn.CrossEntropyLoss
    optimiser: torch.optim.Optimizer
    teacher: nn.Module | None

    def loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy, and with a teacher as much of what it says of the same windows."""
        logits = self.network(inputs)
        of_labels: Tensor = self.criterion(logits, targets)
        if self.teacher is None:
            return of_labels
        with torch.no_grad():
            of_teacher = functional.softmax(self.teacher.eval()(inputs) / _TEMPERATURE, dim=1)
        softened = functional.log_softmax(logits / _TEMPERATURE, dim=1)
        of_both = functional.kl_div(softened, of_teacher, reduction="batchmean") * _TEMPERATURE**2
        return (1 - _TEACHING) * of_labels + _TEACHING * of_both


def _unchanged(windows: WindowSet, draw: EpochDraw, batches: int) -> Iterator[NDArray[np.float32]]:
    """Batches as the network will meet them: nothing changed in them."""
    for _ in range(batches):
        yield windows.batch(draw.sample(_PREDICT_BATCH))


def _one_pass(learner: _Learner, draw: EpochDraw, batch_size: int) -> float:
    """Learn from one epoch's windows; returns the mean loss."""
    learner.network.train()
    indices = draw.next()
    total, seen = 0.0, 0
    for start in range(0, len(indices), batch_size):
        chosen = indices[start : start + batch_size]
        if len(chosen) < 2:
            continue  # BatchNorm can't learn from one window
        inputs = torch.from_numpy(draw.batch(chosen))
        targets = torch.from_numpy(draw.labels(chosen))
        learner.optimiser.zero_grad(set_to_none=True)
        loss = learner.loss(inputs, targets)
        loss.backward()  # type: ignore[no-untyped-call]
        learner.optimiser.step()
        learner.averaged.step()
        total += float(loss.detach()) * len(chosen)
        seen += len(chosen)
    return total / max(1, seen)


def _validated(
    network: nn.Module,
    validation: tuple[WindowSet, NDArray[np.int64]],
    weights: Tensor,
    number: int,
    training_loss: float,
    began: float,
) -> Epoch:
    windows, looked_at = validation
    labels = windows.labels[looked_at]
    logits = predict(network, windows, looked_at)
    targets = torch.from_numpy(labels.astype(np.int64))
    loss = functional.cross_entropy(torch.from_numpy(logits), targets, weight=weights)
    scores = WindowScores(labels, probability_of(logits), 0.5)
    return Epoch(
        number,
        training_loss,
        float(loss),
        scores.confusion().macro_f1 or 0.0,
        scores.auroc() or 0.0,
        time.perf_counter() - began,
    )


@dataclass(frozen=True)
class TrainingPlan:
    """What a network is trained on, and how: the same for the original and for what is cut from it.

    `watch`: as in `TrainingHooks`; whoever cuts a network calls it with 0 and what is left, too.
    """

    training: WindowSet
    validation: WindowSet
    settings: TrainingSettings
    seed: int
    progress: Progress | None = None
    watch: Between | None = None

    def run(
        self, network: nn.Module, teacher: nn.Module | None = None, masked: Masked | None = None
    ) -> Fit:
        """Train `network` in place; returns how it went."""
        hooks = TrainingHooks(self.progress, teacher, watch=self.watch, masked=masked)
        return train(network, self.training, self.validation, self.settings, self.seed, hooks)

    def follow(self, network: nn.Module, trainings: Iterable[TrainingSettings]) -> tuple[Fit, ...]:
        """Train `network` in place by one after the other of `trainings`; returns how each went."""
        return tuple(replace(self, settings=settings).run(network) for settings in trainings)


def batches_of(
    windows: WindowSet, indices: NDArray[np.int64] | None = None
) -> Iterator[NDArray[np.float32]]:
    """The windows at `indices` (None: all) as networks are given them outside of training."""
    chosen = np.arange(len(windows)) if indices is None else indices
    for start in range(0, len(chosen), _PREDICT_BATCH):
        yield windows.batch(chosen[start : start + _PREDICT_BATCH])


def predict(
    network: nn.Module, windows: WindowSet, indices: NDArray[np.int64] | None = None
) -> NDArray[np.float32]:
    """Logits for the windows at `indices` (None: all), n × 2, in evaluation mode."""
    return logits_of(network, batches_of(windows, indices))


def logits_of(network: nn.Module, batches: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Logits for all windows of `batches` (see `batches_of`), n × 2, in evaluation mode."""
    network.eval()
    with torch.inference_mode():
        parts = [network(torch.from_numpy(batch)).numpy() for batch in batches]
    return np.concatenate(parts) if parts else np.empty((0, 2), dtype=np.float32)
