"""What is handed out: built, checked, installed by itself into an empty environment, and used there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from importlib.metadata import distributions as distributions_in
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

import secateur
from secateur.detectors import DetectorInfo, PostProcessing, write_detector
from secateur.events import read_tsv
from secateur.networks import NetworkSettings, build_network, to_onnx
from secateur.windows import ChainSettings, Scale, WindowSettings

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"torch", "onnx", "scikit-learn", "pyarrow", "matplotlib", "mne", "pandas", "ray"}
"""What only extras bring."""


def run(words: Sequence[object], cwd: Path, ok: Sequence[int] = (0,)) -> str:
    """What a command prints that knows nothing of this environment but proxies and certificates."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("PIP_", "TMP", "SSL_", "HTTP", "http", "LC_", "LANG"))
    }
    home = cwd / "home"
    home.mkdir(exist_ok=True)
    finished = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env={**kept, "HOME": str(home), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert finished.returncode in ok, finished.stdout + finished.stderr
    return finished.stdout + finished.stderr if finished.returncode else finished.stdout


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution, and the wheel that is built from it."""
    for tool in ("build", "hatchling", "twine"):
        pytest.importorskip(tool, reason="pip install '.[dev]' brings what builds and checks")
    folder = tmp_path_factory.mktemp("distributions")
    run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist", ROOT], folder
    )
    return folder / "dist"


@pytest.fixture(scope="module")
def wheel(distributions: Path) -> Path:
    (path,) = distributions.glob("*.whl")
    return path


def requirements(wheel: Path) -> list[str]:
    """What a wheel wants installed, with what it wants for extras."""
    (distribution,) = distributions_in(path=[str(wheel)])
    return distribution.requires or []


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network as a detector; made here, since the empty environment has no torch."""
    path = tmp_path_factory.mktemp("detector") / "detector.onnx"
    fields = {
        "secateur": secateur.__version__,
        "chain": ChainSettings(),
        "scale": Scale(mean=(0.0,) * 18, spread=(60.0,) * 18),
        "windows": WindowSettings(),
        "post_processing": PostProcessing(threshold=0.5),
    }
    model = to_onnx(build_network(NetworkSettings(widths=(4, 4, 4)), 18, 1024, 1).eval())
    write_detector(path, model, DetectorInfo.model_validate(fields))
    return path


@pytest.mark.slow
def test_descriptions_are_what_an_index_takes(distributions: Path, tmp_path: Path) -> None:
    files = sorted(distributions.iterdir())
    assert [path.name for path in files] == [
        f"secateur-{secateur.__version__}-py3-none-any.whl",
        f"secateur-{secateur.__version__}.tar.gz",
    ]
    run([sys.executable, "-m", "twine", "check", "--strict", *files], tmp_path)


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0] for name in names} == {
        "secateur",
        f"secateur-{secateur.__version__}.dist-info",
    }
    tracked = {
        str(path.relative_to(ROOT / "src"))
        for path in (ROOT / "src" / "secateur").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in names if name.startswith("secateur/")} == tracked


@pytest.mark.slow
def test_versions_have_an_upper_bound_only_where_there_is_a_reason(wheel: Path) -> None:
    bounded = [
        requirement
        for requirement in requirements(wheel)
        if re.search("<|==|~=", requirement.split(";")[0]) and "'dev'" not in requirement
    ]
    assert bounded == ["timescoring==0.0.7"], "the definition of F1 changes with its versions"


def interpreters() -> list[ParameterSet]:
    """The Python that runs the tests; and, in the tests that take minutes, the other ones."""
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    others = [version for version in ("3.11", "3.12", "3.13") if version != own]
    return [pytest.param(own, marks=pytest.mark.slow)] + [
        pytest.param(version, marks=pytest.mark.long) for version in others
    ]


def interpreter(version: str) -> Path:
    if sys.version_info[:2] == tuple(map(int, version.split("."))):
        return Path(sys.executable)
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    path = next(pyenv.glob(f"{version}.*/bin/python"), None) or shutil.which(f"python{version}")
    if path is None:
        pytest.skip(f"there is no Python {version} here")
    return Path(path)


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that is gone afterwards: an environment takes a third of a gigabyte."""
    with tempfile.TemporaryDirectory(prefix="secateur-wheel-") as folder:
        yield Path(folder)


def install(version: str, home: Path, *requirements: object) -> dict[str, str]:
    """The versions of what pip puts into a new environment; without `.pyc`, which takes long."""
    run([interpreter(version), "-m", "venv", "--without-pip", home / "env"], home)
    pip = [sys.executable, "-m", "pip", "--python", home / "env/bin/python"]
    try:
        run([*pip, "install", "--quiet", "--no-compile", *requirements], home)
    except AssertionError as error:
        if "NewConnectionError" in str(error):
            pytest.skip("packages can't be downloaded here")
        raise
    listed = json.loads(run([*pip, "list", "--format", "json"], home))
    return {package["name"].lower(): package["version"] for package in listed}


def use(home: Path, detector: Path) -> None:
    """Each verb that needs no extra does its work on simulated EEG; one that needs an extra names it."""

    def command(*words: object, ok: Sequence[int] = (0,)) -> str:
        return run([home / "env/bin/secateur", *words], home, ok)

    assert command("--version") == f"secateur {secateur.__version__}\n"
    command("simulate", "cohort", "--subjects", 1, "--hours", 0.02, "--seed", 1)
    (recording,) = (home / "cohort").rglob("*_eeg.edf")
    reference = recording.with_name(recording.name.replace("_eeg.edf", "_events.tsv"))
    command("detect", recording, "--detector", detector, "--out", "events.tsv")
    assert read_tsv(home / "events.tsv").duration == read_tsv(reference).duration == 72
    scores = json.loads(command("score", reference, reference, "--json"))
    assert (scores["events"]["ref"], scores["events"]["f1"]) == (1, 1)
    assert "F1" in command("score", reference, "events.tsv")
    command("explain", recording, "--detector", detector, "--events", reference, "--out", "why")
    assert list((home / "why").rglob("*.json"))
    monitored = ["--detector", detector, "--state", "ward.monitor", "--out", "monitor.html"]
    assert "not enough known" in command("monitor", "cohort", *monitored)
    assert "<html" in (home / "monitor.html").read_text()
    refused = command("run", "--data", "cohort", "--out", "runs/a", ok=(1,))
    assert "pip install '.[train]'" in refused
    assert refused.count("\n") == 1
    assert "is there no" not in command("detect", "--detectr", detector, ok=(1,))


@pytest.mark.parametrize("version", interpreters())
def test_the_wheel_alone_detects_scores_explains_and_monitors(
    wheel: Path, detector: Path, home: Path, version: str
) -> None:
    assert not HEAVY & set(install(version, home, wheel))
    use(home, detector)


@pytest.mark.long
def test_the_lowest_versions_that_the_wheel_takes_do_too(
    wheel: Path, detector: Path, home: Path
) -> None:
    lowest = [
        requirement.split(";")[0].replace(">=", "==")
        for requirement in requirements(wheel)
        if "extra ==" not in requirement
    ]
    versions = install("3.11", home, wheel, *lowest)
    assert versions["numpy"].startswith("2.0")
    use(home, detector)
