"""One recording marked: whose its files are, what it holds, its events, and a sidecar that says so.

A TSV stands for a finished detection: whatever else a recording has of that detection is written before it,
and nothing of an earlier one is left when the first file is written. The annotated copy is made from the
TSV, so both tell the same times, and a copy that is missing costs no second detection.

The form is that of BIDS derivatives (https://bids-specification.readthedocs.io).
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from secateur import __version__
from secateur.detectors import Detector, WindowProbabilities, load_detector
from secateur.detectors.file import read_bytes
from secateur.detectors.network.run import Runtime
from secateur.errors import (
    DetectorError,
    EventsError,
    RecordingError,
    RunError,
    SecateurError,
    SettingsError,
)
from secateur.events import Events, read_tsv
from secateur.files import (
    ContentHashes,
    cache_folder,
    locked,
    sha256_of_file,
    stamp_of,
    write_json,
    write_over,
    write_whole,
)
from secateur.monitoring.recording import Detected, detect_and_sketch
from secateur.monitoring.sketch import HourSketch, Setup
from secateur.recordings import ReadingSettings, Recording, duration_of, files_of, open_recording
from secateur.recordings.annotating import write_annotated
from secateur.recordings.opening import open_with_own_labels

if TYPE_CHECKING:
    from secateur.explaining.network import ExplainedNetwork

Json = dict[str, object]

Progress = Callable[[float, float], None]
"""Called with the seconds of EEG that are done, at first none, and of how many."""

DONE, THERE, FAILED, WAITING = "done", "already there", "failed", "waiting"

EDITED = "its events were changed by somebody; delete the TSV to have them detected again"
_NAME = "secateur detect"
_COLUMNS: Json = {
    "onset": {"Description": "Begin of the event, from the recording's first sample", "Units": "s"},
    "duration": {"Description": "Length of the event", "Units": "s"},
    "eventType": {
        "Description": "Kind of event, as SzCORE names it",
        "Levels": {
            "sz": "A seizure, as a machine sees it",
            "bckg": "No seizure was found; the row covers the whole recording",
        },
    },
    "confidence": {"Description": "Largest probability of seizure within the event, 0 to 1"},
    "channels": {"Description": "Channels that the event is on; a detector judges all at once"},
    "dateTime": {
        "Description": "When the recording began; 2000-01-01 00:00:00 where its header does not tell"
    },
    "recordingDuration": {"Description": "Length of the recording", "Units": "s"},
}
_PROBABILITY_COLUMNS: Json = {
    "second": {
        "Description": "Begin of the second, from the recording's first sample",
        "Units": "s",
    },
    "probability": {
        "Description": "Largest probability of seizure in that second; n/a where no window speaks for it"
    },
}
_ATTRIBUTION_COLUMNS: Json = {
    "attributionChannels": {
        "Description": "Channels that raise the margin of the call most, by input × gradient, most first; "
        "what the network added up, and nothing of where a seizure begins"
    },
    "attributionBands": {
        "Description": "Bands that raise the margin of the call most, the most first: delta, theta, alpha, "
        "beta, gamma"
    },
}
_FOLDERS = re.compile(r"(?<![\w.~/\\-])(?:[A-Za-z]:[/\\]+|~?/)(?:[^\s'\"/\\:;,]+[/\\]+)+")
"""What stands before a file's name in an absolute path."""


@dataclass(frozen=True)
class Outputs:
    """What is written beside the TSV."""

    annotated: bool = False
    probabilities: bool = False
    explained: bool = False


@dataclass(frozen=True)
class ExecutionOptions:
    """How recordings are marked. `redo`: also those that are marked, and what another detector marked.
    `sketch`: hours are sketched in the same pass, for a monitor.
    """

    outputs: Outputs = field(default_factory=Outputs)
    reading: ReadingSettings = field(default_factory=ReadingSettings)
    runtime: Runtime = "onnxruntime"
    workers: int = 1
    redo: bool = False
    sketch: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of a recording. `reason`: why it failed, or empty. Times in seconds."""

    status: str
    reason: str = ""
    seconds: float | None = None
    events: int | None = None
    ictal: float | None = None
    notes: tuple[str, ...] = ()
    sketch: Sketched | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Sketched:
    """What a recording brings to a monitor's state: its content's hash, how it was recorded, its hours.

    `notes`: what had to be put right to read it.
    """

    sha256: str
    setup: Setup
    hours: tuple[HourSketch, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class GeneratedBy:
    """What generates events. Whatever changes a number is in it; nothing else is, and no local path."""

    detector: str
    sha256: str
    version: str
    runtime: Runtime
    reading: ReadingSettings

    @classmethod
    def of(cls, detector: Path, options: ExecutionOptions) -> GeneratedBy:
        """The file `detector` run by this version. Raises `DetectorError` where it can't be read."""
        try:
            sha256 = sha256_of_file(detector)
        except OSError:
            read_bytes(detector)  # says why not
            raise
        return cls(detector.name, sha256, __version__, options.runtime, options.reading)

    def described(self) -> Json:
        """As the files have it."""
        reading = self.reading.model_dump(exclude_defaults=True)
        return {
            "Name": _NAME,
            "Version": self.version,
            "Detector": {"Name": self.detector, "SHA256": self.sha256},
            "Runtime": self.runtime,
            **({"Reading": reading} if reading else {}),
        }

    def difference(self, other: Json) -> str:
        """What the description `other` has otherwise, in words; empty where it would generate the same."""
        detector = other.get("Detector")
        sha256 = detector.get("SHA256") if isinstance(detector, dict) else None
        if sha256 != self.sha256:
            return f"another detector ({str(sha256)[:12]}…, this is {self.sha256[:12]}…)"
        ours = self.described()
        for key in ("Version", "Runtime"):
            if other.get(key) != ours[key]:
                return f"{key.lower()} {other.get(key)} (this is {ours[key]})"
        same = other.get("Reading") == ours.get("Reading")
        return "" if same else "the detector with another --rename, --gaps or --force"


@dataclass(frozen=True)
class WorkItem:
    """One recording and its files. `name`: its path below the user's input, free of local paths.

    `events`: SzCORE's TSV. It is valid where the sidecar names the recording. `events_alone`: nothing but the
    sidecar is written beside it.
    """

    source: Path
    name: str
    events: Path
    events_alone: bool = False

    @property
    def sidecar(self) -> Path:
        """What the TSV's columns mean, what generated it and from which recording."""
        return self.events.with_suffix(".json")

    @property
    def probabilities(self) -> Path:
        """A probability for each second."""
        return self._ending("_probabilities.tsv")

    @property
    def probabilities_sidecar(self) -> Path:
        """What the probabilities' columns mean, and how many a second the detector gave."""
        return self._ending("_probabilities.json")

    @property
    def explained(self) -> Path:
        """What the seconds, channels and bands of each event add to the margin by which it was called."""
        return self._ending("_attributions.json")

    @property
    def annotated(self) -> Path:
        """The copy with annotations; BIDS wants the kind of data last."""
        bids = self.events.name.startswith("sub-")
        kind = ".bdf" if self.source.suffix.lower() == ".bdf" else ".edf"
        return self._ending(f"{'_desc-secateur_eeg' if bids else '_events'}{kind}")

    @property
    def files(self) -> tuple[Path, ...]:
        """All that may be written, the TSV first."""
        more = (self.probabilities, self.probabilities_sidecar, self.explained, self.annotated)
        return (self.events, self.sidecar, *(() if self.events_alone else more))

    @property
    def bytes(self) -> int:
        """What the recording takes on disk; 0 where that can't be told."""
        try:
            return sum(path.stat().st_size for path in files_of(self.source))
        except (OSError, RecordingError):
            return 0

    def _ending(self, ending: str) -> Path:
        return self.events.with_name(self.events.stem.removesuffix("_events") + ending)


class Watcher(Protocol):
    """Takes the sketches of recordings as they are done."""

    def wants(self, item: WorkItem) -> bool:
        """Whether a recording has not been sketched. Raises `OSError` or `RecordingError`."""

    def take(self, item: WorkItem, outcome: Outcome) -> Outcome:
        """Keep the sketch that an outcome has; returns the outcome without it, with notes."""


OpensWatcher = Callable[["Worker", Sequence[WorkItem]], AbstractContextManager[Watcher]]
"""Opens what takes the sketches of these recordings."""


def mark_file(
    recording: Path,
    target: Path,
    detector: Path,
    options: ExecutionOptions,
    progress: Progress | None = None,
    watch: OpensWatcher | None = None,
) -> Outcome:
    """Mark one recording into the TSV `target`, with a sidecar beside it.

    `watch`: opens what is handed its sketch.

    What the same detector found in a recording of another name gives way, with a note. Raises
    `SettingsError` where the TSV or the sidecar is another detector's (`options.redo`: not `secateur
    detect`'s) or was changed by hand, `RunError` where another process writes it, and what reading,
    detecting and writing raise.
    """
    worker = Worker(detector, options)
    item = WorkItem(recording, recording.name, target, events_alone=True)
    with alone(target.with_name(f".{target.name}.lock"), target), ExitStack() as stack:
        check_owned(item)
        watcher = None if watch is None else stack.enter_context(watch(worker, [item]))
        notes = () if options.redo else _notes_on_earlier(item, worker.generated_by)
        known = None if options.redo else worker.known(item)
        if known is not None:
            if watcher is None or not watcher.wants(item):
                return known
            return watcher.take(item, replace(known, sketch=worker.sketch(item, progress)))
        if is_edited(item):
            raise SettingsError(f"{target}: {EDITED}")
        outcome = worker.mark(item, progress)
        outcome = replace(outcome, notes=(*outcome.notes, *notes))
        return outcome if watcher is None else watcher.take(item, outcome)


@contextmanager
def alone(lock: Path, target: Path, verb: str = _NAME) -> Iterator[None]:
    """Hold `lock` while `verb` writes `target`. Raises `RunError` where another process holds it."""
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(lock))
        except BlockingIOError:
            raise RunError(f"{target}: another `{verb}` is writing it") from None
        except OSError:
            pass  # a folder that takes no new file: writing tells, unless there is a file to be filled
        yield


def _notes_on_earlier(item: WorkItem, by: GeneratedBy) -> tuple[str, ...]:
    """What there is to say of an earlier detection in the place of this one."""
    sidecar = read_json(item.sidecar)
    before = generator(sidecar)
    if before is None or not item.events.is_file():
        return ()
    reason = by.difference(before)
    if reason:
        raise SettingsError(
            f"{item.events}: holds what {reason} found; choose another --out, or --redo"
        )
    source = sidecar.get("Source")
    name = source.get("Path") if isinstance(source, dict) else None
    return () if name == item.name else (f"in place of the events of {name}",)


class Worker:
    """Marks one recording after the other with the detector in `path`, opened when it is first needed.

    `by`: what generates the events; where None, it is seen now.
    """

    def __init__(
        self, path: Path, options: ExecutionOptions, by: GeneratedBy | None = None
    ) -> None:
        self.options = options
        self.generated_by = by or GeneratedBy.of(path, options)
        self._path = path
        self._opened: Detector | None = None
        self._hashes = ContentHashes(cache_folder() / "hashes")

    def detector(self) -> Detector:
        """The detector. Raises `DetectorError` where the file is another than when the work began."""
        if self._opened is None:
            opened = load_detector(self._path, self.options.runtime)
            if opened.fingerprint != self.generated_by.sha256:
                raise DetectorError(
                    f"{self._path}: is another detector than when the work began; begin again"
                )
            self._opened = opened
        return self._opened

    def require_explainable(self) -> None:
        """Open the detector. Raises `SettingsError` where it is to explain and allows no gradient."""
        self.detector()
        if self.options.outputs.explained:
            self._network.require("gradient")

    @cached_property
    def _network(self) -> ExplainedNetwork:
        from secateur.explaining.network import ExplainedNetwork

        return ExplainedNetwork(self.detector())

    def known(self, item: WorkItem) -> Outcome | None:
        """The outcome of an earlier detection whose files are there; None where it is to be done.

        An annotated copy may be missing all the same: `annotate` makes it.
        """
        sidecar = read_json(item.sidecar)
        by = generator(sidecar)
        if by is None or self.generated_by.difference(by) or not item.events.is_file():
            return None
        beside = (item.probabilities, item.probabilities_sidecar)
        if self.options.outputs.probabilities and not all(path.is_file() for path in beside):
            return None
        if self.options.outputs.explained and not item.explained.is_file():
            return None
        try:
            if sidecar.get("Source") != self._source(item):
                return None
            events = read_tsv(item.events)
        except (EventsError, RecordingError, OSError):
            return None
        notes = sidecar.get("Notes")
        kept = tuple(map(str, notes)) if isinstance(notes, list) else ()
        return _outcome(THERE, events, kept)

    def attempt(
        self, item: WorkItem, known: Outcome | None, progress: Progress, *, sketch: bool = False
    ) -> Outcome:
        """Mark one of many recordings; whatever goes wrong with it is its outcome.

        `sketch`: also one that is `known` is gone through, for its sketch alone.
        """
        try:
            if known is None:
                outcome = self.mark(item, progress)
            elif sketch:
                outcome = replace(known, sketch=self.sketch(item, progress))
            else:
                outcome = known
            return annotate(item, outcome) if self.options.outputs.annotated else outcome
        except Exception as error:
            return failure(error, item.source, self._path)

    def attempt_sketch(self, item: WorkItem) -> Outcome:
        """Sketch one of many recordings and write nothing; whatever goes wrong with it is its outcome."""
        try:
            sketch = self.sketch(item)
            return Outcome(DONE, notes=sketch.notes, sketch=sketch)
        except Exception as error:
            return failure(error, item.source, self._path)

    def sketch(self, item: WorkItem, progress: Progress | None = None) -> Sketched:
        """A recording's hours. Raises as `mark` does."""
        before = _state(item.source)
        recording, reading = open_with_own_labels(item.source, self.options.reading)
        length = duration_of(recording)
        detected = detect_and_sketch(
            self.detector(),
            recording,
            progress and (lambda done: progress(min(done, length), length)),
            reading.too_slow,
        )
        sha256 = self._hashes.of(files_of(item.source))
        if _state(item.source) != before:
            raise RecordingError(item.source, "changed while it was read; begin again")
        assert detected.setup is not None
        notes = tuple(without_folders(note, item.source) for note in detected.probabilities.notes)
        return Sketched(sha256, detected.setup, detected.hours, notes)

    def mark(self, item: WorkItem, progress: Progress | None = None) -> Outcome:
        """Detect in one recording and write all that is asked for but the annotated copy.

        One of many need not have every label that is to be renamed. Raises what reading, detecting and
        writing raise, and `RecordingError` where the recording changes meanwhile.
        """
        state, reading = _state(item.source), self.options.reading
        if item.events_alone:
            recording, own = open_recording(item.source, reading), reading
        else:
            recording, own = open_with_own_labels(item.source, reading)
        length = duration_of(recording)
        if progress:
            progress(0.0, length)
        detector = self.detector()
        with ThreadPoolExecutor(1) as pool:  # hashing leaves the interpreter free
            source = pool.submit(self._source, item)
            detected = self._detected(
                recording, progress and (lambda done: progress(min(done, length), length))
            )
        probabilities, events = detected.probabilities, detected.events
        notes = probabilities.notes
        absent = [label for label in reading.rename if label not in own.rename]
        if absent:
            notes += (f"has no channel {', '.join(absent)} to rename",)
        if len(probabilities.begin) == 0:
            window = detector.info.windows.length
            notes += (f"shorter than a window of {window:g} s: nothing was judged",)
        if _state(item.source) != state:
            raise RecordingError(item.source, "changed while it was read; begin again")
        explained = _Explained()
        if self.options.outputs.explained:
            explained = _explained(self._network, recording, events, reading)
        text = events.tsv(explained.columns)
        notes = tuple(without_folders(note, item.source) for note in notes)
        sidecar: Json = {
            **_COLUMNS,
            **{name: _ATTRIBUTION_COLUMNS[name] for name in explained.columns},
            "GeneratedBy": [self.generated_by.described()],
            "Source": source.result(),
            "Events": {"SHA256": hashlib.sha256(text.encode()).hexdigest()},
            "Notes": list(notes),
        }
        self._write(item, text, sidecar, probabilities, explained)
        outcome = _outcome(DONE, read_tsv(item.events), notes)
        if detected.setup is None:
            return outcome
        sha256 = str(source.result()["SHA256"])
        return replace(outcome, sketch=Sketched(sha256, detected.setup, detected.hours))

    def _detected(self, recording: Recording, progress: Callable[[float], None] | None) -> Detected:
        """What the detector makes of a recording, sketched where that is asked for."""
        detector, too_slow = self.detector(), self.options.reading.too_slow
        if self.options.sketch:
            return detect_and_sketch(detector, recording, progress, too_slow)
        probabilities = detector.window_probabilities(recording, progress, too_slow)
        return Detected(probabilities, detector.events(probabilities))

    def _write(
        self,
        item: WorkItem,
        text: str,
        sidecar: Json,
        probabilities: WindowProbabilities,
        explained: _Explained,
    ) -> None:
        handed_out = _is_empty(item.events)  # a container's, to be filled
        if not handed_out:
            clear(item)
        try:
            write_json(item.sidecar, sidecar)
        except OSError:
            if not handed_out:
                raise
            write_over(item.events, text)  # in a folder that takes no new file
            return
        if self.options.outputs.probabilities:
            columns = {**_PROBABILITY_COLUMNS, "HopSeconds": probabilities.hop}
            write_json(item.probabilities_sidecar, columns)
            write_whole(item.probabilities, _table(per_second(probabilities)))
        if self.options.outputs.explained:
            write_json(item.explained, {"Events": explained.events})
        write_whole(item.events, text)

    def _source(self, item: WorkItem) -> Json:
        """By which the recording is known again."""
        return {"Path": item.name, "SHA256": self._hashes.of(files_of(item.source))}


@dataclass(frozen=True)
class _Explained:
    """Of each event what stands in the TSV's further columns, and in the JSON beside it."""

    columns: dict[str, list[str]] = field(default_factory=dict)
    events: list[Json] = field(default_factory=list)


def _explained(
    network: ExplainedNetwork, recording: Recording, events: Events, reading: ReadingSettings
) -> _Explained:
    """All events explained by the default method, which needs no further settings."""
    from secateur.explaining import explain_events
    from secateur.explaining.writing import as_json, most_of

    explanations = explain_events(network, recording, list(events), too_slow=reading.too_slow)
    most = [most_of(why) for why in explanations]
    cells = [[",".join(names) or "n/a" for names in both] for both in most]
    columns = {name: [row[k] for row in cells] for k, name in enumerate(_ATTRIBUTION_COLUMNS)}
    return _Explained(columns, [as_json(why) for why in explanations])


def check_owned(item: WorkItem) -> None:
    """Raise `SettingsError` where a file that `secateur detect` did not write is in the way.

    A TSV that is empty and alone holds nothing of anybody: whoever runs a container hands it out.
    """
    present = [path for path in item.files if path.exists()]
    if present == [item.events] and _is_empty(item.events):
        return
    if present and generator(read_json(item.sidecar)) is None:
        raise SettingsError(
            f"{present[0]}: is there, and not made by `secateur detect`; choose another --out"
        )


def is_edited(item: WorkItem) -> bool:
    """Whether the TSV is another than `secateur detect` wrote: corrections are not overwritten."""
    written = read_json(item.sidecar).get("Events")
    return (
        isinstance(written, dict)
        and item.events.is_file()
        and written.get("SHA256") != sha256_of_file(item.events)
    )


def clear(item: WorkItem) -> None:
    """Remove what an earlier detection left; the sidecar stays, by which the rest is known as ours."""
    for path in item.files:
        if path != item.sidecar:
            path.unlink(missing_ok=True)


def annotate(item: WorkItem, outcome: Outcome) -> Outcome:
    """Make the annotated copy from the TSV, unless it is there; what hinders it is a failure's reason."""
    if item.annotated.is_file():
        return outcome
    try:
        notes = write_annotated(item.source, item.annotated, read_tsv(item.events))
    except RecordingError as error:
        reason = without_folders(error.reason, item.source)
        reason = f"its events are in the TSV, but there is no annotated copy: {reason}"
        return replace(outcome, status=FAILED, reason=reason)
    return replace(outcome, status=DONE, notes=(*outcome.notes, *notes))


def failure(error: Exception, source: Path, *others: Path) -> Outcome:
    """An error as an outcome, its reason in one line without local paths.

    `source`: the recording, which a reason needn't begin with; `others`: what else it may name.
    """
    if isinstance(error, RecordingError):
        reason = error.reason
    elif isinstance(error, OSError) and not isinstance(error, SecateurError):
        reason = error.strerror or type(error).__name__
    elif isinstance(error, SecateurError):
        reason = str(error)
    else:
        reason = f"{type(error).__name__}: {error}"
    reason = without_folders(reason, source, *others)
    return Outcome(FAILED, reason.removeprefix(f"{source.name}: "))


def without_folders(text: str, *paths: Path) -> str:
    """`text` in one line, with each path in it reduced to its last part; `paths`: also with blanks."""
    for path in paths:
        for folder in (path.resolve().parent, path.parent):
            if folder != Path():
                text = text.replace(f"{folder}/", "")
    return _FOLDERS.sub("", " ".join(text.split()))


def generator(content: Json, verb: str = _NAME) -> Json | None:
    """What generated the files that a JSON file describes; None where it was not `verb`."""
    by = content.get("GeneratedBy")
    first = by[0] if isinstance(by, list) and by else None
    return first if isinstance(first, dict) and first.get("Name") == verb else None


def read_json(path: Path) -> Json:
    """A JSON object; empty where there is none that can be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def per_second(probabilities: WindowProbabilities) -> NDArray[np.float64]:
    """The largest probability in each second of a recording; nan where no window speaks for it."""
    seconds = np.full(math.ceil(probabilities.duration - 1e-9), np.nan)
    last = len(seconds) - 1
    first = np.floor(probabilities.begin + 1e-9).astype(int)
    after = np.ceil(probabilities.begin + probabilities.hop - 1e-9).astype(int)
    for begin, end, probability in zip(first, after, probabilities.probability, strict=True):
        stretch = seconds[begin : min(end, last + 1)]
        np.fmax(stretch, probability, out=stretch)
    return seconds


def _table(seconds: NDArray[np.float64]) -> str:
    lines = ["second\tprobability"]
    for second, value in enumerate(seconds):
        lines.append(f"{second}\t{'n/a' if np.isnan(value) else f'{value:.4f}'}")
    return "\n".join(lines) + "\n"


def _state(source: Path) -> list[int]:
    try:
        return stamp_of(files_of(source))
    except OSError:  # opening it tells what is wrong
        return []


def _is_empty(path: Path) -> bool:
    return path.is_file() and path.stat().st_size == 0


def _outcome(status: str, events: Events, notes: tuple[str, ...]) -> Outcome:
    return Outcome(status, "", events.duration, len(events), events.seconds, notes)
