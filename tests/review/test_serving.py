"""`secateur review` as a process: what it prints, who can reach it, how it ends, what it refuses."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.request import HTTPCookieProcessor, build_opener

import pytest

from secateur.cli import main
from secateur.review import serving
from secateur.review.folder import RecordingsFolder


@contextmanager
def running(*words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process, and the address that it printed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "secateur", "review", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("open http://"), process.stderr and process.stderr.read()
        yield process, line.removeprefix("open ").strip()
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def folder(tiny_cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    shutil.copy(sorted(tiny_cohort.rglob("*.edf"))[0], folder / "night.edf")
    return folder


def test_the_printed_address_opens_the_page_until_ctrl_c(folder: Path) -> None:
    with running(str(folder), "--port", "0", "--reviewer", "ab") as (process, address):
        assert address.startswith("http://127.0.0.1:")
        browser = build_opener(HTTPCookieProcessor())
        with browser.open(address) as response:
            assert response.url.startswith(address.partition("?")[0])
            assert "token" not in response.url
            assert b"<html" in response.read()
        with browser.open(f"{response.url}api/recordings") as response:
            listed = json.load(response)
        assert listed["reviewer"] == "AB"
        assert [row["name"] for row in listed["recordings"]] == ["night.edf"]
        # nothing but loopback is listened on
        port = int(address.split(":")[2].partition("/")[0])
        listening = Path("/proc/net/tcp").read_text().split("\n")[1:-1]
        own = [row.split()[1] for row in listening if row.split()[1].endswith(f":{port:04X}")]
        assert own
        assert all(entry.startswith("0100007F") for entry in own)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=20)
        assert process.returncode == 0
        assert "Traceback" not in errors
        assert address.partition("token=")[2] not in output + errors


def test_ctrl_c_ends_it_in_silence_while_a_page_waits_for_news(folder: Path) -> None:
    with running(str(folder), "--port", "0") as (process, address):
        browser = build_opener(HTTPCookieProcessor())
        with browser.open(address) as response:
            server = response.url
        with browser.open(f"{server}api/recordings") as response:
            recording = f"{server}api/recordings/{json.load(response)['recordings'][0]['id']}"
        with browser.open(f"{recording}/events") as response:
            version = json.load(response)["version"]
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(browser.open, f"{recording}/changes?since={version}", None, 20)
            time.sleep(0.5)
            assert not waiting.done()
            process.send_signal(signal.SIGINT)
            assert json.load(waiting.result())["version"] == version
        errors = process.communicate(timeout=20)[1]
        assert (process.returncode, errors) == (0, "")


def test_other_machines_are_let_in_with_a_warning_alone(folder: Path) -> None:
    with running(str(folder), "--port", "0", "--host", "0.0.0.0") as (process, address):
        name = socket.gethostname()
        assert address.startswith(f"http://{name}:")
        with build_opener(HTTPCookieProcessor()).open(address.replace(name, "127.0.0.1")) as page:
            assert page.status == 200
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
        assert "without encryption" in errors
        assert len(errors.splitlines()) == 1


def test_a_machine_whose_name_leads_nowhere_has_that_name_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "Bed-7.invalid")
    assert "bed-7.invalid" in serving._names("0.0.0.0")


def test_ctrl_c_at_once_ends_it_in_silence(folder: Path) -> None:
    for _ in range(3):
        with running(str(folder), "--port", "0") as (process, _):
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=20)[1] == ""
            assert process.returncode == 0


def test_what_serves_loads_nothing_heavy() -> None:
    heavy = ("scipy", "torch", "pandas", "matplotlib", "mne", "edfio")
    program = (
        "import sys, secateur.review.serving, secateur.explaining.detector\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def refusal(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["review", *words]) == 1
    errors = capsys.readouterr().err
    assert len(errors.splitlines()) == 1
    return errors


def test_what_cannot_be_served_is_one_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "holds no recordings" in refusal(capsys, str(tmp_path))
    assert "no such folder" in refusal(capsys, str(tmp_path / "nowhere"))
    assert "wanted a folder" in refusal(capsys, __file__)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        assert "already in use" in refusal(capsys, str(folder), "--port", port)
    assert "--host" in refusal(capsys, str(folder), "--port", "0", "--host", "no.such.host.invalid")
    assert "--host" in refusal(capsys, str(folder), "--port", "0", "--host", "192.0.2.1")
    assert "initials" in refusal(capsys, str(folder), "--reviewer", "A/B")
    assert "no such folder" in refusal(capsys, str(folder), "--events", str(tmp_path / "no"))
    assert "no such" in refusal(capsys, str(folder), "--detector", str(tmp_path / "D.onnx"))


def test_tables_of_other_recordings_are_told(folder: Path, tmp_path: Path) -> None:
    words = (str(folder), "--port", "0", "--events", str(tmp_path))
    with running(*words) as (process, _):
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
        assert "holds no table of a recording" in errors
        assert len(errors.splitlines()) == 1


def test_a_read_only_folder_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert RecordingsFolder(folder).is_writable
    access = os.access
    monkeypatch.setattr(
        os,
        "access",
        lambda path, mode, **more: (
            not (path == folder and mode == os.W_OK) and access(path, mode, **more)
        ),
    )
    assert not RecordingsFolder(folder).is_writable
    monkeypatch.setattr("secateur.review.serving.serve", lambda session, *_: session.close())
    assert main(["review", str(folder)]) == 0
    errors = capsys.readouterr().err
    assert errors.endswith("is read-only: what you say of its events can't be kept\n")
    assert len(errors.splitlines()) == 1


def test_a_listed_host_is_called_by_its_own_name(folder: Path) -> None:
    with running(str(folder), "--port", "0", "--host", "127.0.0.2") as (_, address):
        assert address.startswith("http://127.0.0.2:")
        with build_opener(HTTPCookieProcessor()).open(address) as response:
            assert response.status == 200
