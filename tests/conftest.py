"""What all tests share: a cache of their own, the real clips where they are, a small cohort, a small run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from secateur.recordings import Recording, open_recording
from secateur.recordings.simulated import simulate_cohort
from tests.support.cohorts import CLIPS, LAYOUTS, TINY_SETTINGS, write_cohort
from tests.support.small_studies import SMALL_STUDY

if TYPE_CHECKING:
    from secateur.runs import RunOutput

settings.register_profile("secateur", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("secateur")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """What a test draws from torch doesn't depend on the tests before it."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(0)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """No test reads or leaves anything in the user's cache."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECATEUR_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def clips() -> Path:
    """The real recordings; they are no part of the project."""
    if not CLIPS.is_dir():
        pytest.skip(f"the real EEG is not here ({CLIPS.name} beside the checkout)")
    return CLIPS


@pytest.fixture(scope="session")
def layouts() -> Path:
    """Real headers in the folders of PhysioNet; they are no part of the project."""
    if not LAYOUTS.is_dir():
        pytest.skip(f"the real headers are not here ({LAYOUTS.name} beside the checkout)")
    return LAYOUTS


@pytest.fixture(scope="session", params=["simulated", "real"])
def recording(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Recording:
    """EEG with a seizure: three minutes that are simulated, and a real clip where those are."""
    if request.param == "real":
        folder = request.getfixturevalue("clips") / "sub-03"
    else:
        folder = simulate_cohort(tmp_path_factory.mktemp("simulated") / "cohort", 1, 0.05, 0)
    return open_recording(sorted(folder.rglob("*.edf"))[0])


@pytest.fixture(scope="session")
def tiny_cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six subjects, a minute each, with a seizure that is easily seen."""
    return write_cohort(tmp_path_factory.mktemp("tiny") / "cohort", subjects=6)


@pytest.fixture(scope="session")
def small_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study file of four runs, for the small cohort."""
    path = tmp_path_factory.mktemp("asked") / "small.toml"
    path.write_text(SMALL_STUDY)
    return path


@pytest.fixture(scope="session")
def tiny_run(tiny_cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> RunOutput:
    """The main job on the small cohort, done once for all tests that look at what comes out."""
    from secateur.jobs import run

    out = tmp_path_factory.mktemp("runs") / "tiny"
    return run(tiny_cohort, out, settings=TINY_SETTINGS)
