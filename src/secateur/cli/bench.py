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

    found = measure(load_detector(detector), BenchSettings(channels, seconds))
    if as_json:
        print(json.dumps({"detector": detector.name, **found.as_dict()}, allow_nan=False))
        return
    _show(detector.name, found)


def _show(name: str, found: Bench) -> None:
    from secateur.cli.tables import number, print_table

    macs = found.macs_a_hop * found.signals
    rows = [
        ["ms a window, by itself: median", number(found.window["median"])],
        ["ms a window, by itself: 99th percentile", number(found.window["p99"])],
        [f"ms a hop of {found.hop:g} s in a stream: median", number(found.push["median"])],
        [f"ms a hop of {found.hop:g} s in a stream: 99th percentile", number(found.push["p99"])],
        ["patients that a core can follow", number(found.patients, 0)],
        ["hours of EEG a second, in bulk", number(found.hours_a_second, 2)],
        ["of that time in the network", f"{found.network_seconds / found.bulk_seconds:.0%}"],
        ["million multiply-accumulates a window", number(found.macs / 1e6, 2)],
        ["million multiply-accumulates a hop in bulk", number(macs / 1e6, 2)],
        ["this machine's matrix product, GFLOP/s", number(found.limits.multiply / 1e9, 1)],
        ["this machine's copy, GB/s", number(found.limits.copy / 1e9, 1)],
        ["share of the matrix product's rate", f"{found.share_of_limit:.0%}"],
        ["resident memory, MiB", number(found.resident_bytes / 2**20, 0)],
        ["file, kB", number(found.file_bytes / 1000, 1)],
        ["recordings", found.way],
    ]
    title = f"{name}: one thread, {found.channels} channels of simulated EEG"
    print_table(title, ["what", "here"], rows)
