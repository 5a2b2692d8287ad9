"""What those who are judged say of every network.

Comes in: parts with all stages finished. Goes out: for each network {subject: {metric: score}} over all
parts, each subject judged once, by networks that have not seen it. Next: `search` hands them to
`scoring` for the verdicts, `result` tells them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from secateur.detectors.choosing import rules_of
from secateur.detectors.evaluation import WindowTable, background_seconds, events_of, subject_scores
from secateur.runs import ledger
from secateur.runs.plan import Part
from secateur.runs.workers import Work
from secateur.scoring.intervals import Scores

Table = dict[str, Scores]


@dataclass
class Judged:
    """`scores`: by network and subject. `background`: seconds of it by subject. `contents`: content
    hashes of each subject's recordings.
    """

    scores: dict[str, Table] = field(default_factory=dict)
    background: dict[str, float] = field(default_factory=dict)
    contents: dict[str, list[str]] = field(default_factory=dict)


def judge_parts(parts: Sequence[Part], work: Work) -> Judged:
    """Score every network of every part on its certification side."""
    found = Judged()
    for part in parts:
        material, folder = work.material(part), work.folder(part)
        windows = material.sides["certification"]
        table = WindowTable.of(windows)
        entries = [one.entry for one in windows.prepared]
        found.background |= background_seconds(entries)
        found.contents |= ledger.contents_of(windows, work.cache)
        for stage in part.stages:
            record = folder.finished(stage.name)
            if stage.kind == "evidence" or record is None:
                continue
            probability = folder.arrays(stage.name)["certification"]
            threshold = float(record["threshold"])
            rules = rules_of(record["post_processing"])
            events = events_of(entries, table, probability, windows.hop / windows.rate, rules)
            scores = subject_scores(entries, table, probability, threshold, events)
            found.scores.setdefault(stage.name, {}).update(scores)
    return found
