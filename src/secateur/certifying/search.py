"""Accuracy-constrained pruning: how far one may cut, found and certified.

Networks are named by what trained them alone: who changes a margin has it judged anew in the same folder,
with nothing trained again, and that is another certification on the same recordings.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from pathlib import Path

import torch

import secateur
from secateur.certifying.judging import judge_parts
from secateur.certifying.parts import Plan, plan
from secateur.certifying.result import (
    LadderOutput,
    Outcome,
    judged_fields,
    label_of,
    write_history,
    write_predictions,
)
from secateur.certifying.settings import LadderSettings
from secateur.counts import plural
from secateur.detectors import load_detector
from secateur.detectors.evaluation import background_seconds
from secateur.detectors.file import read_verified, repack
from secateur.errors import SettingsError
from secateur.files import sha256_of_file, write_whole
from secateur.networks import check_code, code_of
from secateur.recordings import describe_background
from secateur.results import LadderResult, identity, written
from secateur.runs import ledger
from secateur.runs.data import PreparedCohort, Source, contents_of, prepare_cohort
from secateur.runs.folder import RunFolder, check_folder_for_run
from secateur.runs.plan import Part
from secateur.runs.progress import Execution
from secateur.runs.result import begin_result
from secateur.runs.workers import Work, run_parts
from secateur.scoring import TIMESCORING_VERSION, check_background, climb, judge, needed
from secateur.scoring.certificate import Circumstances, make_certificate, reference_of


def find(
    source: Source,
    out: Path,
    settings: LadderSettings,
    execution: Execution | None = None,
    exploratory: str | None = None,
) -> LadderOutput:
    """Go down the ladder, or what is left of it. Raises `SecateurError`s for what the user can mend.

    `exploratory`: why nothing is certified, such as that this is one of many tries; it is then entered among
    the looks that spend nothing.
    """
    how = execution or Execution()
    progress = how.progress
    check_code(settings.network)
    source.check()
    check_folder_for_run(out, "prune", settings.trained)
    progress.begin("prepare", None)
    stock = prepare_cohort(
        source, settings, how.cache, lambda done, of: progress.step("prepare", done, of, "")
    )
    chosen = plan(stock, settings, out)
    notes = _notes(source, stock, chosen, settings)
    progress.end("prepare", _in_words(stock, chosen))
    folder = RunFolder(out, ladder_name(source, settings, stock))
    with folder.held("prune", settings.trained):
        write_whole(out / "config.toml", settings.to_toml())
        work = Work(source, settings, folder.name, how.cache, stock)
        material = work.material(chosen.final)
        command = how.command or _command(source, out, settings)
        begun = begin_result(material, settings, folder.name, command)
        run_parts(chosen.parts, work, how.workers, progress)
        progress.begin("certify", None)
        outcome = _certified(chosen, settings, work, notes, exploratory)
        _deploy(outcome, folder)
        result = LadderResult(**begun, **judged_fields(outcome, settings, work))
        write_whole(out / "result.json", written(result))
        write_history(chosen, work)
        write_predictions(chosen, work)
        progress.end("certify", outcome.answer or "no rung holds; the baseline comes back")
    return LadderOutput(folder, settings, material, outcome, result)


def ladder_name(source: Source, settings: LadderSettings, stock: PreparedCohort) -> str:
    """The identity of all networks; what was asked of them is no part of it."""
    contents = {
        **contents_of(stock),
        "code": code_of(settings.network),
        "weights": None if source.weights is None else sha256_of_file(source.weights),
    }
    return identity(settings.trained, contents, kind="prune")


def _notes(
    source: Source, stock: PreparedCohort, chosen: Plan, settings: LadderSettings
) -> tuple[str, ...]:
    """What was allowed by the user and must be told; refused before hours of training where it wasn't."""
    people = {name for part in chosen.judged if part.split for name in part.split.certification}
    entries = [each.entry for each in stock.ours if each.entry.subject in people]
    seconds = background_seconds(entries)
    forced = check_background(settings.constraint.margins, seconds, force=settings.force)
    notes = [forced] if forced else []
    if source.weights is not None:
        if chosen.by == "folds":
            raise SettingsError(
                "--weights with folds: who trained these weights is not known, so nobody here is unseen; "
                "take --certify holdout with recordings of subjects whom they have not seen"
            )
        if settings.pruning.retrain == "rewind":
            raise SettingsError(
                "--weights with --retrain rewind: early weights are not known; take finetune or distil"
            )
        notes.append(
            "the baseline's weights came from a file; on whom they were trained is not known"
        )
    return tuple(notes)


def _in_words(stock: PreparedCohort, chosen: Plan) -> str:
    people = {each.entry.subject for each in stock.ours}
    if chosen.by == "folds":
        how = f"each judged in {plural(len(chosen.repeats[0]), 'fold')}"
        if len(chosen.repeats) > 1:
            how += f", dealt anew {len(chosen.repeats)} times"
    else:
        assert chosen.final.split is not None
        how = f"{len(chosen.final.split.certification)} kept for the certificate"
    subjects, rungs = plural(len(people), "subject"), plural(len(chosen.rungs), "rung")
    return f"{stock.cohort.name}: {subjects}, {how}; {rungs}"


def _certified(
    chosen: Plan,
    settings: LadderSettings,
    work: Work,
    notes: tuple[str, ...],
    exploratory: str | None,
) -> Outcome:
    """Put it on record that these recordings are looked at, judge every rung and go down the ladder."""
    judged = judge_parts(chosen.repeats, work)
    ledgers = (work.folder(chosen.final).path / ledger.FILE, work.cache.folder / ledger.FILE)
    name = _certification_name(settings, work.name)
    if exploratory is None:
        looks = ledger.certification(ledgers, name, judged.contents)
    else:
        ledger.run(ledgers[1:], name, judged.contents)
        looks = ledger.Looks(1, 0)
    circumstances = _circumstances(chosen, work, notes, looks).model_copy(
        update={"exploratory": exploratory}
    )
    rungs = [(label_of(name), judged.repeats[name]) for name in chosen.rungs]
    baseline, retrained = judged.repeats["baseline"], judged.repeats.get("retrained")
    reference = reference_of(circumstances, baseline, retrained)
    judgements = [judge(tables, reference, settings.constraint) for _, tables in rungs]
    passed = climb([each.passed for each in judgements])
    certificates = tuple(
        make_certificate(settings.constraint, baseline, rungs[:number], circumstances, retrained)
        for number in range(1, len(rungs) + 1)
    )
    return Outcome(
        plan=chosen,
        judged=judged,
        judgements=tuple(judgements),
        certificates=certificates,
        answer=None if passed.answer is None else chosen.rungs[passed.answer],
        needed=()
        if passed.answer is not None
        else needed(judgements[0], reference, settings.constraint),
        looks=looks,
    )


def _circumstances(
    chosen: Plan, work: Work, notes: tuple[str, ...], looks: ledger.Looks
) -> Circumstances:
    """What the certificate says beside its numbers."""
    material, folder = work.material(chosen.final), work.folder(chosen.final)
    folds: tuple[dict[str, tuple[str, ...]], ...] = ()
    if chosen.by == "folds":
        folds = tuple(
            dict(_judges(part, chosen, work) for part in parts) for parts in chosen.repeats
        )
    names = ("baseline", *chosen.rungs)
    return Circumstances(
        ladder=tuple(label_of(name) for name in chosen.rungs),
        data=material.recordings.name,
        simulated=material.recordings.simulated,
        folds=folds,
        thresholds={
            label_of(name): float((folder.finished(name) or {})["threshold"]) for name in names
        },
        earlier_certifications=looks.certification - 1,
        earlier_runs=looks.runs,
        background=describe_background(material.recordings).words,
        forced="; ".join(notes) or None,
        versions={
            "secateur": secateur.__version__,
            "timescoring": TIMESCORING_VERSION,
            "torch": torch.__version__,
        },
    )


def _judges(part: Part, chosen: Plan, work: Work) -> tuple[str, tuple[str, ...]]:
    """The hash of a fold's detectors, and the subjects whom they judged."""
    assert part.split is not None
    folder = work.folder(part)
    files = [folder.detector(name) for name in ("baseline", *chosen.rungs)]
    digests = "".join(map(sha256_of_file, files))
    return hashlib.sha256(digests.encode()).hexdigest(), part.split.certification


def _deploy(outcome: Outcome, folder: RunFolder) -> None:
    """Write each rung's certificate into its file; `pruned.onnx` is the answer's, else the baseline's."""
    for name, certificate in zip(outcome.plan.rungs, outcome.certificates, strict=True):
        path = folder.detector(name)
        info = load_detector(path).info
        with_it = info.model_copy(update={"certificate": certificate})
        write_whole(path, repack(read_verified(path), info, with_it))
    answer = folder.detector(outcome.answer or "baseline")
    write_whole(folder.detector("pruned"), answer.read_bytes())


def _certification_name(settings: LadderSettings, trained: str) -> str:
    words = [trained, settings.constraint.model_dump(mode="json")]
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()[:16]


def _command(source: Source, out: Path, settings: LadderSettings) -> str:
    margins = ",".join(f"{name}={value:g}" for name, value in settings.constraint.margins.items())
    words = ["secateur", "prune", *source.words, "--out", str(out)]
    words += ["--margin", margins, "--config", str(out / "config.toml")]
    return shlex.join(words)
