"""A published split as a file.

A file of folds, each fold a list of subjects that test or a table of who does what:

- JSON: `[["chb01", …], …]`, or `[{"train": […], "val": […], "test": […]}, …]`, or either under any names
  (`{"fold_0": …}`) or under `"folds"`;
- CSV or TSV with a header: columns `subject` and `fold` (any labels; folds count in the order in which
  numbers or names sort).

Subjects are named by label or by number: `chb01`, `sub-01` and `1` are the same. Fold I counts from 1.
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from secateur.errors import SettingsError
from secateur.files import kind_of

_WORDS = {
    "test": "test",
    "training": "training",
    "train": "training",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
}
_COLUMNS = ("subject", "patient", "case", "participant_id", "participant", "id")


def published(value: object) -> object:
    """The folds in the file that `value` names; anything but a file's name as it is."""
    return read_folds(Path(value)) if isinstance(value, str | Path) else value


def read_folds(path: Path) -> list[dict[str, list[str]]]:
    """The folds in a file. Raises `SettingsError` that says what is wrong with it."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise SettingsError(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{path}: is {kind_of(path)} that can't be read as text ({type(error).__name__}), wanted folds "
            "as .json, .csv or .tsv"
        ) from None
    table = path.suffix.lower() in (".csv", ".tsv")
    folds = _from_table(path, text) if table else _from_json(path, text)
    if len(folds) < 2:
        raise SettingsError(f"{path}: holds {len(folds)} fold, at least 2 make a split")
    tested: dict[str, int] = {}
    for number, fold in enumerate(folds, start=1):
        if not fold.get("test"):
            raise SettingsError(f"{path}: fold {number} names nobody to test")
        for name in fold["test"]:
            if tested.setdefault(name, number) != number:
                raise SettingsError(
                    f"{path}: {name} tests in fold {tested[name]} and in fold {number}"
                )
    return folds


def _from_table(path: Path, text: str) -> list[dict[str, list[str]]]:
    rows = csv.DictReader(io.StringIO(text), delimiter="\t" if path.suffix == ".tsv" else ",")
    columns = {(name or "").strip().lower(): name for name in rows.fieldnames or ()}
    who = next((columns[name] for name in _COLUMNS if name in columns), None)
    if who is None or "fold" not in columns:
        raise SettingsError(
            f"{path}: wanted columns subject and fold, got {', '.join(columns) or 'none'}"
        )
    folds: dict[str, list[str]] = {}
    for row in rows:
        name, fold = (row[who] or "").strip(), (row[columns["fold"]] or "").strip()
        if not name or not fold:
            raise SettingsError(f"{path}: line {rows.line_num} lacks a subject or a fold")
        folds.setdefault(fold, []).append(name)
    numbers = all(name.isdecimal() for name in folds)
    ordered = sorted(folds, key=lambda name: (int(name) if numbers else 0, name))
    return [{"test": folds[name]} for name in ordered]


def _from_json(path: Path, text: str) -> list[dict[str, list[str]]]:
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        raise SettingsError(f"{path}: not JSON (a table ends in .csv or .tsv)") from None
    if isinstance(read, dict):
        read = read["folds"] if isinstance(read.get("folds"), list | dict) else read
    if isinstance(read, dict):
        read = [fold for fold in read.values() if isinstance(fold, list | dict)]
    if not isinstance(read, list):
        raise SettingsError(f"{path}: wanted a list of folds")
    return [_one_fold(path, number, fold) for number, fold in enumerate(read, start=1)]


def _one_fold(path: Path, number: int, fold: object) -> dict[str, list[str]]:
    if isinstance(fold, list):
        return {"test": _names(path, number, fold)}
    if not isinstance(fold, dict):
        raise SettingsError(f"{path}: fold {number} is neither a list of subjects nor a table")
    sides: dict[str, list[str]] = {}
    for word, names in fold.items():
        # "test_subjects" and "train_ids" are the words of some files
        side = _WORDS.get(str(word).lower().split("_")[0])
        if side is not None:
            sides[side] = _names(path, number, names)
    return sides


def _names(path: Path, number: int, names: object) -> list[str]:
    if not isinstance(names, list) or not all(isinstance(name, str | int) for name in names):
        raise SettingsError(f"{path}: fold {number}: wanted a list of subjects' labels")
    return [str(name) for name in names]
