"""Runs of a study are done once, and what ends a study loses nothing that was finished."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from secateur.cli import main
from secateur.cli.reported_study import resume
from secateur.errors import RunError
from secateur.runs import Source, ledger
from secateur.studies import ExecutionOptions, carry_out, read_study
from secateur.studies.record import PLAN, plan_bytes, read_plan
from secateur.studies.store import store_at
from secateur.studies.work_item import WorkItem, Workspace, do
from secateur.windows import Cache
from tests.support.moto_servers import serving
from tests.support.small_studies import SMALL_STUDY


@pytest.fixture(scope="module")
def undisturbed(
    small_study: Path, tiny_cohort: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """The study done in one go, with a cache of its own."""
    out = tmp_path_factory.mktemp("studies") / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECATEUR_CACHE", str(tmp_path_factory.mktemp("cache-of-whole")))
        assert main(["study", str(small_study), "--data", str(tiny_cohort), "--out", str(out)]) == 0
        yield out


def results(out: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (out / "runs").glob("*.json")}


def test_all_that_comes_out_is_there(undisturbed: Path) -> None:
    left = {path.name for path in undisturbed.iterdir()}
    assert {
        "plan.json",
        "runs",
        "runs.csv",
        "runs.parquet",
        "study.html",
        "study.md",
        "study.tex",
    } <= left
    lines = (undisturbed / "runs.csv").read_text().splitlines()
    assert len(lines) == 1 + 4
    assert lines[0].startswith("run,ratio,seed,partition,")


def test_certificates_will_know_of_its_looks(undisturbed: Path) -> None:
    entries = json.loads((Cache().folder / ledger.FILE).read_text())
    known = {(each["kind"], each["name"]) for each in entries}
    assert {("run", path.stem) for path in (undisturbed / "runs").glob("*.json")} <= known
    assert all(each["recordings"] for each in entries)


def test_no_result_tells_where_it_was_made(undisturbed: Path, tiny_cohort: Path) -> None:
    for path in (undisturbed / "runs").glob("*.json"):
        assert str(tiny_cohort) not in path.read_text()
        assert str(undisturbed) not in path.read_text()


def test_a_finished_run_is_never_done_again(undisturbed: Path) -> None:
    before = results(undisturbed)
    plan = (undisturbed / "plan.json").read_text()
    assert main(["study", str(undisturbed)]) == 0
    assert results(undisturbed) == before
    assert (undisturbed / "plan.json").read_text() == plan  # how to make it again too


def test_taken_up_by_its_folder_it_is_as_strict_as_it_was_begun(
    undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = read_plan(str(undisturbed))
    (name,) = plan.sources
    strict = {}
    monkeypatch.setattr(
        "secateur.cli.reported_study.carry_out",
        lambda study, sources, *_: strict.update(
            {key: each.strict for key, each in sources.items()}
        ),
    )
    for names in ((), (name,)):
        store_at(str(tmp_path)).put(PLAN, plan_bytes(replace(plan, strict=names), {}))
        resume(str(tmp_path), ExecutionOptions())
        assert strict == {name: bool(names)}


def test_what_another_study_has_done_is_taken_over(
    undisturbed: Path, small_study: Path, tiny_cohort: Path, tmp_path: Path
) -> None:
    """By way of the cache, and of `--known` where the cache is another."""
    words = ["study", str(small_study), "--data", str(tiny_cohort), "--out"]
    assert main([*words, str(tmp_path / "again")]) == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECATEUR_CACHE", str(tmp_path / "empty"))
        known = ["--known", str(undisturbed)]
        assert main([*words, str(tmp_path / "known"), *known]) == 0
        assert not (tmp_path / "empty" / "baselines").exists()
    for place in ("again", "known"):
        assert (tmp_path / place / "runs.csv").read_bytes() == (
            undisturbed / "runs.csv"
        ).read_bytes()


def test_killed_at_random_it_comes_to_the_same_bytes(
    undisturbed: Path, small_study: Path, tiny_cohort: Path, tmp_path: Path
) -> None:
    killed_and_resumed(2, undisturbed, small_study, tiny_cohort, tmp_path)


@pytest.mark.long
def test_killed_twenty_times_it_comes_to_the_same_bytes(
    undisturbed: Path, small_study: Path, tiny_cohort: Path, tmp_path: Path
) -> None:
    killed_and_resumed(20, undisturbed, small_study, tiny_cohort, tmp_path)


def killed_and_resumed(times: int, whole: Path, small_study: Path, data: Path, room: Path) -> None:
    """`kill -9` in turn of the whole and of one worker, at moments that the seed decides."""
    chance = random.Random(times)
    out = room / "killed"
    words = [sys.executable, "-m", "secateur", "study", str(small_study), "--data", str(data)]
    words += ["--out", str(out), "--workers", "2"]
    environment = {**os.environ, "SECATEUR_CACHE": str(room / "cache"), "OMP_NUM_THREADS": "1"}
    for number in range(times):
        process = subprocess.Popen(words, env=environment, stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(3, 12))
        victim = process.pid if number % 2 == 0 else _a_child(process.pid)
        if victim is not None and process.poll() is None:
            os.kill(victim, signal.SIGKILL)
        if number % 2 == 0:
            process.wait(timeout=60)
        else:  # a worker's death ends nothing
            assert process.wait(timeout=240) == 0
            for path in list((out / "runs").glob("*.json"))[:2]:  # leave something to do again
                path.unlink()
                (room / "cache" / "runs" / path.name).unlink()
    subprocess.run(words, env=environment, check=True, timeout=240, capture_output=True)
    assert (out / "runs.csv").read_bytes() == (whole / "runs.csv").read_bytes()


def _a_child(parent: int) -> int | None:
    """The youngest process that a process has started, where it still lives."""
    path = Path(f"/proc/{parent}/task/{parent}/children")
    try:
        children = [int(word) for word in path.read_text().split()]
    except OSError:
        return None
    return max(children, default=None)


def test_a_failed_run_is_told_and_the_rest_go_on(
    small_study: Path, tiny_cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Here one combination splits into more folds than there are subjects."""
    path = tmp_path / "failing.toml"
    path.write_text(
        SMALL_STUDY.replace("ratio = [0.5, 0.75]", 'split = ["subject", "folds:40"]')
        .replace("seed = [1, 2]", "seed = [1]")
        .replace(
            "[[compare]]", '[[when]]\nthese = {split = "folds:40"}\nflags = {fold = 1}\n[[compare]]'
        )
        .replace('axis = "ratio"', 'axis = "split"')
    )
    out = tmp_path / "out"
    words = ["study", str(path), "--data", str(tiny_cohort), "--out", str(out)]
    assert main(words) == 1
    assert "1 of 2 runs failed" in capsys.readouterr().err
    failure = next((out / "failed").glob("*.json"))
    assert "folds" in json.loads(failure.read_text())["error"]
    stamp = failure.stat().st_mtime_ns
    assert main(words) == 1  # known to fail: not tried again
    assert failure.stat().st_mtime_ns == stamp
    assert main([*words, "--retry"]) == 1
    assert failure.stat().st_mtime_ns > stamp
    assert main(["study", str(out), "--status"]) == 0
    assert "1 of 2 runs have a result, 1 failed" in capsys.readouterr().out


def test_two_studies_in_one_folder_at_once_are_refused(
    undisturbed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (undisturbed / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert main(["study", str(undisturbed)]) == 1
    assert "another study is working in this folder" in capsys.readouterr().err


def test_a_folder_of_something_else_is_refused(
    undisturbed: Path, small_study: Path, tiny_cohort: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.toml"
    other.write_text(SMALL_STUDY)
    sources = {"data": Source(tiny_cohort)}
    with pytest.raises(RunError, match="holds the study small, not other"):
        carry_out(read_study(other), sources, str(undisturbed), ExecutionOptions(cache=Cache()))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("years of work")
    with pytest.raises(RunError, match="is not empty and holds no study"):
        carry_out(
            read_study(small_study),
            sources,
            str(tmp_path / "full"),
            ExecutionOptions(cache=Cache()),
        )


def test_another_schema_is_refused(undisturbed: Path, tmp_path: Path) -> None:
    told = json.loads((undisturbed / "plan.json").read_text())
    (tmp_path / "plan.json").write_text(json.dumps({**told, "schema": 99}))
    with pytest.raises(RunError, match="schema 99, this Secateur reads 1"):
        read_plan(str(tmp_path))
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(RunError, match="damaged"):
        read_plan(str(tmp_path))
    with pytest.raises(RunError, match="holds no study"):
        read_plan(str(tmp_path / "nowhere"))


def test_a_full_disk_is_told_in_a_line(
    small_study: Path,
    tiny_cohort: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("secateur.studies.store.write_whole", refuse)
    words = ["study", str(small_study), "--data", str(tiny_cohort), "--out", str(tmp_path / "out")]
    assert main(words) == 1
    (line,) = [one for one in capsys.readouterr().err.splitlines() if "secateur:" in one]
    assert "plan.json: cannot be written: the disk is full" in line


def test_a_result_that_finds_no_room_is_not_lost(
    undisturbed: Path, small_study: Path, tiny_cohort: Path, tmp_path: Path
) -> None:
    """It stays in the cache, and is written when there is room again."""
    from secateur.studies.engine import jobs_of
    from secateur.studies.plan import drafts

    options = ExecutionOptions()
    planned = drafts(read_study(small_study), {"data": Source(tiny_cohort)})
    job = jobs_of(planned[:1], options)[0][0]
    item = WorkItem(job, Workspace(str(tmp_path), options.cache.folder))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("secateur.studies.store.write_whole", refuse)
        done = do(item)
    assert "the disk is full" in done.error
    assert "nor could that be recorded" in done.error
    assert do(item).error == ""
    nowhere = do(WorkItem(job, Workspace("no-such-kind://bucket", options.cache.folder)))
    assert "no such kind of address" in nowhere.error  # told, never raised
    name = f"{job.name}.json"
    assert (tmp_path / "runs" / name).read_bytes() == (undisturbed / "runs" / name).read_bytes()


def refuse(path: Path, content: bytes) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("out", ["/proc/secateur", "/dev/null/study"])
def test_a_folder_that_cannot_be_written_is_told_before_any_run(
    out: str, small_study: Path, tiny_cohort: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["study", str(small_study), "--data", str(tiny_cohort), "--out", out]) == 1
    told = capsys.readouterr().err
    assert out in told
    assert "Traceback" not in told


def test_an_address_is_for_ray_alone(
    small_study: Path, tiny_cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["study", str(small_study), "--data", str(tiny_cohort), "--out", str(tmp_path)]
    assert main([*words, "--address", "127.0.0.1:6379"]) == 1
    assert "give --backend ray with it" in capsys.readouterr().err


def test_results_behind_an_address_are_those_of_a_folder(
    undisturbed: Path,
    small_study: Path,
    tiny_cohort: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("moto")
    s3fs = pytest.importorskip("s3fs")
    with serving() as settings:
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        files = s3fs.S3FileSystem()
        files.mkdir("studies")
        words = ["study", str(small_study), "--data", str(tiny_cohort), "--out"]
        assert main([*words, "s3://studies/small"]) == 0
        table = files.cat_file("studies/small/runs.csv")
        assert files.exists("studies/small/study.html")
        assert files.exists("studies/small/figures/scores.png")
        assert main(["study", "s3://studies/small", "--status"]) == 0
        s3fs.S3FileSystem.clear_instance_cache()
    assert table == (undisturbed / "runs.csv").read_bytes()
    assert "4 of 4 runs have a result" in capsys.readouterr().out
