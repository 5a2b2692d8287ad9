"""The simulated cohort: subjects that never lived, for first runs, tests and demonstrations."""

from secateur.recordings.simulated.cohort import simulate_cohort, simulate_long_term
from secateur.recordings.simulated.drifts import Drift, DriftSettings, load_drifts
from secateur.recordings.simulated.long_term import LongTerm, simulate_day
from secateur.recordings.simulated.subject import SimulatedRecording, simulate_subject

__all__ = [
    "Drift",
    "DriftSettings",
    "LongTerm",
    "SimulatedRecording",
    "load_drifts",
    "simulate_cohort",
    "simulate_day",
    "simulate_long_term",
    "simulate_subject",
]
