"""A detector written for other machines: a C99 file, OpenVINO's two files, a LiteRT model."""

from secateur.detectors.exporting.job import SUFFIXES, Exported, export

__all__ = ["SUFFIXES", "Exported", "export"]
