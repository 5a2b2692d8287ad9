"""What sketching for a monitor adds to detection, in one run.

    python -m benchmarks.speed.monitoring [--data FOLDER] [--hours 1] [--rounds 7] [--write]

`--data`: real clips to join; else noise. Untrained networks: time doesn't depend on weights. One thread,
processor time, in turns. `--write` puts the table into benchmarks/speed/monitoring.md.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.speed.hour import CHANNELS, RATE, join_clips, write_noise
from benchmarks.speed.measuring import (
    HERE,
    commit,
    in_turns,
    machine,
    one_thread,
    ratio,
    spread,
    table,
    versions,
)

NETWORKS = {"32-64-128 kernels": (32, 64, 128), "16-32-64 kernels": (16, 32, 64)}
GOAL = 1.25
"""Times the time of detection alone, at most."""


def write_detector_of(path: Path, widths: tuple[int, ...]) -> None:
    """A detector of random weights."""
    from secateur.detectors import DetectorInfo, PostProcessing, write_detector
    from secateur.networks import NetworkSettings, build_network, to_onnx
    from secateur.windows import ChainSettings, Scale, WindowSettings

    network = build_network(NetworkSettings(widths=widths), 18, 1024, 1).eval()
    info = DetectorInfo(
        secateur="0",
        chain=ChainSettings(),
        scale=Scale(mean=(0.0,) * 18, spread=(20.0,) * 18),
        windows=WindowSettings(),
        post_processing=PostProcessing(threshold=0.99),
    )
    write_detector(path, to_onnx(network), info)


def contestants(detector: Path, edf: Path) -> dict[str, Callable[[], float]]:
    """Detection in the recording without sketches and with them: processor seconds."""
    from secateur.detectors import load_detector
    from secateur.monitoring.recording import detect_and_sketch
    from secateur.recordings import open_recording

    opened = load_detector(detector)

    def once(sketch: bool) -> float:
        began = time.process_time()
        detect_and_sketch(opened, open_recording(edf), sketch=sketch)
        return time.process_time() - began

    return {"detect": lambda: once(False), "detect and sketch": lambda: once(True)}


def main() -> None:
    """Measure, print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--write", action="store_true")
    words = parser.parse_args()
    one_thread()
    from secateur.processes import keep_memory

    keep_memory()
    rows = []
    with TemporaryDirectory() as temporary:
        edf = Path(temporary) / "long.edf"
        seconds = round(3600 * words.hours)
        origin = join_clips(words.data, edf, seconds) if words.data else write_noise(edf, seconds)
        for name, widths in NETWORKS.items():
            detector = Path(temporary) / "d.onnx"
            write_detector_of(detector, widths)
            ways = contestants(detector, edf)
            for way in ways.values():
                way()
            seconds_of = in_turns(ways, words.rounds)
            plain, sketched = seconds_of["detect"], seconds_of["detect and sketch"]
            rows.append([name, spread(plain, 3), spread(sketched, 3), ratio(sketched, plain)])
    command = (
        f"python -m benchmarks.speed.monitoring --hours {words.hours:g} --rounds {words.rounds}"
    )
    text = "\n".join(
        (
            "# What sketching for a monitor adds to detection",
            "",
            f"Command: `{command}{' --data FOLDER' if words.data else ''}`; commit {commit()}; "
            f"{machine()}; {versions('numpy', 'onnxruntime')}.",
            "",
            f"{CHANNELS} channels, {RATE} Hz, {words.hours:g} h, {origin}; windows of 4 s every second, "
            f"`valid` networks. Processor seconds from the EDF file to events; aimed for are at most {GOAL} "
            "times those of detection alone.",
            "",
            *table(["network", "detect, s", "detect and sketch, s", "times"], rows),
            "",
        )
    )
    print(text)
    if words.write:
        (HERE / "monitoring.md").write_text(text)


if __name__ == "__main__":
    main()
