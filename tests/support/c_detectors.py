"""Detectors in C for tests: made, compiled with every check that gcc has, and run on samples."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from secateur.detectors import DetectorInfo, PostProcessing, pack
from secateur.detectors.exporting.layers import weights_in_8_bits
from secateur.detectors.network.model import parse
from secateur.detectors.network.run import Session, open_session
from secateur.networks import NetworkSettings, build_network, to_onnx
from secateur.windows import ChainSettings, Scale, WindowSettings, window_samples
from tests.support.shaken import shaken

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O1", "-g",
          "-fsanitize=address,undefined", "-fno-sanitize-recover=all")  # fmt: skip


def info_of(chain: ChainSettings, windows: WindowSettings, **rules: Any) -> DetectorInfo:
    """Of a chain of few channels; each has a scale of its own."""
    count = len(chain.channels) or 18
    mean = (
        tuple(0.5 * k for k in range(count)) if chain.scaling == "training-set" else (0.0,) * count
    )
    return DetectorInfo(
        secateur="0",
        chain=chain,
        scale=Scale(mean=mean, spread=tuple(15.0 + k for k in range(count))),
        windows=windows,
        post_processing=PostProcessing(**rules),
    )


def model_of(
    network: NetworkSettings, info: DetectorInfo, windows: NDArray[np.float32], seed: int = 0
) -> bytes:
    """The ONNX model of a random network whose probabilities on `windows` go from low to high."""
    length, _ = window_samples(info.windows, info.chain.sampling_rate)
    built: Any = shaken(build_network(network, len(info.scale.mean), length, seed), seed)
    with torch.no_grad():
        logits = built(torch.from_numpy(np.ascontiguousarray(windows)))
        gap = logits[:, 1] - logits[:, 0]
        factor = min(2 / max(float(gap.std()), 1e-3), 50)  # not so far that rounding shows
        built.linear.weight *= factor
        built.linear.bias *= factor
        built.linear.bias[1] -= factor * gap.mean()
    return to_onnx(built)


def detector_file(path: Path, model: bytes, info: DetectorInfo) -> Path:
    path.write_bytes(pack(model, info))
    return path


def rounded(path: Path) -> Session:
    """The detector's network with its weights in 8 bits, in ONNX Runtime."""
    graph = parse(path.read_bytes())
    return open_session(replace(graph, weights=weights_in_8_bits(graph)).to_bytes())


def compiled(source: Path, *options: str) -> Path:
    """The program that reads samples; skips where there is no gcc."""
    gcc = shutil.which("gcc")
    if gcc is None:
        pytest.skip("there is no gcc here to compile what was written")
    program = source.with_suffix("")
    main = f"-D{source.stem.upper()}_MAIN"
    words = [gcc, *(options or STRICT), main, str(source), "-o", str(program), "-lm"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:2000]
    return program


def run_c(
    program: Path, samples: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Probabilities and alarms for channels × samples in µV."""
    content = np.ascontiguousarray(samples.T, dtype=np.float32).tobytes()
    done = subprocess.run([str(program)], input=content, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()[:2000]
    rows = [line.split() for line in done.stdout.decode().splitlines()]
    return np.array([float(row[0]) for row in rows]), np.array([row[1] == "1" for row in rows])
