"""What was probably meant by a flag that a verb doesn't have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from secateur.settings import Settings, alike, flags_of, settings_of

_MOST = 3


def suggestion(flag: str, verb: str, flags: Mapping[str, Iterable[str]]) -> str:
    """A line on `flag`, which `verb` doesn't have; `flags`: those of every verb.

    In this order: what the verb has in its place, the verb's own flags that begin or are written alike, its
    settings without a flag, and the same flag of other verbs.
    """
    other = _in_its_place(flag, verb)
    if other:
        return f"{verb} has no {flag}; {other} stands in its place, see secateur {verb} --help"
    meant = alike(flag, flags[verb]) or _settings_alike(flag, verb)
    if meant:
        return f"{verb} has no {flag}; did you mean {_either(meant)}?"
    others = [name for name, known in flags.items() if name != verb and flag in known]
    if others:
        return f"{verb} has no {flag}; it is a flag of {_either(others)}"
    return f"{verb} has no {flag}; secateur {verb} --help lists its flags"


def _settings(verb: str) -> type[Settings] | None:
    """The settings of a verb that has some."""
    from secateur.certifying.settings import LadderSettings
    from secateur.runs.settings import RunSettings

    return {each.verb: each for each in (RunSettings, LadderSettings)}.get(verb)


def _in_its_place(flag: str, verb: str) -> str:
    """The flag of `verb` that does what `flag` does elsewhere; empty where there is none."""
    model = _settings(verb)
    for setting in () if model is None else settings_of(model):
        known = setting.flag
        if known is not None and known.name == flag.lstrip("-") and known.only not in ("", verb):
            return f"--{known.instead}" if known.instead else ""
    return ""


def _settings_alike(flag: str, verb: str) -> list[str]:
    """How the settings of `verb` are set whose last or whole name is written like `flag`."""
    model = _settings(verb)
    if model is None:
        return []
    free = [each.name for each in settings_of(model) if each.flag is None]
    words = {name: f"--set {name}=VALUE" for name in free}
    words |= {setting.name: f"--{name}" for name, setting in flags_of(model).items()}
    key = flag.lstrip("-").replace("-", "_")
    if key in words:
        return [words[key]]
    by_last: dict[str, list[str]] = {}
    for name, word in words.items():
        by_last.setdefault(name.rpartition(".")[2], []).append(word)
    return [word for last in alike(key, by_last) for word in by_last[last]][:_MOST]


def _either(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
