"""The certificate of an adapted detector: the ladder with one rung, judged against the detector before."""

from __future__ import annotations

import hashlib

import secateur
from secateur.detectors import Detector, background_seconds
from secateur.detectors.adapting import Progress, scores_of, unseen_windows
from secateur.detectors.file import repack
from secateur.errors import CohortError
from secateur.recordings import Cohort, describe_background
from secateur.runs import ledger
from secateur.scoring import TIMESCORING_VERSION, Constraint, check_background
from secateur.scoring.certificate import Circumstances, make_certificate
from secateur.scoring.statements import LEAST_FOR_MEAN
from secateur.windows import Cache


def certified(
    parent: Detector,
    content: bytes,
    cohort: Cohort,
    constraint: Constraint,
    progress: Progress | None = None,
) -> bytes:
    """`content`, a detector's file adapted from `parent`, with its certificate on those whom neither has
    seen.

    It may say that the margin was not shown to hold. Raises `CohortError` where there are too few people for
    one, `ScoringError` for margins on events with too little background.
    """
    adapted = Detector(content, "adapted")
    windows = unseen_windows(parent, adapted, cohort, progress)
    if len(windows.subjects) < LEAST_FOR_MEAN:
        raise CohortError(
            f"{cohort.folder}: {len(windows.subjects)} people whom the detector has not seen; a certificate "
            f"needs {LEAST_FOR_MEAN} or more, so leave --certify away and there is none"
        )
    entries = [recording.entry for recording in windows.prepared]
    check_background(constraint.margins, background_seconds(entries), force=False)
    label = f"adapted-{adapted.info.provenance.adapted[-1].method}"
    before, after = scores_of(parent, windows), scores_of(adapted, windows)
    cache = Cache()
    name = hashlib.sha256(
        f"{adapted.fingerprint} {constraint.model_dump_json()}".encode()
    ).hexdigest()
    looks = ledger.certification(
        [cache.folder / ledger.FILE], name[:16], ledger.contents_of(windows, cache)
    )
    circumstances = Circumstances(
        ladder=(label,),
        data=cohort.name,
        simulated=cohort.simulated,
        thresholds={"parent": parent.threshold, label: adapted.threshold},
        earlier_certifications=looks.certification - 1,
        earlier_runs=looks.runs,
        background=describe_background(cohort).words,
        parent=parent.fingerprint,
        versions={"secateur": secateur.__version__, "timescoring": TIMESCORING_VERSION},
    )
    certificate = make_certificate(constraint, [before], [(label, [after])], circumstances)
    with_it = adapted.info.model_copy(update={"certificate": certificate})
    return repack(content, adapted.info, with_it)
