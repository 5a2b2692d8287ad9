"""The recordings of one person in order of time, and where earlier and later ones are parted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from secateur.errors import SplitError
from secateur.recordings.cohort import Entry


@dataclass(frozen=True)
class PartedInTime:
    """Recordings of one person. `note`: what the order rests on, where clocks say another; else empty."""

    earlier: tuple[Entry, ...]
    later: tuple[Entry, ...]
    note: str = ""


@dataclass(frozen=True)
class _Record:
    """What was recorded in one go, whole or as clips. `session`: as it sorts."""

    session: tuple[int, str]
    start: datetime
    clips: tuple[Entry, ...]

    @property
    def seizures(self) -> int:
        return sum(len(clip.events) for clip in self.clips)


def part_in_time(entries: Sequence[Entry], share: float) -> PartedInTime:
    """Part one person's recordings into earlier and later ones, by whole records.

    `entries`: all of one subject. `share`: of the seizures, at most, that the earlier ones hold; between 0
    and 1, and one seizure at least. Clips of one record are never parted. Sessions come in the order of their
    labels, and inside a session clocks decide: dates that were shifted to hide who somebody is are shifted
    alike within a session alone. Raises `SplitError` where the order isn't told or a part has no seizure.
    """
    records = _in_order(entries)
    total = sum(record.seizures for record in records)
    if total < 2:
        raise SplitError(
            f"{total} seizure{'s' if total != 1 else ''} in all; wanted one earlier and one later"
        )
    count = seizures = 0
    for record in records:
        if seizures and seizures + record.seizures > share * total:
            break
        seizures += record.seizures
        count += 1
    if seizures == total:
        raise SplitError(
            f"its {total} seizures can't be parted: none is in a record after the one with the first"
        )
    clocks = [record.start for record in records]
    note = (
        "" if clocks == sorted(clocks) else "its sessions' clocks run against their labels' order"
    )
    return PartedInTime(_clips(records[:count]), _clips(records[count:]), note)


def _clips(records: Sequence[_Record]) -> tuple[Entry, ...]:
    return tuple(clip for record in records for clip in record.clips)


def _in_order(entries: Sequence[Entry]) -> list[_Record]:
    by_record: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        by_record.setdefault((entry.session, entry.source or str(entry.path)), []).append(entry)
    records = []
    for (session, _), clips in by_record.items():
        starts = [clip.open().start for clip in clips]
        known = [start for start in starts if start is not None]
        if len(known) < len(starts):
            raise SplitError(f"{clips[0].key} doesn't tell when it was recorded")
        number = int(session) if session.isdecimal() else -1
        ordered = sorted(clips, key=lambda clip: (clip.source_start, clip.key))
        records.append(_Record((number, session), min(known), tuple(ordered)))
    records.sort(key=lambda record: (record.session, record.start))
    for record, after in pairwise(records):
        if (record.session, record.start) == (after.session, after.start):
            raise SplitError(
                f"{record.clips[0].key} and {after.clips[0].key} tell the same time, so that their order "
                "isn't known"
            )
    return records
