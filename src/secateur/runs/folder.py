"""A run's folder: which run it belongs to, what of it is finished, and that only one works on it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from secateur.errors import RunError
from secateur.files import is_draft, locked, replacing, write_whole

MODELS = ("baseline", "pruned", "scratch", "scratch-long", "random", "retrained")
"""The networks of a run; the first two are its product, the others its controls."""


RUNG = "rung-"
"""How the names of a ladder's networks begin; they and their controls have a folder of their own."""


_UNFINISHED = ".part"
_MARKER = Path("stages", "run.json")
_MOST = 4
"""Differences between two runs' settings that are named."""

Json = Mapping[str, Any]


def check_folder_for_run(path: Path, kind: str = "", settings: Json | None = None) -> None:
    """Raise `RunError` where `path` is no folder, or one of other things than a run, or of another run.

    What a run leaves that was killed before it could say which it is counts for nothing. `kind`, `settings`:
    as for `RunFolder.held`; what tells runs apart beside them, such as their data, is not looked at here.
    """
    if path.exists() and not path.is_dir():
        raise RunError(f"{path}: is a file, wanted a folder")
    begun = {path / "stages", path / "stages" / "lock"}
    if not (path / _MARKER).exists() and any(
        each not in begun and not is_draft(each) for each in path.rglob("*")
    ):
        raise RunError(f"{path}: is not empty and holds no run; give another --out")
    marker = _read(path / _MARKER)
    before = marker.get("settings")
    if settings is None or not isinstance(before, dict):
        return
    if marker.get("kind") != kind:
        raise RunError(f"{path}: holds what secateur {marker.get('kind')} left; give another --out")
    if different := _differences(before, settings):
        more = f" and {len(different) - _MOST} more" if len(different) > _MOST else ""
        raise RunError(
            f"{path}: holds a run with other settings, {', '.join(different[:_MOST])}{more}; give another "
            "--out, or delete that folder first"
        )


def _read(marker: Path) -> Json:
    """What a folder says of its run; nothing where it says nothing that can be read."""
    try:
        content = json.loads(marker.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _differences(before: object, now: object, name: str = "") -> list[str]:
    """Settings that differ, by dotted names, with both values."""
    if isinstance(before, dict) and isinstance(now, dict):
        keys = dict.fromkeys((*now, *before))
        return [
            line
            for key in keys
            for line in _differences(before.get(key), now.get(key), f"{name}.{key}".lstrip("."))
        ]
    return [] if before == now else [f"{name} {json.dumps(before)} (now {json.dumps(now)})"]


class RunFolder:
    """Paths and records of one run. `name`: its identity."""

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self.name = name

    def network(self, model: str) -> Path:
        """The checkpoint of a model."""
        return self._room(model) / f"{model}.safetensors"

    def detector(self, model: str) -> Path:
        """The detector's file of a model."""
        return self._room(model) / f"{model}.onnx"

    def _room(self, model: str) -> Path:
        if model.startswith(RUNG):
            return self.path / "rungs"
        return self.path if model in MODELS[:2] else self.path / "controls"

    def _record(self, stage: str) -> Path:
        return self.path / "stages" / f"{stage}.json"

    def _arrays(self, stage: str) -> Path:
        return self.path / "stages" / f"{stage}.npz"

    def _trained(self, stage: str) -> Path:
        return self.path / "stages" / f"{stage}.trained.json"

    def finish(
        self,
        stage: str,
        record: dict[str, Any],
        arrays: dict[str, NDArray[Any]],
        files: Sequence[Path] = (),
    ) -> None:
        """Note that a stage is finished, and with which files; its record is written last."""
        with replacing(self._arrays(stage)) as beside, beside.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        names = [str(path.relative_to(self.path)) for path in files]
        tables = {"run": self.name, "files": names, **record, "torch": version("torch")}
        write_whole(self._record(stage), json.dumps(tables, indent=1))
        for path in (
            self._trained(stage),
            *self._arrays(stage).parent.glob(f"*.{stage}{_UNFINISHED}"),
        ):
            path.unlink(missing_ok=True)

    def finished(self, stage: str) -> dict[str, Any] | None:
        """A finished stage's record, or None."""
        try:
            record = json.loads(self._record(stage).read_text())
        except (OSError, ValueError):
            return None
        if record.get("run") != self.name or not self._arrays(stage).is_file():
            return None
        if not all((self.path / name).is_file() for name in record["files"]):
            return None
        return dict(record)

    def note_trained(self, stage: str, record: dict[str, Any]) -> None:
        """Keep what training gave, before its network (which has its checkpoint) is judged."""
        write_whole(self._trained(stage), json.dumps({"run": self.name, **record}))

    def trained(self, stage: str) -> dict[str, Any] | None:
        """What `note_trained` kept of a stage that isn't finished, or None."""
        try:
            record = json.loads(self._trained(stage).read_text())
        except (OSError, ValueError):
            return None
        usable = record.get("run") == self.name and self.network(stage).is_file()
        return dict(record) if usable else None

    def unfinished(self, stage: str, side: str, detector: str, size: int) -> NDArray[np.float64]:
        """Probabilities of a side's windows, shape (size,), on disk: what is written into it stays there.

        NaN where there are none yet. `detector`: the fingerprint of the file that gives them.
        """
        path = self.path / "stages" / f"{side}.{detector[:16]}.{stage}{_UNFINISHED}"
        size_in_bytes = size * np.dtype(np.float64).itemsize
        if not path.is_file() or path.stat().st_size != size_in_bytes:
            path.parent.mkdir(parents=True, exist_ok=True)
            np.full(size, np.nan).tofile(path)
        # a file of nothing can't be mapped
        return np.memmap(path, np.float64, mode="r+", shape=(size,)) if size else np.empty(0)

    def arrays(self, stage: str) -> dict[str, NDArray[Any]]:
        """A finished stage's arrays."""
        with np.load(self._arrays(stage), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}

    @contextmanager
    def held(self, kind: str = "", settings: Json | None = None) -> Iterator[None]:
        """Take the folder for this run alone.

        `kind`: the verb that it is a run of; `settings`: those that decide its numbers, as JSON has them.
        Both are kept, so that it can be said later in what another run differs.

        Raises `RunError` where it belongs to another run, holds something else, can't be written, or
        is being worked on.
        """
        marker = self.path / _MARKER
        with ExitStack() as stack:
            try:
                check_folder_for_run(self.path, kind, settings)
                if marker.exists():
                    self._must_be_ours(marker)
                stack.enter_context(locked(marker.parent / "lock"))
            except BlockingIOError:
                raise RunError(f"{self.path}: another process is working on it") from None
            except NotADirectoryError:
                raise RunError(f"{self.path}: is below a file, wanted a folder") from None
            except OSError as error:
                raise RunError(f"{self.path}: cannot be written ({error.strerror})") from None
            write_whole(marker, json.dumps({"run": self.name, "kind": kind, "settings": settings}))
            yield

    def _must_be_ours(self, marker: Path) -> None:
        content = _read(marker)
        if content.get("run") != self.name:
            # settings were compared before, where the folder tells them
            other = "data, or of another version" if content.get("settings") else "settings or data"
            raise RunError(
                f"{self.path}: holds a run with other {other}; give another --out, or delete that folder "
                "first"
            )
