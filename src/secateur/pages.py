"""How pages and tables are filled from templates: what is put in is escaped, and a name that is unknown is an
error.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

DISCLAIMER = "Research software, not a medical device"
"""Stands on every page."""


def environment(
    package: str, escaper: Callable[[object], object] = escape, **delimiters: str
) -> Environment:
    """Templates in the folder `templates` of `package`; what isn't `Markup` is put in as `escaper` writes it.

    `delimiters`: jinja's own settings of them, for formats in which braces mean something else.
    """

    def finalized(value: object) -> Markup:
        # autoescape makes Markup of what macros give
        return value if isinstance(value, Markup) else Markup(escaper(value))

    return Environment(
        loader=FunctionLoader(partial(_template, package)),
        autoescape=True,
        finalize=finalized,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        **delimiters,  # type: ignore[arg-type]
    )


def _template(package: str, name: str) -> str:
    return files(package).joinpath("templates", name).read_text(encoding="utf-8")
