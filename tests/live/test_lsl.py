"""EEG and alarms through the real LSL on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from secateur.errors import SourceError
from secateur.live.lsl import load_pylsl
from secateur.live.sinks import AlarmQueue, open_sink
from secateur.live.sources import SourceOptions, lsl, lsl_streams, open_source
from secateur.live.stream import Piece, Source, Trouble
from tests.support.lsl_senders import RATE, Sender, sender, sending_process

pytest.importorskip("pylsl")


@pytest.fixture(autouse=True)
def quickly_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lsl_streams, "_OTHERS", 0.1)


class Reader:
    """A source and all that came from it."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.pieces: list[Piece] = []
        self.troubles: list[Trouble] = []

    def read(self, timeout: float = 0.02) -> None:
        for item in self.source.read(timeout):
            (self.pieces if isinstance(item, Piece) else self.troubles).append(item)  # type: ignore[arg-type]

    def until(self, condition: Callable[[], bool], seconds: float = 8.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, (self.troubles, self.samples[-5:])
            self.read()

    @property
    def indices(self) -> list[int]:
        return [k for p in self.pieces for k in range(p.at, p.at + p.values.shape[1])]

    @property
    def samples(self) -> list[float]:
        return [float(value) for piece in self.pieces for value in piece.values[0]]

    @property
    def kinds(self) -> list[str]:
        return [trouble.kind for trouble in self.troubles]


@contextmanager
def reading(stream: Sender, address: str | None = None) -> Iterator[Reader]:
    source = open_source(address or f"lsl:{stream.name}")
    stream.wait_for_listener()
    reader = Reader(source)
    reader.read(0.0)  # reading begins with the first call
    try:
        yield reader
    finally:
        source.close()


def test_samples_come_as_they_were_sent() -> None:
    with sender(labels=("C3", "C4", "O1")) as stream, reading(stream) as reader:
        assert reader.source.info.channels == ("C3", "C4", "O1")
        assert reader.source.info.sampling_rate == RATE
        for k in range(0, 512, 32):
            stream.push(k)
        reader.until(lambda: len(reader.samples) == 512)
        assert reader.indices == list(range(512))
        values = np.concatenate([piece.values for piece in reader.pieces], axis=1)
        assert values.dtype == np.float32
        np.testing.assert_array_equal(values, stream.values(0, 512).T)
        assert reader.troubles == []
        assert abs(reader.source.start - time.time()) < 3.0
        begun = time.monotonic()
        reader.read(0.05)
        assert 0.04 < time.monotonic() - begun < 0.5


def test_a_stream_begins_when_it_is_first_read() -> None:
    """While 64 beds are opened one after the other, the first has been sending for some time."""
    with sender() as stream:
        reader = Reader(open_source(f"lsl:{stream.name}"))
        stream.wait_for_listener()
        stream.push(0)
        time.sleep(0.3)
        reader.read(0.0)
        stream.push(32)
        reader.until(lambda: bool(reader.samples))
        assert reader.samples[0] == 32.0
        assert reader.indices[0] == 0
        assert abs(reader.source.start - (time.time() - load_pylsl("a test").local_clock())
                   - stream.origin - 32 / RATE) < 0.05  # fmt: skip
        reader.source.close()


def test_lost_repeated_and_late_samples_are_recognised() -> None:
    with sender() as stream, reading(stream) as reader:
        for k in (0, 32, 32, 64, 160, 192, 128, 224):
            stream.push(k)
        reader.until(lambda: 255.0 in reader.samples)
        assert reader.indices == reader.samples
        assert reader.samples == [*range(96), *range(160, 256)]
        assert set(reader.kinds) == {"disorder"}


@pytest.mark.parametrize(
    ("unit", "form", "factor"), [("V", "double64", 1e6), ("mV", "float32", 1e3), ("µV", "int16", 1)]
)
def test_units_become_microvolts(unit: str, form: str, factor: float) -> None:
    with sender(unit=unit, form=form) as stream, reading(stream) as reader:
        stream.outlet.push_chunk(np.full((16, 2), 3).tolist())
        reader.until(lambda: len(reader.samples) == 16)
        assert set(reader.samples) == {3 * factor}


def test_channels_that_are_no_voltages_are_left_out_and_told() -> None:
    units = ("uV", "none", "uV")
    with sender(labels=("C3", "Trigger", "C4"), unit=units) as stream, reading(stream) as reader:
        assert reader.source.info.channels == ("C3", "C4")
        stream.push(0)
        reader.until(lambda: bool(reader.pieces))
        assert [trouble.words for trouble in reader.troubles] == [
            "channels that are no voltages are left out: Trigger (none)"
        ]
        np.testing.assert_array_equal(reader.pieces[0].values, stream.values(0, 32).T[[0, 2]])


def test_a_stream_without_labels_needs_them() -> None:
    with sender(labels=(), count=2) as stream:
        with pytest.raises(SourceError, match="states 0 labels for 2 channels; state all of them"):
            open_source(f"lsl:{stream.name}")
        with pytest.raises(SourceError, match="has 2 channels; --channels states 3"):
            open_source(f"lsl:{stream.name}", SourceOptions(channels=("C3", "C4", "Cz")))
        source = open_source(f"lsl:{stream.name}", SourceOptions(channels=("F3", "F4")))
        assert source.info.channels == ("F3", "F4")
        source.close()
    with sender() as stream:  # what a stream says of itself goes first
        source = open_source(f"lsl:{stream.name}", SourceOptions(channels=("F3", "F4")))
        assert source.info.channels == ("C3", "C4")
        source.close()


def test_streams_that_are_none_of_eeg_and_streams_that_are_not_there() -> None:
    with sender(rate=0.0) as stream, pytest.raises(SourceError, match="no regular sampling rate"):
        open_source(f"lsl:{stream.name}")
    with sender(form="string") as stream, pytest.raises(SourceError, match="a stream of text"):
        open_source(f"lsl:{stream.name}")
    with (
        sender(unit="g") as stream,
        pytest.raises(SourceError, match=r"no channel is a voltage: C3 \(g\)"),
    ):
        open_source(f"lsl:{stream.name}")
    with pytest.raises(SourceError, match="without '"):
        open_source("lsl:it's@me")
    with pytest.raises(SourceError, match=r"no such stream on this machine after 0\.2 s"):
        open_source("lsl:nobody-sends-this", SourceOptions(patience=0.2))


def test_of_several_streams_with_one_name_the_source_says_which(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lsl_streams, "_OTHERS", 1.5)
    with sender(source_id="left") as first, sender(first.name, source_id="right") as second:
        with pytest.raises(
            SourceError, match=r"2 streams are called so; write which: .*@left .*@right"
        ):
            open_source(f"lsl:{first.name}")
        with reading(second, f"lsl:{first.name}@right") as reader:
            second.push(7)
            reader.until(lambda: bool(reader.samples))
            assert reader.samples[0] == 7.0


def test_silence_and_its_end_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secateur.live.sources.silence.SILENT", 0.2)
    with sender() as stream, reading(stream) as reader:
        stream.push(0)
        reader.until(lambda: "silence" in reader.kinds)
        stream.push(32)
        reader.until(lambda: len(reader.samples) == 64)
        assert reader.kinds == ["silence", "silence"]
        assert "comes again, after 0." in reader.troubles[1].words


def test_a_sender_that_is_killed_and_started_anew_goes_on_where_time_says() -> None:
    name = f"EEG-killed-{os.getpid()}"
    with sending_process(name):
        reader = Reader(open_source(f"lsl:{name}"))
        reader.until(lambda: len(reader.samples) > 100)
    reader.until(lambda: "restart" in reader.kinds)
    before = len(reader.samples)
    time.sleep(0.3)
    with sending_process(name):
        reader.until(lambda: len(reader.samples) > before + 300)
        reader.source.close()
    assert reader.kinds.count("restart") == 2
    assert "samples are missing" in reader.troubles[-1].words
    # a sample holds its own time: indices and times differ by a constant, on both sides of the gap
    offsets = np.array(reader.samples) - np.array(reader.indices) / RATE
    assert reader.indices == sorted(set(reader.indices))
    assert np.ptp(offsets) < 0.05
    assert reader.indices[before] - reader.indices[before - 1] > 0.3 * RATE


def test_a_sender_that_comes_back_as_another_is_told_and_not_taken() -> None:
    with sender() as stream:
        reader = Reader(open_source(f"lsl:{stream.name}"))
        stream.wait_for_listener()
        reader.read(0.0)
        stream.push(0)
        reader.until(lambda: bool(reader.samples))
    with sender(stream.name, labels=("O1", "O2")):
        reader.until(lambda: "refused" in reader.kinds)
    assert "with other channels" in next(t.words for t in reader.troubles if t.kind == "refused")
    reader.source.close()


def test_a_sender_that_is_silent_and_there_twice_is_followed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A machine that was switched off says no goodbye: the old connection stays, and nothing comes."""
    monkeypatch.setattr(lsl, "_LOOK", 0.3)
    with sender() as dead, reading(dead) as reader:
        dead.push(0)
        reader.until(lambda: bool(reader.samples))
        with sender(dead.name) as alive:
            alive.origin = dead.origin
            reader.until(lambda: alive.outlet.have_consumers())
            alive.push(512)
            reader.until(lambda: len(reader.samples) > 32)
            assert reader.samples[32] == 512.0
            assert abs(reader.indices[32] - 512) <= 1
            assert "restart" in reader.kinds


def test_after_a_restart_of_ours_indices_go_on_from_the_first_start() -> None:
    with sender() as stream, reading(stream) as reader:
        offset = time.time() - load_pylsl("a test").local_clock()
        reader.source.seek(640, stream.origin + offset)
        for k in range(608, 1024, 32):
            stream.push(k)
        reader.until(lambda: 1023.0 in reader.samples)
        assert abs(reader.samples[0] - 640) <= 2
        assert all(abs(i - s) <= 2 for i, s in zip(reader.indices, reader.samples, strict=True))
        assert min(reader.indices) >= 640


def test_discovery_stays_on_this_machine_unless_the_user_says_otherwise(tmp_path: Path) -> None:
    code = (
        "import os, pathlib; from secateur.live.lsl import load_pylsl; load_pylsl('a test');"
        "print(pathlib.Path(os.environ['LSLAPICFG']).read_text())"
    )
    environment = {k: v for k, v in os.environ.items() if k != "LSLAPICFG"}

    def said(**more: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", code], env={**environment, **more},
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip

    assert "ResolveScope = machine" in said()
    own = tmp_path / "own.cfg"
    own.write_text("; mine\n")
    assert said(LSLAPICFG=str(own)).strip() == "; mine"


def test_alarms_are_markers_of_a_stream_that_stays(tmp_path: Path) -> None:
    pylsl = load_pylsl("a test")
    name = f"Alarms-{os.getpid()}"
    alarms = AlarmQueue(tmp_path / "q", [open_sink(f"lsl:{name}")], print)
    (info,) = pylsl.resolve_byprop("name", name, 1, 5.0)
    assert (info.type(), info.channel_count(), info.nominal_srate()) == ("Markers", 1, 0.0)
    inlet = pylsl.StreamInlet(info)
    inlet.open_stream(5.0)
    for k in range(3):
        alarms.put({"key": f"b-{k}", "kind": "opened", "words": "Anfälle"}, f"b-{k}")
    markers = [inlet.pull_sample(5.0)[0][0] for _ in range(3)]
    assert [f'"b-{k}"' in marker for k, marker in enumerate(markers)] == [True] * 3
    assert "Anfälle" in markers[0]
    del inlet
    alarms.close(2.0)
