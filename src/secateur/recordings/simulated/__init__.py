"""The simulated cohort: subjects that never lived, for first runs, tests and demonstrations."""

from secateur.recordings.simulated.cohort import simulate_cohort
from secateur.recordings.simulated.subject import SimulatedRecording, simulate_subject

__all__ = ["SimulatedRecording", "simulate_cohort", "simulate_subject"]
