"""From files to microvolts: recordings, cohorts, montages, and a cohort that is simulated."""

from secateur.recordings.background import Background, describe_background
from secateur.recordings.cohort import Cohort, Entry, Problem, load_cohort
from secateur.recordings.edf import EdfRecording, open_recording
from secateur.recordings.montage import MONTAGES, Missing, Wiring, wire
from secateur.recordings.recording import ArrayRecording, Recording, duration_of

__all__ = [
    "MONTAGES",
    "ArrayRecording",
    "Background",
    "Cohort",
    "EdfRecording",
    "Entry",
    "Missing",
    "Problem",
    "Recording",
    "Wiring",
    "describe_background",
    "duration_of",
    "load_cohort",
    "open_recording",
    "wire",
]
