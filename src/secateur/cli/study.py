"""`secateur study`: many runs, and what they say together."""

from __future__ import annotations

import os
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from secateur.cli.arguments import command_line, folder
from secateur.counts import plural

if TYPE_CHECKING:
    from secateur.runs import Source
    from secateur.studies import ExecutionOptions, Findings
    from secateur.studies.drift.settings import DriftStudy


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
    quick: bool = typer.Option(False, "--quick", help="The small version of it, by its [quick]."),
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
    status: bool = typer.Option(False, "--status", help="How far it is, and what failed."),
    report: bool = typer.Option(False, "--report", help="Tables and figures of what is finished."),
    retry: bool = typer.Option(False, "--retry", help="Do failed runs again."),
    strict: bool = typer.Option(False, "--strict", help="Fail a run if a recording can't be used."),
) -> None:
    """Do every run that a study file asks for, and tell with statistics what they say.

    Finished runs are never done again, here or in another study: interrupted, the same command (or
    `secateur study DIR`) goes on. A run that fails is recorded and the rest go on. Leaves in --out:
    study.html, study.md, study.tex, figures, runs.csv, runs.parquet, and each run's result.
    What a study file holds: docs/reference/study-file.md.

    Examples: `secateur study studies/ratios.toml --data recordings --out runs/ratios --workers 2`,
    `secateur study runs/ratios --status`
    """
    _refuse_other_files(what)
    if status:
        _print_status(_begun(what, out))
        return
    _require_packages()
    if report:
        _report(_begun(what, out))
        return
    options = _options(workers, backend, address, known, retry=retry)
    drift = _drift_study(what, quick=quick)
    if drift is not None:
        _follow(drift, data, out, options, strict=strict)
        return
    findings = _do(what, data, out, options, quick=quick, strict=strict)
    _show(findings)
    _refuse_failures(findings)


def _options(
    workers: int | None,
    backend: Backend,
    address: str | None,
    known: list[Path],
    *,
    retry: bool,
) -> ExecutionOptions:
    from secateur.studies import ExecutionOptions

    return ExecutionOptions(
        workers=_at_once(workers, backend, address),
        backend=backend.value,
        address=address,
        known=tuple(known),
        retry=retry,
        command=command_line(),
    )


def _refuse_other_files(what: str) -> None:
    from secateur.errors import SettingsError
    from secateur.files import kind_of

    if not what.endswith(".toml") and Path(what).is_file():
        raise SettingsError(
            f"{what}: is {kind_of(what)}; wanted a study file (.toml), or the folder of a study"
        )


def _report(location: str) -> None:
    from secateur.cli.reported_study import report_on

    _show(report_on(location))


def _print_status(location: str) -> None:
    from secateur.studies import status_of

    print("\n".join(status_of(location)))


def _require_packages() -> None:
    """Raise `MissingExtraError` where what studies need isn't installed."""
    try:
        import secateur.cli.reported_study  # noqa: F401
    except ModuleNotFoundError as error:
        from secateur.errors import MissingExtraError

        if error.name is None or error.name.startswith("secateur"):
            raise
        raise MissingExtraError(error.name, "train,study", "secateur study") from None


def _at_once(workers: int | None, backend: Backend, address: str | None) -> int | None:
    """Runs done at once; None for all that a cluster has processors for."""
    from secateur.errors import SettingsError

    if address is not None and backend is not Backend.RAY:
        raise SettingsError("--address is of a Ray cluster; give --backend ray with it")
    if workers is None and backend is Backend.JOBLIB:
        return min(2, os.cpu_count() or 1)
    return workers


def _do(
    what: str,
    data: list[str],
    out: str | None,
    options: ExecutionOptions,
    *,
    quick: bool,
    strict: bool,
) -> Findings:
    """A study by its file, or one that was begun."""
    from secateur.cli.progress import progress_display
    from secateur.cli.reported_study import carry_out, resume
    from secateur.errors import SettingsError
    from secateur.studies import read_study

    if not what.endswith(".toml"):
        if data or quick:
            raise SettingsError(
                "a study that was begun keeps its --data; give its file to change it"
            )
        with progress_display() as progress:
            return resume(_begun(what, out), replace(options, progress=progress))
    if out is None:
        raise SettingsError("--out is needed: a folder, or an address such as s3://bucket/study")
    if not data:
        raise SettingsError("--data is needed: a folder of recordings")
    if "://" not in out:
        folder(Path(out))
    asked, sources = read_study(Path(what), quick), _sources(data, strict)
    with progress_display() as progress:
        return carry_out(asked, sources, out, replace(options, progress=progress))


def _drift_study(what: str, *, quick: bool) -> DriftStudy | None:
    """The study of drift in a file; None where it is another one."""
    from secateur.errors import SettingsError
    from secateur.studies.drift.engine import STUDY
    from secateur.studies.drift.settings import read_drift_study

    if what.endswith(".toml"):
        return read_drift_study(Path(what), quick)
    if (Path(what) / STUDY).is_file():
        raise SettingsError(
            f"{what}: holds a study of drift, which goes on by its file: secateur study FILE.toml --out "
            f"{what}"
        )
    return None


def _follow(
    drift: DriftStudy, data: list[str], out: str | None, options: ExecutionOptions, *, strict: bool
) -> None:
    """Carry out a study of drift, and say what came of it."""
    from secateur.cli.progress import progress_display
    from secateur.errors import SettingsError
    from secateur.reporting import write_drift_report
    from secateur.studies.drift.engine import DriftOptions, carry_out_drift

    if options.known or options.retry or options.backend != "joblib":
        raise SettingsError("--known, --retry and --backend ray are not for a study of drift")
    if out is None or "://" in out:
        raise SettingsError("--out is needed: a folder of this machine")
    folder(Path(out))
    sources = list(_sources(data, strict).values())
    if len(sources) > 1:
        raise SettingsError("a study of drift takes one --data: real recordings with sessions")
    for source in sources:
        source.check()
    with progress_display() as progress:
        real = sources[0] if sources else None
        how = DriftOptions(options.workers or 1, progress, options.command, real)
        findings = carry_out_drift(drift, Path(out), how)
        page = write_drift_report(findings, Path(out))
    print(f"{findings.finished} of {findings.planned} patient-days have a result")
    print(f"report: {page}")


def _refuse_failures(findings: Findings) -> None:
    from secateur.errors import SecateurError

    failures = [run for run in findings.missing if run.state == "failed"]
    if failures:
        text = f"{len(failures)} of {plural(findings.planned, 'run')} failed, first: {failures[0].reason}"
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
        name, sign, path = word.partition("=")
        if not sign or Path(word).is_dir():
            name, path = "data", word
        if name in sources:
            raise SettingsError(
                f"--data {name} was given twice; name the others, as in bonn=FOLDER"
            )
        sources[name] = Source(Path(path).resolve(), strict=strict)
    return sources


def _show(findings: Findings) -> None:
    for family in findings.families:
        print(f"{family.title}:")
        for answer in family.answers:
            verdict = f"  [{answer.verdict}: {answer.says}]" if answer.says else ""
            print(f"  {answer.claim}{verdict}")
    for caution in findings.cautions:
        print(f"note: {caution}")
    print(f"{findings.finished} of {plural(findings.planned, 'run')} have a result")
