"""A folder of found seizures as one data set: what made it, so that nothing else is mixed in.

Comes in: a detector's file and how it runs. Goes out: `Maker`, the `dataset_description.json` that names
it, and the columns' meanings that every sidecar tells. Next: `batch` refuses or goes on by it, `marking`
writes it beside each TSV.

The form is that of BIDS derivatives (https://bids-specification.readthedocs.io). The folder's state is
in these files and nowhere else.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from secateur import __version__
from secateur.detectors.running.runtimes import Runtime
from secateur.errors import SettingsError
from secateur.files import sha256_of_file, write_whole

DESCRIPTION = "dataset_description.json"
_NAME = "secateur detect"

COLUMNS: dict[str, object] = {
    "onset": {"Description": "Begin of the event, from the recording's first sample", "Units": "s"},
    "duration": {"Description": "Length of the event", "Units": "s"},
    "eventType": {
        "Description": "Kind of event, as SzCORE names it",
        "Levels": {
            "sz": "A seizure, as a machine sees it",
            "bckg": "No seizure was found; the row covers the whole recording",
        },
    },
    "confidence": {"Description": "Largest probability of seizure within the event, 0 to 1"},
    "channels": {"Description": "Channels that the event is on; a detector judges all at once"},
    "dateTime": {
        "Description": "When the recording began; 2000-01-01 00:00:00 where its header does not tell"
    },
    "recordingDuration": {"Description": "Length of the recording", "Units": "s"},
}


@dataclass(frozen=True)
class Maker:
    """What makes events. Whatever changes a number is in it; nothing else is, and no local path."""

    detector: str
    sha256: str
    version: str
    runtime: Runtime

    def told(self) -> dict[str, object]:
        """As the files tell it."""
        return {
            "Name": _NAME,
            "Version": self.version,
            "Detector": {"Name": self.detector, "SHA256": self.sha256},
            "Runtime": self.runtime,
        }

    def differs(self, told: dict[str, object]) -> str:
        """What another maker's `told` has otherwise, in words; empty where it would find the same."""
        detector = told.get("Detector")
        sha256 = detector.get("SHA256") if isinstance(detector, dict) else None
        if sha256 != self.sha256:
            return f"another detector ({str(sha256)[:12]}…, this is {self.sha256[:12]}…)"
        now = self.told()
        for key in ("Version", "Runtime"):
            if told.get(key) != now[key]:
                return f"{key.lower()} {told.get(key)} (this is {now[key]})"
        return ""


def maker_of(detector: Path, runtime: Runtime) -> Maker:
    """The maker that a detector's file and a runtime are, in this version."""
    return Maker(detector.name, sha256_of_file(detector), __version__, runtime)


def claim(out: Path, maker: Maker, *, redo: bool) -> None:
    """Make `out` the folder of what `maker` finds; without a word where it is so already.

    Raises `SettingsError` where it is another's, `redo` makes it `maker`'s; never a folder of other things.
    """
    path = out / DESCRIPTION
    before = made_by(read_json(path))
    if before is None and path.exists():
        raise SettingsError(f"--out {out}: is another data set's folder; choose one of its own")
    reason = "" if before is None else maker.differs(before)
    if reason and not redo:
        raise SettingsError(
            f"--out {out}: holds what {reason} found; choose another folder, or --redo"
        )
    if before is not None and not reason:
        return
    description: dict[str, object] = {
        "Name": "Seizures found by a detector",
        "BIDSVersion": "1.9.0",
        "DatasetType": "derivative",
        "GeneratedBy": [maker.told()],
    }
    write_json(path, description)


def made_by(told: dict[str, object]) -> dict[str, object] | None:
    """The maker in a JSON file of this kind; None where it was not made by `secateur detect`."""
    by = told.get("GeneratedBy")
    one = by[0] if isinstance(by, list) and by else None
    return one if isinstance(one, dict) and one.get("Name") == _NAME else None


def read_json(path: Path) -> dict[str, object]:
    """A JSON object; empty where there is none that can be read."""
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def write_json(path: Path, content: dict[str, object]) -> None:
    """Write a JSON object, whole or not at all."""
    write_whole(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
