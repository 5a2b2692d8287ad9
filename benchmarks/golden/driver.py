"""What one version of Secateur gives for fixed inputs: chains, probabilities, events, C; by name.

Run as a script by `python -m benchmarks.golden` against an older version, too: so it knows Secateur alone,
and `judged` alone knows what names older versions had.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import secateur
from secateur.detectors import load_detector
from secateur.detectors.exporting import export
from secateur.errors import SecateurError
from secateur.recordings import open_recording
from secateur.recordings.simulated import simulate_cohort

Value = NDArray[Any] | str
Rows = Iterator[tuple[str, Value]]

TOP = Path(__file__).resolve().parents[2]
DETECTORS = TOP / "tests" / "golden" / "files"
SCHEMAS = TOP / "tests" / "detectors" / "files"
SHARED = TOP.parent / "shared" / "data"
CHUNKS = (1, 7, 333, 1021, 64)
"""Samples a chunk that is pushed into a stream, over and over."""
CLIPS, SEGMENTS = 40, 4
PARTS = ("recordings", "jobs")
"""Of what can be compared: recordings through detectors, and runs, a ladder and a study."""


def main() -> None:
    """Write all rows to a folder: arrays as `.npy`, texts in `rows.json`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cohort", type=Path, required=True, help="simulated here if not there")
    parser.add_argument("--only", choices=PARTS)
    words = parser.parse_args()
    texts: dict[str, str] = {"secateur": str(Path(secateur.__file__).parent)}
    arrays: dict[str, str] = {}
    words.out.mkdir(parents=True)
    parts = [words.only] if words.only else PARTS
    rows = {"recordings": everything, "jobs": jobs}
    for name, value in (row for part in parts for row in rows[part](words.cohort)):
        if isinstance(value, str):
            texts[name] = value
        else:
            arrays[name] = f"{len(arrays)}.npy"
            np.save(words.out / arrays[name], value)
    (words.out / "rows.json").write_text(json.dumps({"texts": texts, "arrays": arrays}))


def everything(cohort: Path) -> Rows:
    """Rows of recordings and files, named `set/recording/detector/what`."""
    yield from simulated(cohort)
    for name, paths in real_recordings().items():
        for path in paths:
            yield from recording_rows(f"{name}/{path.stem}", path)
    yield from exported()
    for path in sorted(SCHEMAS.glob("*.onnx")):
        yield from schema_rows(path)
    yield from network_rows()


def jobs(cohort: Path) -> Rows:
    """Rows of whole jobs on a simulated cohort of their own."""
    from benchmarks.golden.runs import job_rows

    larger = cohort.with_name(f"{cohort.name}-of-jobs")
    if not larger.exists():
        simulate_cohort(larger, 8, 0.04, 5)
    return job_rows(larger)


def simulated(cohort: Path) -> Rows:
    """The simulated cohort's bytes as this version writes them; the rows of what lies in `cohort`."""
    with tempfile.TemporaryDirectory() as folder:
        written = simulate_cohort(Path(folder) / "cohort", 3, 0.04, 5)
        if not cohort.exists():
            shutil.copytree(written, cohort)
        for path in sorted(written.rglob("*_eeg.edf")):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            yield f"simulated/{path.stem}/-/file", digest
    for path in sorted(cohort.rglob("*_eeg.edf")):
        yield from recording_rows(f"simulated/{path.stem}", path)


def real_recordings() -> dict[str, list[Path]]:
    """By set: real recordings that lie beside the checkout; a set that does not is left out."""
    clips = sorted((SHARED / "chbmit-clips").rglob("*.edf"))
    sets = {
        "clips": clips[:: max(1, len(clips) // CLIPS)][:CLIPS],
        "layouts": sorted((SHARED / "layouts").rglob("*.edf")),
        "bonn": [
            path
            for folder in sorted((SHARED / "bonn").glob("set?"))
            for path in sorted(folder.iterdir())[:SEGMENTS]
        ],
    }
    return {name: paths for name, paths in sets.items() if paths}


def recording_rows(name: str, path: Path) -> Rows:
    """What each detector gives for one recording, in bulk and as a stream; or how it is refused.

    Bonn's segments have one channel: only detectors under montage each can judge them.
    """
    for file in sorted(DETECTORS.glob("*.onnx")):
        if (path.suffix.lower() == ".txt") != file.stem.endswith("-each"):
            continue
        begin = f"{name}/{file.stem}"
        detector = load_detector(file)
        try:
            recording = open_recording(path)
            probability, events = judged(detector, recording)
            yield f"{begin}/chain", detector.chain.run(recording)
            yield f"{begin}/probabilities", probability
            yield f"{begin}/events", events.tsv()
            pushed, closed = streamed(detector, recording)
            yield f"{begin}/stream probabilities", pushed
            yield f"{begin}/stream events", closed
        except SecateurError as error:
            reason = str(error).replace(str(path), path.name)
            yield f"{begin}/refused", f"{type(error).__name__}: {reason}"


def judged(detector: Any, recording: Any) -> tuple[NDArray[np.float64], Any]:
    """A recording's seconds and probabilities (2 × hops) and its events."""
    if hasattr(detector, "verdicts"):  # its name until ed6b96e
        result = detector.verdicts(recording)
    else:
        result = detector.window_probabilities(recording)
    return np.stack((result.begin, result.probability)), detector.events(result)


def streamed(detector: Any, recording: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Seconds and probabilities (2 × hops) and onsets and lengths of closed events, chunk by chunk."""
    stream = detector.stream(recording.channels, recording.sampling_rate)
    samples = recording.read()
    steps: list[Any] = []
    at = 0
    while at < samples.shape[1]:
        size = CHUNKS[len(steps) % len(CHUNKS)]
        steps.append(stream.push(samples[:, at : at + size]))
        at += size
    steps.append(stream.close())
    closed = [(event.onset, event.duration) for step in steps for event in step.closed]
    joined = (
        np.concatenate([step.seconds for step in steps]),
        np.concatenate([step.probabilities for step in steps]),
    )
    return np.stack(joined), np.array(closed, dtype=np.float64).reshape(-1, 2)


def exported() -> Rows:
    """C files of the detectors without padding: their text, and what they print once compiled."""
    for stem, weights in (("unpadded", "float"), ("unpadded", "int8"), ("int8", None)):
        name = f"C/-/{stem}{'' if weights is None else f' as {weights}'}"
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "golden.c"
            export(DETECTORS / f"{stem}.onnx", "c", out, weights)
            yield f"{name}/text", out.read_text()
            if shutil.which("gcc"):
                yield f"{name}/output", run_c(out, load_detector(DETECTORS / f"{stem}.onnx"))


def run_c(source: Path, detector: Any) -> NDArray[np.float64]:
    """What a C file says of whole-numbered EEG: rows of probability and alarm."""
    program = source.with_suffix("")
    main_of = f"-D{source.stem.upper()}_MAIN"
    words = ["gcc", "-std=c99", "-O2", main_of, str(source), "-o", str(program), "-lm"]
    subprocess.run(words, check=True, capture_output=True)
    channels = len(detector.info.scale.mean)
    rate = round(detector.info.chain.sampling_rate)
    samples = whole_numbered(channels, rate, 60, seed=9) * np.float32(0.1)
    content = np.ascontiguousarray(samples.T, dtype=np.float32).tobytes()
    done = subprocess.run([str(program)], input=content, capture_output=True, check=True)
    return np.array([line.split() for line in done.stdout.decode().splitlines()], dtype=np.float64)


def whole_numbered(channels: int, rate: int, seconds: int, seed: int) -> NDArray[np.int16]:
    """Noise and a rhythm of 5 Hz in the middle third, as whole numbers: the same on any processor.

    Channels × samples, in tenths of a µV.
    """
    generator = np.random.default_rng(seed)
    shape = (channels, rate * seconds)
    data = generator.integers(-9, 10, shape).cumsum(axis=1) + generator.integers(-150, 151, shape)
    period = rate // 5
    third = shape[1] // 3
    triangle = np.abs(np.arange(third) % period - period // 2) * 4 - period
    data[:, third : 2 * third] += triangle * (1400 // period)
    return data.clip(-32768, 32767).astype(np.int16)


def schema_rows(path: Path) -> Rows:
    """What a detector's file of an earlier schema is read as, and gives for random windows."""
    detector = load_detector(path)
    windows = np.random.default_rng(0).integers(-3, 4, (8, 18, 1024)).astype(np.float32)
    name = f"schema/-/{path.stem}"
    yield f"{name}/info", json.dumps(detector.info.model_dump(mode="json"), sort_keys=True)
    yield f"{name}/probabilities", detector.probability(windows)


def network_rows() -> Rows:
    """What each detector's network gives for whole-numbered windows.

    The same on any processor in 8 bits too, where a last bit of the chain's filters may move a feature to
    the next step.
    """
    for file in sorted(DETECTORS.glob("*.onnx")):
        detector = load_detector(file)
        info = detector.info
        length = round(info.windows.length * info.chain.sampling_rate)
        shape = (32, len(info.scale.mean), length)
        eighths = np.random.default_rng(0).integers(-24, 25, shape).astype(np.float32)
        windows = eighths * np.float32(0.125)
        yield f"network/-/{file.stem}/probabilities", detector.probability(windows)


if __name__ == "__main__":
    main()
