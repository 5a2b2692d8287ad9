"""The golden values that tests hold on any processor, and how they are written anew.

Inputs are whole numbers, so that they are the same everywhere; of real recordings only quantiles of what the
chain gives are kept, never samples. Of a trained run its form alone is held: keys and types.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import edfio
import numpy as np
from numpy.typing import NDArray

from benchmarks.golden.driver import (
    SCHEMAS,
    SHARED,
    TOP,
    Rows,
    exported,
    real_recordings,
    recording_rows,
    schema_rows,
    whole_numbered,
)
from secateur import load_detector
from secateur.recordings.bonn import SAMPLING_RATE as BONN_RATE
from tests.support.cohorts import TINY_SETTINGS, write_cohort

VALUES = TOP / "tests" / "golden" / "values.json"
FORM = TOP / "tests" / "golden" / "run-form.json"
ELECTRODES = (
    *("Fp1", "F7", "T3", "T5", "O1", "F3", "C3", "P3", "Fz", "Cz"),
    *("Pz", "F4", "C4", "P4", "Fp2", "F8", "T4", "T6", "O2"),
)
DIGITS = 7
CLOSEST = 2e-4
"""A threshold nearer to some probability than this would make events hang on the processor."""

Stored = dict[str, Any]


def simulated_rows() -> Rows:
    """Rows of EEG of whole numbers: two EDF files of other rates, and a segment in Bonn's form."""
    with tempfile.TemporaryDirectory() as folder:
        for rate in (256, 250):
            path = Path(folder) / f"whole-{rate}.edf"
            write_whole_numbered(path, rate)
            yield from recording_rows(f"simulated/{path.stem}", path)
        path = Path(folder) / "Z001.txt"
        numbers = whole_numbered(1, round(BONN_RATE), 40, seed=3)[0] // 2
        path.write_text("\n".join(map(str, numbers.tolist())))
        yield from recording_rows(f"simulated/{path.stem}", path)


def write_whole_numbered(path: Path, rate: int) -> None:
    """A minute of 19 electrodes as EDF, a tenth of a µV a step."""
    lowest, highest = -32768, 32767
    signals = [
        edfio.EdfSignal.from_digital(
            row,
            rate,
            label=f"EEG {name}-REF",
            physical_dimension="uV",
            physical_range=(lowest / 10, highest / 10),
            digital_range=(lowest, highest),
        )
        for name, row in zip(ELECTRODES, whole_numbered(19, rate, 60, seed=rate), strict=True)
    ]
    edfio.Edf(signals).write(path)


def real_rows() -> Rows:
    """Rows of every fifth of the golden clips and of a segment of each of Bonn's sets."""
    sets = real_recordings()
    for path in sets.get("clips", [])[::5]:
        yield from recording_rows(f"clips/{path.stem}", path)
    for path in sets.get("bonn", [])[::4]:
        yield from recording_rows(f"bonn/{path.stem}", path)


def other_rows() -> Rows:
    """Rows of the C files, and of detectors of every schema."""
    yield from exported()
    for path in sorted(SCHEMAS.glob("*.onnx")):
        yield from schema_rows(path)


def summary(name: str, value: NDArray[Any] | str) -> Any:
    """What is kept of a row: a text or its hash, all probabilities, some of a chain's numbers."""
    if isinstance(value, str):
        return hashlib.sha256(value.encode()).hexdigest() if name.startswith("C/") else value
    if name.endswith("/chain"):
        flat = value.ravel().astype(np.float64)
        if name.startswith("simulated/"):
            flat = flat[np.linspace(0, flat.size - 1, 200).astype(int)]
        else:
            flat = np.quantile(flat, np.linspace(0.01, 0.99, 25))
        return {"shape": list(value.shape), "values": _rounded(flat)}
    return {"shape": list(value.shape), "values": _rounded(value.ravel())}


def _rounded(values: NDArray[Any]) -> list[float]:
    return [round(value, DIGITS) for value in values.tolist()]


def form(value: Any) -> Any:
    """The keys and types of JSON: numbers are one type, and so are a list's items of one form."""
    if isinstance(value, dict):
        return {key: form(item) for key, item in value.items()}
    if isinstance(value, list):
        return [
            json.loads(text)
            for text in sorted({json.dumps(form(v), sort_keys=True) for v in value})
        ]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return type(value).__name__
    return "number"


def write() -> None:
    """Write values and form anew; the real recordings have to be there."""
    if set(real_recordings()) != {"clips", "layouts", "bonn"}:
        raise SystemExit(f"golden: all of {SHARED} is needed to write values anew")
    kept: Stored = {}
    for name, value in _all_rows():
        kept[name] = summary(name, value)
        if name.endswith("/probabilities") and not name.startswith("schema/"):
            _check_margin(name, np.asarray(value))
    rows = ",\n".join(f"{json.dumps(key)}: {json.dumps(kept[key])}" for key in sorted(kept))
    VALUES.write_text(f"{{\n{rows}\n}}\n")
    FORM.write_text(json.dumps(form(tiny_result()), indent=1, sort_keys=True) + "\n")
    print(f"written: {VALUES} ({VALUES.stat().st_size} bytes), {FORM}")


def _all_rows() -> Iterator[tuple[str, Any]]:
    yield from simulated_rows()
    yield from real_rows()
    yield from other_rows()


def _check_margin(name: str, probabilities: NDArray[np.float64]) -> None:
    rules = load_detector(TOP / f"tests/golden/files/{name.split('/')[2]}.onnx").info
    count = max(1, round(rules.post_processing.smoothing / rules.windows.hop))
    smooth = np.convolve(probabilities[1], np.full(count, 1 / count))
    for limit in (rules.post_processing.threshold, rules.post_processing.lower):
        closest = float(np.abs(smooth - limit).min())
        if closest < CLOSEST:
            print(f"note: {name}: a probability lies {closest:.1e} from {limit}")


def tiny_result() -> Any:
    """`result.json` of the main job on the tests' small cohort."""
    from secateur.reporting.job import run

    with tempfile.TemporaryDirectory() as folder:
        cohort = write_cohort(Path(folder) / "cohort", subjects=6)
        out = Path(folder) / "run"
        run(cohort, out, settings=TINY_SETTINGS)
        return json.loads((out / "result.json").read_text())
