"""A file that is played, and samples on a pipe: every sample once, in its place, at its time."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from secateur.errors import RecordingNotFoundError, SourceError
from secateur.live.sources import SourceOptions, open_source, open_sources
from secateur.live.sources.replay import ReplaySource
from secateur.live.sources.standard_input import StandardInput
from secateur.live.stream import Piece, Source, Trouble
from secateur.recordings import open_recording
from tests.support.brainvision import write_brainvision
from tests.support.edf_bytes import stamped, write_bytes


def drained(source: Source, timeout: float = 0.05) -> list[Piece | Trouble]:
    results: list[Piece | Trouble] = []
    while not source.finished:
        results += source.read(timeout)
    return results


def pieces_of(results: list[Piece | Trouble]) -> list[Piece]:
    return [piece for piece in results if isinstance(piece, Piece)]


@pytest.fixture
def file(tiny_cohort: Path) -> Path:
    return sorted(tiny_cohort.rglob("*.edf"))[0]


def test_a_file_at_full_speed_is_the_file(file: Path) -> None:
    source = open_source(f"replay:{file}@max")
    recording = open_recording(file)
    assert source.info.channels == recording.channels
    assert source.info.sampling_rate == recording.sampling_rate
    pieces = pieces_of(drained(source))
    assert [piece.at for piece in pieces] == list(
        np.cumsum([0, *(piece.values.shape[1] for piece in pieces[:-1])])
    )
    np.testing.assert_array_equal(
        np.concatenate([piece.values for piece in pieces], axis=1), recording.read()
    )


def test_a_file_is_played_at_the_speed_that_is_asked_for(file: Path) -> None:
    source = open_source(f"replay:{file}@20x")
    rate, begun, samples = source.info.sampling_rate, time.monotonic(), 0
    while time.monotonic() - begun < 0.5:
        for piece in pieces_of(list(source.read(0.1))):
            samples += piece.values.shape[1]
            assert (
                samples / rate <= (time.monotonic() - begun) * 20 + 1e-3
            )  # nothing from the future
    assert samples / rate > 0.4 * 20


def test_reading_waits_no_longer_than_it_may(file: Path) -> None:
    source = open_source(f"replay:{file}@0.01x")
    begun = time.monotonic()
    assert list(source.read(0.05)) == []
    assert 0.04 < time.monotonic() - begun < 0.5


def test_playing_goes_on_where_an_earlier_process_stood(file: Path) -> None:
    source = open_source(f"replay:{file}@max")
    source.seek(777, 1000.0)
    assert source.start == 1000.0
    pieces = pieces_of(drained(source))
    assert pieces[0].at == 777
    values = np.concatenate([piece.values for piece in pieces], axis=1)
    np.testing.assert_array_equal(values, open_recording(file).read()[:, 777:])


def test_a_gap_of_the_file_is_one_of_the_stream(tmp_path: Path) -> None:
    path = tmp_path / "gap@x.edf"  # an @ that is no speed
    records = [[np.arange(256) + k, stamped(f"+{k + 7 * (k > 1)}", 30)] for k in range(4)]
    write_bytes(path, ["Cz", "EDF Annotations"], records, units=["uV", ""], reserved="EDF+D")
    recording = open_recording(path)
    (_, end), (begin, _) = recording.stretches
    pieces = pieces_of(drained(open_source(f"replay:{path}@max")))
    assert [piece.at for piece in pieces] == [0, begin]
    assert pieces[0].values.shape[1] == end


def test_a_cut_of_unknown_length_is_refused(tmp_path: Path) -> None:
    markers = ("New Segment,,1,1,0,20200203040506000000", "New Segment,,1025,1,0,")
    data = np.zeros((2, 2048))
    path = write_brainvision(tmp_path / "a.vhdr", data, ("C3", "C4"), markers=markers)
    with pytest.raises(SourceError, match=r"was cut at 4 s, and nobody knows for how long"):
        open_source(f"replay:{path}")


def test_addresses_that_are_none(file: Path, tmp_path: Path) -> None:
    for address in ("", "lsl:", "replay:", "file.edf", "udp:7"):
        with pytest.raises(SourceError, match="no source; write lsl:NAME"):
            open_source(address)
    with pytest.raises(SourceError, match="a speed is above 0"):
        open_source(f"replay:{file}@0x")
    with pytest.raises(RecordingNotFoundError):
        open_source(f"replay:{tmp_path}/none.edf@2x")
    with pytest.raises(SourceError, match="state --sampling-rate"):
        open_source("-", SourceOptions(sampling_rate=256.0))


def test_several_sources_are_opened_or_none(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = open_sources([f"replay:{file}@2x", f"replay:{file}@max"])
    assert first.address.endswith("@2x")
    assert second.address.endswith("@max")
    closed: list[str] = []
    monkeypatch.setattr(ReplaySource, "close", lambda source: closed.append(source.address))
    with pytest.raises(SourceError, match="no source"):
        open_sources([f"replay:{file}@2x", "udp:7"])
    assert closed == [f"replay:{file}@2x"]


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)


OPTIONS = SourceOptions(sampling_rate=250.0, channels=("C3", "C4"))


def test_frames_on_a_pipe_however_cut(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    source = StandardInput("-", OPTIONS, handle=reader)
    frames = np.arange(2000, dtype="<f4").reshape(-1, 2)
    content = frames.tobytes() + b"\x01\x02\x03"
    results: list[Piece | Trouble] = []
    for cut in range(0, len(content), 1234):
        os.write(writer, content[cut : cut + 1234])
        results += source.read(0.1)
    os.close(writer)
    results += drained(source)
    pieces = pieces_of(results)
    assert pieces[0].at == 0
    assert all(b.at == a.at + a.values.shape[1] for a, b in pairwise(pieces))
    np.testing.assert_array_equal(np.concatenate([p.values for p in pieces], axis=1), frames.T)
    (cut_off,) = [trouble for trouble in results if isinstance(trouble, Trouble)]
    assert cut_off.kind == "refused"
    assert "3 of 8 bytes came" in cut_off.words


def test_a_pipe_that_falls_silent_is_told_once_and_its_end_too(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secateur.live.sources.silence.SILENT", 0.05)
    reader, writer = pipe
    source = StandardInput("-", OPTIONS, handle=reader)
    results = [trouble for _ in range(8) for trouble in source.read(0.02)]
    os.write(writer, np.zeros(8, "<f4").tobytes())
    results += source.read(0.5)
    os.close(writer)
    kinds = [result.kind if isinstance(result, Trouble) else "piece" for result in results]
    assert kinds == ["silence", "silence", "piece"]
    assert isinstance(results[1], Trouble)
    assert results[1].words.startswith("signal comes again, after 0.")


def test_a_new_pipe_after_a_restart_stands_where_the_clock_says(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    for begun, taken, expected in ((100.0, 10, 25_000 - 4), (0.0, 5000, 5000)):
        source = StandardInput("-", OPTIONS, handle=reader)
        source.seek(taken, time.time() - begun)
        os.write(writer, np.zeros(8, "<f4").tobytes())
        (piece,) = source.read(0.5)
        assert isinstance(piece, Piece)
        assert expected <= piece.at <= expected + 50
    os.close(writer)
