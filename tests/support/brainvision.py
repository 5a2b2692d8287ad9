"""BrainVision recordings written as a recorder writes them, whole or spoilt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

STEP = 0.1
"""µV for one step of a stored whole number."""


def write_brainvision(
    path: Path,
    data: NDArray[np.floating],
    labels: Sequence[str],
    *,
    common: Mapping[str, str | None] | None = None,
    binary: Mapping[str, str] | None = None,
    markers: Sequence[str] = ("New Segment,,1,1,0,20200203040506000000",),
    comment: str = "",
    codepage: str = "utf-8",
) -> Path:
    """A .vhdr with its .eeg and .vmrk, 256 Hz; `data` channels × samples, µV.

    `common` and `binary`: values of these sections that are set otherwise; None leaves one out.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    infos: dict[str, str | None] = {
        "Codepage": "UTF-8" if codepage == "utf-8" else "ANSI",
        "DataFile": f"{path.stem}.eeg",
        "MarkerFile": f"{path.stem}.vmrk",
        "DataFormat": "BINARY",
        "DataOrientation": "MULTIPLEXED",
        "NumberOfChannels": str(len(data)),
        "SamplingInterval": "3906.25",
        "DataPoints": str(data.shape[1]),
        **(common or {}),
    }
    formats = {"BinaryFormat": "INT_16", **(binary or {})}
    lines = [
        "Brain Vision Data Exchange Header File Version 1.0",
        "; as recorded",
        "[Common Infos]",
        *(f"{name}={value}" for name, value in infos.items() if value is not None),
        "[Binary Infos]",
        *(f"{name}={value}" for name, value in formats.items()),
        "[Channel Infos]",
        *(f"Ch{k}={label},,{STEP},µV" for k, label in enumerate(labels, start=1)),
        *(["[Comment]", comment] if comment else []),
    ]
    path.write_bytes("\r\n".join([*lines, ""]).encode(codepage))
    path.with_suffix(".vmrk").write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={path.stem}.eeg\n[Marker Infos]\n"
        + "".join(f"Mk{k}={marker}\n" for k, marker in enumerate(markers, start=1))
    )
    steps = data / STEP
    if formats["BinaryFormat"] != "IEEE_FLOAT_32":
        steps = np.round(steps)
    table = steps if infos["DataOrientation"] == "VECTORIZED" else steps.T
    kinds = {"INT_16": "<i2", "INT_32": "<i4", "IEEE_FLOAT_32": "<f4"}
    np.ascontiguousarray(table).astype(kinds[formats["BinaryFormat"]]).tofile(
        path.with_suffix(".eeg")
    )
    return path
