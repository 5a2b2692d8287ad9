"""What is imported when, and what the plan of the house forbids."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import secateur

SOURCE = Path(secateur.__file__).parent
HEAVY = ("torch", "onnx", "sklearn", "pyarrow", "matplotlib", "pandas", "mne")


def loaded_by(code: str) -> list[str]:
    script = f"import sys\n{code}\nprint([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return list(ast.literal_eval(done.stdout.splitlines()[-1]))


def test_importing_secateur_loads_nothing_heavy() -> None:
    assert loaded_by("import secateur") == []
    assert loaded_by("import secateur.cli") == []


@pytest.mark.parametrize(
    "verb", ["detect", "explain", "monitor", "evaluate", "score", "inspect", "verify"]
)
def test_verbs_that_run_detectors_never_load_torch(
    verb: str, tiny_run: object, tiny_cohort: Path, tmp_path: Path
) -> None:
    from secateur.runs import RunOutput

    assert isinstance(tiny_run, RunOutput)
    detector = str(tiny_run.folder.detector("pruned"))
    edf = str(sorted(tiny_cohort.rglob("*.edf"))[0])
    tsv = edf.replace("_eeg.edf", "_events.tsv")
    words = {
        "detect": [edf, "--detector", detector, "--out", str(tmp_path / "e.tsv")],
        "explain": [edf, "--detector", detector, "--events", tsv, "--out", str(tmp_path / "why")],
        "monitor": [
            edf,
            "--detector",
            detector,
            "--state",
            str(tmp_path / "s"),
            "--out",
            str(tmp_path),
        ],
        "evaluate": ["--detector", detector, "--data", str(tiny_cohort)],
        "score": [tsv, tsv],
        "inspect": [detector],
        "verify": [detector],
    }[verb]
    code = f"from secateur.cli import main\nassert main({[verb, *words]!r}) == 0"
    assert loaded_by(code) == []


def test_the_facade_has_what_it_promises() -> None:
    assert len(secateur.__all__) <= 15
    for name in secateur.__all__:
        assert getattr(secateur, name).__doc__
        assert name in dir(secateur)
    with pytest.raises(AttributeError, match="no attribute 'prune_everything'"):
        secateur.prune_everything  # noqa: B018


def test_no_name_of_a_facade_is_that_of_a_module() -> None:
    for facade in SOURCE.rglob("__init__.pyi"):
        names = {
            alias.asname or alias.name
            for node in ast.parse(facade.read_text()).body
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        assert names
        modules = {path.stem for path in facade.parent.iterdir()}
        assert not names & modules, "imported lazily, the module would hide the name"


def modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(SOURCE)))
def test_functions_stay_short_and_modules_say_what_they_are_for(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    assert ast.get_docstring(tree)
    forbidden = {"utils", "common", "base", "helpers", "misc"}
    assert not forbidden & set(path.relative_to(SOURCE).with_suffix("").parts)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            doc = ast.get_docstring(node, clean=False)
            length -= doc.count("\n") + 1 if doc else 0
            assert length <= 60, node.name


NAMELESS = {
    "told",
    "one",
    "found",
    "made",
    "whole",
    "place",
    "given",
    "apart",
    "shown",
    "said",
    "wanted",
}
"""Participles and pronouns, which name no role; `left` is a side, and stands where its `right` stands too."""


def _names(scope: ast.AST) -> set[str]:
    """What a function, class or module names: variables, parameters, attributes, functions and classes."""
    names: set[str] = set()
    for node in ast.walk(scope):
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.id if isinstance(node, ast.Name) else node.attr)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.alias | ast.ExceptHandler):
            names.add((node.asname if isinstance(node, ast.alias) else node.name) or "")
    return {name.strip("_").lower() for name in names}


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(SOURCE)))
def test_names_tell_the_role(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert not _names(tree) & NAMELESS
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            names = _names(node)
            assert "left" not in names or names & {"right", "bottom"}, node.name


def test_no_lazy_name_is_that_of_a_module() -> None:
    """Whichever is imported first would win."""
    rooms = sorted(SOURCE.glob("*/__init__.pyi"))
    assert rooms
    for stub in rooms:
        modules = {path.stem for path in stub.parent.iterdir()}
        assert not modules & set(re.findall(r'^    "(\w+)",$', stub.read_text(), re.M)), stub
