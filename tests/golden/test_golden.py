"""What Secateur gives for fixed inputs is what it gave; `python -m benchmarks.golden --write` renews it."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.golden.__main__ import compare, main
from benchmarks.golden.driver import TOP, Rows, real_recordings
from benchmarks.golden.values import (
    FORMS,
    TRAINED,
    VALUES,
    changed_values,
    form,
    numbers_changed,
    other_rows,
    other_trained_results,
    real_rows,
    simulated_rows,
    summary,
    trained_values,
)
from secateur.results import RESULT_VERSION
from secateur.runs import RunOutput

TOLERANCE = 1e-5


@cache
def golden() -> dict[str, Any]:
    values: dict[str, Any] = json.loads(VALUES.read_text())
    return values


def check(rows: Callable[[], Rows], *sets: str) -> None:
    names = {name for name in golden() if name.split("/")[0] in sets}
    if shutil.which("gcc") is None:
        names = {name for name in names if not name.endswith("/output")}
    problems = []
    for name, value in rows():
        names.discard(name)
        problem = unlike(name, summary(name, value), golden().get(name))
        if problem:
            problems.append(f"{name}: {problem}")
    assert not problems
    assert not names


def unlike(name: str, got: Any, expected: Any) -> str | None:
    if not isinstance(got, dict) or not isinstance(expected, dict):
        return None if got == expected else f"{str(got)[:300]!r}, was {str(expected)[:300]!r}"
    if got["shape"] != expected["shape"]:
        return f"shape {got['shape']}, was {expected['shape']}"
    gaps = np.abs(np.subtract(got["values"], expected["values"]))
    return f"differs by {gaps.max():.2g}" if (gaps > TOLERANCE).any() else None


def test_simulated_eeg() -> None:
    check(simulated_rows, "simulated")


@pytest.mark.slow
def test_simulated_eeg_on_a_processor_without_avx() -> None:
    """What QEMU works out as a Nehalem of 2008 would, where this machine's libraries take other ways."""
    emulator = shutil.which("qemu-x86_64")
    if emulator is None or platform.machine() != "x86_64":
        pytest.skip("needs qemu-x86_64 (Debian's qemu-user) on an x86-64 machine")
    work_out = (
        "import json, sys\n"
        "from benchmarks.golden.values import simulated_rows, summary\n"
        "json.dump({name: summary(name, value) for name, value in simulated_rows()}, sys.stdout)"
    )
    command = [emulator, "-cpu", "Nehalem", sys.executable, "-c", work_out]
    output = subprocess.run(
        command, stdout=subprocess.PIPE, check=True, timeout=170, cwd=TOP
    ).stdout
    rows = json.loads(output)
    assert len(rows) > 20
    problems = {name: unlike(name, row, golden()[name]) for name, row in rows.items()}
    assert {name: problem for name, problem in problems.items() if problem} == {}


def test_c_files_earlier_schemas_and_networks_by_themselves() -> None:
    check(other_rows, "C", "schema", "network")


@pytest.mark.slow
def test_real_eeg(clips: Path) -> None:
    if set(real_recordings()) != {"clips", "layouts", "bonn"}:
        pytest.skip("not all of the real EEG is here")
    check(real_rows, "clips", "bonn")


@pytest.fixture(scope="module")
def trained(tiny_run: RunOutput, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Results of a run, a ladder and a study."""
    run = json.loads((tiny_run.folder.path / "result.json").read_text())
    return {"run": run, **other_trained_results(tmp_path_factory.mktemp("trained"))}


@pytest.mark.slow
@pytest.mark.parametrize("job", ["run", "ladder", "study"])
def test_trained_jobs_have_the_form_that_they_had(trained: dict[str, Any], job: str) -> None:
    assert form(trained[job]) == json.loads(FORMS.read_text())[job]


@pytest.mark.slow
def test_numbers_of_trained_jobs_change_with_the_result_version_alone(
    trained: dict[str, Any],
) -> None:
    stored, values = json.loads(TRAINED.read_text()), trained_values(trained)
    changed = changed_values(stored["values"], values)
    renew = "renew with python -m benchmarks.golden --trained"
    assert stored["result_version"] == RESULT_VERSION, f"RESULT_VERSION was raised: {renew}"
    assert not changed, numbers_changed(changed)
    assert stored["values"].keys() == values.keys(), (
        f"other numbers are held than are made: {renew}"
    )


@pytest.mark.long
def test_the_working_tree_is_equal_to_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["WORK", "WORK"]) == 0
    assert "lines, 0 with a change that was not expected" in capsys.readouterr().out


def test_two_versions_are_compared_to_the_bit(tmp_path: Path) -> None:
    same = np.array([1, 2, 3], dtype=np.float32)
    last_bit = np.array([1, 2, np.nextafter(np.float32(3), np.float32(4))], dtype=np.float32)
    old = written(tmp_path / "old", {"a/1/d/chain": same, "a/2/d/chain": same}, {"a/1/d/x": "text"})
    new = written(tmp_path / "new", {"a/1/d/chain": same, "a/2/d/chain": last_bit}, {})
    lines = compare(old, new)
    assert lines["a/d/chain"].equal == 1
    assert lines["a/d/chain"].differing == ["2"]
    assert 0 < lines["a/d/chain"].largest < 1e-6
    assert lines["a/d/x"].gone == ["1"]
    assert compare(new, old)["a/d/x"].added == ["1"]
    shorter = written(tmp_path / "shorter", {"a/1/d/chain": same[:2], "a/2/d/chain": same}, {})
    assert compare(old, shorter)["a/d/chain"].largest == np.inf


def written(folder: Path, arrays: dict[str, Any], texts: dict[str, str]) -> Path:
    folder.mkdir()
    files = {}
    for number, (name, array) in enumerate(arrays.items()):
        files[name] = f"{number}.npy"
        np.save(folder / files[name], array)
    rows = {"texts": {**texts, "secateur": "src"}, "arrays": files}
    (folder / "rows.json").write_text(json.dumps(rows))
    return folder
