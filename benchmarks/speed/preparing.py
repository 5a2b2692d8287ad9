"""From an hour of EEG in an EDF file to filtered channels of the montage: Secateur, MNE, pyedflib.

    python -m benchmarks.speed.preparing --data FOLDER [--rounds 7] [--write]

Joins clips of the folder (noise without --data) to one hour of 23 channels at 256 Hz, in a temporary
folder. All contestants work on that file in one process with one thread, taking turns. `--write` puts the
table into benchmarks/speed/preparing.md.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import mne
import numpy as np
import pyedflib
import scipy.signal

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
    timed,
    versions,
)
from secateur.files import write_whole
from secateur.recordings import MontageMap, open_recording
from secateur.recordings.edf import EdfRecording
from secateur.windows import Cache, ChainSettings, SignalChain
from secateur.windows.filters import BlockFilter, Resampler

SETTINGS = ChainSettings()
LOW, HIGH, ORDER = SETTINGS.low, SETTINGS.high, SETTINGS.order
TARGET = SETTINGS.sampling_rate
GOAL = 3.0
MNE, CACHED, MEMORY = "MNE: read, filter, pick", "Secateur, into its cache", "Secateur, into memory"
REST = "ordering by sample, writing, the rest"
STAGES = {
    "SHA-256 of the file": (Cache, "content_hash"),
    "reading": (EdfRecording, "read"),
    "montage": (MontageMap, "apply"),
    "resampling": (Resampler, "push"),
    "filter": (BlockFilter, "push"),
}


def main() -> None:
    one_thread()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="a folder of clips; without it, noise")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="a minute of EEG, one round")
    parser.add_argument("--write", action="store_true", help="put the table beside this file")
    told = parser.parse_args()
    seconds, rounds = (60, 1) if told.quick else (3600, told.rounds)
    mne.set_log_level("error")
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MNE on channels of one name
        usual, fast = Path(scratch) / "usual.edf", Path(scratch) / "fast.edf"
        what = join_clips(told.data, usual, seconds) if told.data else write_noise(usual, seconds)
        write_noise(fast, seconds, 2 * RATE)
        text = _measured(told, usual, fast, rounds, f"{seconds / 60:g} minutes; {what}")
    print(text)
    if told.write:
        write_whole(HERE / "preparing.md", text)


def _measured(told: argparse.Namespace, usual: Path, fast: Path, rounds: int, what: str) -> str:
    first = _contest(usual, rounds)
    second = _contest(fast, max(2, rounds // 2))
    times = {way: float(np.median(np.divide(first[MNE], first[way]))) for way in (CACHED, MEMORY)}
    reached = {way: "reached" if times[way] >= GOAL else "not reached" for way in times}
    parts = _parts(usual, rounds)
    alone = times[CACHED] * parts["whole"][CACHED] / parts["filter"][CACHED]
    command = "python -m benchmarks.speed.preparing" + (" --data FOLDER" if told.data else "")
    lines = [
        "# Preparing an hour of EEG",
        "",
        f"Command: `{command} --rounds {rounds}`; commit {commit()}; {machine()}; "
        f"{versions('secateur', 'numpy', 'scipy', 'mne', 'pyedflib', 'edfio')}.",
        "",
        f"From an EDF file ({CHANNELS} channels, {RATE} Hz, {what}) to the 18 channels of bipolar-18, "
        f"{LOW:g} to {HIGH:g} Hz. Processor time, median of {rounds} rounds in turns (quartiles in "
        "brackets); files are in the page cache. The filters differ: MNE's default is a FIR of zero phase, "
        f"in pyedflib's case a Butterworth of order {ORDER} runs forth and back (`sosfiltfilt`), "
        "Secateur's runs forth only, as it must on a live signal.",
        "",
        *_compared(first),
        "",
        f"The goal was to be {GOAL:g} times as fast as MNE's default reading and filtering: "
        f"{times[MEMORY]:.1f} times into memory, where MNE too leaves its result ({reached[MEMORY]}); "
        f"{times[CACHED]:.1f} times into the cache, on disk and named by the file's contents "
        f"({reached[CACHED]}).",
        "",
        "## Where the time goes",
        "",
        *table(["ms", CACHED, MNE], _rows(parts)),
        "",
        "Secateur's filter is matrix products in float64, a block of samples at a time, so that a live "
        f"signal gives the same bits. With nothing beside it, it would be {alone:.1f} times as fast as MNE.",
        "",
        "## At 512 Hz",
        "",
        f"The same from noise at 512 Hz, brought to {TARGET:g} Hz: MNE by `resample` before the filter, "
        "pyedflib by `resample_poly`. For information.",
        "",
        *_compared(second),
    ]
    return "\n".join(lines) + "\n"


def _contest(path: Path, rounds: int) -> dict[str, list[float]]:
    """Seconds by way and round. Each is run once before, to be warm."""
    recording = open_recording(path)
    used = SignalChain(SETTINGS).montage_map(recording.channels, path).used
    ways: dict[str, Callable[[], float]] = {
        MNE: lambda: sum(by_mne(path, used, first=False).values()),
        "MNE: read, pick, filter": lambda: sum(by_mne(path, used, first=True).values()),
        "pyedflib and SciPy": lambda: sum(by_pyedflib(path, used).values()),
        CACHED: lambda: by_secateur(path, cached=True),
        MEMORY: lambda: by_secateur(path, cached=False),
    }
    in_turns(ways, 1)
    return in_turns(ways, rounds)


class Laps:
    """Seconds since the last lap, by name."""

    def __init__(self) -> None:
        self.took: dict[str, float] = {}
        self._last = time.process_time()

    def lap(self, name: str) -> None:
        """End a lap."""
        now = time.process_time()
        self.took[name] = now - self._last
        self._last = now


def by_mne(path: Path, used: tuple[int, ...], *, first: bool) -> dict[str, float]:
    laps = Laps()
    raw = mne.io.read_raw_edf(path, preload=True)
    names = [raw.ch_names[k] for k in used]
    laps.lap("reading")
    if first:
        raw.pick(names)
    if raw.info["sfreq"] != TARGET:
        raw.resample(TARGET)
        laps.lap("resampling")
    raw.filter(LOW, HIGH, n_jobs=1)
    laps.lap("filter")
    if not first:
        raw.pick(names)
    values = raw.get_data()
    laps.lap("montage")
    assert values.shape[0] == len(used)
    return laps.took


def by_pyedflib(path: Path, used: tuple[int, ...]) -> dict[str, float]:
    laps = Laps()
    with pyedflib.EdfReader(str(path)) as file:
        rate = file.getSampleFrequency(used[0])
        values = np.array([file.readSignal(k) for k in used])
    laps.lap("reading")
    if rate != TARGET:
        values = scipy.signal.resample_poly(values, 1, round(rate / TARGET), axis=1)
        laps.lap("resampling")
    sections = scipy.signal.butter(ORDER, (LOW, HIGH), "bandpass", fs=TARGET, output="sos")
    scipy.signal.sosfiltfilt(sections, values, axis=1)
    laps.lap("filter")
    return laps.took


def by_secateur(path: Path, *, cached: bool) -> float:
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        recording = open_recording(path)
        if cached:
            Cache(Path(folder)).recording(recording, SETTINGS).signals[0]
        else:
            SignalChain(SETTINGS).run(recording)
        return time.process_time() - began


def _compared(seconds: dict[str, list[float]]) -> list[str]:
    """The table of all ways."""
    rows = [
        [name, spread(took, 3), ratio(took, seconds[CACHED]), ratio(took, seconds[MEMORY])]
        for name, took in seconds.items()
    ]
    return table(["way", "seconds", f"as long as {CACHED}", f"as long as {MEMORY}"], rows)


def _parts(path: Path, rounds: int) -> dict[str, dict[str, float]]:
    """Median seconds by part and way; a part that a way doesn't have isn't there."""
    used = SignalChain(SETTINGS).montage_map(open_recording(path).channels, path).used
    found: dict[str, list[dict[str, float]]] = {CACHED: [], MNE: []}
    for _ in range(rounds):
        laps = by_mne(path, used, first=False)
        found[MNE].append({**laps, "whole": sum(laps.values())})
        with timed(STAGES) as took:
            whole = by_secateur(path, cached=True)
        rest = whole - sum(took.values())
        found[CACHED].append({**took, REST: rest, "whole": whole})
    return {
        part: {
            way: float(np.median([one[part] for one in all_of]))
            for way, all_of in found.items()
            if part in all_of[0]
        }
        for part in (*STAGES, REST, "whole")
    }


def _rows(parts: dict[str, dict[str, float]]) -> list[list[str]]:
    return [
        [part, *(f"{took[way] * 1000:.0f}" if way in took else "–" for way in (CACHED, MNE))]
        for part, took in parts.items()
    ]


if __name__ == "__main__":
    main()
