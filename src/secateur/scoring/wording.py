"""A certificate in words that a clinician can read: what it claims, on what that rests, and what not."""

from __future__ import annotations

from secateur.scoring.calibration import Design, calibration, coverage, spent
from secateur.scoring.certificate import Certificate
from secateur.scoring.ladder import RETRAINED, Harm, Statement
from secateur.scoring.metrics import METRICS

REGULATORY = 0.975
"""One-sided confidence that regulators ask of a claim of not being worse (ICH E9, 3.5)."""


def in_words(certificate: Certificate) -> list[str]:
    """Paragraphs: the claim, each metric, the ladder, and what is not claimed."""
    return [
        _claim(certificate),
        *(_metric(statement, certificate) for statement in certificate.statements),
        _ladder(certificate),
        *_reservations(certificate),
        *_assumptions(certificate),
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _margin(metric: str, margin: float) -> str:
    more = "of" if METRICS[metric].higher_is_better else "more"
    return f"{margin:g} {more} {METRICS[metric].phrase}"


def _level(certificate: Certificate) -> str:
    confidence = certificate.constraint.confidence
    asked = " (one-sided, as regulators ask)" if confidence == REGULATORY else ""
    return f"{_percent(confidence)} confidence{asked}"


def _examined(certificate: Certificate) -> int:
    """Subjects that every statement is about: without a seizure, say, there is no AUROC."""
    return min((each.n for each in certificate.statements), default=len(certificate.subjects))


def _claim(certificate: Certificate) -> str:
    rule = certificate.constraint
    margins = " and ".join(_margin(*pair) for pair in rule.margins.items())
    what = "this detector" if certificate.kind == "detector" else "a detector made in this way"
    level = _level(certificate)
    if certificate.verdict == "not tested":
        return (
            f"Not certified. A milder rung of the ladder failed, so {what} was not tested against "
            f"the margin of {margins}."
        )
    if certificate.verdict == "failed":
        return (
            f"Not certified. That {what} loses on average less than {margins} could not be shown with "
            f"{level} on {_examined(certificate)} subjects."
        )
    head = "Certified" if certificate.certified else "Exploratory, not certified"
    mean = f"{what} loses on average less than {margins}, compared with {_compared(certificate)}"
    like = f"patients like the {_examined(certificate)} examined"
    if rule.harmed_share is None:
        words = f"{head}: {level} that on {like} {mean}."
    else:
        words = (
            f"{head}: {level} that of {like} at most {_percent(rule.harmed_share)} lose more than {margins}; "
            f"and that {mean}."
        )
    if certificate.circumstances.simulated:
        words += " The patients are simulated: this says nothing about people."
    return words


def _reference(certificate: Certificate) -> str:
    """What it is compared with."""
    parent = certificate.circumstances.parent
    return f"the detector that it was adapted from ({parent[:12]})" if parent else "the baseline"


def _compared(certificate: Certificate) -> str:
    if certificate.circumstances.parent:
        return _reference(certificate)
    if certificate.rules == 1 or certificate.retrained is None:
        return "the unpruned baseline"
    return f"the unpruned baseline and with {RETRAINED}, whichever comes out less favourable"


def _metric(statement: Statement, certificate: Certificate) -> str:
    name, level = METRICS[statement.metric].phrase, _percent(certificate.constraint.confidence)
    repeats = f" in {statement.repeats} repeats" if statement.repeats > 1 else ""
    mean = ""
    if statement.mean is not None:
        mean = (
            f"mean loss {statement.mean:.4g}, standard deviation {statement.deviation or 0:.4g}; "
        )
    if statement.retrained_mean is not None:
        mean += f"against {RETRAINED} {statement.retrained_mean:.4g}; "
    if statement.training_share is not None:
        mean += (
            f"of a loss's variance about {_percent(statement.training_share)} is luck of training; "
        )
    if statement.bound is not None:
        over = " and trainings" if statement.training_share is not None else ""
        mean += f"with {level} confidence the mean over patients{over} is at most {statement.bound:.4g}; "
    mean += f"the margin is {statement.margin:g}. "
    harm = f"{_harm(statement.harm, level, statement.repeats)}. "
    decides_first = certificate.constraint.harmed_share is not None
    words = f"{name[0].upper()}{name[1:]}, {statement.n} subjects{repeats}: "
    words += f"{harm}{mean[0].upper()}{mean[1:]}" if decides_first else f"{mean}{harm}"
    if statement.reason:
        words += f"It did not pass: {statement.reason}. "
    if certificate.circumstances.parent:
        words = words.rstrip()
    elif statement.retrained_harm is None:
        words += "How many the baseline merely retrained would have harmed was not measured."
    else:
        words += (
            f"The same count for the baseline merely retrained: {statement.retrained_harm.harmed} of "
            f"{statement.retrained_harm.n}; so much is the noise of training."
        )
    if statement.left_out:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in statement.left_out.items())
        words += f" Left out: {reasons}."
    return words


def _harm(harm: Harm, level: str, repeats: int) -> str:
    who = "nobody" if harm.harmed == 0 else str(harm.harmed)
    average = " on average of the repeats" if repeats > 1 else ""
    return (
        f"Of the {harm.n}, {who} lost more than the margin{average}; with {level} confidence at most "
        f"{_percent(harm.bound)} of patients to come would"
    )


def _ladder(certificate: Certificate) -> str:
    ladder, number = certificate.circumstances.ladder, len(certificate.rungs)
    words = (
        f"It is rung {number} of {len(ladder)} ({', '.join(ladder)}), fixed beforehand and tested in this "
        "order, each at the full level, until one failed"
    )
    earlier = certificate.rungs[:-1]
    if earlier:
        words += f"; before it {', '.join(f'{rung.label} {rung.verdict}' for rung in earlier)}"
    return words + "."


def _reservations(certificate: Certificate) -> list[str]:
    circumstances, words = certificate.circumstances, []
    if circumstances.exploratory:
        words.append(
            f"Exploratory: {circumstances.exploratory}. The confidence stated does not hold."
        )
    words.append(_rules(certificate))
    if certificate.kind == "recipe":
        words.append(_recipe(certificate))
    if runs := circumstances.earlier_runs:
        words.append(
            f"{runs} run{'' if runs == 1 else 's'} scored some of these recordings before this "
            "certification. That spends nothing, but what was learned from it may have been chosen by it."
        )
    if circumstances.defaults_chosen_on:
        words.append(
            f"Secateur's defaults were chosen on {circumstances.defaults_chosen_on}. Where these are judged "
            "again, what was not set otherwise was chosen by looking at them."
        )
    if circumstances.background:
        words.append(f"The recordings: {circumstances.background}.")
    if circumstances.forced:
        words.append(f"To be read with care: {circumstances.forced}.")
    if certificate.timescoring:
        words.append(f"Events were counted by timescoring {certificate.timescoring}.")
    return words


def _rules(certificate: Certificate) -> str:
    """By which rules it was judged, and how much of alpha it had."""
    number = certificate.circumstances.earlier_certifications
    if certificate.rules == 1:
        earlier = f" {number} earlier certifications on some of these subjects were known." * (
            number > 0
        )
        return (
            "It was made by rules 1, which Secateur has since replaced: Student's t and bootstrap-t over "
            "subjects, against the baseline alone. Simulation has shown that they certify too often where "
            "few patients are badly harmed, and, over folds, where the luck of training is shared; and each "
            f"certification had the full error to itself (docs/explanation/certificate.md).{earlier}"
        )
    alpha = 1 - certificate.constraint.confidence
    level = next(
        (statement.level for statement in certificate.statements if statement.level is not None),
        None,
    )
    used = "" if level is None else f", and is judged by the table for {_percent(level)}"
    which = "the first known certification" if number == 0 else f"certification {number + 1}"
    return (
        f"Rules {certificate.rules}: it is {which} on any of these recordings; of the {_percent(alpha)} of "
        f"error that all of them share it may spend {_percent(spent(alpha, number + 1))}{used}. Who tries "
        "on another disk is not known."
    )


def _recipe(certificate: Certificate) -> str:
    folds = certificate.circumstances.folds
    repeats = f", dealt anew {len(folds)} times" if len(folds) > 1 else ""
    return (
        f"A recipe was judged, over {len(folds[0])} folds{repeats}: each subject by detectors that had not "
        "seen it. This very file was made by the same recipe from other subjects and was not itself "
        "tested. That folds share training subjects is ignored. The share of patients harmed speaks of the "
        "detectors of these folds."
    )


def _assumptions(certificate: Certificate) -> list[str]:
    words = []
    passed = [statement for statement in certificate.statements if statement.passed]
    if passed:
        words.append(_unseen(passed, certificate))
        if certificate.rules > 1:
            words.append(_calibrated(passed, certificate))
    words.append(
        "Not claimed: that the detector is good, only that it is little worse than "
        f"{_reference(certificate)}; that any single patient is spared; anything about patients, electrodes "
        "or wards unlike those examined. Both statements take the subjects for a random sample of the "
        "patients to come. Research software, not a medical device."
    )
    return words


def _unseen(passed: list[Statement], certificate: Certificate) -> str:
    parts = []
    for statement in passed:
        if statement.bound is None:
            continue
        share = 1 - (1 - certificate.constraint.confidence) ** (1 / statement.n)
        hidden = statement.bound + (statement.margin - statement.bound) / share
        parts.append(
            f"with {statement.n} subjects a kind of patient as frequent as {_percent(share)} may have been "
            f"missed altogether; were such patients to lose {hidden:.3g} of "
            f"{METRICS[statement.metric].phrase} or more on average, the claim would be false"
        )
    return f"What no sample shows: {'; '.join(parts)}."


def _calibrated(passed: list[Statement], certificate: Certificate) -> str:
    """For which losses the bound keeps its promise, as far as simulation can tell."""
    first = min(passed, key=lambda each: each.n)
    folds = min(map(len, certificate.circumstances.folds), default=None)
    if first.level is None:
        return ""
    families = coverage(Design(first.n, folds, first.repeats), first.level)
    kept, outside = (
        "; ".join(
            f"{each.family} ({_percent(each.false_share)})"
            for each in families
            if each.covered == covered
        )
        for covered in (True, False)
    )
    luck = ""
    if folds is not None:
        most = _percent(max(calibration()["luck"]))
        luck = f" and up to {most} of a loss's variance luck of training"
    return (
        f"The bound was calibrated on simulated studies of {families[0].n} subjects with the true loss at "
        f"the margin{luck}: at most {_percent(first.level)} may be certified there. So many were: {kept}. "
        f"Outside of what it is made for: {outside}. Which of these the patients to come are like can't be "
        "told from the losses of a few."
    )
