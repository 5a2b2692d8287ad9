"""How soon `secateur live` tells, and how much of a core many beds take: LSL streams of this machine.

    python -m benchmarks.speed.live [--beds 1 64] [--seconds 240 75] [--together] [--plain] [--realtime]
        [--write]

A process sends streams of 18 channels at 256 Hz in chunks of 1/8 s, another watches all of them on one core.
Each sample bears its number in a channel of its own, and the sender writes down when it sent it: an event
opens or closes with the sample that completes a hop, and counts from when that was sent to when its line
stood in alarms.jsonl, with the channels that speak most. A network of random weights at its median
probability opens events all the time. `--together` adds a row of the largest number of beds whose signals are
the same and come at the same time, so that all alarm at once; `--plain` adds each row without channels.
On a machine that is busy with other things `--realtime` (as root) keeps these from being measured: both
processes come before all others on their core.
`--write` puts the table into benchmarks/speed/live.md.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.speed.measuring import HERE, commit, machine, one_thread, table, versions
from secateur.live.stream import Piece

if TYPE_CHECKING:
    from secateur.live.alarm import Alarm
    from secateur.live.stream import Source, Trouble

RATE, CHUNK, CHANNELS = 256, 32, 18
WARM_UP = 15.0
"""Seconds in which streams are found and filters settle; they don't count."""
PORTS = """\
[multicast]
ResolveScope = machine
MachineAddresses = {127.0.0.1, 224.0.0.183}
ListenAddress = 127.0.0.1
[ports]
IPv6 = disable
PortRange = 256
[log]
level = -3
"""
"""LSL's configuration: by its own, more than 32 streams of a machine are found by multicast alone."""
GOALS = {1: 60, 64: 250}
"""Milliseconds that 99 of 100 lines may take at most, by the number of beds."""
LARGEST_SHARE = 50
"""Percent of a core, at most."""


def noise(bed: int, seconds: float) -> NDArray[np.float32]:
    """Each bed's signal: channels × samples, µV."""
    generator = np.random.default_rng(bed)
    return generator.normal(0, 30, (CHANNELS, round(seconds * RATE))).astype(np.float32)


def write_detector(path: Path) -> None:
    """A detector of random weights that calls half of the windows of noise."""
    from secateur.detectors import Detector, DetectorInfo, PostProcessing, pack
    from secateur.networks import NetworkSettings, build_network, to_onnx
    from secateur.recordings import ArrayRecording
    from secateur.windows import ChainSettings, Scale, WindowSettings

    network = build_network(NetworkSettings(widths=(16, 32, 64)), CHANNELS, 4 * RATE, 1).eval()
    tables: dict[str, Any] = {
        "secateur": "0",
        "chain": ChainSettings(),
        "scale": Scale(mean=(0.0,) * CHANNELS, spread=(20.0,) * CHANNELS),
        "windows": WindowSettings(),
        "post_processing": PostProcessing(),
    }
    model = to_onnx(network)
    detector = Detector(pack(model, DetectorInfo.model_validate(tables)))
    recording = ArrayRecording(noise(0, 300), RATE, detector.chain.channel_names)
    level = float(np.median(detector.window_probabilities(recording).probability))
    tables["post_processing"] = PostProcessing(threshold=level, merge_gap=0, shortest=0)
    path.write_bytes(pack(model, DetectorInfo.model_validate(tables)))


def send(beds: int, folder: Path, together: bool) -> None:
    """Send all streams in real time until there is a file `stop`; write down when each chunk was sent.

    `together`: the same signal at the same time.
    """
    from secateur.live.lsl import load_pylsl
    from secateur.recordings.montage import BIPOLAR_18

    lsl = load_pylsl("this benchmark")
    outlets = []
    for bed in range(beds):
        info = lsl.StreamInfo(f"bench-{bed}", "EEG", CHANNELS + 1, RATE, "float32", f"bench-{bed}")
        channels = info.desc().append_child("channels")
        for label in (*BIPOLAR_18, "NUMBER"):
            channel = channels.append_child("channel")
            channel.append_child_value("label", label)
            channel.append_child_value("unit", "microvolts")
        outlets.append(lsl.StreamOutlet(info, CHUNK))
    signals = [noise(0 if together else bed, 60) for bed in range(beds)]
    (folder / "sending").touch()
    sent: list[list[float]] = [[] for _ in range(beds)]
    begun, clock = time.monotonic(), lsl.local_clock()
    # beds' chunks come one after the other within an eighth of a second, as of devices that know nothing
    # of each other
    number = -1
    while not (folder / "stop").exists():
        number += 1
        for bed, outlet in enumerate(outlets):
            due = begun + (number + 1 + (0.0 if together else bed / beds)) * CHUNK / RATE
            time.sleep(max(0.0, due - time.monotonic()))
            first = number * CHUNK % signals[bed].shape[1]
            rows = np.arange(number * CHUNK, (number + 1) * CHUNK, dtype=np.float32)
            chunk = np.vstack((signals[bed][:, first : first + CHUNK], rows)).T
            stamp = clock + due - begun  # when the device took the last of them
            outlet.push_chunk(np.ascontiguousarray(chunk), stamp)
            sent[bed].append(time.time())
    (folder / "sent.json").write_text(json.dumps(sent))


@dataclass(frozen=True)
class Setup:
    """What a row of the table is of."""

    beds: int
    together: bool = False
    plain: bool = False

    @property
    def words(self) -> str:
        """As the table says it."""
        all_at_once = ", all at once" if self.together else ""
        return f"{self.beds}{all_at_once}{', no channels' if self.plain else ''}"


class Numbered:
    """A source whose last channel bears the sender's numbers. `first`: that of sample 0."""

    def __init__(self, source: Source) -> None:
        self.source, self.first = source, -1

    def __getattr__(self, name: str) -> Any:
        return getattr(self.source, name)

    def read(self, timeout: float) -> Sequence[Piece | Trouble]:
        """See `Source.read`."""
        items = self.source.read(timeout)
        for item in items:
            if self.first < 0 and isinstance(item, Piece):
                self.first = int(item.values[-1, 0]) - item.at
        return items


def watch(beds: int, seconds: float, folder: Path, plain: bool) -> None:
    """Watch all streams for some time, and write down when lines were written and what it took.

    `plain`: without the channels that speak most.
    """
    from secateur.detectors import load_detector
    from secateur.live.log import AlarmLog
    from secateur.live.sources import open_sources
    from secateur.live.telling import explain_beds
    from secateur.live.ward import Ward

    lines: list[tuple[str, float, float]] = []
    troubles: list[str] = []

    def listen(alarm: Alarm) -> None:
        now = time.time()
        if alarm.onset is not None and alarm.duration is not None:
            # an event has ended when the next hop speaks against it
            after = 1.0 if alarm.kind == "closed" else 0.0
            lines.append((alarm.bed, alarm.onset + alarm.duration + after, now))
        elif alarm.kind == "technical":
            troubles.append(f"{alarm.bed}: {alarm.words}")

    detector = load_detector(folder / "D.onnx")
    sources = list(map(Numbered, open_sources([f"lsl:bench-{bed}" for bed in range(beds)])))
    ward = Ward(AlarmLog(folder / "alarms.jsonl"), listen=listen)
    ward.admit(folder / "out", sources, detector)
    if not plain and (reason := explain_beds(ward.beds, detector)):
        raise RuntimeError(reason)
    begun, usage = time.monotonic(), [0.0, 0.0]

    def stop() -> bool:
        now = time.monotonic() - begun
        if now >= WARM_UP and not usage[0]:
            usage[:] = processor_seconds(), now
        return now >= seconds

    ward.run(stop)
    took = processor_seconds() - usage[0]
    share = took / (time.monotonic() - begun - usage[1])
    firsts = {bed.name: source.first for bed, source in zip(ward.beds, sources, strict=True)}
    rows = [
        (name, firsts[name] + round(end * RATE) - 1, at)
        for name, end, at in lines
        if end >= WARM_UP
    ]
    (folder / "seen.json").write_text(
        json.dumps({"lines": rows, "share": share, "troubles": troubles})
    )


def processor_seconds() -> float:
    """Of this process, all its threads."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def measure(setup: Setup, seconds: float, realtime: bool, folder: Path) -> dict[str, Any]:
    """Run both processes; milliseconds of each line, and percent of a core."""

    def on(chosen: list[int]) -> Callable[[], None]:
        def settle() -> None:
            os.sched_setaffinity(0, chosen)
            if realtime:
                os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))

        return settle

    folder.mkdir()
    write_detector(folder / "D.onnx")
    (folder / "lsl.cfg").write_text(PORTS)
    environment = {**os.environ, "LSLAPICFG": str(folder / "lsl.cfg")}
    cores = sorted(os.sched_getaffinity(0))
    words = [sys.executable, "-m", "benchmarks.speed.live", "--beds", str(setup.beds)]
    words += ["--together"] * setup.together + ["--plain"] * setup.plain
    sender = subprocess.Popen(
        [*words, "--send", str(folder)],
        env=environment,
        preexec_fn=on(cores[1:] or cores),
    )
    try:
        while not (folder / "sending").exists():
            time.sleep(0.1)
        subprocess.run(
            [*words, "--seconds", str(seconds), "--watch", str(folder)],
            check=True,
            env=environment,
            preexec_fn=on(cores[:1]),
        )
        (folder / "stop").touch()
        sender.wait()
    finally:
        sender.kill()
    sent = json.loads((folder / "sent.json").read_text())
    seen = json.loads((folder / "seen.json").read_text())
    waits = [
        1e3 * (at - sent[int(name.rpartition("-")[2])][sample // CHUNK])
        for name, sample, at in seen["lines"]
    ]
    return {"waits": waits, "share": 100 * seen["share"], "troubles": seen["troubles"]}


def main() -> None:
    """Measure, print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--beds", type=int, nargs="+", default=[1, 64])
    parser.add_argument("--seconds", type=float, nargs="+", default=[240.0, 75.0])
    parser.add_argument("--together", action="store_true", help="also all beds alarming at once")
    parser.add_argument("--plain", action="store_true", help="also without channels")
    parser.add_argument("--realtime", action="store_true", help="before all others; as root")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--send", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--watch", type=Path, help=argparse.SUPPRESS)
    words = parser.parse_args()
    one_thread()
    if words.send:
        send(words.beds[0], words.send, words.together)
    elif words.watch:
        watch(words.beds[0], words.seconds[0], words.watch, words.plain)
    else:
        rows = []
        setups = [(Setup(n), length) for n, length in zip(words.beds, words.seconds, strict=True)]
        if words.together:
            setups.append((Setup(max(words.beds), together=True), words.seconds[-1]))
        if words.plain:
            setups = [
                (replace(each, plain=p), length) for each, length in setups for p in (False, True)
            ]
        with TemporaryDirectory() as temporary:
            for number, (setup, seconds) in enumerate(setups):
                folder = Path(temporary) / str(number)
                rows.append(row(setup, measure(setup, seconds, words.realtime, folder)))
        listed = " ".join(map(str, words.beds))
        flags = f"--beds {listed} --seconds {' '.join(f'{each:g}' for each in words.seconds)}"
        flags += " --together" * words.together + " --plain" * words.plain
        flags += " --realtime" * words.realtime
        text = page(flags, rows)
        print(text)
        if words.write:
            (HERE / "live.md").write_text(text)


def row(setup: Setup, result: dict[str, Any]) -> list[str]:
    """A row of the table; technical alarms are printed."""
    print(*result["troubles"], sep="\n")
    waits = np.quantile(result["waits"], [0.5, 0.95, 0.99, 1.0])
    return [
        setup.words,
        str(len(result["waits"])),
        *(f"{wait:.0f}" for wait in waits),
        str(GOALS.get(setup.beds, "")),
        f"{result['share']:.1f}",
        str(len(result["troubles"])),
    ]


def page(flags: str, rows: list[list[str]]) -> str:
    """The table with what it was measured on."""
    header = ["beds", "lines", "median, ms", "95 %", "99 %", "longest", "99 % at most"]
    header += ["% of a core", "technical alarms"]
    return "\n".join(
        (
            "# How soon live detection tells, and what many beds take",
            "",
            f"Command: `python -m benchmarks.speed.live {flags}`; commit {commit()}; {machine()}; "
            f"{versions('numpy', 'onnxruntime', 'pylsl')}; the machine's load {os.getloadavg()[0]:.1f}.",
            "",
            f"LSL streams of {CHANNELS} channels at {RATE} Hz in chunks of {1000 * CHUNK / RATE:.0f} ms, "
            "sent by another process; one process watches all of them on one core, 16-32-64 kernels, windows "
            "of 4 s every second. Milliseconds from when the sample was sent that completes a hop to when "
            "the line stands in alarms.jsonl, with the channels that speak most; processor time of all "
            f"threads, LSL's too, of which aimed for is at most {LARGEST_SHARE} % of a core.",
            "",
            *table(header, rows),
            "",
        )
    )


if __name__ == "__main__":
    main()
