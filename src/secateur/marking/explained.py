"""Events of many recordings explained: a page, and of each event a JSON and a table, for each recording.

The JSON that lists a recording's events is written last: where it names the same detector, settings,
recording and events, nothing is done again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from secateur import __version__
from secateur.detectors import load_detector
from secateur.errors import DetectorError, EventsError, RunError, SettingsError
from secateur.events import Event, Events, read_tsv, starts_differ
from secateur.explaining import ExplainingSettings, Explanation, event_at, explain_events
from secateur.explaining.checking import Check
from secateur.explaining.network import ExplainedNetwork
from secateur.explaining.page import page
from secateur.explaining.writing import as_json, as_table, event_json
from secateur.files import ContentHashes, cache_folder, write_json, write_whole
from secateur.marking.batch import work_items
from secateur.marking.worker import (
    DONE,
    THERE,
    Outcome,
    WorkItem,
    alone,
    failure,
    generator,
    read_json,
)
from secateur.processes import spawned
from secateur.recordings import ReadingSettings, Recording, duration_of, files_of
from secateur.recordings.opening import open_with_own_labels

_NAME = "secateur explain"


@dataclass(frozen=True)
class ExplainTask:
    """What is explained.

    `events`: a TSV, or a folder of them as `secateur detect` wrote it; where it is None and `at` empty, the
    detector's own events. `at`: times in seconds, each explained by itself. `float_detector`: for gradients
    of a detector in 8 bits, the file that it was made from. `believed`: what
    a check of the same detector and method said; pages tell it. `figure`: draws an explained event as PNG, by
    its title; this room knows no figures.
    """

    detector: Path
    settings: ExplainingSettings = field(default_factory=ExplainingSettings)
    reading: ReadingSettings = field(default_factory=ReadingSettings)
    events: Path | None = None
    at: tuple[float, ...] = ()
    float_detector: Path | None = None
    believed: Check | None = None
    figure: Callable[[Explanation, str], bytes] | None = None
    redo: bool = False


def explain_recordings(
    inputs: Sequence[Path],
    out: Path,
    task: ExplainTask,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[tuple[WorkItem, Outcome]], tuple[str, ...]]:
    """Explain the events of all recordings in `inputs` (files and folders) into the folder `out`.

    A recording that can't be explained fails alone, with its reason. `progress` is told how many are done, of
    how many. Returned beside the outcomes: notes on what lay in folders and was passed over. Raises
    `SecateurError` where nothing can be begun.
    """
    fingerprint = _network_of(task).detector.fingerprint
    items, notes = work_items(inputs, out)
    if task.events is not None and task.events.is_file() and len(items) > 1:
        raise SettingsError(
            f"--events {task.events}: holds one recording's events, and there are {len(items)} recordings"
        )
    if task.events is not None and not task.events.exists():
        raise SettingsError(f"--events {task.events}: there is no such file or folder")
    outcomes: list[Outcome] = []

    def finish(outcome: Outcome) -> None:
        outcomes.append(outcome)
        if progress:
            progress(len(outcomes), len(items))

    with alone(out / ".secateur-explain.lock", out, _NAME):
        job = _Explainer(task, fingerprint)
        if workers > 1 and len(items) > 1:
            count = min(workers, len(items))
            try:
                with spawned(count, _begin, (task, fingerprint)) as pool:
                    for outcome in pool.map(_do, [(item, out) for item in items]):
                        finish(outcome)
            except BrokenProcessPool:
                raise RunError(
                    "a process ended while it explained; is there enough memory for --workers "
                    f"{workers}? The same command does what is missing"
                ) from None
        else:
            for item in items:
                finish(job.attempt(item, out))
    return list(zip(items, outcomes, strict=True)), notes


def _network_of(task: ExplainTask) -> ExplainedNetwork:
    """The detector's network. Raises `SettingsError` where it doesn't allow the method."""
    detector = load_detector(task.detector)
    if task.float_detector is None:
        network = ExplainedNetwork(detector)
    else:
        network = ExplainedNetwork.of_both(detector, load_detector(task.float_detector))
    explained = network.explained_by(task.settings.method)
    explained.require(task.settings.method)
    believed = task.believed
    if believed is not None:
        if believed.detector != explained.detector.fingerprint:
            raise SettingsError(
                f"--checked: is a check of another detector ({believed.detector[:12]}…) than "
                f"{explained.detector.path}"
            )
        if believed.method != task.settings.method:
            raise SettingsError(
                f"--checked: is a check of {believed.method}, and --method is {task.settings.method}"
            )
    return network


class _Explainer:
    """Explains one recording after the other."""

    def __init__(self, task: ExplainTask, fingerprint: str) -> None:
        self.task, self._fingerprint = task, fingerprint
        self._hashes = ContentHashes(cache_folder() / "hashes")

    @cached_property
    def network(self) -> ExplainedNetwork:
        network = _network_of(self.task)
        if network.detector.fingerprint != self._fingerprint:
            raise DetectorError(
                f"{self.task.detector}: is another detector than when the work began; begin again"
            )
        return network

    def attempt(self, item: WorkItem, out: Path) -> Outcome:
        """Explain one recording; whatever goes wrong with it is its outcome."""
        try:
            return self._explain(item, out)
        except Exception as error:
            return failure(error, item.source, self.task.detector)

    def _explain(self, item: WorkItem, out: Path) -> Outcome:
        target = _ending(item, "_explanations.json")
        before = read_json(target)
        if generator(before, _NAME) is None and (target.exists() or _page(item).exists()):
            raise SettingsError(
                f"{target}: is there, and not made by `{_NAME}`; choose another --out"
            )
        recording, _ = open_with_own_labels(item.source, self.task.reading)
        events = self._events(item, out, recording)
        identity = self._identity(item, events)
        if before.get("Identity") == identity and _page(item).is_file() and not self.task.redo:
            return Outcome(THERE, "", duration_of(recording), _count(before))
        chosen = self._chosen(recording, events)
        explanations = explain_events(
            self.network,
            recording,
            chosen,
            self.task.settings,
            others=events,
            too_slow=self.task.reading.too_slow,
        )
        self._write(item, explanations, identity)
        seconds = sum(why.event.duration for why in explanations)
        notes = tuple(dict.fromkeys(note for why in explanations for note in why.notes))
        return Outcome(DONE, "", duration_of(recording), len(explanations), seconds, notes)

    def _events(self, item: WorkItem, out: Path, recording: Recording) -> Events | None:
        """The events that a TSV holds; None where none is given."""
        source = self.task.events
        if source is None:
            return None
        if source.is_dir():
            source = source / item.events.relative_to(out)
            if not source.is_file():
                raise RunError(
                    "no table of its events in --events; the summary.csv that `secateur detect` leaves there "
                    "says why"
                )
        events = read_tsv(source, duration_of(recording))
        if starts_differ(events.start, recording.start):
            raise EventsError(
                f"{source}: dateTime is {events.start}, the recording began at {recording.start}; are these "
                "the events of another recording?"
            )
        return events

    def _chosen(self, recording: Recording, events: Events | None) -> list[Event]:
        if self.task.at:
            return [event_at(self.network.detector, second) for second in self.task.at]
        if events is None:
            detector, reading = self.network.detector, self.task.reading
            events = detector.events(
                detector.window_probabilities(recording, too_slow=reading.too_slow)
            )
        return list(events)

    def _identity(self, item: WorkItem, events: Events | None) -> dict[str, Any]:
        origin = self.network.origin
        digest = None if events is None else hashlib.sha256(events.tsv().encode()).hexdigest()
        return {
            "Version": __version__,
            "Detector": self._fingerprint,
            "FloatDetector": None if origin is None else origin.detector.fingerprint,
            "Settings": self.task.settings.model_dump(mode="json"),
            "Reading": self.task.reading.model_dump(mode="json"),
            "At": list(self.task.at),
            "Believed": None if self.task.believed is None else self.task.believed.verdict,
            "Figures": self.task.figure is not None,
            "Events": digest,
            "Recording": self._hashes.of(files_of(item.source)),
        }

    def _write(
        self, item: WorkItem, explanations: Sequence[Explanation], identity: dict[str, Any]
    ) -> None:
        target = _ending(item, "_explanations.json")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        for path in _of_events(item):
            path.unlink()
        for number, why in enumerate(explanations, start=1):
            write_json(_ending(item, f"_event-{number:02d}_explanation.json"), as_json(why))
            write_whole(_ending(item, f"_event-{number:02d}_explanation.tsv"), as_table(why))
            if self.task.figure is not None:
                times = f"{why.event.onset:.2f} s, {why.event.duration:.2f} s long"
                content = self.task.figure(why, f"{item.name}, event {number}: {times}")
                write_whole(_ending(item, f"_event-{number:02d}_explanation.png"), content)
        write_whole(
            _page(item), page(item.name, self.task.detector.name, explanations, self.task.believed)
        )
        write_json(
            target,
            {
                "GeneratedBy": [{"Name": _NAME, "Version": __version__}],
                "Identity": identity,
                "Events": [event_json(why.event) for why in explanations],
            },
        )


def _count(content: dict[str, object]) -> int:
    events = content.get("Events")
    return len(events) if isinstance(events, list) else 0


def _ending(item: WorkItem, ending: str) -> Path:
    return item.events.with_name(item.events.stem.removesuffix("_events") + ending)


def _of_events(item: WorkItem) -> list[Path]:
    """The files of single events that an earlier explanation left."""
    stem = _ending(item, "_event-").name
    name = re.compile(re.escape(stem) + r"\d{2,}_explanation\.(json|tsv|png)")
    return [path for path in item.events.parent.iterdir() if name.fullmatch(path.name)]


def _page(item: WorkItem) -> Path:
    return _ending(item, "_explanation.html")


_state: dict[str, _Explainer] = {}
"""What a worker process works with."""


def _begin(task: ExplainTask, fingerprint: str) -> None:
    _state["explainer"] = _Explainer(task, fingerprint)


def _do(work: tuple[WorkItem, Path]) -> Outcome:
    return _state["explainer"].attempt(*work)
