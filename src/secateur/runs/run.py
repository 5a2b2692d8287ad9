"""The main job: from a folder of recordings to a baseline, the pruned network, its controls, the numbers.

A run is named by its identity (`secateur.results.identity`). A stage that is finished under that name is
never done again: after Ctrl-C or a kill the same command goes on where it stopped.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from secateur.counts import plural
from secateur.files import write_whole
from secateur.networks import check_code, code_of
from secateur.results import identity
from secateur.runs import ledger
from secateur.runs.data import RunData, Source, arrange, prepare_cohort, split_of
from secateur.runs.folder import RunFolder, check_folder_for_run
from secateur.runs.plan import Part, stages_of_run
from secateur.runs.progress import Execution
from secateur.runs.result import ALL_MODELS, RunOutput, begin_result, collect
from secateur.runs.settings import RunSettings
from secateur.runs.workers import Work, run_parts
from secateur.windows import WindowSet


def run(
    source: Source, out: Path, settings: RunSettings, execution: Execution | None = None
) -> RunOutput:
    """Do the main job, or what is left of it. Raises `SecateurError`s for what the user can mend."""
    how = execution or Execution()
    progress = how.progress
    check_code(settings.network)
    source.check()
    decisive = settings.model_dump(mode="json")
    check_folder_for_run(out, "run", decisive)
    progress.begin("prepare", None)
    stock = prepare_cohort(
        source, settings, how.cache, lambda done, of: progress.step("prepare", done, of, "")
    )
    material = arrange(stock, settings, split_of(stock, settings))
    progress.end("prepare", _in_words(material, settings.split.prevalence))
    folder = RunFolder(out, run_name(settings, material))
    with folder.held("run", decisive):
        write_whole(out / "config.toml", settings.to_toml())
        command = how.command or _command(source, out, settings)
        begun = begin_result(material, settings, folder.name, command)
        part = Part(out, stages_of_run(settings.pruning))
        work = Work(source, settings, folder.name, how.cache, stock)
        work.materials[part.name] = material
        run_parts([part], work, how.workers, progress)
        progress.begin("score", None)
        result = collect(material, settings, folder, begun)
        looked_at = ledger.contents_of(material.sides["test"], how.cache)
        ledger.run([how.cache.folder / ledger.FILE], folder.name, looked_at)
        progress.end(
            "score", f"{len(ALL_MODELS)} models on {plural(len(result.table.label), 'window')}"
        )
    return result


def run_name(settings: RunSettings, material: RunData) -> str:
    """The run's identity."""
    contents = {**material.contents, "code": code_of(settings.network)}
    return identity(settings.model_dump(mode="json"), contents, kind="run")


def _in_words(material: RunData, asked: float | None) -> str:
    """Who stands where, and what stands on both sides."""
    split = material.split
    sizes = ", ".join(
        f"{_units(split.unit, windows)} {side}" for side, windows in material.sides.items()
    )
    parts = [f"{material.cohort.name}: {split.unit}s {sizes}", material.leakage.words, *split.notes]
    if asked is not None:
        ictal = ", ".join(
            f"{100 * share:.1f} % {which}" for which, share in material.prevalence.items()
        )
        parts.append(f"ictal windows: {ictal}")
    return "; ".join(part for part in parts if part)


def _units(unit: str, windows: WindowSet) -> int:
    return {
        "subject": len(windows.subjects),
        "recording": len(windows.recordings),
        "window": len(windows),
    }[unit]


def _command(source: Source, out: Path, settings: RunSettings) -> str:
    words = ["secateur", "run", *source.words, "--out", str(out)]
    words += ["--seed", str(settings.seed), "--config", str(out / "config.toml")]
    return shlex.join(words)
