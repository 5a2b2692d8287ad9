"""Evidence is made in a clean tree alone, goes on after kill -9, and knows which commit did which run.

In a repository of its own: a copy of this code with one small study of simulated EEG, really carried out.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("pyarrow")

from benchmarks.evidence import sessions
from benchmarks.evidence.history import clean_commit, complete_commit, has_history
from benchmarks.evidence.packing import without_addresses
from benchmarks.evidence.stored import TOP, read_study
from secateur.errors import RunError
from secateur.results import RESULT_VERSION
from tests.support.cohorts import write_cohort
from tests.support.small_studies import SMALL_STUDY

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("git") is None, reason="needs git"),
]


def git(tree: Path, *words: str) -> str:
    who = ["-c", "user.name=T", "-c", "user.email=t@example.org"]
    command = ["git", "-C", str(tree), *who, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit_all(tree: Path) -> str:
    git(tree, "add", "-A")
    git(tree, "commit", "-q", "-m", "x")
    return git(tree, "rev-parse", "HEAD")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    top = tmp_path
    tree = top / "secateur"
    for part in ("src", "benchmarks/evidence", "benchmarks/golden"):
        shutil.copytree(TOP / part, tree / part, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("benchmarks/__init__.py", "pyproject.toml", "constraints.txt", ".gitignore"):
        shutil.copy(TOP / file, tree / file)
    (tree / "studies").mkdir()
    (tree / "studies" / "small.toml").write_text(SMALL_STUDY)
    write_cohort(top / "shared" / "data" / "chbmit-clips", subjects=8, seconds=60)
    git(top, "init", "-q", str(tree))
    commit_all(tree)
    return tree


def command(tree: Path, *words: str) -> tuple[list[str], dict[str, str]]:
    environment = {**os.environ, "PYTHONPATH": f"{tree / 'src'}:{tree}"}
    return [sys.executable, "-m", "benchmarks.evidence", *words], environment


def evidence(tree: Path, *words: str) -> subprocess.CompletedProcess[str]:
    line, environment = command(tree, *words)
    return subprocess.run(
        line, env=environment, cwd=tree, capture_output=True, text=True, check=False
    )


def test_a_tree_that_differs_from_its_commit_is_refused(tree: Path) -> None:
    assert clean_commit(tree) == git(tree, "rev-parse", "HEAD")
    (tree / "studies" / "another.toml").write_text(SMALL_STUDY)
    with pytest.raises(RunError, match=r"studies/another.toml differ from the last commit"):
        clean_commit(tree)
    done = evidence(tree, "--workers", "1")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "numbers must come from code that others can find" in done.stderr
    assert not (tree / "runs").exists()
    (tree / "studies" / "another.toml").unlink()
    (tree / "notes.txt").write_text("decides nothing")
    assert clean_commit(tree)
    (tree / "notes.txt").unlink()


def test_killed_it_goes_on_and_each_run_has_its_commit(tree: Path) -> None:
    first = git(tree, "rev-parse", "HEAD")
    work = tree / "runs" / "evidence"
    line, environment = command(tree, "--workers", "1")
    process = subprocess.Popen(
        line,
        env=environment,
        cwd=tree,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 170
    while not list(work.glob("small/runs/[!.]*.json")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = dict.fromkeys(sessions.done(work), 0)
    for path in work.glob("small/runs/[!.]*.json"):
        before[path.stem] = path.stat().st_mtime_ns
    assert 1 <= len(before) < 4

    (tree / "notes.txt").write_text("another commit")
    second = commit_all(tree)
    plan = evidence(tree, "--plan")
    assert plan.returncode == 0, plan.stderr
    assert f"small                 4        {4 - len(before)}" in plan.stdout
    assert "processor hours, of 40 at most" in plan.stdout
    done = evidence(tree, "--workers", "1")
    assert done.returncode == 0, done.stderr
    assert "small: 4 of 4, 0.0 processor hours left" in done.stdout
    for run, time_of in before.items():
        now = (work / "small" / "runs" / f"{run}.json").stat().st_mtime_ns
        assert time_of in (0, now)  # not done twice
    study = read_study("small", tree / "evidence")
    assert study.commits == {run: first if run in before else second for run, _ in study.plan.runs}
    assert study.recorded == dict.fromkeys((first, second), sessions.BY_MAKE)
    assert study.result_versions == (RESULT_VERSION,)
    assert "All 4 runs have a result." in (tree / "evidence" / "small" / "report.md").read_text()
    _stored_runs_are_not_done_again_and_runs_of_others_are_packed(tree)


def _stored_runs_are_not_done_again_and_runs_of_others_are_packed(tree: Path) -> None:
    earlier = read_study("small", tree / "evidence")
    raw = tree.parent / "raw"
    shutil.move(tree / "runs" / "evidence" / "small", raw)
    shutil.rmtree(tree / "runs")
    done = evidence(tree)
    assert done.returncode == 0, done.stderr
    assert "small: runs: 4 of 4 have a result" in done.stdout
    assert not list((tree / "runs" / "evidence" / "cache").glob("runs/*"))
    assert read_study("small", tree / "evidence") == earlier

    (tree / "evidence" / "older.txt").write_text("other\nsmall\n")
    packed = evidence(tree, "--pack", "small", "--from", str(raw), "--commit", "HEAD")
    assert packed.returncode == 0, packed.stderr
    study = read_study("small", tree / "evidence")
    assert {*study.commits.values()} == {git(tree, "rev-parse", "HEAD")}
    assert study.results == earlier.results
    assert (tree / "evidence" / "older.txt").read_text().splitlines()[-1] == "other"

    for words, wrong in (
        (("--commit", "0" * 40), "is no commit in the history"),
        (("--commit", "HEAD", "--from", str(tree)), "holds no study"),
    ):
        refused = evidence(tree, "--pack", "small", "--from", str(raw), *words)
        assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
        assert wrong in refused.stderr
    (raw / "runs" / f"{study.plan.runs[0][0]}.json").unlink()
    refused = evidence(tree, "--pack", "small", "--from", str(raw), "--commit", "HEAD")
    assert "1 of 4 runs have no result" in refused.stderr
    file = tree / "studies" / "small.toml"
    file.write_text(SMALL_STUDY.replace("0.75", "0.7"))
    commit_all(tree)
    stale = evidence(tree, "--pack", "small", "--from", str(raw), "--commit", "HEAD", "--partial")
    assert "is not the study that was carried out" in stale.stderr


def test_a_commit_elsewhere_is_no_commit_here(tree: Path) -> None:
    assert has_history(tree)
    assert complete_commit("HEAD", tree) == git(tree, "rev-parse", "HEAD")
    with pytest.raises(RunError, match="is no commit in the history"):
        complete_commit("no-such-branch", tree)


def test_a_command_tells_nobodys_disk() -> None:
    line = "secateur study studies/a.toml --data b=/home/me/eeg/b --data /data/eeg/c --out runs/a"
    assert without_addresses(line) == (
        "secateur study studies/a.toml --data b=b --data c --out runs/a"
    )
