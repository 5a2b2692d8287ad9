"""Numbers as C writes them, so that a compiler reads back the same bits.

Comes in: NumPy arrays. Goes out: C text, the same for the same numbers everywhere. Next: `c_file` and
`c_layers` put it in its place.
"""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
from numpy.typing import NDArray

_C_NAMES = {"float64": "double", "float32": "float", "int8": "int8_t", "int32": "int32_t"}


def real(value: float | np.floating) -> str:
    """A double, or a float where `value` is float32, in the fewest digits that give it back."""
    if isinstance(value, np.float32):
        digits = np.format_float_scientific(value, unique=True, trim="0")
        return f"{digits}f"
    return repr(float(value))


def array(name: str, values: NDArray[Any], shape: str = "") -> str:
    """`static const` array `name`; `shape` in brackets where it isn't one row of all."""
    flat = values.ravel()
    kind = _C_NAMES[flat.dtype.name]
    words = [real(one) for one in flat] if flat.dtype.kind == "f" else [str(one) for one in flat]
    lines = textwrap.fill(", ".join(words), 96, break_long_words=False, break_on_hyphens=False)
    if shape:
        rows = values.reshape(len(values), -1)
        told = [", ".join(real(one) for one in row) for row in rows]
        lines = ",\n".join(f"{{{row}}}" for row in told)
    return f"static const {kind} {name}{shape or f'[{flat.size}]'} = {{\n{lines}\n}};\n"
