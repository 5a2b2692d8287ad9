"""`secateur bench`: how fast a detector is on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from secateur.detectors.benching import Bench


def bench(
    detector: Path = typer.Argument(..., help="A detector's file (.onnx)."),
    channels: int | None = typer.Option(
        None, min=1, help="Channels of the EEG, where the detector's montage leaves that open."
    ),
    seconds: float = typer.Option(600.0, help="How long a recording is gone through in bulk."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON instead of a table."),
) -> None:
    """Time a detector on this machine, on one thread and simulated EEG, beside what the machine can do.

    Times are processor time, which is what it would take with nothing else running.

    Memory is that of the process at its largest, with Python and the simulated EEG in it. The limit is a
    float32 matrix product's rate, also for detectors in 8 bits, which may go beyond it.

    Example: `secateur bench runs/first/pruned.onnx`
    """
    import json

    from secateur.detectors import load_detector
    from secateur.detectors.benching import BenchSettings
    from secateur.detectors.benching import bench as measure

    result = measure(load_detector(detector), BenchSettings(channels, seconds))
    if as_json:
        print(json.dumps({"detector": detector.name, **result.as_dict()}, allow_nan=False))
        return
    _show(detector.name, result)


def _show(name: str, result: Bench) -> None:
    from secateur.cli.tables import number, print_table

    macs = result.macs_a_hop * result.signals
    rows = [
        ["ms a window, by itself: median", number(result.window["median"])],
        ["ms a window, by itself: 99th percentile", number(result.window["p99"])],
        [f"ms a hop of {result.hop:g} s in a stream: median", number(result.push["median"])],
        [f"ms a hop of {result.hop:g} s in a stream: 99th percentile", number(result.push["p99"])],
        ["patients that a core can follow", number(result.patients, 0)],
        ["hours of EEG a second, in bulk", number(result.hours_a_second, 2)],
        ["of that time in the network", f"{result.network_seconds / result.bulk_seconds:.0%}"],
        ["million multiply-accumulates a window", number(result.macs / 1e6, 2)],
        ["million multiply-accumulates a hop in bulk", number(macs / 1e6, 2)],
        ["this machine's matrix product, GFLOP/s", number(result.limits.multiply / 1e9, 1)],
        ["this machine's copy, GB/s", number(result.limits.copy / 1e9, 1)],
        ["share of the matrix product's rate", f"{result.share_of_limit:.0%}"],
        ["resident memory, MiB", number(result.resident_bytes / 2**20, 0)],
        ["file, kB", number(result.file_bytes / 1000, 1)],
        ["recordings", result.way],
    ]
    title = f"{name}: one thread, {result.channels} channels of simulated EEG"
    print_table(title, ["what", "here"], rows)
