"""From EDF on disk to events on disk: what one would write today, and Secateur, beside the machine's limit.

    python -m benchmarks.speed.detect --data FOLDER [--rounds 5] [--hours 24] [--write]

Joins clips of the folder (noise without --data) to an hour and to `--hours` of 23 channels at 256 Hz, in a
temporary folder (--work: in that one). Each way runs in a process of its own with one thread; they take
turns. `--write` puts the tables into benchmarks/speed/detect.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.detect_tables import Found, text_of
from benchmarks.speed.hour import CHANNELS, RATE, join_clips, write_noise
from benchmarks.speed.measuring import HERE, in_turns, one_thread
from secateur.detectors import DetectorInfo, PostProcessing, load_detector, write_detector
from secateur.detectors.eight_bits import quantise
from secateur.files import write_whole
from secateur.networks import NetworkSettings, build_network, to_onnx
from secateur.recordings import open_recording
from secateur.windows import ChainSettings, Scale, SignalChain, WindowSettings
from secateur.windows.scaling import ScaleFit

ROOT = HERE.parents[1]
WIDTHS = {"baseline": (32, 64, 128), "pruned": (16, 32, 64)}
ICTAL = 0.01
"""Share of windows that the detectors call; random weights would call all or none."""

IMPORTS = """
import time
import secateur.cli
import secateur.marking.batch
import secateur.windows
from secateur.recordings import open_recording
print(time.process_time())
"""
WORKERS = """
import sys, time
from pathlib import Path
from secateur.marking import ExecutionOptions, mark_folder
if __name__ == "__main__":
    folder, detector, out, workers = sys.argv[1:]
    began = time.perf_counter()
    options = ExecutionOptions(workers=int(workers))
    summary = mark_folder([Path(folder)], Path(out), Path(detector), options)
    assert not summary.failed
    print(time.perf_counter() - began)
"""


@dataclass(frozen=True)
class Contest:
    """The files, and what was done to make them."""

    folder: Path
    hour: Path
    long: Path
    what: str


def main() -> None:
    one_thread()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="a folder of clips; without it, noise")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--hours", type=int, default=24, help="length of the long recording")
    parser.add_argument("--work", type=Path, help="where the recordings are made; 1.5 GB")
    parser.add_argument("--quick", action="store_true", help="two minutes for an hour, four for 24")
    parser.add_argument("--write", action="store_true", help="put the tables beside this file")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=told.work) as scratch:
        contest = prepared(told, Path(scratch))
        text = text_of(measured(contest, 1 if told.quick else told.rounds, quick=told.quick))
    print(text)
    if told.write:
        write_whole(HERE / "detect.md", text)


def prepared(told: argparse.Namespace, folder: Path) -> Contest:
    """Recordings, and three detectors of random weights."""
    short, long = (120, 240) if told.quick else (3600, told.hours * 3600)
    hour, many = folder / "hour.edf", folder / "long.edf"
    what = join_clips(told.data, hour, short) if told.data else write_noise(hour, short)
    repeat(hour, many, long)
    scale = scale_of(hour)
    for name, widths in WIDTHS.items():
        settings = NetworkSettings(widths=widths)
        (folder / f"{name}.json").write_text(settings.model_dump_json())
        model = to_onnx(build_network(settings, 18, 1024, 0).eval())
        write_fitted(folder / f"{name}.onnx", model, scale, hour)
        if name == "pruned":
            chained = SignalChain(ChainSettings(), scale).run(open_recording(hour))[:, : 256 * 1024]
            count = chained.shape[1] // 1024
            windows = chained[:, : count * 1024].reshape(18, count, 1024).transpose(1, 0, 2)
            batches = [np.ascontiguousarray(windows[k : k + 32]) for k in range(0, count, 32)]
            write_fitted(folder / "int8.onnx", quantise(model, batches), scale, hour)
    return Contest(folder, hour, many, what)


def repeat(source: Path, out: Path, wanted: int) -> None:
    """A recording of `wanted` seconds: the records of another, of a second each, again and again."""
    raw = source.read_bytes()
    length, seconds = int(raw[184:192]), int(raw[236:244])
    each = 2 * CHANNELS * RATE
    with out.open("wb") as file:
        file.write(raw[:236] + f"{wanted:<8d}".encode() + raw[244:length])
        for begin in range(0, wanted, seconds):
            file.write(raw[length : length + min(seconds, wanted - begin) * each])


def scale_of(path: Path) -> Scale:
    """What a training set of this recording alone would give."""
    chained = SignalChain(ChainSettings()).run(open_recording(path))
    fit = ScaleFit(len(chained), robust=False)
    fit.add(chained, 256.0)
    return fit.scale()


def write_fitted(path: Path, model: bytes, scale: Scale, recording: Path) -> None:
    """A detector whose threshold calls `ICTAL` of the recording's windows."""

    def info(threshold: float) -> DetectorInfo:
        return DetectorInfo(
            secateur="0",
            chain=ChainSettings(),
            scale=scale,
            windows=WindowSettings(),
            post_processing=PostProcessing(threshold=threshold, merge_gap=0, shortest=0),
        )

    write_detector(path, model, info(0.5))
    chances = load_detector(path).window_probabilities(open_recording(recording)).probability
    # between two windows, so that rounding does not move one across
    low, high = np.sort(chances)[
        [-round(ICTAL * len(chances)) - 2, -round(ICTAL * len(chances)) - 1]
    ]
    write_detector(path, model, info(float((low + high) / 2)))


def run(*words: object) -> Any:
    """The last line that a Python process prints, read as JSON."""
    done = subprocess.run(
        [sys.executable, *map(str, words)], capture_output=True, text=True, check=False, cwd=ROOT
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, words[:2]))}: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout.splitlines()[-1])


def measured(contest: Contest, rounds: int, *, quick: bool) -> Found:
    """Everything that the tables tell."""
    folder = contest.folder
    ways = {
        "a": ("mne", "baseline"),
        "b": ("onnxruntime", "baseline"),
        "c": ("secateur", "baseline"),
        "d": ("secateur", "pruned"),
        "e": ("secateur", "int8"),
        "a, picked": ("mne-picked", "baseline"),
        "a, pruned": ("mne", "pruned"),
    }
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in ways}

    def contestant(name: str, edf: Path, out: Path) -> dict[str, Any]:
        way, detector = ways[name]
        told: dict[str, Any] = run(
            "-m", "benchmarks.speed.detect_ways", way, folder / f"{detector}.onnx", edf, out
        )
        return told

    def once(name: str) -> float:
        told = contestant(name, contest.hour, folder / f"{name}.tsv")
        found[name].append(told)
        return float(told["seconds"])

    in_turns({name: lambda name=name: once(name) for name in ways}, rounds)  # type: ignore[misc]
    bench = [_bench(folder / f"{name}.onnx", quick) for name in ("baseline", "pruned", "int8")]
    long = {
        name: contestant(name, contest.long, folder / f"{name}-long.tsv")
        for name in ("b", "c", "d", "e")
    }
    return Found(
        short_seconds=open_recording(contest.hour).samples / RATE,
        long_seconds=open_recording(contest.long).samples / RATE,
        what=contest.what,
        short=found,
        long=long,
        bench=dict(zip(("c", "d", "e"), bench, strict=True)),
        imports=[float(run("-c", IMPORTS)) for _ in range(rounds)],
        workers=_workers(contest, rounds, 60 if quick else 3 * 3600),
        same=_events(folder / "b.tsv") == _events(folder / "c.tsv"),
        events=len(_events(folder / "c.tsv")),
        rounds=rounds,
    )


def _bench(detector: Path, quick: bool) -> dict[str, Any]:
    words = ("bench", detector, "--json", "--seconds", 60 if quick else 1800)
    told: dict[str, Any] = run("-m", "secateur", *words)
    return told


def _workers(contest: Contest, rounds: int, seconds: int) -> dict[int, list[float]]:
    """Wall seconds with one process and with two, for eight recordings."""
    data, program = contest.folder / "many", contest.folder / "workers.py"
    data.mkdir()
    program.write_text(WORKERS)
    repeat(contest.hour, data / "0.edf", seconds)
    for number in range(1, 8):
        os.link(data / "0.edf", data / f"{number}.edf")
    took: dict[int, list[float]] = {1: [], 2: []}
    for number in range(rounds):
        for workers in took:
            out = contest.folder / f"found-{number}-{workers}"
            told = run(program, data, contest.folder / "baseline.onnx", out, workers)
            took[workers].append(float(told))
    return took


def _events(tsv: Path) -> set[tuple[float, float]]:
    rows = [line.split("\t") for line in tsv.read_text().splitlines()[1:]]
    return {(float(row[0]), float(row[1])) for row in rows if row[2].startswith("sz")}


if __name__ == "__main__":
    main()
