"""The simulated cohort: subjects that never lived, for first runs, tests and demonstrations.

Comes in: how many subjects, how many hours of each, a seed. Goes out: a BIDS folder of EDF+ files with
events, or the recordings in memory. Next: whatever reads BIDS; it is read as any cohort is.
"""

from secateur.recordings.simulated.cohort import simulate_cohort
from secateur.recordings.simulated.subject import SimulatedRecording, simulate_subject

__all__ = ["SimulatedRecording", "simulate_cohort", "simulate_subject"]
