"""Files appear complete or not at all, whoever else writes, sweeps or is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest

from secateur import files
from secateur.files import ContentHashes, locked, replacing, sha256_of_file, sweep, write_whole

DIES = """
import os, sys
from pathlib import Path
from secateur import files
if sys.argv[2:]:
    files._machine = lambda: sys.argv[2]
with files.replacing(sys.argv[1]) as beside:
    beside.write_bytes(b"half")
    os.kill(os.getpid(), 9)
"""
HOLDS = """
import sys
from pathlib import Path
from secateur.files import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def left_behind(path: Path, machine: str = "") -> Path:
    """What a writer of `path` that was killed leaves; `machine`: it was another one."""
    words = [sys.executable, "-c", DIES, str(path), *([machine] if machine else [])]
    assert subprocess.run(words).returncode == -signal.SIGKILL
    (left,) = path.parent.glob(f".{path.stem}*.part*")
    return left


def test_two_writers_forced_to_one_temporary_name_do_not_meet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = iter(["same", "same", "same", "other"])
    monkeypatch.setattr(files, "token_hex", lambda count: next(names))
    path, size = tmp_path / "signal.npy", 2**20
    began, may_end = threading.Event(), threading.Event()

    def first() -> None:
        with replacing(path) as beside, beside.open("wb") as file:
            file.write(b"1" * (size // 2))
            began.set()
            may_end.wait(10)
            file.write(b"1" * (size // 2))

    thread = threading.Thread(target=first)
    thread.start()
    assert began.wait(10)
    write_whole(path, b"2" * size)
    assert path.read_bytes() == b"2" * size
    may_end.set()
    thread.join()
    assert path.read_bytes() == b"1" * size
    assert [p.name for p in tmp_path.iterdir()] == ["signal.npy"]
    assert next(names, None) is None


def test_a_file_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.tsv"
    synced: list[tuple[int, bool]] = []
    plain = os.fsync

    def fsync(handle: int) -> None:
        synced.append((os.fstat(handle).st_ino, path.exists()))
        plain(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    write_whole(path, "text")
    assert synced == [(path.stat().st_ino, False), (tmp_path.stat().st_ino, True)]


def test_a_file_has_the_rights_that_files_have(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", "a")
    (tmp_path / "b").touch()
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_what_hinders_writing_names_the_file_that_was_meant(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match=r"folder'$"):
        write_whole(tmp_path / "folder", "text")
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_the_longest_name_can_be_written(tmp_path: Path) -> None:
    write_whole(tmp_path / f"{'ü' * 125}.edf", "text")


def test_sweeping_spares_whoever_lives_and_what_another_machine_may_still_write(
    tmp_path: Path,
) -> None:
    killed = left_behind(tmp_path / "killed.edf")
    elsewhere = left_behind(tmp_path / "elsewhere.edf", "0" * 8)
    silent = left_behind(tmp_path / "silent.edf", "0" * 8)
    os.utime(silent, (1, time.time() - files.ABANDONED - 60))
    with replacing(tmp_path / "living.edf") as living, replacing(tmp_path / "slow.edf") as slow:
        os.utime(slow, (1, 1))
        sweep(tmp_path)
        assert {p.name for p in tmp_path.iterdir()} == {living.name, slow.name, elsewhere.name}
    assert not killed.exists()
    assert (tmp_path / "living.edf").exists()


def test_a_lock_ends_with_its_process_and_leaves_no_file(tmp_path: Path) -> None:
    lock = tmp_path / "new" / "lock"
    words = [sys.executable, "-c", HOLDS, str(lock)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(BlockingIOError), locked(lock):
            pass
        process.kill()
        process.wait()
    with locked(lock):
        assert lock.exists()
    assert not lock.exists()


def test_of_many_that_wait_one_at_a_time_holds_the_lock(tmp_path: Path) -> None:
    inside: list[int] = []
    most: list[int] = []

    def work() -> None:
        for _ in range(20):
            with locked(tmp_path / "lock", wait=True):
                inside.append(1)
                most.append(len(inside))
                time.sleep(0.0005)
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(most), max(most)) == (80, 1)


def test_a_missing_file_inside_a_lock_is_the_blocks_own_affair(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), locked(tmp_path / "lock"):
        (tmp_path / "none").read_bytes()
    assert list(tmp_path.iterdir()) == []


def test_a_recording_replaced_by_one_of_equal_size_and_time_has_another_hash(
    tmp_path: Path,
) -> None:
    hashes, path = ContentHashes(tmp_path / "memory"), tmp_path / "night.edf"
    path.write_bytes(b"one")
    first = hashes.of([path])
    assert first == sha256_of_file(path)
    before = path.stat()
    other = tmp_path / "other.edf"
    other.write_bytes(b"two")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)  # another inode
    assert hashes.of([path]) == sha256_of_file(path) != first
    second = path.stat()
    time.sleep(0.05)  # kernels count time in ticks
    path.write_bytes(b"six")
    os.utime(path, ns=(second.st_atime_ns, second.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert hashes.of([path]) == sha256_of_file(path)  # the same inode, another ctime


def test_what_has_not_changed_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "night.edf"
    path.write_bytes(b"one")
    first = ContentHashes(tmp_path / "memory").of([path])
    monkeypatch.setattr(files, "sha256_of_file", lambda path: pytest.fail("read again"))
    assert ContentHashes(tmp_path / "memory").of([path]) == first


def test_without_a_place_to_remember_a_file_is_hashed_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "night.edf"
    path.write_bytes(b"one")
    assert ContentHashes(path / "no folder").of([path]) == sha256_of_file(path)


def test_a_member_of_an_archive_without_a_name_is_passed_over(tmp_path: Path) -> None:
    """Its one letter is a zero byte, at which names end."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("q", "")
        archive.writestr("named", "")
    path.write_bytes(path.read_bytes().replace(b"q", b"\0"))
    assert files.members_of(path) == ["named"]
