"""What makes a run this run and no other: its name, under which what is finished is found again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from secateur.scoring import TIMESCORING_VERSION
from secateur.windows.cache import CHAIN_VERSION

RESULT_VERSION = 11
"""Raised whenever the same settings and data give other numbers."""


def identity(settings: Mapping[str, Any], contents: Mapping[str, str | None], **more: Any) -> str:
    """A run's name: 16 hexadecimal digits of a hash of all that decides its numbers.

    `settings`: all of them, as JSON has them. `contents`: hashes of what is read beside them (data, test
    data, weights, code of the user's network). `more`: what else tells runs apart, such as their kind. The
    versions of results, of the chain and of what counts events are always among it. torch's build, names of
    folders and where files lie are not: they don't make another run.
    """
    decisive = {
        "settings": settings,
        "contents": {name: value for name, value in contents.items() if value is not None},
        "result_version": RESULT_VERSION,
        "chain_version": CHAIN_VERSION,
        "timescoring": TIMESCORING_VERSION,
        **more,
    }
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:16]
