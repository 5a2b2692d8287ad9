"""What a bed keeps on disk, so that the same command goes on where a process stopped or was killed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from secateur.detectors.saved_stream import Count, Probability, Seconds, Value
from secateur.errors import RunError
from secateur.events import Event
from secateur.files import kind_of
from secateur.live.stream import StreamInfo
from secateur.settings import Settings

NAME = "state.json"
LOCK = ".secateur-live.lock"
"""In the folder of `--out`, as long as `secateur live` writes to it; it stays behind after kill -9."""
_LARGEST = 1 << 30


class SavedEvent(Settings):
    """An event, in seconds of the stream."""

    onset: Seconds
    duration: Annotated[float, Field(gt=0, le=1e12)]
    confidence: Probability | None

    @classmethod
    def of(cls, event: Event) -> SavedEvent:
        """As the state has it."""
        return cls(onset=event.onset, duration=event.duration, confidence=event.confidence)

    def event(self) -> Event:
        """As the rest of Secateur has it."""
        return Event(self.onset, self.duration, "sz", self.confidence)


class SavedBed(Settings):
    """A bed after some sample.

    `start`, `time`: Unix seconds of sample 0, and of the saving. `number`: of the bed's next alarm.
    `log_size`: bytes of `alarms.jsonl` by then. `spool`: the file of the signal that came later.
    `stream`: what `DetectorStream.save` gave. `gathered`: technical alarms that wait for their record.
    `finished`: the source came to its end.
    `recorded`: the signal is also written as a recording.
    """

    form: Literal[1] = 1
    bed: str
    address: str
    detector: str
    channels: tuple[str, ...]
    sampling_rate: float
    start: float
    time: float
    number: Count
    log_size: Count
    spool: Count
    closed: tuple[SavedEvent, ...]
    open: SavedEvent | None
    stream: str
    faults: dict[str, Value]
    gathered: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    finished: bool = False
    recorded: bool = False

    def require(self, folder: Path, address: str, info: StreamInfo, detector: str) -> None:
        """Raise `RunError` where the state is another detector's or another source's."""
        pairs = (
            ("detector", self.detector[:12], detector[:12], self.detector == detector),
            ("source", self.address, address, self.address == address),
            ("channels", ", ".join(self.channels), ", ".join(info.channels),
             self.channels == info.channels),
            ("sampling rate", f"{self.sampling_rate:g} Hz", f"{info.sampling_rate:g} Hz",
             self.sampling_rate == info.sampling_rate),
        )  # fmt: skip
        for name, before, now, same in pairs:
            if not same:
                raise RunError(
                    f"{folder}: was begun with another {name} ({before}, now {now}); the same command "
                    "goes on, another needs another --out"
                )


def read_state(path: Path) -> SavedBed:
    """The state at `path`. Raises `RunError` where it is none."""
    if not path.is_file() or path.stat().st_size > _LARGEST:
        raise RunError(f"{path}: is {kind_of(path)}, wanted a bed's state; choose another --out")
    try:
        return SavedBed.model_validate_json(path.read_bytes(), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = f" (at {first['loc'][0]})" if first["loc"] else ""
        raise RunError(
            f"{path}: not a bed's state of this version, or a damaged one{where}; choose another --out"
        ) from None
