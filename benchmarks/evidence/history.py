"""Which commit the code is of: asked of git, refused where the tree differs from it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from benchmarks.evidence.stored import TOP
from secateur.errors import RunError

DECISIVE = ("src", "studies", "pyproject.toml", "constraints.txt")
"""What in the tree decides numbers."""


def clean_commit(tree: Path = TOP) -> str:
    """The commit of what is checked out. Raises `RunError` where code, studies or pinned versions differ."""
    changed = _git(tree, "status", "--porcelain", "--untracked-files=all", "--", *DECISIVE)
    if changed:
        lines = changed.splitlines()
        more = f" and {len(lines) - 1} more" if len(lines) > 1 else ""
        raise RunError(
            f"{tree}: {lines[0][3:]}{more} differ from the last commit; numbers must come from code that "
            "others can find: commit that, or put it aside"
        )
    return _git(tree, "rev-parse", "HEAD")


def complete_commit(name: str, tree: Path = TOP) -> str:
    """A commit's 40 digits. Raises `RunError` where it isn't in the history of what is checked out."""
    try:
        commit = _git(tree, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
        _git(tree, "merge-base", "--is-ancestor", commit, "HEAD")
    except RunError:
        raise RunError(
            f"{name}: is no commit in the history of what is checked out in {tree}"
        ) from None
    return commit


def at_commit(commit: str, path: str, tree: Path = TOP) -> str:
    """A file's text as it was. Raises `RunError` where it wasn't there."""
    try:
        return _git(tree, "show", f"{commit}:{path}")
    except RunError:
        raise RunError(f"{path}: is not there at commit {commit[:12]}") from None


def has_history(tree: Path = TOP) -> bool:
    """Whether git and the whole history are here: not in an unpacked archive, nor in a shallow clone."""
    try:
        return _git(tree, "rev-parse", "--is-shallow-repository") == "false"
    except RunError:
        return False


def _git(tree: Path, *words: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(tree), *words], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise RunError("git is not installed; without it nobody knows which code ran") from None
    if done.returncode:
        reason = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise RunError(f"{tree}: git {words[0]}: {reason}")
    return done.stdout.rstrip("\n")
