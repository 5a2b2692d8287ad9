"""Seizures: when they come, and what they look like at the electrodes.

Each seizure is a group of neural masses (`neural_mass`), one below each electrode that it reaches.
The gains of inhibition are what moves: dendritic inhibition B breaks down and somatic inhibition G
rises (fast activity, small), then G falls while B recovers slowly (rhythmic discharge, growing,
slowing to about 4 Hz), until B is back and the cortex rests. The focus comes first; its
neighbours join later, the farther the later, and are driven by it.

A large discharge begins with a spike of 24 ms at half height (20 to 70 ms: Kane et al. (2017), Clin
Neurophysiol Pract 2:170-185), so that what sets a seizure apart is in the phases of its waveform: the band
powers are reached by the background's look-alikes too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from secateur.recordings.simulated.background import SAMPLING_RATE
from secateur.recordings.simulated.head import DISTANCES, ELECTRODES, conduction
from secateur.recordings.simulated.neural_mass import STEP_RATE, Gains, Patches, simulate_patches

SHORTEST, LONGEST = 25.0, 90.0
"""Seconds that a seizure lasts."""

_MARGIN = 12.0  # seconds of background before, between and after seizures
_WARM_UP = 1.0  # seconds for the neural masses to forget that they began at zero

_JOINING, _LEAVING = 1.0, 0.5  # seconds in which a patch comes up, and in which it falls silent
_SPIKE_FROM = 11.0  # mV that a discharge rises by before it comes with a spike
_SPIKE_SHARE = 2.5  # of the discharge's height above that
_SPIKE_WIDTH = 0.010  # s, standard deviation: 24 ms at half height
_BETWEEN_SPIKES = 0.08  # s at least
_REACH_OF_PATCH = 0.35  # head radii over which a patch is seen by electrodes
_HUSHED, _HUSH_RAMP = 0.35, 2.0  # share of the background that falls silent, seconds until it has

# The course of a seizure: its share that has passed, and dendritic and somatic inhibition in mV.
_COURSE = np.array(
    [
        (0.00, 40.0, 20.0),
        (0.01, 4.0, 40.0),
        (0.04, 3.0, 40.0),
        (0.06, 15.0, 20.0),
        (0.12, 20.0, 10.0),
        (0.60, 28.0, 10.0),
        (0.90, 39.0, 10.0),
        (1.00, 46.0, 14.0),
    ]
).T


@dataclass(frozen=True)
class Ictogenesis:
    """What a subject's seizures have in common."""

    focus: int
    excitation: float
    tempo: float
    amplitude: float
    reach: int


@dataclass(frozen=True)
class Seizure:
    """One seizure: seconds from the run's start; electrode indices in the order of recruitment."""

    onset: float
    duration: float
    electrodes: tuple[int, ...]
    delays: tuple[float, ...]
    amplitude: float


def draw_ictogenesis(generator: np.random.Generator) -> Ictogenesis:
    """A subject's way of seizing."""
    return Ictogenesis(
        focus=int(generator.integers(len(ELECTRODES))),
        excitation=generator.uniform(4.8, 5.4),
        tempo=generator.uniform(0.9, 1.2),
        amplitude=generator.uniform(1.0, 2.4),
        reach=int(generator.integers(11, 18)),
    )


def plan_seizures(
    ictogenesis: Ictogenesis, seconds: int, count: int, generator: np.random.Generator
) -> list[Seizure]:
    """`count` seizures, or as many as fit, in a run of so many seconds, in order."""
    count = min(count, int((seconds - _MARGIN) // (SHORTEST + 2 * _MARGIN)))
    if count < 1:
        return []
    longest = np.clip(0.3 * seconds / count, SHORTEST, LONGEST)
    durations = np.floor(4 * generator.uniform(SHORTEST, longest, count)) / 4
    spare = seconds - durations.sum() - (count + 1) * _MARGIN
    gaps = _MARGIN + spare * generator.dirichlet(np.ones(count + 1))
    # Quarter-seconds are whole samples, and survive the two decimals of an events file.
    onsets = np.floor(4 * (np.cumsum(gaps[:-1]) + np.cumsum(durations) - durations)) / 4
    return [
        _draw_spread(ictogenesis, float(onset), float(duration), generator)
        for onset, duration in zip(onsets, durations, strict=True)
    ]


def _draw_spread(
    ictogenesis: Ictogenesis, onset: float, duration: float, generator: np.random.Generator
) -> Seizure:
    """Electrodes that a seizure reaches and when: the farther from the focus, the later."""
    reach = int(np.clip(ictogenesis.reach + generator.integers(-3, 4), 5, len(ELECTRODES)))
    distances = DISTANCES[ictogenesis.focus] * generator.uniform(0.85, 1.15, len(ELECTRODES))
    electrodes = np.argsort(distances)[:reach]
    last = duration * generator.uniform(0.04, 0.15)
    delays = last * distances[electrodes] / distances[electrodes].max()
    return Seizure(
        onset,
        duration,
        tuple(int(electrode) for electrode in electrodes),
        tuple(float(delay) for delay in delays),
        ictogenesis.amplitude * generator.uniform(0.8, 1.25),
    )


def simulate_seizures(
    seizures: list[Seizure], ictogenesis: Ictogenesis, generator: np.random.Generator
) -> list[NDArray[np.float32]]:
    """What each seizure adds at the electrodes, in µV: one array (19, duration) a seizure.

    All patches of all seizures advance together, which is what makes this cheap.
    """
    if not seizures:
        return []
    sizes = [len(seizure.electrodes) for seizure in seizures]
    firsts = np.concatenate(([0], np.cumsum(sizes)))
    steps = int(STEP_RATE * (_WARM_UP + max(seizure.duration for seizure in seizures)))
    times = np.arange(steps) / STEP_RATE - _WARM_UP
    slow = np.empty((steps, firsts[-1]))
    fast = np.empty_like(slow)
    for seizure, first, size in zip(seizures, firsts, sizes, strict=False):
        passed = times / seizure.duration
        slow[:, first : first + size] = np.interp(passed, _COURSE[0], _COURSE[1])[:, np.newaxis]
        fast[:, first : first + size] = np.interp(passed, _COURSE[0], _COURSE[2])[:, np.newaxis]
    patches = Patches(
        tempo=np.full(firsts[-1], ictogenesis.tempo),
        leaders=np.repeat(firsts[:-1], sizes),
    )
    gains = Gains(np.full_like(slow, ictogenesis.excitation), slow, fast)
    pyramidal = simulate_patches(gains, patches, generator)
    return [
        _at_electrodes(seizure, pyramidal[:, first : first + size])
        for seizure, first, size in zip(seizures, firsts, sizes, strict=False)
    ]


def _at_electrodes(seizure: Seizure, pyramidal: NDArray[np.float64]) -> NDArray[np.float32]:
    """One seizure's patches, shape (steps, patches) in mV, as potentials in µV of shape (19, n)."""
    # Electrodes do not pass the slow shift of the mean potential.
    high_pass = scipy.signal.butter(2, 0.7, "highpass", fs=STEP_RATE, output="sos")
    activity = scipy.signal.sosfiltfilt(high_pass, pyramidal, axis=0)
    activity += _spikes(activity)
    samples = int(seizure.duration * SAMPLING_RATE)
    ratio = STEP_RATE // SAMPLING_RATE
    start = int(_WARM_UP * STEP_RATE)
    activity = activity[start : start + samples * ratio].reshape(samples, ratio, -1).mean(axis=1)
    times = np.arange(samples) / SAMPLING_RATE
    leaving = np.clip((seizure.duration - times) / _LEAVING, 0, 1)
    for patch, delay in enumerate(seizure.delays):
        joining = np.clip((times - delay) / _JOINING, 0, 1)
        activity[:, patch] *= seizure.amplitude * joining * leaving
    weights = conduction(_REACH_OF_PATCH)[:, list(seizure.electrodes)].astype(np.float32)
    potential: NDArray[np.float32] = weights @ activity.T.astype(np.float32)
    return potential


def _spikes(activity: NDArray[np.float64]) -> NDArray[np.float64]:
    """The spike of each discharge, before its slow wave: shape and unit of `activity` (steps, patches), mV.

    The larger a discharge, the more of its neurons fire together; fast activity of onset has hardly any.
    """
    heights = np.zeros_like(activity)
    for patch, wave in enumerate(activity.T):
        peaks, about = scipy.signal.find_peaks(
            wave, prominence=_SPIKE_FROM, distance=int(_BETWEEN_SPIKES * STEP_RATE)
        )
        heights[peaks, patch] = _SPIKE_SHARE * (about["prominences"] - _SPIKE_FROM)
    times = np.arange(-0.05, 0.05, 1 / STEP_RATE)[:, np.newaxis]
    spike = np.exp(-0.5 * (times / _SPIKE_WIDTH) ** 2)
    spikes: NDArray[np.float64] = scipy.signal.oaconvolve(heights, spike, mode="same", axes=0)
    return spikes


def hush(seizure: Seizure) -> NDArray[np.float32]:
    """What a seizure leaves of the background's amplitude, from 0 to 1, shape (duration,).

    Cortex that discharges does nothing else, so the ongoing rhythms flatten as it begins.
    """
    times = np.arange(int(seizure.duration * SAMPLING_RATE)) / SAMPLING_RATE
    edge = np.minimum(times, seizure.duration - times) / _HUSH_RAMP
    return (1 - _HUSHED * np.clip(edge, 0, 1)).astype(np.float32)
