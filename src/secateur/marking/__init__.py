"""Recordings marked with one detector: one file, a folder, or a container's, by the same code."""

from secateur.marking.batch import Summary, mark_folder
from secateur.marking.worker import THERE, ExecutionOptions, Outcome, Outputs, mark_file

__all__ = ["THERE", "ExecutionOptions", "Outcome", "Outputs", "Summary", "mark_file", "mark_folder"]
