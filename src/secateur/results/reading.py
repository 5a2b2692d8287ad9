"""Results from files and into them, whatever schema they were written with."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from secateur.errors import RunError
from secateur.results import earlier
from secateur.results.adapted import AdaptedRun
from secateur.results.explained import ExplainedRun
from secateur.results.ladder import LadderResult
from secateur.results.run import SCHEMA, RunResult
from secateur.results.scores import Record
from secateur.results.study_run import StudyRun

Result = TypeVar("Result", bound=Record)
Tables = Mapping[str, Any]


def written(result: Record, indent: int | None = 1) -> bytes:
    """A result as its file holds it."""
    return (result.model_dump_json(indent=indent) + "\n").encode()


def load(path: Path | str) -> RunResult | LadderResult:
    """The result of a run or of a ladder from its `result.json`, or from the folder that holds one.

    Raises `RunError` for what is no result, or one of a schema that this Secateur doesn't know.
    """
    path = Path(path)
    path = path / "result.json" if path.is_dir() else path
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise RunError(f"{path}: there is no such file; wanted a run's result.json") from None
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror})") from None
    tables = _tables(content, path)
    kind: type[RunResult | LadderResult] = LadderResult if "ladder" in tables else RunResult
    return _read(kind, tables, content, path)


def read_study_run(content: bytes, source: str) -> StudyRun:
    """A study's run from the bytes of its file, whose name for people is `source`. Raises `RunError`."""
    tables = _tables(content, source)
    kind = _OF_KIND.get(str(tables.get("kind")), StudyRun)
    return _read(kind, tables, content, source)


_OF_KIND: Mapping[str, type[StudyRun]] = {"explain": ExplainedRun, "adapt": AdaptedRun}


def _settings_beside(path: Path) -> Tables | None:
    try:
        return tomllib.loads(path.with_name("config.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _tables(content: bytes, source: Path | str) -> Tables:
    try:
        tables = json.loads(content)
        schema = tables["schema"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise RunError(f"{source}: is no result of Secateur, or is damaged") from None
    if type(schema) is not int or schema not in range(1, SCHEMA + 1):
        raise RunError(
            f"{source}: was written with schema {schema}, this Secateur reads 1 to {SCHEMA}; "
            "take the Secateur that wrote it"
        )
    return dict(tables)


_TO_NEXT: Mapping[type[Record], tuple[Callable[..., Tables], ...]] = {
    RunResult: (earlier.run_of_1, earlier.run_of_2),
    LadderResult: (earlier.ladder_of_1, earlier.ladder_of_2),
    StudyRun: (earlier.study_run_of_1, earlier.study_run_of_2),
    ExplainedRun: (earlier.study_run_of_1, earlier.study_run_of_2),
    AdaptedRun: (earlier.study_run_of_1, earlier.study_run_of_2),
}
"""From each earlier schema to the one after it, from 1."""


def _read(kind: type[Result], tables: Tables, content: bytes, source: Path | str) -> Result:
    """`content` as today's model; `tables` is what JSON makes of it."""
    schema = int(tables["schema"])
    if schema < SCHEMA:
        try:
            for number, to_next in enumerate(_TO_NEXT[kind][schema - 1 :], start=schema):
                beside = number == 1 and isinstance(source, Path) and not issubclass(kind, StudyRun)
                tables = to_next(tables, *([_settings_beside(Path(source))] if beside else ()))
            content = json.dumps(tables).encode()
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RunError(
                f"{source}: lacks what a result of schema {schema} holds ({type(error).__name__}: {error})"
            ) from None
    try:
        result = kind.model_validate_json(content, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise RunError(f"{source}: {where}: {first['msg']}; it was changed or damaged") from None
    for where in _absent(result) if schema == SCHEMA else ():
        raise RunError(
            f"{source}: {where}: a result of schema {SCHEMA} tells it; it was changed or damaged"
        )
    return result


def _absent(value: Any, where: str = "") -> Iterator[str]:
    """Where fields are at a default because the file tells nothing of them."""
    if isinstance(value, Record):
        fields = type(value).model_fields
        yield from (f"{where}{name}" for name in fields if name not in value.model_fields_set)
        parts: Mapping[Any, Any] = {name: getattr(value, name) for name in fields}
    elif isinstance(value, dict):
        parts = value
    elif isinstance(value, tuple):
        parts = dict(enumerate(value))
    else:
        return
    for name, part in parts.items():
        yield from _absent(part, f"{where}{name}.")
