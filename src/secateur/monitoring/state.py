"""What a monitor knows, as one small file: each patient's hours, and which recordings they come from."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from secateur.errors import MonitorError, RunError
from secateur.files import kind_of, locked, write_whole
from secateur.monitoring.sketch import FIRST, LAST, HourSketch, SavedHour, Setup
from secateur.settings import Settings

_LARGEST = 1 << 30
_OVERLAP = 60.0
"""Seconds by which two recordings may overlap, or half of the shorter: clocks are set right by so much."""
_SHARE = 20.0
"""A file is written anew once so many times as long has gone by as the last writing took."""

Name = Annotated[str, Field(max_length=1000)]
Time = Annotated[float, Field(ge=FIRST, le=LAST)]


class SavedSetup(Settings):
    """A `Setup` as JSON."""

    channels: Annotated[tuple[Name, ...], Field(min_length=1, max_length=10_000)]
    recorded: Annotated[tuple[Name, ...], Field(min_length=1, max_length=10_000)]
    rate: Annotated[float, Field(gt=0, le=1e6)]
    montage: Annotated[str, Field(max_length=100_000)]

    def setup(self) -> Setup:
        """As sketches have it."""
        return Setup(self.channels, self.recorded, self.rate, self.montage)


class SavedRecording(Settings):
    """A recording that was sketched. `sha256`: of its content; `name`: its path below the folder.

    `begin`: seconds since 1970-01-01 00:00 on its own clock, None where its header doesn't tell. `undated`:
    why it belongs to no day; its `hours` then count from its own beginning.
    """

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    name: Name
    begin: Time | None
    seconds: Annotated[float, Field(ge=0, le=1e9)]
    undated: str = ""
    hours: tuple[SavedHour, ...] = ()


class SavedPatient(Settings):
    """One patient. `mark`: see `patients.mark_of`; `judged`: the last day of which a verdict was stated."""

    key: Name
    mark: Annotated[str, Field(pattern="^([0-9a-f]{4})?$")]
    setups: tuple[SavedSetup, ...]
    hours: tuple[SavedHour, ...]
    recordings: tuple[SavedRecording, ...]
    judged: date | None = None


class SavedMonitor(Settings):
    """The file. `detector`: its fingerprint."""

    form: Literal[1] = 1
    detector: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    patients: tuple[SavedPatient, ...]


@dataclass(frozen=True)
class Listed:
    """A recording that is to be sketched, as its header tells it. See `SavedRecording`."""

    patient: str
    name: str
    begin: float | None
    seconds: float


@dataclass(frozen=True)
class RecordingSketch:
    """What one recording brings: all that the state wants to know of it.

    `mark`: see `patients.mark_of`. `undated`: why its hours belong to no day, or empty.
    """

    listed: Listed
    sha256: str
    mark: str
    setup: Setup
    hours: tuple[SavedHour, ...]
    undated: str = ""


@dataclass
class Patient:
    """A patient whose hours can be added to."""

    key: str
    mark: str = ""
    setups: list[Setup] = field(default_factory=list)
    saved: dict[tuple[int, int], SavedHour] = field(default_factory=dict)
    """By start and by the index of the setup."""
    recordings: dict[str, SavedRecording] = field(default_factory=dict)
    """By their SHA-256."""
    judged: date | None = None

    def hours(self) -> Iterator[HourSketch]:
        """The dated hours, in order."""
        for key in sorted(self.saved):
            yield self.saved[key].sketch(self.setups[key[1]])

    def undated(self) -> Iterator[tuple[SavedRecording, list[HourSketch]]]:
        """Recordings that belong to no day, in the order of their names."""
        for recording in sorted(self.recordings.values(), key=lambda each: each.name):
            if recording.undated:
                yield (
                    recording,
                    [hour.sketch(self.setups[hour.setup]) for hour in recording.hours],
                )

    def add(self, sketch: RecordingSketch) -> None:
        """Take in a recording; nothing happens where it is known. Raises `MonitorError`.

        Of copies the one that belongs to a day counts, else the first by name, whichever comes first.
        """
        known = self.recordings.get(sketch.sha256)
        if known is not None and not (
            known.undated and (not sketch.undated or sketch.listed.name < known.name)
        ):
            return
        self.check(sketch.listed.name, sketch.mark)
        self.mark = self.mark or sketch.mark
        if sketch.setup not in self.setups:
            self.setups.append(sketch.setup)
        index = self.setups.index(sketch.setup)
        hours = tuple(hour.model_copy(update={"setup": index}) for hour in sketch.hours)
        if not sketch.undated:
            for hour in hours:
                before = self.saved.get((hour.start, index))
                if before is not None:
                    both = before.sketch(sketch.setup) | hour.sketch(sketch.setup)
                    hour = SavedHour.of(both, index)
                self.saved[hour.start, index] = hour
        listed = sketch.listed
        self.recordings[sketch.sha256] = SavedRecording(
            sha256=sketch.sha256,
            name=listed.name,
            begin=listed.begin,
            seconds=listed.seconds,
            undated=sketch.undated,
            hours=hours if sketch.undated else (),
        )

    def check(self, name: str, mark: str) -> None:
        """Raise `MonitorError` where a recording's header names another patient than those before."""
        if mark and self.mark and mark != self.mark:
            raise MonitorError(
                f"{name}: its header names another patient than the recordings before it under "
                f"{self.key!r}; give each patient a folder of their own"
            )

    def to_saved(self) -> SavedPatient:
        """As the file has it: the same to the bit, in whichever order recordings came."""
        order = sorted(range(len(self.setups)), key=lambda k: repr(self.setups[k]))
        rank = {old: new for new, old in enumerate(order)}

        def moved(hour: SavedHour) -> SavedHour:
            return hour.model_copy(update={"setup": rank[hour.setup]})

        recordings = sorted(self.recordings.values(), key=lambda each: (each.name, each.sha256))
        return SavedPatient(
            key=self.key,
            mark=self.mark,
            setups=tuple(
                SavedSetup(
                    channels=setup.channels,
                    recorded=setup.recorded,
                    rate=setup.rate,
                    montage=setup.montage,
                )
                for setup in (self.setups[k] for k in order)
            ),
            hours=tuple(sorted(map(moved, self.saved.values()), key=_start_and_setup)),
            recordings=tuple(
                each.model_copy(update={"hours": tuple(map(moved, each.hours))})
                for each in recordings
            ),
            judged=self.judged,
        )

    @classmethod
    def from_saved(cls, saved: SavedPatient) -> Patient:
        """Read back. Raises `ValueError` where parts contradict each other."""
        setups = [each.setup() for each in saved.setups]
        hours = [*saved.hours, *(hour for each in saved.recordings for hour in each.hours)]
        if any(hour.setup >= len(setups) for hour in hours):
            raise ValueError("an hour of a setup that is not there")
        for hour in hours:
            hour.sketch(setups[hour.setup])
        return cls(
            saved.key,
            saved.mark,
            setups,
            {_start_and_setup(hour): hour for hour in saved.hours},
            {each.sha256: each for each in saved.recordings},
            saved.judged,
        )


def _start_and_setup(hour: SavedHour) -> tuple[int, int]:
    return hour.start, hour.setup


class Monitor:
    """A state's file, opened. Make one with `opened`, which keeps others out meanwhile."""

    def __init__(self, path: Path, detector: str, patients: dict[str, Patient]) -> None:
        self.path, self.detector, self.patients = path, detector, patients
        self._changed = False
        self._written, self._took = time.monotonic(), 0.0

    @classmethod
    def read(cls, path: Path, detector: str) -> Monitor:
        """The state at `path`, or an empty one where there is no file; `detector`: the fingerprint.

        Raises `MonitorError` where it is no state, a damaged one or another detector's.
        """
        if not path.exists():
            return cls(path, detector, {})
        if not path.is_file() or path.stat().st_size > _LARGEST:
            raise MonitorError(f"{path}: is {kind_of(path)}, wanted a monitor's state")
        try:
            saved = SavedMonitor.model_validate_json(path.read_bytes(), strict=True)
            patients = {each.key: Patient.from_saved(each) for each in saved.patients}
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            at = f" (at {'.'.join(map(str, first['loc'][:3]))})" if first["loc"] else ""
            raise MonitorError(
                f"{path}: is no monitor's state of this version, or a damaged one{at}; choose another --state"
            ) from None
        except ValueError as error:
            raise MonitorError(f"{path}: a damaged state ({error}); choose another") from None
        if saved.detector != detector:
            raise MonitorError(
                f"{path}: is the state of another detector ({saved.detector[:12]}…, this is "
                f"{detector[:12]}…); what its probabilities were says nothing about this one's: choose "
                "another --state"
            )
        return cls(path, detector, patients)

    def knows(self, patient: str, sha256: str) -> bool:
        """Whether a recording's content has been sketched for a patient."""
        return patient in self.patients and sha256 in self.patients[patient].recordings

    def undated(self, recordings: Sequence[Listed]) -> list[str]:
        """For each recording why it belongs to no day; empty where it does.

        Of two that overlap in time the earlier counts, and what the state holds before both: the answer does
        not depend on the order of `recordings`, nor on which of them were added meanwhile.
        """
        reasons = [""] * len(recordings)
        order = sorted(
            range(len(recordings)), key=lambda k: (recordings[k].begin or 0.0, recordings[k].name)
        )
        spans: dict[str, list[tuple[float, float, str]]] = {
            key: sorted(
                (each.begin, each.begin + each.seconds, each.name)
                for each in patient.recordings.values()
                if each.begin is not None and not each.undated
            )
            for key, patient in self.patients.items()
        }
        for k in order:
            each = recordings[k]
            mine = spans.setdefault(each.patient, [])
            if each.begin is None:
                reasons[k] = "its header does not tell when it began"
                continue
            span = each.begin, each.begin + each.seconds, each.name
            if span in mine:
                continue
            at = bisect_right(mine, span)
            # neighbours may overlap each other by a little: the nearest few are enough
            around = [other for other in mine[max(0, at - 3) : at + 3] if _overlap(span, other)]
            if around:
                reasons[k] = (
                    f"by its clock it overlaps {around[0][2]}: a copy, a clock that jumps, or dates taken out"
                )
                continue
            judged = self.patients[each.patient].judged if each.patient in self.patients else None
            if judged is not None and datetime.fromtimestamp(each.begin, UTC).date() < judged:
                reasons[k] = (
                    f"it lies before {judged}, up to which days have been judged already; to judge it too, "
                    "begin another --state with all recordings whose clock is right"
                )
                continue
            mine.insert(at, span)
        return reasons

    def add(self, sketch: RecordingSketch) -> None:
        """Take in a recording; the file follows soon. Raises `MonitorError`."""
        key = sketch.listed.patient
        patient = self.patients.get(key) or Patient(key)
        patient.add(sketch)
        self.patients[key] = patient
        self._changed = True
        if time.monotonic() - self._written > _SHARE * self._took:
            self.write()

    def state_judged(self, patient: str, day: date) -> None:
        """Remember that verdicts have been stated up to `day`."""
        known = self.patients[patient]
        if known.judged is None or day > known.judged:
            known.judged = day
            self._changed = True

    def to_bytes(self) -> bytes:
        """The file's content: the same for the same recordings, whatever their order."""
        patients = tuple(self.patients[key].to_saved() for key in sorted(self.patients))
        saved = SavedMonitor(detector=self.detector, patients=patients)
        return saved.model_dump_json().encode() + b"\n"

    def write(self) -> None:
        """Bring the file up to date, complete or not at all."""
        if self._changed or not self.path.exists():
            began = time.monotonic()
            write_whole(self.path, self.to_bytes())
            self._changed = False
            self._written = time.monotonic()
            self._took = self._written - began


def _overlap(span: tuple[float, float, str], other: tuple[float, float, str]) -> bool:
    """Whether two recordings (begin, end, name) share more time than clocks that are set right explain."""
    shorter = min(span[1] - span[0], other[1] - other[0])
    return min(span[1], other[1]) - max(span[0], other[0]) > min(_OVERLAP, shorter / 2)


@contextmanager
def opened(path: Path, detector: str) -> Iterator[Monitor]:
    """The monitor whose state is at `path`, written when the block ends, also by an error or Ctrl-C.

    Raises `MonitorError` as `Monitor.read` does, `RunError` where another process has it open, or where
    nothing can be written.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(path.with_name(f".{path.name}.lock")))
        except BlockingIOError:
            raise RunError(f"{path}: another process is writing this state") from None
        except OSError as error:
            raise RunError(
                f"{path}: cannot be written ({error.strerror}); give the state a place where you may write"
            ) from None
        monitor = Monitor.read(path, detector)
        try:
            yield monitor
        finally:
            monitor.write()
