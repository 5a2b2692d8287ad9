"""The image of the review page and of live detection: what it serves to whom, what it keeps and as whom."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from secateur.detectors import load_detector
from secateur.events import read_tsv
from secateur.recordings import open_recording
from tests.support.containers import (
    ADDRESS,
    HOST_NAME,
    Container,
    build_wheel,
    install_as,
    needs_root_and_unshare,
    open_folder,
    pip,
    stages,
    system_folders,
)
from tests.support.documents import ROOT
from tests.support.live_nights import write_detector
from tests.support.reviewing import write_night

IMAGE = stages()["ward"]
PORT = int(IMAGE.all("EXPOSE")[0])
SOMEBODY = 12345
"""A user of `docker run --user`, to whom the recordings belong."""

_ASK = f"""
import http.client, json, sys
path, headers, body = json.load(sys.stdin)
connection = http.client.HTTPConnection("{ADDRESS}", {PORT}, timeout=60)
connection.request("POST" if body else "GET", path, body, headers)
answer = connection.getresponse()
headers = {{name.lower(): value for name, value in answer.getheaders()}}
print(json.dumps([answer.status, headers, answer.read().decode("utf-8", "replace")]))
"""
"""One request from within a container's network; `Host` is what a browser outside would send."""


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    needs_root_and_unshare()
    if shutil.which("ip") is None or shutil.which("nsenter") is None:
        pytest.skip("there is no ip or nsenter here to reach a network of its own")
    with open_folder("secateur-ward-") as folder:
        yield folder


@pytest.fixture(scope="module")
def wheel(place: Path) -> Path:
    return build_wheel(place)


@pytest.fixture(scope="module")
def ward(place: Path, wheel: Path) -> Container:
    """The wheel by itself; its dependencies are those of the tests' own environment."""
    library = place / "app" / "library"
    pip(sys.executable, "install", "--quiet", "--no-deps", "--target", library, wheel)
    return with_mounts(
        place,
        system=system_folders(sys.prefix),
        path="/app/library/bin:/usr/bin:/bin",
        library="/app/library",
    )


def with_mounts(place: Path, **more: Any) -> Container:
    """The image as docs/how-to/container.md starts it, on recordings that belong to somebody."""
    app, data, output = (place / name for name in ("app", "data", "output"))
    for folder in (app, data, output):
        folder.mkdir(exist_ok=True)
    write_night(data / "night.edf")
    samples = open_recording(data / "night.edf").read()
    write_detector(app / "detector.onnx", samples, montage="bipolar-18")
    for path in (data, output, *data.iterdir()):
        os.chown(path, SOMEBODY, SOMEBODY)
    mounts = {"/data": data, "/output": output}
    return Container(
        IMAGE, read={"/app": app}, written=mounts, networked=True, user=SOMEBODY, **more
    )


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str


class Browser:
    """Asks a container at the address to which an engine leads what comes to a published port."""

    def __init__(self, process: subprocess.Popen[str], name: str = f"127.0.0.1:{PORT}") -> None:
        self._process, self.name, self.cookie = process, name, ""

    def ask(self, path: str, body: Any = None, **headers: str) -> Answer:
        headers = {"Host": self.name, **({"Cookie": self.cookie} if self.cookie else {}), **headers}
        if body is not None:
            headers |= {"Content-Type": "application/json", "Origin": f"http://{self.name}"}
        question = [path, headers, None if body is None else json.dumps(body)]
        done = subprocess.run(
            ["nsenter", "--target", str(self._process.pid), "--net", sys.executable, "-c", _ASK],
            input=json.dumps(question),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return Answer(*json.loads(done.stdout))


def check_review(ward: Container) -> None:
    """What the page does for those who reach it through a port published on 127.0.0.1."""
    flags = ["--detector", "/app/detector.onnx", "--reviewer", "AB"]
    with ward.started([*IMAGE.command, *flags]) as process:
        assert process.stdout is not None
        address = process.stdout.readline().removeprefix("open ").strip()
        assert address.startswith(f"http://{HOST_NAME}:{PORT}/?token="), process.communicate()[1]
        opening = "/?" + address.partition("?")[2]
        browser = Browser(process)
        welcome = browser.ask(opening)
        assert welcome.status == 303
        page = welcome.headers["location"]
        assert browser.ask(f"{page}api/recordings").status == 401
        browser.cookie = welcome.headers["set-cookie"].partition(";")[0]
        assert "<html" in browser.ask(page).text
        (night,) = json.loads(browser.ask(f"{page}api/recordings").text)["recordings"]
        assert night["name"] == "night.edf"
        recording = f"{page}api/recordings/{night['id']}"
        version = json.loads(browser.ask(f"{recording}/events").text)["version"]
        act = {"version": version, "act": "add", "onset": 40.0, "duration": 3.0}
        assert browser.ask(f"{recording}/acts", act).status == 200
        (reviewed,) = ward.written["/data"].glob("*reviewed*events.tsv")
        assert reviewed.stat().st_uid == SOMEBODY
        assert "\n40.00\t3.00\t" in reviewed.read_text()

        # another port outside than inside is another name, and so is any other
        for name in (f"127.0.0.1:{PORT + 1}", "127.0.0.1", f"evil.example:{PORT}"):
            assert Browser(process, name).ask(opening).status == 403
        assert browser.ask(page, Origin="http://evil.example").status == 403

        process.send_signal(signal.SIGTERM)  # as `docker stop` does
        _, errors = process.communicate(timeout=60)
        # uvicorn raises the signal again once all has ended in order, which an init process ignores
        assert process.returncode in (0, -signal.SIGTERM)
        assert "without encryption" in errors
        assert len(errors.splitlines()) == 1


def check_live(ward: Container) -> None:
    """A night that is played: its events, its signal, alarms by LSL; then the page of both."""
    night = ward.written["/data"] / "night.edf"
    words = ["live", "--source", "replay:/data/night.edf@max", "--detector", "/app/detector.onnx"]
    done = ward.run([*words, "--out", "/output/night", "--record", "--alarm-to", "lsl:alarms"])
    assert done.returncode == 0, done.stderr
    output = ward.written["/output"] / "night"
    detector = load_detector(ward.read["/app"] / "detector.onnx")
    detector.detect(open_recording(night)).write_tsv(output.with_suffix(".tsv"))
    events, expected = (
        read_tsv(path) for path in (output / "events.tsv", output.with_suffix(".tsv"))
    )
    assert [(event.onset, event.duration) for event in events] == [
        (event.onset, event.duration) for event in expected
    ]
    assert len(events) > 0
    (recorded,) = output.glob("*_eeg.edf")
    assert {path.stat().st_uid for path in (recorded, output / "alarms.jsonl")} == {SOMEBODY}


@pytest.mark.slow
def test_the_page_answers_at_a_port_that_is_published_on_this_machine_alone(
    ward: Container,
) -> None:
    check_review(ward)


@pytest.mark.slow
def test_live_detection_writes_as_the_user_who_started_it(ward: Container) -> None:
    check_live(ward)


@pytest.mark.slow
def test_recordings_that_may_only_be_read_are_shown_all_the_same(ward: Container) -> None:
    data = ward.written["/data"]
    read_only = replace(ward, read={**ward.read, "/data": data}, written={})
    with read_only.started() as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("open http://")
        process.send_signal(signal.SIGTERM)
        assert "can't be kept" in process.communicate(timeout=60)[1]


@pytest.mark.long
def test_what_the_stage_installs_is_enough(place: Path, wheel: Path) -> None:
    environment = place / "environment"
    install_as(IMAGE, place / "image", wheel, environment)
    ward = with_mounts(
        place, system=system_folders(str(environment)), path=f"{environment}/bin:/usr/bin:/bin"
    )
    names = {path.name for path in environment.glob("lib/python3*/site-packages/*")}
    assert not names & {"torch", "onnx", "mne", "matplotlib", "pandas"}
    check_review(ward)
    check_live(ward)


def test_the_stage_is_as_careful_as_the_other() -> None:
    other = stages()[""]
    assert IMAGE.user == other.user == 10001
    order = [word for word, _ in IMAGE.instructions]
    assert order.index("USER") > order.index("RUN")
    assert IMAGE.entry == ["secateur"]
    assert IMAGE.environment.items() <= other.environment.items()
    (install,) = IMAGE.all("RUN")
    assert re.search(r"\[review,live\]", install)
    assert not IMAGE.all("VOLUME"), "what is kept in a folder that nobody mounted would be lost"


def test_the_documents_start_it_as_it_is() -> None:
    text = (ROOT / "docs" / "how-to" / "container.md").read_text()
    assert "docker build --target ward" in text
    for line in text.replace("\\\n", " ").splitlines():
        if line.startswith("docker run") and " review " in line:
            assert " ".join(IMAGE.command) in line
            assert f"-p 127.0.0.1:{PORT}:{PORT}" in line
