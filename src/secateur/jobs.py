"""Work with its report, as one call: `secateur.run`, `secateur.prune`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from secateur.certifying import LadderOutput, find, resolve_ladder
from secateur.reporting import write_ladder_report, write_run_report
from secateur.runs import Execution, RunOutput, Source, resolve
from secateur.runs.run import run as run_stages


def run(
    data: Path | str | Source,
    out: Path | str,
    *,
    test_data: Path | str | None = None,
    config: Path | str | None = None,
    settings: dict[str, Any] | None = None,
    execution: Execution | None = None,
) -> RunOutput:
    """Train, prune, retrain and compare on a folder of recordings; write everything to `out`.

    `data`: a folder, or a `runs.Source`, which says how strict to be too. `settings`: dotted names
    and values, for example {"pruning.ratio": 0.75, "training.epochs": 10}; they go before those of the
    TOML file `config`. `execution`: how many processes train at once, and who is told of progress.
    Called again, it takes up where it stopped. Raises `SecateurError`s for what the caller can mend.
    """
    how = execution or Execution()
    data = _source(data, test_data)
    resolved = resolve(None if config is None else Path(config), settings)
    result = run_stages(data, Path(out), resolved, how)
    how.progress.begin("report", None)
    path = write_run_report(result)
    how.progress.end("report", path.name)
    return result


def prune(
    data: Path | str | Source,
    out: Path | str,
    *,
    test_data: Path | str | None = None,
    config: Path | str | None = None,
    settings: dict[str, Any] | None = None,
    execution: Execution | None = None,
) -> LadderOutput:
    """Find the smallest network that is certified to lose no more than a margin; write everything to `out`.

    `settings`: dotted names and values, for example {"constraint.margins": {"auroc": 0.01},
    "constraint.confidence": 0.95, "ladder.rungs": [0.5, 0.75]}; they go before those of the TOML file
    `config`. Called again, it takes up where it stopped; with another margin it judges the same networks
    anew. `LadderOutput.certified` says whether any rung held. Raises `SecateurError`s for what the
    caller can mend.
    """
    how = execution or Execution()
    data = _source(data, test_data)
    resolved = resolve_ladder(None if config is None else Path(config), settings)
    result = find(data, Path(out), resolved, how)
    how.progress.begin("report", None)
    path = write_ladder_report(result)
    how.progress.end("report", path.name)
    return result


def _source(data: Path | str | Source, test_data: Path | str | None) -> Source:
    if isinstance(data, Source):
        return data
    return Source(Path(data), None if test_data is None else Path(test_data))
