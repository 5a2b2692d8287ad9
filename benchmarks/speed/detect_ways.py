"""From an EDF file to a TSV of events in one way, in a process of its own.

    python -m benchmarks.speed.detect_ways WAY DETECTOR EDF OUT

Comes in: the words above, and beside the detector's file, for PyTorch, the numbers that its network was
built from. Goes out: a line of JSON: processor seconds of starting and of the work, by part, and the memory
at its largest. Next: `detect` starts one after the other and makes a table.

Each way goes over a minute of the recording before the clock runs, so what libraries do once isn't in the
work but in the start.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.speed.measuring import timed

Floats = NDArray[Any]
Events = list[tuple[float, float]]
MINUTE = 60.0
BATCH = 64
TSV = "onset\tduration\teventType\n"


def by_mne(detector: Path, edf: Path, out: Path, *, picked: bool = False) -> Callable[[bool], None]:
    """What one would write today: MNE reads and filters, PyTorch judges window by window.

    `picked`: channels that the montage doesn't use are left out before the filter.
    """
    import mne
    import torch

    from secateur.detectors import load_detector
    from secateur.networks import NetworkSettings, build_network

    mne.set_log_level("error")
    torch.set_num_threads(1)
    info = load_detector(detector).info
    told = json.loads(detector.with_suffix(".json").read_text())
    network = build_network(NetworkSettings.model_validate(told), 18, 1024, 0).eval()
    names = _names(edf)

    def work(short: bool) -> None:
        raw = mne.io.read_raw_edf(edf, verbose="error")
        used = [raw.ch_names[k] for k in names]
        if picked:
            raw.pick(used)
        if short:
            raw.crop(0, MINUTE, include_tmax=False)
        raw.load_data()
        raw.filter(info.chain.low, info.chain.high, n_jobs=1)
        values = (1e6 * raw.get_data(used)).astype(np.float32)
        scaled = _scaled(values, info)
        with torch.inference_mode():
            logits = np.concatenate(
                [
                    network(torch.from_numpy(np.ascontiguousarray(one))).numpy()
                    for one in batches(scaled)
                ]
            )
        write(out, logits, info.post_processing.threshold)

    return work


def by_onnxruntime(detector: Path, edf: Path, out: Path) -> Callable[[bool], None]:
    """SciPy filters what edfio reads; ONNX Runtime judges window by window."""
    import edfio
    import onnxruntime
    import scipy.signal

    from secateur.detectors import load_detector

    info = load_detector(detector).info
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(detector), options, providers=["CPUExecutionProvider"]
    )
    (name,) = (one.name for one in session.get_inputs())
    chain = info.chain
    sections = scipy.signal.butter(
        chain.order, (chain.low, chain.high), "bandpass", fs=chain.sampling_rate, output="sos"
    )
    settled = scipy.signal.sosfilt_zi(sections)[:, None]
    names = _names(edf)

    def work(short: bool) -> None:
        signals = edfio.read_edf(edf).signals
        end = round(MINUTE * chain.sampling_rate) if short else None
        values = np.stack([signals[k].data[:end] for k in names])
        begin = settled * values[None, :, :1]
        filtered, _ = scipy.signal.sosfilt(sections, values, axis=1, zi=begin)
        scaled = _scaled(filtered.astype(np.float32), info)
        logits = np.concatenate(
            [session.run(None, {name: np.ascontiguousarray(one)})[0] for one in batches(scaled)]
        )
        write(out, logits, info.post_processing.threshold)

    return work


def by_secateur(detector: Path, edf: Path, out: Path) -> Callable[[bool], None]:
    """As `secateur detect` does it."""
    from secateur.detectors import load_detector
    from secateur.processes import keep_memory
    from secateur.recordings import ArrayRecording, duration_of, open_recording

    keep_memory()

    def work(short: bool) -> None:
        opened, recording = load_detector(detector), open_recording(edf)
        if short and duration_of(recording) > MINUTE:
            first = recording.read(0, MINUTE)
            recording = ArrayRecording(first, recording.sampling_rate, recording.channels)
        opened.detect(recording).write_tsv(out)

    return work


STAGES = ("reading", "montage", "filter", "scaling", "compression", "network", "writing")


def stages() -> dict[str, tuple[Any, str]]:
    """Where Secateur does each of `STAGES`."""
    from secateur.detectors.network.run import SharedPass
    from secateur.events import Events
    from secateur.recordings import MontageMap
    from secateur.recordings.edf import EdfRecording
    from secateur.windows import chain
    from secateur.windows.filters import BlockFilter
    from secateur.windows.scaling import Scaler

    owners = (EdfRecording, MontageMap, BlockFilter, Scaler, chain, SharedPass, Events)
    members = ("read", "apply", "push", "push", "compress", "push", "write_tsv")
    return dict(zip(STAGES, zip(owners, members, strict=True), strict=True))


WAYS: dict[str, Callable[..., Callable[[bool], None]]] = {
    "mne": by_mne,
    "mne-picked": partial(by_mne, picked=True),
    "onnxruntime": by_onnxruntime,
    "secateur": by_secateur,
}


def _names(edf: Path) -> tuple[int, ...]:
    """Which of the recorded channels make up the montage; here each of it was recorded as such."""
    from secateur.recordings import map_montage, open_recording

    montage_map = map_montage(open_recording(edf).channels)
    return tuple(montage_map.used[k] for k in montage_map.plus)


def _scaled(values: NDArray[np.float32], info: Any) -> NDArray[np.float32]:
    mean = np.asarray(info.scale.mean, dtype=np.float32)[:, None]
    spread = np.asarray(info.scale.spread, dtype=np.float32)[:, None]
    scaled = (values - mean) / spread
    return np.arcsinh(scaled) if info.chain.compression == "asinh" else scaled


def batches(scaled: NDArray[np.float32], length: int = 1024, hop: int = 256) -> list[Floats]:
    """Windows × channels × samples, at most `BATCH` at once; views."""
    view = np.lib.stride_tricks.sliding_window_view(scaled, length, axis=1)[:, ::hop]
    windows = view.transpose(1, 0, 2)
    return [windows[k : k + BATCH] for k in range(0, len(windows), BATCH)]


def events_of(logits: NDArray[np.float32], threshold: float) -> Events:
    """Onset and duration, in seconds, of each stretch of windows at or above `threshold`.

    Windows of four seconds speak for their last one.
    """
    chance = 1 / (1 + np.exp(logits[:, 0].astype(float) - logits[:, 1]))
    edges = np.flatnonzero(np.diff(np.concatenate(([0], chance >= threshold, [0])))).reshape(-1, 2)
    return [(3.0 + begin, float(end - begin)) for begin, end in edges]


def write(out: Path, logits: NDArray[np.float32], threshold: float) -> None:
    """Events as a table, without what BIDS asks beside."""
    lines = [f"{onset:g}\t{seconds:g}\tsz\n" for onset, seconds in events_of(logits, threshold)]
    out.write_text(TSV + "".join(lines))


def resident() -> int:
    """Bytes of this process at its largest."""
    told = Path("/proc/self/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", told)
    return int(found[1]) * 1024 if found else 0


def main() -> None:
    way, detector, edf, out = sys.argv[1], *map(Path, sys.argv[2:])
    work = WAYS[way](detector, edf, out)
    work(True)
    began = time.process_time()
    with timed(stages() if way == "secateur" else {}) as parts:
        work(False)
    seconds = time.process_time() - began
    told = {"start": began, "seconds": seconds, "resident": resident(), "parts": parts}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
