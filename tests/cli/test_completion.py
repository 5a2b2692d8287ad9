"""What a shell is told when Tab is pressed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from secateur.cli import VERBS

_MAIN = """
import atexit, sys
from secateur.cli import main
atexit.register(lambda: print("torch" in sys.modules, "secateur.cli.run" in sys.modules))
sys.exit(main([]))
"""


def completed(shell: str, typed: str) -> str:
    """What the command answers to a shell's script for the words typed so far."""
    asked = {
        "_SECATEUR_COMPLETE": f"complete_{shell}",
        "_TYPER_COMPLETE_ARGS": typed,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    if shell == "bash":
        asked |= {"COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()) - 1)}
    finished = subprocess.run(
        [sys.executable, "-c", _MAIN],
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert finished.stderr == ""
    return finished.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_verbs_and_flags_are_completed(shell: str) -> None:
    verbs = set(re.findall(r"[a-z]+", completed(shell, "secateur ex")))
    assert verbs >= {verb for verb in VERBS if verb.startswith("ex")} == {"explain", "export"}
    assert "simulate" not in verbs
    flags = completed(shell, "secateur explain --det")
    assert "--detector" in flags
    assert flags.endswith("False False\n"), "no other verb, and no torch, is loaded for it"


def test_the_script_for_bash_completes_in_bash(tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash here")
    command = tmp_path / "secateur"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m secateur "$@"\n')
    command.chmod(0o755)
    there = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    script = subprocess.run(
        [command, "--show-completion", "bash"],
        env={**there, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    pressed = """
    COMP_WORDS=(secateur mon) COMP_CWORD=1
    _secateur_completion secateur
    echo "${COMPREPLY[@]}"
    """
    finished = subprocess.run(
        [bash, "-c", script + pressed], env=there, capture_output=True, text=True, check=True
    )
    assert finished.stdout == "monitor\n"
