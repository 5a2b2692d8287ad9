"""A certificate in words that a clinician can read.

Comes in: a `Certificate`. Goes out: paragraphs, first what it claims, then on what that rests, then what
it does not claim. Next: `cli verify` prints them, the report shows them.
"""

from __future__ import annotations

from secateur.scoring.certificate import Certificate
from secateur.scoring.coverage import CONFIDENCE, MEASURED, coverage
from secateur.scoring.ladder import Harm, Statement
from secateur.scoring.metrics import METRICS


def in_words(certificate: Certificate) -> list[str]:
    """Paragraphs: the claim, each metric, the ladder, and what is not claimed."""
    return [
        _claim(certificate),
        *(_metric(one, certificate) for one in certificate.statements),
        _ladder(certificate),
        *_reservations(certificate),
        *_assumptions(certificate),
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _margin(metric: str, margin: float) -> str:
    more = "of" if METRICS[metric].higher_is_better else "more"
    return f"{margin:g} {more} {METRICS[metric].phrase}"


def _claim(certificate: Certificate) -> str:
    rule = certificate.constraint
    margins = " and ".join(_margin(*pair) for pair in rule.margins.items())
    what = "this detector" if certificate.kind == "detector" else "a detector made in this way"
    level = _percent(rule.confidence)
    if certificate.verdict == "not tested":
        return (
            f"Not certified. A milder rung of the ladder failed, so {what} was not tested against "
            f"the margin of {margins}."
        )
    if certificate.verdict == "failed":
        return (
            f"Not certified. That {what} loses on average less than {margins} could not be shown at "
            f"{level} confidence on {len(certificate.subjects)} subjects."
        )
    head = "Certified" if certificate.certified else "Exploratory, not certified"
    told = (
        f"{head}: {level} confidence that on patients like the {len(certificate.subjects)} examined "
        f"{what} loses on average less than {margins}, compared with the unpruned baseline."
    )
    if rule.harmed_share is not None:
        told += f" And that at most {_percent(rule.harmed_share)} of them lose more than that."
    if certificate.circumstances.simulated:
        told += " The patients are simulated: this says nothing about people."
    return f"{told}{_measured(certificate.statements)}"


def _measured(statements: tuple[Statement, ...]) -> str:
    """What the confidence was worth on losses like real ones, said beside the claim where it was less."""
    bad = [
        one
        for one in coverage(min(statement.n for statement in statements))
        if one.family.startswith(MEASURED) and not one.covered
    ]
    if not bad:
        return ""
    worst = max(bad, key=lambda one: one.false_share)
    return (
        f" Were losses spread as {worst.family}, {_percent(worst.false_share)} of networks just at the "
        f"margin would be certified on {worst.n} subjects, not {_percent(1 - CONFIDENCE)}: there the "
        "confidence is worth less than it says."
    )


def _metric(one: Statement, certificate: Certificate) -> str:
    name, level = METRICS[one.metric].phrase, _percent(certificate.constraint.confidence)
    told = f"{name[0].upper()}{name[1:]}, {one.n} subjects: "
    if one.mean is not None:
        told += f"mean loss {one.mean:.4g}, standard deviation {one.deviation or 0:.4g}; "
    if one.bound is not None:
        told += f"with {level} confidence the mean over patients is at most {one.bound:.4g}; "
    told += f"the margin is {one.margin:g}. "
    if one.reason:
        told += f"It did not pass: {one.reason}. "
    told += f"{_harm(one.harm, level)}. "
    if one.retrained_harm is None:
        told += "How many the baseline merely retrained would have harmed was not measured."
    else:
        told += (
            f"The same count for the baseline merely retrained: {one.retrained_harm.harmed} of "
            f"{one.retrained_harm.n}; so much is the noise of training."
        )
    if one.left_out:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in one.left_out.items())
        told += f" Left out: {reasons}."
    return told


def _harm(harm: Harm, level: str) -> str:
    who = "nobody" if harm.harmed == 0 else str(harm.harmed)
    return (
        f"Of the {harm.n}, {who} lost more than the margin; with {level} confidence at most "
        f"{_percent(harm.bound)} of patients to come would"
    )


def _ladder(certificate: Certificate) -> str:
    ladder, place = certificate.circumstances.ladder, len(certificate.rungs)
    told = (
        f"It is rung {place} of {len(ladder)} ({', '.join(ladder)}), fixed beforehand and tested in this "
        "order, each at the full level, until one failed"
    )
    earlier = certificate.rungs[:-1]
    if earlier:
        told += f"; before it {', '.join(f'{one.label} {one.verdict}' for one in earlier)}"
    return told + "."


def _reservations(certificate: Certificate) -> list[str]:
    told, found = certificate.circumstances, []
    if told.exploratory:
        found.append(f"Exploratory: {told.exploratory}. The confidence stated does not hold.")
    if certificate.kind == "recipe":
        found.append(
            f"A recipe was judged, over {len(told.folds)} folds: each subject by a detector that had not "
            "seen it. This very file was made by the same recipe from other subjects and was not itself "
            "tested. That the folds share training subjects, so that their results depend on each other, "
            "is ignored."
        )
    if told.earlier_certifications:
        found.append(
            f"{told.earlier_certifications} earlier certifications on some of these recordings are known. "
            "Each has its own chance of a false certificate; who tries often and keeps what passes has a "
            "larger one than is stated here."
        )
    if told.earlier_runs:
        found.append(
            f"{told.earlier_runs} runs scored some of these recordings before this certification. That "
            "spends nothing, but what was learned from it may have been chosen by it."
        )
    if told.background:
        found.append(f"The recordings: {told.background}.")
    if told.forced:
        found.append(f"To be read with care: {told.forced}.")
    if certificate.timescoring:
        found.append(f"Events were counted by timescoring {certificate.timescoring}.")
    return found


def _assumptions(certificate: Certificate) -> list[str]:
    found = []
    passed = [one for one in certificate.statements if one.passed]
    if passed:
        found.append(_unseen(passed, certificate))
        found.append(_simulated_families(passed, certificate))
    found.append(
        "Not claimed: that the detector is good, only that it is little worse than the baseline; that any "
        "single patient is spared; anything about patients, electrodes or wards unlike those examined. "
        "Both statements take the subjects for a random sample of the patients to come. "
        "Research software, not a medical device."
    )
    return found


def _unseen(passed: list[Statement], certificate: Certificate) -> str:
    told = []
    for one in passed:
        if one.bound is None:
            continue
        share = 1 - (1 - certificate.constraint.confidence) ** (1 / one.n)
        hidden = one.bound + (one.margin - one.bound) / share
        told.append(
            f"with {one.n} subjects a kind of patient as frequent as {_percent(share)} may have been missed "
            f"altogether; were such patients to lose {hidden:.3g} of {METRICS[one.metric].phrase} or more on "
            "average, the claim would be false"
        )
    return f"What no sample shows: {'; '.join(told)}."


def _simulated_families(passed: list[Statement], certificate: Certificate) -> str:
    n = min(one.n for one in passed)
    families = coverage(n)
    size = families[0].n
    wanted = _percent(1 - CONFIDENCE)
    good = [one.family for one in families if one.covered]
    bad = [f"{one.family} ({_percent(one.false_share)})" for one in families if not one.covered]
    told = (
        f"The mean statement was tried on simulated studies of {size} subjects at {_percent(CONFIDENCE)} "
        f"confidence, the true loss at the margin. It kept its promise, to certify at most {wanted} of such "
        f"networks, where losses were: {'; '.join(good) or 'none of those tried'}."
    )
    if bad:
        told += (
            f" It did not, and this certificate does not cover, where losses are: {'; '.join(bad)} "
            "(in brackets the share that was certified). Which of these the patients to come are like "
            "can't be told from the losses of a few."
        )
    if certificate.constraint.confidence != CONFIDENCE:
        told += " Other confidences: docs/certificate.md."
    return told
