"""Stores of results keep whole files or none, in a folder and behind an address alike."""

from __future__ import annotations

import errno
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from secateur.errors import MissingExtraError, RunError, SettingsError
from secateur.studies.store import Folder, Store, store_at
from tests.support.moto_servers import serving

pytest.importorskip("fsspec")


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """A bucket of moto's server."""
    pytest.importorskip("moto")
    s3fs = pytest.importorskip("s3fs")
    with serving() as settings, pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        s3fs.S3FileSystem().mkdir("studies")
        yield "s3://studies"
        s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture(params=["folder", "memory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return store_at(tmp_path / "study")
    if request.param == "memory":
        return store_at(f"memory://{tmp_path.name}/study")
    return store_at(f"{request.getfixturevalue('bucket')}/{tmp_path.name}/study")


def test_what_is_put_is_there_until_it_is_deleted(store: Store) -> None:
    assert store.get("runs/a.json") is None
    assert store.names() == []
    store.put("runs/a.json", b"one")
    store.put("runs/a.json", b"two")
    assert store.get("runs/a.json") == b"two"
    store.delete("runs/a.json")
    store.delete("runs/a.json")
    assert store.get("runs/a.json") is None
    assert store.names() == []


def test_names_come_in_order_by_their_beginning_and_end(store: Store) -> None:
    for name in ("runs/b.json", "runs/a.json", "runs/a.txt", "failed/a.json", "plan.json"):
        store.put(name, b"")
    assert store.names("runs/", ".json") == ["runs/a.json", "runs/b.json"]
    assert store.names("runs/a") == ["runs/a.json", "runs/a.txt"]
    assert store.names(suffix=".json") == [
        "failed/a.json",
        "plan.json",
        "runs/a.json",
        "runs/b.json",
    ]


def test_a_store_travels_as_its_place(store: Store) -> None:
    store.put("plan.json", b"{}")
    assert pickle.loads(pickle.dumps(store)).get("plan.json") == b"{}"


def test_a_bucket_that_is_not_there_is_told(bucket: str) -> None:
    store = store_at("s3://nowhere-at-all/study")
    for ask in (lambda: store.put("a", b""), lambda: store.get("a"), store.names):
        with pytest.raises(RunError, match="no such bucket"):
            ask()


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EROFS, "it is read-only"),
        (errno.EACCES, "no permission"),
    ],
)
def test_what_hinders_writing_is_told_in_a_line(
    number: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, content: bytes) -> None:
        raise OSError(number, "as the system says")

    monkeypatch.setattr("secateur.studies.store.write_whole", refuse)
    with pytest.raises(RunError, match=words) as caught:
        Folder(str(tmp_path)).put("runs/a.json", b"")
    assert "\n" not in str(caught.value)
    assert str(tmp_path / "runs/a.json") in str(caught.value)


def test_a_file_where_a_folder_was_wanted_is_told(tmp_path: Path) -> None:
    (tmp_path / "study").write_text("")
    store = store_at(tmp_path / "study")
    with pytest.raises(RunError, match="a file stands where a folder was wanted"):
        store.names()


def test_an_address_of_no_known_kind_is_refused() -> None:
    with pytest.raises(SettingsError, match="no such kind of address"):
        store_at("nothing-like-it://bucket")


def test_an_extra_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    fsspec = pytest.importorskip("fsspec")

    def missing(place: str) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    with pytest.raises(MissingExtraError, match=r"pip install '\.\[s3\]'"):
        store_at("s3://bucket/study")
