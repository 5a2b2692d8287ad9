"""The base of all settings: TOML files, flags and axes of studies by name, errors in one line.

Each field of a settings class has its description below it, and its flag, where it has one, in its annotation
as a `Flag`. The command line, the axes of studies and docs/reference/settings.md are made from these.
"""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from secateur.errors import SettingsError
from secateur.files import kind_of


class Settings(BaseModel):
    """Base of all settings: frozen, unknown names refused, every number finite.

    `verb`: the command whose settings these are ("run" or "prune"); empty for a part of them.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )
    verb: ClassVar[str] = ""

    @classmethod
    def complete(cls, tables: dict[str, Any], overridden: Set[str]) -> None:
        """Put in place what follows from other tables; `overridden`: dotted names that were put over them."""

    @property
    def needs(self) -> dict[str, Need]:
        """What settings take to have an effect, by dotted name, of those that don't always have one."""
        return {}


Config = Path | Mapping[str, Any] | None
"""Settings as a TOML file, or as its tables."""

Model = TypeVar("Model", bound=Settings)


@dataclass(frozen=True)
class Flag:
    """A setting's flag on the command line, and its name as an axis of a study.

    `name`: without dashes. `metavar`: the words it takes, where its type alone doesn't say. `default`: in
    words, where it isn't the field's. `sets`: what the bare flag stands for. `many`: it may be given again.
    `only`: "run" or "prune", where the other verb doesn't have it; `instead`: what that has in its place.
    """

    name: str
    metavar: str = ""
    default: str = ""
    sets: Any = None
    many: bool = False
    only: str = ""
    instead: str = ""


@dataclass(frozen=True)
class Setting:
    """One setting of a model or of a model in it. `name`: dotted; `model`: whose `field` it is."""

    name: str
    model: type[Settings]
    field: FieldInfo
    flag: Flag | None

    @property
    def schema(self) -> dict[str, Any]:
        """Its type, choices and bounds as JSON schema; of what may be None, those of the rest."""
        top = _schema(self.model)
        schema = top["properties"][self.name.rpartition(".")[2]]
        options = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
        schema = {**schema, **(options[0] if len(options) == 1 else {})}
        reference = schema.get("$ref", "").rpartition("/")[2]
        return dict(top["$defs"][reference]) if reference else schema

    @property
    def default(self) -> str:
        """Its default in words; empty where there is none."""
        value = self.field.get_default(call_default_factory=True)
        if self.flag is not None and self.flag.default:
            return self.flag.default
        if isinstance(value, dict):
            return ",".join(f"{name}={each}" for name, each in value.items())
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, tuple):
            return ",".join(map(str, value))
        return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


@cache
def _schema(model: type[Settings]) -> dict[str, Any]:
    return model.model_json_schema(by_alias=False)


def settings_of(model: type[Settings], prefix: str = "") -> Iterator[Setting]:
    """Every setting, those of inner models in their place."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Settings):
            yield from settings_of(kind, f"{prefix}{name}.")
        else:
            flags = [part for part in field.metadata if isinstance(part, Flag)]
            yield Setting(f"{prefix}{name}", model, field, flags[0] if flags else None)


def flags_of(model: type[Settings]) -> dict[str, Setting]:
    """The settings that have a flag, by its name, for the verb of `model`."""
    return {
        setting.flag.name: setting
        for setting in settings_of(model)
        if setting.flag is not None and model.verb in (setting.flag.only or model.verb, "")
    }


def overrides_of(model: type[Settings], flags: Mapping[str, Any]) -> dict[str, Any]:
    """Values of flags, or of settings without one, as settings by dotted names; None: not given.

    Raises `SettingsError` for a name that is neither.
    """
    known = flags_of(model)
    dotted = {setting.name: setting for setting in settings_of(model)}
    overrides: dict[str, Any] = {}
    for name, value in flags.items():
        setting = known.get(name) or dotted.get(name)
        if setting is None:
            raise SettingsError(f"{name} is no flag of secateur {model.verb}, nor a setting of it")
        if name not in known and setting.flag is not None and setting.flag.name in known:
            raise SettingsError(f"{name} has a flag of its own: say {setting.flag.name}")
        bare = setting.flag is not None and setting.flag.sets is not None
        if bare and setting.flag is not None:
            value = setting.flag.sets if value else None
        if value is not None:
            overrides[setting.name] = value
    return overrides


def assignments(model: type[Settings], words: list[str]) -> dict[str, Any]:
    """`--set training.learning_rate=0.01` as settings by dotted names; values as in TOML, or plain words.

    Raises `SettingsError` for words without `=`, and for a name that is no setting.
    """
    dotted = [setting.name for setting in settings_of(model)]
    overrides: dict[str, Any] = {}
    for word in words:
        name, sign, text = (part.strip() for part in word.partition("="))
        if not sign:
            raise SettingsError(
                f"--set {word}: wanted NAME=VALUE, such as training.learning_rate=0.01"
            )
        if name not in dotted:
            raise SettingsError(f"--set {name}: is no setting; {_meant(name, dotted)}")
        try:
            overrides[name] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            overrides[name] = text
    return overrides


def alike(name: str, known: Iterable[str]) -> list[str]:
    """At most three of the names in `known` that begin as `name` does, or else are written alike."""
    names = sorted(known)
    begin_alike = [each for each in names if each.startswith(name) or name.startswith(each)]
    return (begin_alike or get_close_matches(name, names, 3, 0.75))[:3]


def _meant(name: str, dotted: Sequence[str]) -> str:
    """What was probably meant by a setting's name that doesn't exist, or which there are in its table."""
    table, _, last = name.rpartition(".")
    inner = {
        each.removeprefix(f"{table}."): each for each in dotted if each.startswith(f"{table}.")
    }
    close = [each for each in dotted if each.rpartition(".")[2] == last]
    close = close or [each for key, each in inner.items() if last in key]
    close = close or [inner[key] for key in alike(last, inner)]
    if close:
        return f"did you mean {' or '.join(close)}?"
    there = f"there is {', '.join(inner.values())}"
    return there if inner else "docs/reference/settings.md lists them"


def _listed(value: Any) -> Any:
    return value.split(",") if isinstance(value, str) else value


@dataclass(frozen=True)
class Need:
    """What a setting takes to have an effect. `met`: whether it has one beside the others; `by`: the dotted
    name of the setting that decides it; `words`: what is needed.
    """

    met: bool
    by: str
    words: str


Listed = BeforeValidator(_listed)
"""A list that may be written as the words of a flag, "16,32,64"."""


def names_in(values: object, parameter: str) -> tuple[str, ...]:
    """What a `parameter` that takes several names was given.

    Raises `SettingsError` for one string, which would be taken letter by letter, and for all that is no
    list of strings.
    """
    if isinstance(values, str):
        raise SettingsError(f"{parameter}: got the string {values!r}, wanted a list: [{values!r}]")
    if not isinstance(values, Iterable):
        raise SettingsError(f"{parameter}: got {type(values).__name__}, wanted a list of strings")
    names = tuple(values)
    other = next((each for each in names if not isinstance(each, str)), None)
    if other is not None:
        raise SettingsError(
            f"{parameter}: got {type(other).__name__} {other!r} in it, wanted a list of strings"
        )
    return names


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file's tables."""
    if path.is_dir():
        raise SettingsError(f"{path}: is a folder, wanted a TOML file")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"{path}: there is no such file") from None
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: is {kind_of(path)}, not TOML (which is UTF-8)") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not TOML: {error}") from None


def put_over(tables: dict[str, Any], overrides: Mapping[str, Any], config: Path | None) -> None:
    """Put values with dotted names into tables, in place; None: not given."""
    for name, value in overrides.items():
        if value is None:
            continue
        table = tables
        *outer, last = name.split(".")
        for part in outer:
            inner = table.setdefault(part, {})
            if not isinstance(inner, dict):
                raise SettingsError(f"{config}: {part} must be a table")
            table = inner
        table[last] = value


def resolved(
    kind: type[Model], config: Config = None, overrides: Mapping[str, Any] | None = None
) -> Model:
    """Settings from defaults, then a TOML file, then `overrides` by dotted names (None: not given).

    Where overrides say that another way is gone than the file's, what the file says of its own is forgotten.
    Raises `SettingsError` that names the field, what came and what was wanted; for a setting that would
    change nothing, too.
    """
    path = config if isinstance(config, Path) else None
    tables = read_toml(config) if isinstance(config, Path) else copy.deepcopy(dict(config or {}))
    overrides = {name: value for name, value in (overrides or {}).items() if value is not None}
    put_over(tables, overrides, path)
    kind.complete(tables, overrides.keys())
    settings = checked(kind, tables, path)
    for name, value in _idle(settings):
        need = settings.needs[name]
        if name in overrides or need.by not in overrides:
            raise SettingsError(f"{name} = {value} would change nothing: {need.words}")
        *outer, last = name.split(".")
        table = tables
        for part in outer:
            table = table[part]
        table.pop(last, None)
    return checked(kind, tables, path)


def _idle(settings: Settings) -> Iterator[tuple[str, Any]]:
    """Names and values of settings that are not at their default and would change nothing."""
    needs = settings.needs
    for setting in settings_of(type(settings)):
        need = needs.get(setting.name)
        if need is None or need.met:
            continue
        value: Any = settings
        for part in setting.name.split("."):
            value = getattr(value, part)
        if value != setting.field.get_default(call_default_factory=True):
            yield setting.name, value


def checked(kind: type[Model], tables: object, config: Path | None) -> Model:
    """`tables` as settings of `kind`. Raises `SettingsError`: the field, what came, what was wanted."""
    try:
        return kind.model_validate(tables)
    except ValidationError as error:
        raise SettingsError(_in_words(kind, error, config)) from None


_EXPECTATIONS = {
    "greater_than": "wanted more than {gt:g}",
    "greater_than_equal": "wanted {ge:g} or more",
    "less_than": "wanted less than {lt:g}",
    "less_than_equal": "wanted {le:g} or less",
    "int_parsing": "wanted a whole number",
    "int_type": "wanted a whole number",
    "int_from_float": "wanted a whole number",
    "float_parsing": "wanted a number",
    "float_type": "wanted a number",
    "finite_number": "wanted a finite number",
    "bool_parsing": "wanted true or false",
    "bool_type": "wanted true or false",
    "literal_error": "wanted one of {expected}",
}
"""What pydantic's commonest errors say, in plain words."""


def _in_words(kind: type[Settings], error: ValidationError, config: Path | None) -> str:
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    prefix = f"{config}: " if config is not None else ""
    if first["type"] == "extra_forbidden":
        model: Any = kind
        for part in first["loc"][:-1]:
            fields = getattr(model, "model_fields", {})
            model = fields[str(part)].annotation if str(part) in fields else None
        known = [field.alias or name for name, field in getattr(model, "model_fields", {}).items()]
        return f"{prefix}{name} is no setting" + (f"; there is {', '.join(known)}" if known else "")
    expectation = _EXPECTATIONS.get(first["type"])
    message = str(first["msg"]).removeprefix("Value error, ")
    if expectation is not None:
        message = expectation.format(**first.get("ctx", {}))
    known_from_message = isinstance(first["input"], str) and first["input"] in message
    came = (
        ""
        if known_from_message or isinstance(first["input"], dict)
        else f", got {first['input']!r}"
    )
    flags = {setting.name: flag for flag, setting in flags_of(kind).items()}
    flag = next((flags[own] for own in flags if f"{name}.".startswith(f"{own}.")), None)
    by_flag = f" (--{flag})" if flag is not None else ""
    return f"{prefix}{name or 'settings'}{by_flag}: {message}{came}"
