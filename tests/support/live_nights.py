"""Nights at a bed that went wrong in many ways, the same each time, and a process that can be killed in them.

`python -m tests.support.live_nights FOLDER` watches the night that `prepare` put there.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secateur.detectors import Detector, load_detector
from secateur.events import Event
from secateur.live.alarm import Alarm
from secateur.live.log import AlarmLog
from secateur.live.recorder import SignalRecorder, recording_name
from secateur.live.sinks import queue
from secateur.live.sinks.sink import DeliveryError
from secateur.live.stream import Piece, Source, StreamInfo, Trouble
from secateur.live.ward import Outbox, Pace, Ward
from secateur.recordings import ArrayRecording, open_recording

RATE, CHANNELS = 64.0, ("Fp1", "Cz", "O2")
START = 1_795_000_000.0

Plan = list[tuple[int, int]]
"""First sample and the one after the last of each piece, as they come; (-1, 0): the source restarts."""


def write_detector(path: Path, data: NDArray[np.float32] | None = None, **chain: Any) -> Path:
    """A detector of random weights that calls a third of `data`, channels × samples: of what `signal` gives.

    `chain`: its settings, where they are others than those for that.
    """
    from secateur.detectors import DetectorInfo, PostProcessing, pack
    from secateur.networks import NetworkSettings, build_network, to_onnx
    from secateur.windows import ChainSettings, Scale, WindowSettings

    data = signal(600) if data is None else data
    chain = chain or {
        "montage": "as-recorded", "channels": CHANNELS, "sampling_rate": RATE, "high": 25
    }  # fmt: skip
    settings, count = ChainSettings(**chain), len(data)
    samples = round(4 * settings.sampling_rate)
    network = build_network(
        NetworkSettings(widths=(4, 4, 4), pooling=(4, 2, 2)), count, samples, 5
    ).eval()
    tables: dict[str, Any] = {
        "secateur": "0",
        "chain": settings,
        "scale": Scale(mean=(0.0,) * count, spread=(20.0,) * count),
        "windows": WindowSettings(),
        "post_processing": PostProcessing(),
    }
    model = to_onnx(network)
    undecided = Detector(pack(model, DetectorInfo.model_validate(tables)))
    recording = ArrayRecording(data, settings.sampling_rate, undecided.chain.channel_names)
    level = float(np.quantile(undecided.window_probabilities(recording).probability, 2 / 3))
    tables["post_processing"] = PostProcessing(
        threshold=level, release=0.995 * level, merge_gap=2, shortest=2
    )
    path.write_bytes(pack(model, DetectorInfo.model_validate(tables)))
    return path


def signal(seconds: float, seed: int = 0) -> NDArray[np.float32]:
    """Noise whose loudness comes and goes: channels × samples, µV."""
    generator = np.random.default_rng(seed)
    count = round(seconds * RATE)
    knots = np.arange(0, count + 640, 640)
    loud = np.interp(np.arange(count), knots, generator.uniform(0.2, 2, len(knots)))
    return (20 * loud * generator.normal(0, 1, (3, count))).astype(np.float32)


def plan_of(samples: int, seed: int, gaps: int, longest: int = 128) -> Plan:
    """Pieces of up to `longest` samples: `gaps` of them lost, some with a restart, some twice or swapped."""
    generator = np.random.default_rng(seed)
    edges = [0]
    while edges[-1] < samples:
        edges.append(min(samples, edges[-1] + int(generator.integers(1, longest))))
    pieces = list(pairwise(edges))
    lost = set(generator.choice(len(pieces) - 2, gaps, replace=False) + 1)
    plan: Plan = []
    for k, piece in enumerate(pieces):
        if k in lost:
            if generator.random() < 0.5:
                plan.append((-1, 0))
            continue
        plan.append(piece)
        chance = generator.random()
        if chance < 0.03:
            plan.append(piece)
        elif chance < 0.05 and len(plan) > 1:
            plan[-2:] = plan[:-3:-1]
    return plan


def arrived(plan: Plan, samples: int) -> tuple[tuple[int, int], ...]:
    """The stretches without a gap that can be taken of a plan: what comes too late is lost."""
    stretches: list[tuple[int, int]] = []
    seen = 0
    for begin, end in plan:
        if end <= seen:
            continue
        begin = max(begin, seen)
        if stretches and stretches[-1][1] == begin:
            stretches[-1] = stretches[-1][0], end
        else:
            stretches.append((begin, end))
        seen = end
    return tuple(stretches)


class Holed(ArrayRecording):
    """The recording that a batch has of what arrived."""

    def __init__(self, data: NDArray[np.float32], stretches: tuple[tuple[int, int], ...]) -> None:
        super().__init__(data[:, : stretches[-1][1]], RATE, CHANNELS)
        self.stretches = stretches


class Night:
    """A source that gives a plan's pieces, some at a time."""

    address = "night"

    def __init__(self, data: NDArray[np.float32], plan: Plan, pause: float = 0.0) -> None:
        self.info = StreamInfo("bed 1", CHANNELS, RATE)
        self.start, self.finished = START, False
        self._data, self._plan, self._pause, self._next = data, plan, pause, 0
        self.closed = False

    def read(self, timeout: float) -> Sequence[Piece | Trouble]:
        """Up to five pieces."""
        time.sleep(self._pause)
        items: list[Piece | Trouble] = []
        for begin, end in self._plan[self._next : self._next + 5]:
            if begin < 0:
                items.append(Trouble("restart", "gone and there again", time.time(), None))
            else:
                items.append(Piece(self._data[:, begin:end], begin, time.time()))
        self._next += 5
        self.finished = self._next >= len(self._plan)
        return items

    def seek(self, at: int, start: float) -> None:
        """Go on with the first piece that holds something new."""
        ends = [end for _, end in self._plan]
        self._next = next((k for k, end in enumerate(ends) if end > at), len(ends))
        self.finished = self._next >= len(ends)
        self.start = start

    def close(self) -> None:
        """Nothing is held."""
        self.closed = True


class Letters:
    """An outbox that keeps what it is handed in a file."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a")

    def put_all(self, alarms: Sequence[tuple[dict[str, Any], str]]) -> None:
        """A line each."""
        self._file.writelines(json.dumps({**alarm, "key": key}) + "\n" for alarm, key in alarms)
        self._file.flush()

    def close(self, timeout: float) -> None:
        """Let go of the file."""
        self._file.close()


class Unreliable:
    """A sink that fails half of the time, and keeps in a file what it has taken."""

    address = "unreliable:"

    def __init__(self, path: Path) -> None:
        self._file = path.open("a")
        self._chance = np.random.default_rng()

    def begin(self) -> None:
        """See `Sink.begin`."""

    def send(self, body: str, key: str) -> None:
        """See `Sink.send`."""
        if self._chance.random() < 0.5:
            raise DeliveryError("not today")
        self._file.write(f"{body}\n")
        self._file.flush()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def ward_of(
    out: Path,
    sources: Sequence[Source],
    detector: Detector,
    outbox: Outbox | None = None,
    pace: Pace | None = None,
) -> Ward:
    """A ward whose beds are called bed-1, bed-1-2 and so on."""
    out.mkdir(parents=True, exist_ok=True)
    ward = Ward(AlarmLog(out / "alarms.jsonl"), outbox, pace)
    ward.admit(out, sources, detector)
    return ward


def alarms_in(path: Path) -> list[Alarm]:
    """A file of alarms."""
    return [Alarm.model_validate_json(line) for line in path.read_text().splitlines()]


def expected(detector: Detector, data: NDArray[np.float32], plan: Plan) -> list[Event]:
    """What a stream says of the same samples in the largest pieces."""
    stream = detector.stream(CHANNELS, RATE)
    events: list[Event] = []
    for begin, end in arrived(plan, data.shape[1]):
        events += stream.push(data[:, begin:end], at=begin).closed
    return [*events, *stream.close().closed]


def prepare(folder: Path, seconds: float, gaps: int) -> tuple[NDArray[np.float32], Plan]:
    """Put a night there for the process."""
    data = signal(seconds, seed=7)
    plan = plan_of(data.shape[1], 11, gaps, max(128, data.shape[1] // 5000))
    np.save(folder / "signal.npy", data)
    (folder / "plan.json").write_text(json.dumps(plan))
    return data, plan


def require_recorded(
    path: Path, data: NDArray[np.float32], stretches: Sequence[tuple[int, int]]
) -> None:
    """The recording at `path` is `data` where it came, but for what fills no second before a gap."""
    count = round(RATE)
    assert stretches[0][0] == 0
    assert stretches[0][1] >= count
    recording = open_recording(path)
    recorded = [(begin, begin + (end - begin) // count * count) for begin, end in stretches]
    assert list(recording.stretches) == [(begin, end) for begin, end in recorded if end > begin]
    assert recording.start == datetime.fromtimestamp(START)
    assert recording.channels == CHANNELS
    for begin, end in recording.stretches:
        values = recording.read(begin / RATE, end / RATE)
        assert np.abs(values - data[:, begin:end]).max() <= 0.0502


def main(folder: Path) -> None:
    """Watch the night that lies in `folder`, from where the last process was killed."""
    plan = [(begin, end) for begin, end in json.loads((folder / "plan.json").read_text())]
    night = Night(np.load(folder / "signal.npy"), plan, pause=0.002)
    queue.PAUSES = (0.001, 0.01)
    sink = Unreliable(folder / "sent.jsonl")
    outbox = queue.AlarmQueue(folder / "queue.sqlite", [sink], print)
    pace = Pace(heartbeat=0.1, save=len(plan) / 5000, drain=60)
    ward = ward_of(folder / "out", [night], load_detector(folder / "D.onnx"), outbox, pace)
    (bed,) = ward.beds
    bed.recorder = SignalRecorder(folder / "out" / recording_name(bed.name), night.info)
    ward.run(lambda: False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
