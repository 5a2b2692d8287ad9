"""The main job with its report, as one call.

Comes in: a folder of recordings and settings by their dotted names. Goes out: the run's folder, report
included, and the result. Next: the command line and `secateur.run` are this.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from secateur.reporting.report import write_report
from secateur.studies import Progress, RunResult, Source, resolve
from secateur.studies.run import run as run_stages


def run(
    data: Path | str,
    out: Path | str,
    *,
    test_data: Path | str | None = None,
    config: Path | str | None = None,
    settings: dict[str, Any] | None = None,
    strict: bool = False,
    workers: int = 1,
    command: str | None = None,
    progress: Progress | None = None,
) -> RunResult:
    """Train, prune, retrain and compare on a folder of recordings; write everything to `out`.

    `settings`: dotted names and values, for example {"pruning.ratio": 0.75, "training.epochs": 10};
    they go before those of the TOML file `config`. `workers`: processes that train at once. Taken up
    where it stopped when called again. Raises `SecateurError`s for what the caller can mend.
    """
    result = run_stages(
        Source(Path(data), None if test_data is None else Path(test_data), strict),
        Path(out),
        resolve(None if config is None else Path(config), settings),
        command=command,
        workers=workers,
        progress=progress,
    )
    if progress:
        progress.begin("report", None)
    path = write_report(result)
    if progress:
        progress.end("report", path.name)
    return result
