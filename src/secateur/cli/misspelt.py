"""What was probably meant by a flag that a verb doesn't have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from secateur.settings import alike, flags_of, settings_of

_MOST = 3


def suggestion(flag: str, verb: str, flags: Mapping[str, Iterable[str]]) -> str:
    """A line on `flag`, which `verb` doesn't have; `flags`: those of every verb.

    In this order: the verb's own flags that begin or are written alike, its settings without a flag, and
    the same flag of other verbs.
    """
    meant = alike(flag, flags[verb]) or _settings_alike(flag, verb)
    if meant:
        return f"{verb} has no {flag}; did you mean {_either(meant)}?"
    others = [name for name, known in flags.items() if name != verb and flag in known]
    if others:
        return f"{verb} has no {flag}; it is a flag of {_either(others)}"
    return f"{verb} has no {flag}; secateur {verb} --help lists its flags"


def _settings_alike(flag: str, verb: str) -> list[str]:
    """How the settings of `verb` are set whose last or whole name is written like `flag`."""
    from secateur.certifying.settings import LadderSettings
    from secateur.runs.settings import RunSettings

    model = {each.verb: each for each in (RunSettings, LadderSettings)}.get(verb)
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
