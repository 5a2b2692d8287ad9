"""The reference pages are what their command makes of the code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import secateur
from benchmarks.reference import FOLDER, pages
from benchmarks.reference.standards import CLAUSES, NOT_HELD, marked_tests
from benchmarks.reference.words import HEAD
from secateur.cli import VERBS
from secateur.runs import RunOutput

MADE = [
    path for path in sorted(FOLDER.iterdir()) if path.suffix == ".json" or HEAD in path.read_text()
]


@pytest.mark.parametrize("path", MADE, ids=lambda path: path.name)
def test_the_page_is_what_the_code_says(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == dict(pages())[path], (
        "python -m benchmarks.reference writes it"
    )


def test_every_verb_and_every_name_of_the_facade_has_its_place() -> None:
    command_line, python = (
        (FOLDER / f"{name}.md").read_text() for name in ("command-line", "python")
    )
    assert all(f"\n### {verb}\n" in command_line for verb in VERBS)
    assert all(f'heading: "secateur.{name}"' in python for name in secateur.__all__)
    assert len(MADE) == len(dict(pages()))


def test_a_detector_keeps_to_the_schema(tiny_run: RunOutput) -> None:
    import onnx
    from jsonschema import Draft202012Validator

    schema = json.loads((FOLDER / "detector.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    check = Draft202012Validator(schema)
    model = onnx.load(tiny_run.folder.path / "pruned.onnx")
    info = json.loads({each.key: each.value for each in model.metadata_props}["secateur"])
    check.validate(info)
    assert not check.is_valid({**info, "unknown": 1})
    assert not check.is_valid({name: value for name, value in info.items() if name != "scale"})


def test_every_clause_is_held_by_a_test_and_every_mark_is_a_clause() -> None:
    assert marked_tests().keys() == CLAUSES.keys()
    assert not CLAUSES.keys() & NOT_HELD.keys()
