"""Downloads over a bad line: what stands in the folder is what was listed, or it isn't there."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import sys
import zipfile
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import requests

from secateur.errors import FetchError, SettingsError
from secateur.recordings.fetching import fetch, transfer
from secateur.recordings.fetching.sources import DATASETS, read_sums
from tests.support.mirror import Fault, Mirror, serving

EDF = "chb01/chb01_03.edf"
SHARED = "RECORDS-WITH-SEIZURES"
"""chb24's summary leaves out its recordings without seizures: this tells them."""
MEGABYTES = np.random.default_rng(0).bytes(3 * 2**20)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Waits between tries are noted, not waited."""
    waits: list[float] = []
    monkeypatch.setattr(transfer, "pause", waits.append)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return waits


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    """A small CHB-MIT with two cases, and files that nobody needs."""
    with serving(tmp_path / "served") as served:
        served.write(EDF, MEGABYTES)
        served.write("chb01/chb01_03.edf.seizures", b"no")
        served.write("chb01/chb01-summary.txt", b"summary 1")
        served.write("chb02/chb02_16+.edf", b"two")
        served.write("chb02/chb02-summary.txt", b"summary 2")
        served.write("RECORDS", b"chb01/chb01_03.edf\n")
        served.write(SHARED, b"chb01/chb01_03.edf\n")
        served.write_sums()
        yield served


def files_in(folder: Path) -> set[str]:
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return files - {"SHA256SUMS.txt"}


def test_what_a_run_needs_comes_and_nothing_else(mirror: Mirror, tmp_path: Path) -> None:
    done = fetch("chbmit", tmp_path / "d", base_url=mirror.url)
    assert files_in(tmp_path / "d") == set(done.downloaded) == {
        EDF, "chb01/chb01-summary.txt", "chb02/chb02_16+.edf", "chb02/chb02-summary.txt", SHARED,
    }  # fmt: skip
    assert (tmp_path / "d" / EDF).read_bytes() == MEGABYTES
    assert mirror.paths()[0] == "SHA256SUMS.txt"


def test_cases_choose_and_unknown_ones_are_named(mirror: Mirror, tmp_path: Path) -> None:
    fetch("chbmit", tmp_path / "d", ["chb02"], mirror.url)
    assert files_in(tmp_path / "d") == {"chb02/chb02_16+.edf", "chb02/chb02-summary.txt", SHARED}
    with pytest.raises(SettingsError, match="no chb77; it has chb01, chb02"):
        fetch("chbmit", tmp_path / "d", ["chb01", "chb77"], mirror.url)
    with pytest.raises(SettingsError, match="there are chbmit, siena, bonn"):
        fetch("tuh", tmp_path / "d")


def test_what_is_right_is_not_downloaded_again(mirror: Mirror, tmp_path: Path) -> None:
    fetch("chbmit", tmp_path / "d", base_url=mirror.url)
    (tmp_path / "d" / "chb02" / "chb02_16+.edf").write_bytes(b"2wo")
    mirror.asked.clear()
    done = fetch("chbmit", tmp_path / "d", base_url=mirror.url)
    assert mirror.paths() == ["SHA256SUMS.txt", "chb02/chb02_16+.edf"]
    assert len(done.present) == 4
    assert (tmp_path / "d" / "chb02" / "chb02_16+.edf").read_bytes() == b"two"


def test_a_broken_connection_is_resumed_where_it_broke(mirror: Mirror, tmp_path: Path) -> None:
    mirror.spoil(EDF, Fault(break_after=2**20), Fault(break_after=2**20))
    fetch("chbmit", tmp_path / "d", ["chb01"], mirror.url)
    assert (tmp_path / "d" / EDF).read_bytes() == MEGABYTES
    ranges = [asked for path, asked in mirror.asked if path == EDF]
    begins = [int(asked.removeprefix("bytes=").removesuffix("-")) for asked in ranges[1:]]
    assert ranges[0] == ""
    assert begins == sorted(begins)
    assert all(2**19 < begin < 2**21 + 1 for begin in begins)


def test_a_server_that_knows_no_ranges_sends_all_anew(mirror: Mirror, tmp_path: Path) -> None:
    mirror.spoil(EDF, Fault(break_after=2**20), Fault(whole=True))
    fetch("chbmit", tmp_path / "d", ["chb01"], mirror.url)
    assert (tmp_path / "d" / EDF).read_bytes() == MEGABYTES


def test_a_busy_server_is_asked_again_ever_more_rarely(
    mirror: Mirror, tmp_path: Path, no_waiting: list[float]
) -> None:
    mirror.spoil(EDF, *[Fault(status=status) for status in (503, 500, 429)])
    fetch("chbmit", tmp_path / "d", ["chb01"], mirror.url)
    assert no_waiting == [1, 2, 4]


def test_tries_are_bounded_and_what_has_come_is_kept(
    mirror: Mirror, tmp_path: Path, no_waiting: list[float]
) -> None:
    mirror.spoil(EDF, Fault(break_after=2**20), *[Fault(break_after=0)] * 50)
    with pytest.raises(FetchError, match="6 times in a row; what has come is kept"):
        fetch("chbmit", tmp_path / "d", ["chb01"], mirror.url)
    assert len(mirror.faults[EDF]) > 40
    assert sum(no_waiting) < 120
    kept = (tmp_path / "d" / f"{EDF}.part").stat().st_size
    assert kept > 2**19
    assert not (tmp_path / "d" / EDF).exists()
    mirror.faults[EDF].clear()
    mirror.asked.clear()
    fetch("chbmit", tmp_path / "d", ["chb01"], mirror.url)
    assert (EDF, f"bytes={kept}-") in mirror.asked
    assert (tmp_path / "d" / EDF).read_bytes() == MEGABYTES


def test_restarts_that_bring_nothing_new_are_bounded_too(mirror: Mirror, tmp_path: Path) -> None:
    """Without ranges, halves of changing length look like progress and are none."""
    halves = [Fault(break_after=n * 2**20, whole=True) for n in (2, 1, 2, 1, 2, 1, 2, 1, 2, 1)]
    mirror.spoil(EDF, *halves)
    with pytest.raises(FetchError, match="6 times in a row"):
        fetch("chbmit", tmp_path / "d", ["chb01"], mirror.url)


def test_a_corrupt_file_is_taken_again_once(mirror: Mirror, tmp_path: Path) -> None:
    mirror.spoil(EDF, Fault(corrupt=True))
    fetch("chbmit", tmp_path / "d", ["chb01"], mirror.url)
    assert (tmp_path / "d" / EDF).read_bytes() == MEGABYTES
    assert mirror.paths().count(EDF) == 2


def test_a_file_that_stays_corrupt_is_refused_and_the_others_come(
    mirror: Mirror, tmp_path: Path
) -> None:
    mirror.spoil(EDF, *[Fault(corrupt=True)] * 9)
    mirror.spoil("chb01/chb01-summary.txt", Fault(status=404))
    with pytest.raises(FetchError, match=r"2 of 5 files .* the first: .*404") as caught:
        fetch("chbmit", tmp_path / "d", base_url=mirror.url)
    assert "\n" not in str(caught.value)
    assert len(mirror.faults[EDF]) == 7
    assert files_in(tmp_path / "d") == {"chb02/chb02_16+.edf", "chb02/chb02-summary.txt", SHARED}
    with pytest.raises(FetchError, match="came twice with another SHA-256"):
        fetch("chbmit", tmp_path / "d", ["chb01"], mirror.url)


def test_a_foreign_part_file_cannot_spoil_what_comes(mirror: Mirror, tmp_path: Path) -> None:
    for left in (b"x" * 1000, b"x" * len(MEGABYTES), b"x" * (len(MEGABYTES) + 5), MEGABYTES):
        part = tmp_path / "d" / f"{EDF}.part"
        part.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(left)
        (tmp_path / "d" / EDF).unlink(missing_ok=True)
        fetch("chbmit", tmp_path / "d", ["chb01"], mirror.url)
        assert (tmp_path / "d" / EDF).read_bytes() == MEGABYTES


def test_a_server_that_falls_silent_is_given_up(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "SILENCE", 0.1)
    mirror.spoil(EDF, Fault(pause=0.5), Fault(pause=0.5))
    fetch("chbmit", tmp_path / "d", ["chb01"], mirror.url)
    assert (tmp_path / "d" / EDF).read_bytes() == MEGABYTES
    assert mirror.paths().count(EDF) == 3


def test_progress_counts_bytes_and_ends_full(mirror: Mirror, tmp_path: Path) -> None:
    class Notes:
        def __init__(self) -> None:
            self.heard: list[tuple[int, int, str]] = []

        def checking(self, done: int, of: int) -> None:
            raise AssertionError("nothing was here")

        def arriving(self, done: int, of: int, note: str) -> None:
            self.heard.append((done, of, note))

    notes = Notes()
    mirror.spoil(EDF, Fault(break_after=2**20, pause=0.005))
    fetch("chbmit", tmp_path / "d", base_url=mirror.url, listener=notes)
    counts = [done for done, _, _ in notes.heard]
    assert counts == sorted(counts)
    assert all(done <= of for done, of, _ in notes.heard)
    total = sum((tmp_path / "d" / path).stat().st_size for path in files_in(tmp_path / "d"))
    assert notes.heard[-1] == (total, total, "chb02/chb02_16+.edf, 5 of 5 files")
    assert any("again in" in note for _, _, note in notes.heard)


@pytest.mark.parametrize(
    "path", ["../evil.edf", "/etc/evil.edf", "chb01/../../evil.edf", "C:/evil.edf", "a\\..\\evil"]
)
def test_a_list_that_leads_out_of_the_folder_is_refused(
    mirror: Mirror, tmp_path: Path, path: str
) -> None:
    mirror.write("SHA256SUMS.txt", f"{'0' * 64} {path}\n".encode())
    with pytest.raises(FetchError, match="line 1: refused"):
        fetch("chbmit", tmp_path / "d", base_url=mirror.url)
    assert files_in(tmp_path / "d") == set()


def test_a_list_that_is_none_is_refused(mirror: Mirror, tmp_path: Path) -> None:
    for content, message in (
        (b"<html>sign in</html>", "web page"),
        (b"\xff\xfe\x00", "no text"),
        (b"", "lists none of its recordings"),
    ):
        mirror.write("SHA256SUMS.txt", content)
        with pytest.raises(FetchError, match=message):
            fetch("chbmit", tmp_path / "d", base_url=mirror.url)
    (mirror.tree / "SHA256SUMS.txt").unlink()
    with pytest.raises(FetchError, match="the server answers 404"):
        fetch("chbmit", tmp_path / "d", base_url=mirror.url)
    with pytest.raises(FetchError, match="no usable address"):
        fetch("chbmit", tmp_path / "d", base_url="ftp:/nowhere")


def test_lists_of_hashes_read_in_every_form() -> None:
    sums = read_sums(f"\ufeff{'A' * 64} one.edf\r\n\n{'b' * 64}  *./two words.edf\n", "list")
    assert sums == {"one.edf": "a" * 64, "two words.edf": "b" * 64}


def test_a_full_disk_is_said_before_it_is_full(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9 - 10**6, 10**6))
    with pytest.raises(FetchError, match="needs 3 MB more and the disk has 1 MB free"):
        fetch("chbmit", tmp_path / "d", ["chb01"], mirror.url)


def test_a_folder_that_cannot_be_written_is_said(mirror: Mirror, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FetchError, match="cannot be written to"):
        fetch("chbmit", tmp_path / "file" / "d", base_url=mirror.url)


def test_two_at_once_into_one_folder_are_refused(mirror: Mirror, tmp_path: Path) -> None:
    class Second:
        def checking(self, done: int, of: int) -> None: ...

        def arriving(self, done: int, of: int, note: str) -> None:
            with pytest.raises(FetchError, match="another fetch"):
                fetch("chbmit", tmp_path / "d", base_url=mirror.url)

    fetch("chbmit", tmp_path / "d", ["chb02"], mirror.url, Second())


def test_ctrl_c_keeps_what_has_come(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Impatient:
        def checking(self, done: int, of: int) -> None: ...

        def arriving(self, done: int, of: int, note: str) -> None:
            if done > 2**20:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch("chbmit", tmp_path / "d", ["chb01"], mirror.url, Impatient())
    assert files_in(tmp_path / "d") == {f"{EDF}.part", "chb01/chb01-summary.txt", SHARED}
    fetch("chbmit", tmp_path / "d", ["chb01"], mirror.url)
    assert (tmp_path / "d" / EDF).read_bytes() == MEGABYTES


def archive(letter: str) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as packed:
        # A time of its own: a name alone would be written at now, another archive every two seconds.
        packed.writestr(zipfile.ZipInfo(f"{letter}001.txt"), "1\n2\n")
    return held.getvalue()


def test_bonns_hashes_are_recorded_told_and_held_to(mirror: Mirror, tmp_path: Path) -> None:
    for letter in "ZONFS":
        mirror.write(f"{letter}.zip", archive(letter))
    done = fetch("bonn", tmp_path / "b", ["Z", "S"], mirror.url)
    expected = {f"{k}.zip": hashlib.sha256(archive(k)).hexdigest() for k in "ZS"}
    assert done.recorded == expected
    assert read_sums((tmp_path / "b" / "SHA256SUMS.txt").read_text(), "") == expected
    assert fetch("bonn", tmp_path / "b", ["Z", "S"], mirror.url).downloaded == ()
    (tmp_path / "b" / "Z.zip").write_bytes(b"damaged")
    mirror.write("S.zip", archive("other"))  # not asked for: what is here is right
    done = fetch("bonn", tmp_path / "b", ["Z", "S"], mirror.url)
    assert (done.downloaded, done.recorded) == (("Z.zip",), {})
    (tmp_path / "b" / "S.zip").unlink()
    with pytest.raises(FetchError, match="came twice with another SHA-256"):
        fetch("bonn", tmp_path / "b", ["S"], mirror.url)


def damaged(content: bytes) -> Iterator[bytes]:
    """An archive with bytes turned over in its packed data, its checksum, its directory; and cut off."""
    for at in (35, 60, len(content) // 2, len(content) - 60, len(content) - 10):
        yield content[:at] + bytes(byte ^ 0xFF for byte in content[at : at + 8]) + content[at + 8 :]
    yield content[: len(content) // 2]


def test_a_damaged_archive_is_named_and_fetched_anew_on_every_rerun(
    mirror: Mirror, tmp_path: Path
) -> None:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(zipfile.ZipInfo("Z001.txt"), "1\n2\n3\n" * 99, zipfile.ZIP_DEFLATED)
    mirror.write("Z.zip", held.getvalue())
    for known in (False, True):
        for spoilt in damaged(held.getvalue()):
            folder = tmp_path / "b"
            if not known:
                shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(exist_ok=True)
            (folder / "Z.zip").write_bytes(spoilt)
            done = fetch("bonn", folder, ["Z"], mirror.url)
            assert done.damaged == done.downloaded == ("Z.zip",)
            assert (folder / "Z.zip").read_bytes() == held.getvalue()
            assert fetch("bonn", folder, ["Z"], mirror.url).present == ("Z.zip",)


def test_a_web_page_is_no_archive_and_a_browser_may_help(mirror: Mirror, tmp_path: Path) -> None:
    mirror.write("Z.zip", archive("Z"))
    mirror.spoil("Z.zip", *[Fault(page=b"<html>are you human?</html>")] * 2)
    with pytest.raises(FetchError, match="no whole zip archive") as caught:
        fetch("bonn", tmp_path / "b", ["Z"], mirror.url)
    assert DATASETS["bonn"].page in str(caught.value)
    assert files_in(tmp_path / "b") == set()
    (tmp_path / "b" / "Z.zip").write_bytes(archive("Z"))
    done = fetch("bonn", tmp_path / "b", ["Z"], mirror.url)
    assert done.present == tuple(done.recorded) == ("Z.zip",)


def test_a_second_address_is_tried(mirror: Mirror, tmp_path: Path) -> None:
    mirror.write("second/Z.zip", archive("Z"))
    mirror.write("page/Z.zip", b"<html>")
    with requests.Session() as session:
        places = tuple(f"{mirror.url}{name}/Z.zip" for name in ("none", "second"))
        tally = transfer.Tally(1, lambda done, of, note: None)
        transfer.Transfer(session, places, tmp_path / "Z.zip.part", tally).take()
    assert (tmp_path / "Z.zip.part").read_bytes() == archive("Z")


def test_without_the_extra_it_says_how_to_get_it(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "for name in ('requests',): sys.modules[name] = None\n"
        "from secateur.cli import main\n"
        f"sys.exit(main(['fetch', 'chbmit', '--out', {str(tmp_path / 'd')!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "pip install '.[fetch]'" in done.stderr
    assert not (tmp_path / "d").exists()
