"""What a run gives its readers: figures, one HTML page, a model card."""

from secateur.reporting.report import write_report

__all__ = ["write_report"]
