"""The base of all settings, and the way to them from a TOML file and flags, with errors in one line."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from secateur.errors import SettingsError


class Settings(BaseModel):
    """Base of all settings: frozen, unknown names refused, every number finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Model = TypeVar("Model", bound=Settings)


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file's tables."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"{path}: there is no such file") from None
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not TOML: {error}") from None


def pairs_of(flag: str, words: Sequence[str] | None) -> dict[str, str] | None:
    """Each `old=new` of a flag that may be given often, by `old`; None where there is none.

    Raises `SettingsError` where a word has another form, or an old one comes twice.
    """
    pairs: dict[str, str] = {}
    for word in words or ():
        old, sign, new = (part.strip() for part in word.partition("="))
        if not (old and sign and new) or pairs.setdefault(old, new) != new:
            raise SettingsError(f"{flag} {word}: wanted old=new, each old label once")
    return pairs or None


def put_over(tables: dict[str, Any], overrides: Mapping[str, Any], config: Path | None) -> None:
    """Put values with dotted names into tables, in place; None: not given."""
    for name, value in overrides.items():
        if value is None:
            continue
        table = tables
        *rooms, last = name.split(".")
        for room in rooms:
            inner = table.setdefault(room, {})
            if not isinstance(inner, dict):
                raise SettingsError(f"{config}: {room} must be a table")
            table = inner
        table[last] = value


def checked(kind: type[Model], values: object, config: Path | None) -> Model:
    """`values` as settings of `kind`. Raises `SettingsError` in one line."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_in_words(kind, error, config)) from None


def _in_words(kind: type[Settings], error: ValidationError, config: Path | None) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    prefix = f"{config}: " if config is not None else ""
    if first["type"] == "extra_forbidden":
        model: Any = kind
        for part in first["loc"][:-1]:
            model = model.model_fields[str(part)].annotation
        return f"{prefix}{where} is no setting; there is {', '.join(model.model_fields)}"
    message = str(first["msg"]).removeprefix("Value error, ")
    came = "" if isinstance(first["input"], dict) else f", got {first['input']!r}"
    return f"{prefix}{where or 'settings'}: {message}{came}"
