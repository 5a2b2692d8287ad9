"""`secateur live`: mark seizures while they happen."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from secateur.detectors import Detector
    from secateur.live.alarm import Alarm
    from secateur.live.stream import Source
    from secateur.live.ward import Ward

_EVERY = 60.0
"""Seconds between two lines of progress that go into a file."""


def live(
    source: list[str] = typer.Option(
        ...,
        help="Where the signal comes from: lsl:NAME, replay:FILE, replay:FILE@20x, or - for float32 frames "
        "on standard input; again for each further bed.",
    ),
    detector: Path = typer.Option(..., help="A detector's file, such as pruned.onnx."),
    out: Path = typer.Option(..., help="The folder to write to, and to go on from."),
    alarm_to: list[str] | None = typer.Option(
        None,
        help="Where alarms go beside alarms.jsonl: https://HOST/PATH, mqtt://HOST/TOPIC or lsl:NAME; again "
        "for each further place.",
    ),
    explain: bool = typer.Option(True, help="In alarms, the channels that speak most for them."),
    monitor: Path | None = typer.Option(
        None, help="A monitor's state, to which each bed's hours are added as a patient's."
    ),
    record: bool = typer.Option(False, "--record", help="Also the signal: a growing EDF+ a bed."),
    sampling_rate: float | None = typer.Option(None, help="For - : samples a second."),
    channels: str | None = typer.Option(
        None,
        help="For - , and an LSL stream that states none: the channels' labels, separated by commas, in "
        "their order.",
    ),
) -> None:
    """Mark seizures while they happen; raise alarms of them, and of what is wrong with the signal.

    Into a folder: events.tsv (SzCORE's form, up to now) and alarms.jsonl, a line for each alarm and every ten
    seconds one that says all goes on. Ctrl-C stops in order; the same command goes on, also after a crash or
    kill -9, with every event once.

    Example: `secateur live --source lsl:EEG --detector D.onnx --out night --alarm-to https://host/hook`

    Example: `secateur live --source replay:night.edf@20x --detector runs/first/pruned.onnx --out night`
    """
    from secateur.cli.arguments import folder
    from secateur.detectors import load_detector
    from secateur.errors import SettingsError
    from secateur.live.log import AlarmLog
    from secateur.live.sinks import AlarmQueue, open_sink
    from secateur.live.state import LOCK
    from secateur.live.ward import Ward
    from secateur.marking.worker import alone

    if source.count("-") > 1:
        raise SettingsError("--source -: standard input is one source, and stands there twice")
    opened = load_detector(detector)
    out = folder(out)
    with ExitStack() as stack:
        stack.enter_context(alone(out / LOCK, out, "secateur live"))
        sinks = [open_sink(address) for address in alarm_to or ()]
        sources = _opened(source, sampling_rate, channels, stack)
        out.mkdir(parents=True, exist_ok=True)
        show = _Display(sys.stderr.isatty())
        outbox = AlarmQueue(out / "queue.sqlite", sinks, _say) if sinks else None
        if outbox is not None:
            stack.callback(outbox.close, 0.0)
        ward = Ward(AlarmLog(out / "alarms.jsonl"), outbox, listen=show.alarm)
        ward.admit(out, sources, opened)
        _equip(ward, opened, explain, monitor, record, stack)
        for bed in ward.beds:
            for note in bed.notes:
                print(f"note: {bed.name}: {note}")
        with _stopping() as stop:
            ward.run(stop, show.progress)
        show.end(ward)
    _refuse_failures(ward)


def _refuse_failures(ward: Ward) -> None:
    from secateur.errors import RunError

    failed = ward.failed()
    if failed:
        name, reason = next(iter(failed.items()))
        raise RunError(f"{len(failed)} of {len(ward.beds)} beds failed, the first {name}: {reason}")


def _say(words: str) -> None:
    print(f"secateur: {words}", file=sys.stderr, flush=True)


def _opened(
    addresses: list[str], sampling_rate: float | None, channels: str | None, stack: ExitStack
) -> list[Source]:
    from secateur.errors import SettingsError
    from secateur.live.sources import SourceOptions, open_sources

    piped = "-" in addresses
    if sampling_rate is not None and not piped:
        raise SettingsError("--sampling-rate is for --source -; others state theirs")
    if channels is not None and not (piped or any(each.startswith("lsl:") for each in addresses)):
        raise SettingsError("--channels is for --source - and for lsl:NAME; others state theirs")
    labels = tuple(label.strip() for label in channels.split(",")) if channels else ()
    sources = open_sources(addresses, SourceOptions(sampling_rate, labels))
    for source in sources:
        stack.callback(source.close)
    return sources


def _equip(
    ward: Ward,
    detector: Detector,
    explain: bool,
    monitor: Path | None,
    record: bool,
    stack: ExitStack,
) -> None:
    """What beds do beside detection."""
    if record:
        from secateur.live.recorder import SignalRecorder, recording_name

        for bed in ward.beds:
            path = bed.folder / recording_name(bed.name)
            bed.recorder = SignalRecorder(path, bed.source.info)
    if explain:
        from secateur.live.telling import explain_beds

        if (reason := explain_beds(ward.beds, detector)) is not None:
            print(f"note: alarms name no channels: {reason}")
    if monitor is not None:
        from secateur.cli.monitor import check_state
        from secateur.live.monitored import HourlySketches
        from secateur.monitoring.state import opened

        check_state("--monitor", monitor)
        state = stack.enter_context(opened(monitor, detector.fingerprint))
        for bed in ward.beds:
            bed.observer = HourlySketches(bed.name, bed.source, detector, state, ward.complain)


@contextmanager
def _stopping() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C or SIGTERM has come; a second one ends at once."""
    came: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def note(number: int, frame: FrameType | None) -> None:
        came.append(number)
        for each, handler in before.items():
            signal.signal(each, handler)

    for number in before:
        signal.signal(number, note)
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Display:
    """Alarms as lines on standard output, and on standard error how things stand."""

    def __init__(self, terminal: bool) -> None:
        self._terminal, self._began = terminal, time.time()
        self._next = 0.0
        self._technical = 0

    def alarm(self, alarm: Alarm) -> None:
        """A line, but for heartbeats."""
        if alarm.kind == "heartbeat":
            return
        self._technical += alarm.kind == "technical"
        self._clear()
        sure = "" if alarm.confidence is None else f", confidence {alarm.confidence:.2f}"
        most = (
            f", {', '.join(alarm.channels)}" if alarm.channels and alarm.onset is not None else ""
        )
        kind = alarm.trouble or alarm.kind
        print(f"{alarm.time[11:19]} {alarm.bed}: {kind}: {alarm.words}{sure}{most}", flush=True)

    def progress(self, ward: Ward) -> None:
        """One line, renewed each second on a terminal; in a file one a minute."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + (1.0 if self._terminal else _EVERY)
        self._clear()
        print(self._line(ward), end="" if self._terminal else "\n", file=sys.stderr, flush=True)

    def _clear(self) -> None:
        if self._terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)

    def _line(self, ward: Ward) -> str:
        seconds = max(bed.seconds for bed in ward.beds)
        beds = f"{len(ward.beds)} beds, " if len(ward.beds) > 1 else ""
        hours, minutes = int(seconds // 3600), int(seconds // 60 % 60)
        events = sum(len(bed.events) for bed in ward.beds)
        return (
            f"{beds}{hours}:{minutes:02d}:{int(seconds % 60):02d} of signal, {_count(events, 'event')}, "
            f"{_count(self._technical, 'technical alarm')} since it was started"
        )

    def end(self, ward: Ward) -> None:
        """What there is now."""
        self._clear()
        for bed in ward.beds:
            print(f"{bed.name}: {_count(len(bed.events), 'event')} in {bed.seconds / 3600:.2f} h")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
