"""`secateur study`: many runs, and what they say together."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from secateur.runs import Source
    from secateur.studies import Findings


class Backend(StrEnum):
    """Where runs are done."""

    JOBLIB = "joblib"
    RAY = "ray"


def study(
    what: str = typer.Argument(
        ..., metavar="FILE.toml|DIR", help="A study file, or the folder of a study that was begun."
    ),
    data: list[str] = typer.Option(
        [],
        help="Folder of recordings; NAME=FOLDER where the study names several. May be given again.",
    ),
    out: str | None = typer.Option(
        None, help="Folder for everything that comes out, or an address such as s3://bucket/study."
    ),
    quick: bool = typer.Option(False, help="The small version of the study, by its [quick]."),
    workers: int | None = typer.Option(
        None,
        min=1,
        help="Runs done at once, each on one processor; by itself 2 here, all of a cluster's with Ray.",
    ),
    backend: Backend = typer.Option(
        Backend.JOBLIB, help="Processes of this machine (joblib), or a cluster of many (ray)."
    ),
    address: str | None = typer.Option(
        None,
        metavar="HOST:PORT",
        help="Of a Ray cluster that this machine is a node of; without it, one of this machine alone.",
    ),
    known: list[Path] = typer.Option(
        [], help="A study's folder, or another folder with runs/, whose results are taken over."
    ),
    status: bool = typer.Option(False, help="How far it is, what failed; nothing is done."),
    report: bool = typer.Option(False, help="Tables and figures of what is finished so far."),
    retry: bool = typer.Option(False, help="Do failed runs again."),
    strict: bool = typer.Option(
        False, help="Fail a run at the first recording that can't be used."
    ),
) -> None:
    """Do every run that a study file asks for, and tell with statistics what they say.

    Finished runs are never done again, here or in another study: interrupted, the same command (or
    `secateur study DIR`) goes on. A run that fails is recorded and the rest go on. Leaves in --out:
    study.html, study.md, study.tex, figures, runs.csv, runs.parquet, and each run's result.
    What a study file holds: docs/reference/study-file.md.

    Examples: `secateur study studies/ratios.toml --data recordings --out runs/ratios --workers 2`,
    `secateur study runs/ratios --status`
    """
    from secateur.cli.arguments import command_line
    from secateur.cli.progress import progress_display
    from secateur.errors import MissingExtraError, SecateurError, SettingsError
    from secateur.files import kind_of
    from secateur.studies import status_of

    if not what.endswith(".toml") and Path(what).is_file():
        raise SettingsError(
            f"{what}: is {kind_of(what)}; wanted a study file (.toml), or the folder of a study"
        )
    if status:
        print("\n".join(status_of(_begun(what, out))))
        return
    try:
        from secateur.cli.reported_study import carry_out, report_on, resume
        from secateur.studies import ExecutionOptions, read_study
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("secateur"):
            raise
        raise MissingExtraError(error.name, "train,study", "secateur study") from None
    if report:
        _show(report_on(_begun(what, out)))
        return
    if address is not None and backend is not Backend.RAY:
        raise SettingsError("--address is of a Ray cluster; give --backend ray with it")
    if workers is None and backend is Backend.JOBLIB:
        workers = min(2, os.cpu_count() or 1)
    command = command_line()
    with progress_display() as progress:
        options = ExecutionOptions(
            workers=workers,
            backend=backend.value,
            address=address,
            known=tuple(known),
            retry=retry,
            progress=progress,
            command=command,
        )
        if what.endswith(".toml"):
            if out is None:
                raise SettingsError(
                    "--out is needed: a folder, or an address such as s3://bucket/study"
                )
            if not data:
                raise SettingsError("--data is needed: a folder of recordings")
            findings = carry_out(
                read_study(Path(what), quick), _sources(data, strict), out, options
            )
        else:
            if data or quick:
                raise SettingsError(
                    "a study that was begun keeps its --data; give its file to change it"
                )
            findings = resume(_begun(what, out), options)
    _show(findings)
    failures = [each for each in findings.missing if each.state == "failed"]
    if failures:
        text = f"{len(failures)} of {findings.planned} runs failed, first: {failures[0].reason}"
        raise SecateurError(f"{text}; --retry does them again")


def _begun(what: str, out: str | None) -> str:
    """The place of a study that was begun: named itself, or by --out beside its file."""
    from secateur.errors import SettingsError

    if not what.endswith(".toml"):
        return what
    if out is None:
        raise SettingsError("give the study's folder: secateur study DIR --status, or --out DIR")
    return out


def _sources(data: list[str], strict: bool) -> dict[str, Source]:
    from secateur.errors import SettingsError
    from secateur.runs import Source

    sources: dict[str, Source] = {}
    for word in data:
        name, sign, folder = word.partition("=")
        if not sign or Path(word).is_dir():
            name, folder = "data", word
        if name in sources:
            raise SettingsError(
                f"--data {name} was given twice; name the others, as in bonn=FOLDER"
            )
        sources[name] = Source(Path(folder).resolve(), strict=strict)
    return sources


def _show(findings: Findings) -> None:
    for family in findings.families:
        print(f"{family.title}:")
        for answer in family.answers:
            verdict = f"  [{answer.verdict}: {answer.says}]" if answer.says else ""
            print(f"  {answer.claim}{verdict}")
    for caution in findings.cautions:
        print(f"note: {caution}")
    print(f"{findings.finished} of {findings.planned} runs have a result")
