"""The container's command, run as its Dockerfile says: from the wheel, as another user, without a network.

No container engine is needed: a root of its own is put together from mounts, read-only but for /output
and /tmp, and the words that run in it are those of the Dockerfile.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

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

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
USER = int(re.findall(r"^USER (\d+)$", DOCKERFILE, re.MULTILINE)[-1])
COMMAND: list[str] = json.loads(re.findall(r"^CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)[-1])

_ENTER = """
set -e
mount -t tmpfs -o mode=755 tmpfs "$NEW"
show() { mkdir -p "$NEW$2"; mount --bind "$1" "$NEW$2"; mount -o remount,bind,ro "$NEW$2"; }
mkdir "$NEW/tmp"
mount -t tmpfs -o mode=1777 tmpfs "$NEW/tmp"
for place in $SYSTEM; do show "$place" "$place"; done
show "$DATA" /data
show "$APP" /app
for place in proc dev output; do mkdir -p "$NEW/$place"; done
mount --bind /proc "$NEW/proc"
mount --bind /dev "$NEW/dev"
mount --bind "$OUT" "$NEW/output"
mount -o remount,ro "$NEW"
exec chroot --userspec="$USER:$USER" --groups= "$NEW" /usr/bin/env -i HOME=/nonexistent \
  PATH="$WITHIN" PYTHONPATH="$LIBRARY" PYTHONDONTWRITEBYTECODE=1 OMP_NUM_THREADS=1 \
  INPUT="$IN_NAME" OUTPUT="$OUT_NAME" "$@"
"""


@dataclass(frozen=True)
class Container:
    """Folders as they are mounted. `system`: where the interpreter and its libraries are."""

    data: Path
    output: Path
    app: Path
    system: tuple[str, ...]
    path: str
    library: str = ""

    def run(
        self, input_name: str, output_name: str, words: list[str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        with tempfile.TemporaryDirectory(prefix="secateur-root-") as new:
            told = {
                "NEW": new,
                "SYSTEM": " ".join(self.system),
                "DATA": str(self.data),
                "APP": str(self.app),
                "OUT": str(self.output),
                "USER": str(USER),
                "WITHIN": self.path,
                "LIBRARY": self.library,
                "IN_NAME": input_name,
                "OUT_NAME": output_name,
            }
            shell = ["sh", "-c", _ENTER, "enter", *(words or COMMAND)]
            return subprocess.run(
                ["unshare", "--net", "--mount", *shell],
                env={**os.environ, **told},
                capture_output=True,
                text=True,
                timeout=300,
            )


def _needs_root_and_unshare() -> None:
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("only root may become another user and mount")
    tried = ["unshare", "--net", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    try:
        done = subprocess.run(tried, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no unshare here")
    if done.returncode:
        pytest.skip(f"a network and mounts of one's own are not allowed here: {done.stderr}")


def _system(*more: str) -> tuple[str, ...]:
    places = ("/usr", "/bin", "/lib", "/lib64", "/etc", sys.base_prefix, *more)
    return tuple(dict.fromkeys(place for place in places if Path(place).is_dir()))


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
    """A folder that other users may look into; pytest's own they may not."""
    _needs_root_and_unshare()
    with tempfile.TemporaryDirectory(prefix="secateur-container-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="module")
def wheel(place: Path) -> Path:
    pytest.importorskip("hatchling", reason="the wheel is built with hatchling")
    words = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", place, ROOT]
    _pip(sys.executable, *words)
    (built,) = place.glob("*.whl")
    return built


def _pip(python: str | Path, *words: object) -> None:
    done = subprocess.run(
        [str(python), "-m", "pip", "--disable-pip-version-check", *map(str, words)],
        capture_output=True,
        text=True,
        env={**os.environ, "PIP_ROOT_USER_ACTION": "ignore"},
    )
    if "NewConnectionError" in done.stderr or "Could not find a version" in done.stderr:
        pytest.skip("packages can't be downloaded here")
    assert done.returncode == 0, done.stderr


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
    os.chown(out, USER, USER)
    return place


def container_from(wheel: Path, material: Path) -> Container:
    """The wheel by itself; its dependencies are those of the tests' own environment."""
    library = material / "app" / "library"
    if not library.exists():
        _pip(sys.executable, "install", "--quiet", "--no-deps", "--target", library, wheel)
    return Container(
        material / "data",
        material / "output",
        material / "app",
        _system(sys.prefix),
        "/app/library/bin:/usr/bin:/bin",
        "/app/library",
    )


def check_all(box: Container) -> None:
    """Every recording's TSV is what the detector finds outside too."""
    detector = load_detector(box.app / "detector.onnx")
    files = sorted(path.relative_to(box.data) for path in box.data.rglob("*.edf"))
    assert len(files) == 5
    for name in files:
        target = name.with_suffix(".tsv")
        done = box.run(str(name), str(target))
        assert done.returncode == 0, done.stderr
        recording = open_recording(box.data / name)
        assert (box.output / target).read_text() == detector.detect(recording).tsv()
        assert read_tsv(box.output / target).duration == recording.samples / 256
        assert (box.output / target).stat().st_uid == USER
    assert not list(box.output.rglob("*.part*"))


@pytest.mark.slow
def test_the_command_runs_from_the_wheel_as_another_user_without_a_network(
    wheel: Path, material: Path
) -> None:
    box = container_from(wheel, material)
    where = box.run("-", "-", ["secateur", "--version"])
    assert where.stdout.strip() == f"secateur {secateur.__version__}", where.stderr
    inside = (
        "import os, secateur; print(os.getuid(), secateur.__file__, os.listdir('/sys/class/net'))"
    )
    told = box.run("-", "-", [sys.executable, "-c", inside.replace("/sys/class/net", "/data")])
    assert told.stdout.startswith(f"{USER} /app/library/secateur/__init__.py"), told.stderr
    outside = "import socket; socket.create_connection(('1.1.1.1', 53), 2)"
    assert "unreachable" in box.run("-", "-", [sys.executable, "-c", outside]).stderr
    for folder in ("/data", "/app", "/", "/usr"):
        done = box.run("-", "-", ["touch", f"{folder}/x"])
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
    theirs = Container(box.data, folder, box.app, box.system, box.path, box.library)
    done = theirs.run("bipolar/30.edf", "tmp.tsv")
    assert done.returncode == 0, done.stderr
    assert read_tsv(target).duration == 30
    assert [path.name for path in folder.iterdir()] == ["tmp.tsv"]


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
    done = container_from(wheel, material).run(given, written)
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
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
    python = home / "bin" / "python"
    _pip(python, "install", "--quiet", "--constraint", ROOT / "constraints.txt", wheel)
    listed = subprocess.run(
        [str(python), "-m", "pip", "list", "--format", "freeze"], capture_output=True, text=True
    ).stdout.lower()
    assert "onnxruntime==" in listed
    for heavy in ("torch", "onnx==", "mne", "matplotlib", "pandas"):
        assert heavy not in listed
    box = Container(
        material / "data",
        material / "output",
        material / "app",
        _system(str(home)),
        f"{home}/bin:/usr/bin:/bin",
    )
    check_all(box)


def test_the_dockerfile_says_what_the_benchmark_wants() -> None:
    assert USER == 10001
    assert COMMAND[:2] == ["secateur", "detect"]
    assert re.search(r"^FROM --platform=linux/amd64 python:3\.11-slim$", DOCKERFILE, re.MULTILINE)
    for volume in ("/data", "/output"):
        assert f'VOLUME ["{volume}"]' in DOCKERFILE
    assert DOCKERFILE.index("USER 10001") > DOCKERFILE.rindex("RUN ")
    copied = re.findall(r"^COPY (?!--)(.*) \S+$", DOCKERFILE, re.MULTILINE)
    for name in " ".join(copied).split():
        assert (ROOT / name).exists()


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
