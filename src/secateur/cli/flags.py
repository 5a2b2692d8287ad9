"""Flags that are made from settings: their types, choices, bounds, defaults and help."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, Literal

import typer

from secateur.settings import Setting, Settings, assignments, flags_of, overrides_of

_TYPES = {"integer": int, "number": float, "boolean": bool}
_WIDTH = 24
_SET = typer.Option(
    None,
    metavar="NAME=VALUE",
    help="Any other setting by its name, such as windows.hop=2; may be given again. All are listed in the "
    "reference, settings.md.",
)


def with_flags(
    model: type[Settings], *only: str
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a verb the flags of `model`, or `only` some of them; it takes them as `overrides`.

    Those are settings by dotted names, without the ones that weren't set. Verbs with settings of their own
    (`Settings.verb`) take `--set` too.
    """
    flags = {name: each for name, each in flags_of(model).items() if not only or name in only}
    variables = {name.replace("-", "_"): name for name in flags}

    def decorate(verb: Callable[..., None]) -> Callable[..., None]:
        parameters = [
            each
            for each in inspect.signature(verb, eval_str=True).parameters.values()
            if each.name != "overrides"
        ]
        parameters += [_parameter(setting) for setting in flags.values()]
        if model.verb and not only:
            parameters.append(_keyword("set", _SET, list[str] | None))

        @functools.wraps(verb)
        def command(**values: Any) -> None:
            typed = {name: values.pop(variable) for variable, name in variables.items()}
            overrides = overrides_of(model, typed)
            for name, value in assignments(model, values.pop("set", None) or []).items():
                if overrides.setdefault(name, value) is not value:
                    raise typer.BadParameter(f"{name} was given by a flag and by --set")
            verb(**values, overrides=overrides)

        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {each.name: each.annotation for each in parameters}
        return command

    return decorate


def _parameter(setting: Setting) -> inspect.Parameter:
    flag = setting.flag
    assert flag is not None
    schema = setting.schema
    kind: Any = str if flag.metavar else _TYPES.get(schema.get("type", ""), str)
    text, metavar = " ".join((setting.field.description or "").split()), flag.metavar or None
    if flag.sets is not None:
        kind = bool
    elif "enum" in schema and not metavar:
        kind, choices = Literal[tuple(schema["enum"])], schema["enum"]
        if len("|".join(choices)) > _WIDTH:  # a column as wide would fold its words
            text, metavar = f"{text} One of {', '.join(choices)}.", "NAME"
    if setting.default and kind is not bool:
        default = setting.default.replace(",", ", ")  # a long list is broken, not cut short
        text += f" [default: {default}]"
    off = f"/--no-{flag.name}" if kind is bool and flag.sets is None else ""
    table = setting.name.rpartition(".")[0].replace("_", " ")
    option = typer.Option(
        None,
        f"--{flag.name}{off}",
        metavar=metavar,
        help=text,
        min=schema.get("minimum") if kind in (int, float) else None,
        max=schema.get("maximum") if kind in (int, float) else None,
        rich_help_panel=f"Settings of {table}" if table else None,
    )
    annotation = list[str] | None if flag.many else kind | None
    return _keyword(flag.name.replace("-", "_"), option, annotation)


def _keyword(name: str, option: Any, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=option, annotation=annotation
    )
