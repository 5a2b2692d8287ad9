"""Secateur: the smallest seizure detector that still keeps its accuracy."""

__version__ = "0.1.0"
