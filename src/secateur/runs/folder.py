"""A run's folder: which run it belongs to, what of it is finished, and that only one works on it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
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


_MARKER = Path("stages", "run.json")


def check_folder_for_run(path: Path) -> None:
    """Raise `RunError` where `path` is no folder, or one of other things than a run.

    What a run leaves that was killed before it could say which it is counts for nothing.
    """
    if path.exists() and not path.is_dir():
        raise RunError(f"{path}: is a file, wanted a folder")
    begun = {path / "stages", path / "stages" / "lock"}
    if not (path / _MARKER).exists() and any(
        each not in begun and not is_draft(each) for each in path.rglob("*")
    ):
        raise RunError(f"{path}: is not empty and holds no run; give another --out")


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
        left = [str(path.relative_to(self.path)) for path in files]
        tables = {"run": self.name, "files": left, **record, "torch": version("torch")}
        write_whole(self._record(stage), json.dumps(tables, indent=1))

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

    def arrays(self, stage: str) -> dict[str, NDArray[Any]]:
        """A finished stage's arrays."""
        with np.load(self._arrays(stage), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}

    @contextmanager
    def held(self) -> Iterator[None]:
        """Take the folder for this run alone.

        Raises `RunError` where it belongs to another run, holds something else, can't be written, or
        is being worked on.
        """
        marker = self.path / _MARKER
        with ExitStack() as stack:
            try:
                check_folder_for_run(self.path)
                if marker.exists():
                    self._must_be_ours(marker)
                stack.enter_context(locked(marker.parent / "lock"))
            except BlockingIOError:
                raise RunError(f"{self.path}: another process is working on it") from None
            except NotADirectoryError:
                raise RunError(f"{self.path}: is below a file, wanted a folder") from None
            except OSError as error:
                raise RunError(f"{self.path}: cannot be written ({error.strerror})") from None
            write_whole(marker, json.dumps({"run": self.name}))
            yield

    def _must_be_ours(self, marker: Path) -> None:
        try:
            other = json.loads(marker.read_text()).get("run")
        except (ValueError, AttributeError):
            other = None
        if other != self.name:
            raise RunError(
                f"{self.path}: holds a run with other settings or data; "
                "give another --out, or delete that folder first"
            )
