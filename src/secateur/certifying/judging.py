"""Scores of every network by subject: in every repeat by networks that have not seen the subject."""

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
    """`repeats`: scores by network, for each repeat by subject. `background`: seconds of it by subject.
    `contents`: content hashes of each subject's recordings.
    """

    repeats: dict[str, list[Table]] = field(default_factory=dict)
    background: dict[str, float] = field(default_factory=dict)
    contents: dict[str, list[str]] = field(default_factory=dict)

    def scores(self, name: str) -> Table:
        """A network's scores by subject, averaged over repeats."""
        tables = self.repeats[name]
        return {
            subject: {
                metric: _average([table[subject][metric] for table in tables]) for metric in row
            }
            for subject, row in tables[0].items()
        }


def _average(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None


def judge_parts(repeats: Sequence[Sequence[Part]], work: Work) -> Judged:
    """Score every network of every part on its certification side; a repeat judges everybody once."""
    judged = Judged()
    for number, parts in enumerate(repeats):
        for part in parts:
            _judge_part(part, number, work, judged)
    return judged


def _judge_part(part: Part, repeat: int, work: Work, judged: Judged) -> None:
    material, folder = work.material(part), work.folder(part)
    windows = material.sides["certification"]
    table = WindowTable.of(windows)
    entries = [prepared.entry for prepared in windows.prepared]
    judged.background |= background_seconds(entries)
    judged.contents |= ledger.contents_of(windows, work.cache)
    for stage in part.stages:
        record = folder.finished(stage.name)
        if stage.kind == "evidence" or record is None:
            continue
        probability = folder.arrays(stage.name)["certification"]
        threshold = float(record["threshold"])
        rules = rules_of(record["post_processing"])
        events = events_of(entries, table, probability, windows.hop / windows.rate, rules)
        tables = judged.repeats.setdefault(stage.name, [])
        if len(tables) == repeat:
            tables.append({})
        tables[repeat].update(subject_scores(entries, table, probability, threshold, events))
