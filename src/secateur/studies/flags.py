"""The flags of `secateur run` and `secateur prune` by name, and what settings each stands for.

Comes in: flags as a user gives them, on the command line or in a study file. Goes out: settings by dotted
names. Next: `settings.resolve` and `ladder.resolve_ladder` check them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from secateur.certifying.settings import ladder_words
from secateur.errors import SettingsError
from secateur.runs.folds import split_words
from secateur.runs.settings import rule_words
from secateur.settings import pairs_of

_BOTH = {
    "network": "network.name",
    "importance": "pruning.importance",
    "allocation": "pruning.allocation",
    "cost-in": "pruning.cost_in",
    "retrain": "pruning.retrain",
    "round-to": "pruning.round_to",
    "seed": "seed",
    "split-seed": "split.seed",
    "montage": "chain.montage",
    "epochs": "training.epochs",
    "least-epochs": "training.least_epochs",
    "patience": "training.patience",
    "gaps": "reading.gaps",
}
_RUN = {
    **_BOTH,
    "ratio": "pruning.ratio",
    "fold": "split.fold",
    "prevalence": "split.prevalence",
    "at-most": "split.at_most",
    "scaling": "chain.scaling",
    "notch": "chain.notch",
    "missing": "chain.missing",
    "background-per-epoch": "training.background_per_epoch",
}
_PRUNE = {
    **_BOTH,
    "confidence": "constraint.confidence",
    "harmed-share": "constraint.harmed_share",
    "controls": "ladder.controls",
    "int8": "ladder.int8",
    "force": "force",
}
NATURAL = "natural"
"""A prevalence in a study file that is the data's own: nothing is thinned."""
_WORDS = ("schedule", "post-processing", "widths", "rename")
RUN_FLAGS = (*_RUN, *_WORDS, "split", "folds-file")
PRUNE_FLAGS = (*_PRUNE, *_WORDS, "margin", "rungs", "target", "certify")
PRUNE_ALONE = tuple(name for name in PRUNE_FLAGS if name not in RUN_FLAGS)


def run_settings(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Flags of `run` as settings by dotted names; a flag that is None was not given.

    Raises `SettingsError` for words that can't be read.
    """
    natural = flags.get("prevalence") == NATURAL
    return {
        **{dotted: flags.get(name) for name, dotted in _RUN.items()},
        **({"split.prevalence": None} if natural else {}),
        **_both_words(flags),
        **ladder_words(schedule=flags.get("schedule")),
        **split_words(flags.get("split"), _path(flags.get("folds-file"))),
        "reading.too_slow": "note" if flags.get("force") else None,
    }


def prune_settings(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Flags of `prune` as settings by dotted names; a flag that is None was not given."""
    words = {
        name: None if flags.get(name) is None else listed(flags[name])
        for name in ("margin", "rungs", "target", "certify", "schedule")
    }
    return {
        **ladder_words(**words),
        **{dotted: flags.get(name) for name, dotted in _PRUNE.items()},
        **_both_words(flags),
        "ladder.int8": flags.get("int8") or None,
        "force": flags.get("force") or None,
    }


def listed(value: Any) -> str:
    """A list as the words of a flag: [16, 32] as "16,32"."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ",".join(str(one) for one in value)
    return str(value)


def _both_words(flags: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **rule_words(flags.get("post-processing")),
        "reading.rename": pairs_of("--rename", flags.get("rename")),
        "network.widths": _numbers("--widths", flags.get("widths")),
    }


def _numbers(flag: str, value: Any) -> list[int] | None:
    if value is None:
        return None
    try:
        return [int(word) for word in listed(value).split(",")]
    except ValueError:
        raise SettingsError(
            f"{flag} {listed(value)}: wanted whole numbers, such as 16,32,64"
        ) from None


def _path(value: Any) -> Path | None:
    return None if value is None else Path(value)
