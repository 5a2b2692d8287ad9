"""placeholder"""
from pathlib import Path
from secateur.studies.ladder import LadderResult
def write_ladder_report(result: LadderResult) -> Path:
    return result.folder.path / "report.html"
