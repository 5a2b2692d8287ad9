"""Compiling what reports write as LaTeX."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

_PAPER = r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage{graphicx}
\IfFileExists{booktabs.sty}{\usepackage{booktabs}}{}
\begin{document}
\input{NAME}
\end{document}
"""


def compiled(folder: Path, name: str) -> str:
    """The log of pdflatex on a paper that reads `name`.tex; skips where pdflatex isn't installed."""
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex isn't installed (Debian: texlive-latex-base); .ci/run installs it")
    (folder / "paper.tex").write_text(_PAPER.replace("NAME", f"{name}.tex"), encoding="utf-8")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "paper.tex"],
        cwd=folder,
        capture_output=True,
        check=False,
        timeout=300,
    )
    log = (folder / "paper.log").read_text(encoding="latin-1")
    problems = [line for line in log.splitlines() if line.startswith(("!", "Missing character"))]
    assert not problems, (problems, log[-3000:])
    assert done.returncode == 0, log[-3000:]
    assert (folder / "paper.pdf").stat().st_size > 10_000
    return log
