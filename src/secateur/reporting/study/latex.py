"""A study's tables as LaTeX, to be read into a paper.

Comes in: a `Document`. Goes out: `table` environments, for booktabs and graphicx. Next: `study.tex`.
"""

from __future__ import annotations

from collections.abc import Iterable

from secateur.reporting.study.document import Cell, Document, Grid, Picture

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "−": r"\ensuremath{-}",
    "–": "--",
    "×": r"\ensuremath{\times}",
    "±": r"\ensuremath{\pm}",
    "≤": r"\ensuremath{\le}",
    "≥": r"\ensuremath{\ge}",
    "→": r"\ensuremath{\to}",
    "’": "'",
    "\u00a0": "~",
}

_HEAD = r"""% Tables of the study {name}, written by secateur study. \input this file; in the preamble:
%   \usepackage[T1]{{fontenc}} \usepackage{{booktabs}} \usepackage{{graphicx}}
% A table wider than the text is made smaller.
\providecommand{{\secateurfit}}[1]{{\resizebox{{\ifdim\width>\linewidth\linewidth\else\width\fi}}{{!}}{{#1}}}}
"""


def latex(document: Document) -> str:
    """Every table, and the figures from `figures/`."""
    pieces = [_HEAD.format(name=escaped(document.name))]
    for part in document.parts:
        for block in part.blocks:
            if isinstance(block, Grid):
                pieces.append(_table(block, document))
            elif isinstance(block, Picture):
                pieces.append(_figure(block, document))
    return "\n".join(pieces)


def _table(grid: Grid, document: Document) -> str:
    columns = "".join("l" if k == 0 or k in grid.words else "r" for k in range(len(grid.head)))
    rows = "\n".join(_row(row) for row in grid.rows)
    return rf"""\begin{{table}}[htbp]
\centering
\caption{{{escaped(grid.caption)}{_cautions(document)}}}
\label{{tab:{document.name}-{grid.name}}}
\secateurfit{{\begin{{tabular}}{{{columns}}}
\toprule
{" & ".join(escaped(one) for one in grid.head)} \\
\midrule
{rows}
\bottomrule
\end{{tabular}}}}
\end{{table}}
"""


def _row(cells: Iterable[Cell]) -> str:
    return " & ".join(escaped(cell.plain) for cell in cells) + r" \\"


def _figure(picture: Picture, document: Document) -> str:
    return rf"""\begin{{figure}}[htbp]
\centering
\includegraphics[width=\linewidth]{{figures/{picture.name}.png}}
\caption{{{escaped(picture.caption)}{_cautions(document)}}}
\label{{fig:{document.name}-{picture.name}}}
\end{{figure}}
"""


def _cautions(document: Document) -> str:
    """What limits a number travels with it, for a table is read without the rest."""
    return "".join(f" {escaped(one[:1].upper() + one[1:])}." for one in document.cautions)


def escaped(text: str) -> str:
    """Text in which nothing is a command."""
    return "".join(_SPECIAL.get(letter, letter) for letter in " ".join(text.split(" ")))
