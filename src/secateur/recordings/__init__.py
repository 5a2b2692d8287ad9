"""From files to microvolts: recordings, cohorts, montages, and a cohort that is simulated."""

from secateur.recordings.background import Background, describe_background
from secateur.recordings.cohort import (
    Cohort,
    DataSet,
    Entry,
    check_data_sets,
    check_folder,
    data_set_of,
    load_cohort,
    load_data_sets,
)
from secateur.recordings.edf import EdfRecording
from secateur.recordings.in_time import PartedInTime, part_in_time
from secateur.recordings.labels import LabelSettings
from secateur.recordings.layouts.listing import UNKNOWN, Problem
from secateur.recordings.montage import (
    EACH,
    FIXED,
    MONTAGES,
    Missing,
    MontageMap,
    MontageName,
    common_channels,
    map_montage,
)
from secateur.recordings.opening import files_of, open_recording
from secateur.recordings.raw import from_raw, to_annotations
from secateur.recordings.recording import (
    ArrayRecording,
    OneChannel,
    ReadingSettings,
    Recording,
    duration_of,
)

__all__ = [
    "EACH",
    "FIXED",
    "MONTAGES",
    "UNKNOWN",
    "ArrayRecording",
    "Background",
    "Cohort",
    "DataSet",
    "EdfRecording",
    "Entry",
    "LabelSettings",
    "Missing",
    "MontageMap",
    "MontageName",
    "OneChannel",
    "PartedInTime",
    "Problem",
    "ReadingSettings",
    "Recording",
    "check_data_sets",
    "check_folder",
    "common_channels",
    "data_set_of",
    "describe_background",
    "duration_of",
    "files_of",
    "from_raw",
    "load_cohort",
    "load_data_sets",
    "map_montage",
    "open_recording",
    "part_in_time",
    "to_annotations",
]
