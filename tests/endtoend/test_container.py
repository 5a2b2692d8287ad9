"""SzCORE's container, run as the Dockerfile says: from the wheel, as another user, without a network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import secateur
from secateur.detectors import (
    DetectorInfo,
    PostProcessing,
    load_detector,
    write_detector,
)
from secateur.events import read_tsv
from secateur.networks import NetworkSettings, build_network, to_onnx
from secateur.recordings import open_recording
from secateur.recordings.montage import BIPOLAR_18, UNIPOLAR_19
from secateur.windows import ChainSettings, Scale, WindowSettings
from tests.support.cohorts import CLIPS, eeg, write_edf
from tests.support.containers import (
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

IMAGE = stages()[""]


def _joined(seconds: float, rate: float = 256.0) -> NDArray[np.float64]:
    """Bipolar EEG of so many seconds: clips of real seizures, one after the other, where they are here."""
    pieces: list[NDArray[np.float64]] = []
    wanted = round(seconds * rate)
    for path in sorted(CLIPS.rglob("*.edf")):
        opened = open_recording(path)
        rows = [opened.channels.index(name) for name in BIPOLAR_18 if name in opened.channels]
        if len(rows) == len(BIPOLAR_18) and opened.sampling_rate == rate:
            pieces.append(opened.read(channels=rows).astype(np.float64))
        if sum(piece.shape[1] for piece in pieces) >= wanted:
            return np.concatenate(pieces, axis=1)[:, :wanted]
    return eeg(seconds, [(seconds / 3, seconds / 2)], 5)


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    needs_root_and_unshare()
    with open_folder("secateur-container-") as folder:
        yield folder


@pytest.fixture(scope="module")
def wheel(place: Path) -> Path:
    return build_wheel(place)


@pytest.fixture(scope="module")
def material(place: Path) -> Path:
    """Recordings, a detector, and a folder for what comes out."""
    data, app, out = (place / name for name in ("data", "app", "output"))
    for seconds in (2, 30, 3600):
        write_edf(data / "bipolar" / f"{seconds}.edf", _joined(seconds), BIPOLAR_18)
    for seconds in (2, 600):
        rows = eeg(seconds, [(1, 2)], 3, channels=19)
        write_edf(data / "unipolar" / f"{seconds}.edf", rows, UNIPOLAR_19)
    app.mkdir()
    model = to_onnx(build_network(NetworkSettings(widths=(4, 4, 4)), 18, 1024, 1).eval())
    told = {
        "secateur": "0",
        "chain": ChainSettings(),
        "scale": Scale(mean=(0.0,) * 18, spread=(60.0,) * 18),
        "windows": WindowSettings(),
        "post_processing": PostProcessing(threshold=0.5),
    }
    write_detector(app / "detector.onnx", model, DetectorInfo.model_validate(told))
    out.mkdir()
    os.chown(out, IMAGE.user, IMAGE.user)
    return place


def box_in(material: Path, **more: Any) -> Container:
    """SzCORE's image, with its mounts."""
    return Container(
        IMAGE,
        read={"/data": material / "data", "/app": material / "app"},
        written={"/output": material / "output"},
        **more,
    )


def container_from(wheel: Path, material: Path) -> Container:
    """The wheel by itself; its dependencies are those of the tests' own environment."""
    library = material / "app" / "library"
    if not library.exists():
        pip(sys.executable, "install", "--quiet", "--no-deps", "--target", library, wheel)
    return box_in(
        material,
        system=system_folders(sys.prefix),
        path="/app/library/bin:/usr/bin:/bin",
        library="/app/library",
    )


def check_all(box: Container) -> None:
    """Every recording's TSV is what the detector finds outside too."""
    data, app, output = box.read["/data"], box.read["/app"], box.written["/output"]
    detector = load_detector(app / "detector.onnx")
    files = sorted(path.relative_to(data) for path in data.rglob("*.edf"))
    assert len(files) == 5
    for name in files:
        target = name.with_suffix(".tsv")
        done = box.run(INPUT=str(name), OUTPUT=str(target))
        assert done.returncode == 0, done.stderr
        recording = open_recording(data / name)
        assert (output / target).read_text() == detector.detect(recording).tsv()
        assert read_tsv(output / target).duration == recording.samples / 256
        assert (output / target).stat().st_uid == IMAGE.user
    assert not list(output.rglob("*.part*"))


@pytest.mark.clause("SzCORE container")
@pytest.mark.slow
def test_the_command_runs_from_the_wheel_as_another_user_without_a_network(
    wheel: Path, material: Path
) -> None:
    box = container_from(wheel, material)
    where = box.run(["secateur", "--version"])
    assert where.stdout.strip() == f"secateur {secateur.__version__}", where.stderr
    inside = (
        "import os, secateur; print(os.getuid(), secateur.__file__, os.listdir('/sys/class/net'))"
    )
    told = box.run([sys.executable, "-c", inside.replace("/sys/class/net", "/data")])
    assert told.stdout.startswith(f"{IMAGE.user} /app/library/secateur/__init__.py"), told.stderr
    outside = "import socket; socket.create_connection(('1.1.1.1', 53), 2)"
    assert "unreachable" in box.run([sys.executable, "-c", outside]).stderr
    for folder in ("/data", "/app", "/", "/usr"):
        done = box.run(["touch", f"{folder}/x"])
        assert "Read-only" in done.stderr
    check_all(box)


@pytest.mark.slow
def test_the_benchmark_hands_out_an_empty_file_in_a_folder_that_is_not_ours(
    wheel: Path, material: Path
) -> None:
    box = container_from(wheel, material)
    folder = material / "theirs"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o755)
    target = folder / "tmp.tsv"
    target.touch()
    target.chmod(0o776)
    theirs = replace(box, written={"/output": folder})
    done = theirs.run(INPUT="bipolar/30.edf", OUTPUT="tmp.tsv")
    assert done.returncode == 0, done.stderr
    assert read_tsv(target).duration == 30
    assert [path.name for path in folder.iterdir()] == ["tmp.tsv"]


@pytest.mark.clause("SzCORE container")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "written", "said"),
    [
        ("", "a.tsv", "$INPUT is not set"),
        ("bipolar/30.edf", "", "$OUTPUT is not set"),
        ("none.edf", "a.tsv", "there is no such file"),
        ("../app/detector.onnx", "a.tsv", "wanted a file's path below /data"),
        ("bipolar/30.edf", "/tmp/a.tsv", "wanted a file's path below /output"),
        ("bipolar", "a.tsv", "is a folder"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(
    wheel: Path, material: Path, given: str, written: str, said: str
) -> None:
    done = container_from(wheel, material).run(INPUT=given, OUTPUT=written)
    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_nothing_is_left_in_the_home_folder_and_nobody_is_told(tmp_path: Path) -> None:
    """ONNX Runtime would leave an identifier there and report to its maker."""
    home = tmp_path / "home"
    home.mkdir()
    script = (
        "import secateur.detectors, onnxruntime, os; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    )
    kept = ("PATH", "PYTHONPATH", "VIRTUAL_ENV")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**environment, "HOME": str(home), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")
    assert list(home.rglob("*")) == []


@pytest.mark.long
def test_the_wheel_brings_all_that_the_command_needs(wheel: Path, material: Path) -> None:
    home = material / "venv"
    install_as(IMAGE, material / "image", wheel, home)
    python = home / "bin" / "python"
    listed = subprocess.run(
        [str(python), "-m", "pip", "list", "--format", "freeze"], capture_output=True, text=True
    ).stdout.lower()
    assert "onnxruntime==" in listed
    for heavy in ("torch", "onnx==", "mne", "matplotlib", "pandas"):
        assert heavy not in listed
    box = box_in(material, system=system_folders(str(home)), path=f"{home}/bin:/usr/bin:/bin")
    check_all(box)


def test_the_dockerfile_says_what_the_benchmark_wants() -> None:
    assert IMAGE.user == 10001
    assert IMAGE.command[:2] == ["secateur", "detect"]
    assert not IMAGE.entry
    assert IMAGE.all("FROM") == ["--platform=linux/amd64 python:3.11-slim"]
    assert IMAGE.all("VOLUME") == ['["/data"]', '["/output"]']
    order = [word for word, _ in IMAGE.instructions]
    assert order.index("USER") > order.index("RUN")
    assert list(stages())[-1] == "", "what is built where no stage is named"


@pytest.mark.parametrize("name", stages())
def test_what_a_stage_copies_is_here(name: str) -> None:
    for line in stages()[name].all("COPY"):
        if not line.startswith("--"):
            for path in line.split()[:-1]:
                assert (ROOT / path).exists()


def test_the_card_has_the_form_of_szcores_schema() -> None:
    text = (ROOT / "szcore.yaml").read_text()
    top = dict(re.findall(r"^(\w+): *(.*)$", text, re.MULTILINE))
    assert {"title", "short_title", "image", "authors", "license"} <= set(top)
    assert set(top) <= {
        "title", "short_title", "image", "authors", "version", "date_released", "abstract",
        "license", "repository", "datasets",
    }  # fmt: skip
    assert re.fullmatch(r".+/.+:.+", top["image"])
    assert re.fullmatch(r'"\d{4}-\d\d-\d\d"', top["date_released"])
    assert top["version"] == secateur.__version__
    assert top["image"].endswith(f":{secateur.__version__}")
    assert re.findall(r"^ {2}(?:- | {2})(\w+): ", text, re.MULTILINE) == [
        "given_names",
        "family_names",
    ]
