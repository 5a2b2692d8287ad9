"""The golden values that tests hold on any processor, and how they are written anew.

Inputs are whole numbers, so that they are the same everywhere; of real recordings only quantiles of what the
chain gives are kept, never samples. Of a trained run, ladder and study the form is held, keys and types, and
their numbers to `TRAINED_TOLERANCE`, under the `RESULT_VERSION` that they were made with.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import edfio
import numpy as np
from numpy.typing import NDArray

from benchmarks.golden.driver import (
    SCHEMAS,
    SHARED,
    TOP,
    Rows,
    exported,
    network_rows,
    real_recordings,
    recording_rows,
    schema_rows,
    whole_numbered,
)
from benchmarks.golden.runs import STUDY, leaves, study_results
from secateur import load_detector
from secateur.cli import main as secateur
from secateur.recordings.bonn import SAMPLING_RATE as BONN_RATE
from secateur.results import RESULT_VERSION
from tests.support.cohorts import TINY_SETTINGS, write_cohort

VALUES = TOP / "tests" / "golden" / "values.json"
FORMS = TOP / "tests" / "golden" / "forms.json"
TRAINED = TOP / "tests" / "golden" / "trained.json"
TRAINED_TOLERANCE = 1e-5
"""From one processor to another these runs differ by 2e-8 (instructions of SSE4.1, AVX2, AVX-512)."""
ELECTRODES = (
    *("Fp1", "F7", "T3", "T5", "O1", "F3", "C3", "P3", "Fz", "Cz"),
    *("Pz", "F4", "C4", "P4", "Fp2", "F8", "T4", "T6", "O2"),
)
DIGITS = 7
CLOSEST = 2e-4
"""A threshold nearer to some probability than this would make events hang on the processor."""

NOT_HELD = {
    *(
        "settings",
        "intervals",
        "at_half",
        "samples",
        "always_firing",
        "minus_baseline",
        "counts",
        "n",
        "froc",
    ),
    *("file_bytes", "float_file_bytes"),
}
"""Numbers of a trained job that follow from others, or hang on the processor."""

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
    """Rows of the C files, of detectors of every schema, and of the networks by themselves."""
    yield from exported()
    for path in sorted(SCHEMAS.glob("*.onnx")):
        yield from schema_rows(path)
    yield from network_rows()


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
        return {re.sub("^[0-9a-f]{64}$", "SHA-256", key): form(v) for key, v in value.items()}
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
        if name.endswith("/probabilities") and not name.startswith(("schema/", "network/")):
            _check_margin(name, np.asarray(value))
    rows = ",\n".join(f"{json.dumps(key)}: {json.dumps(kept[key])}" for key in sorted(kept))
    VALUES.write_text(f"{{\n{rows}\n}}\n")
    write_trained()
    print(f"written: {VALUES} ({VALUES.stat().st_size} bytes), {FORMS}, {TRAINED}")


def write_trained() -> None:
    """Write forms and numbers of trained jobs anew; numbers change with `RESULT_VERSION` alone."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SECATEUR_CACHE"] = f"{folder}/cache"  # which may hold results of before
        results = trained_results(Path(folder))
    values = trained_values(results)
    if TRAINED.exists():
        stored = json.loads(TRAINED.read_text())
        changed = changed_values(stored["values"], values)
        if changed and stored["result_version"] == RESULT_VERSION:
            raise SystemExit(f"golden: {numbers_changed(changed)}")
    FORMS.write_text(json.dumps(form(results), indent=1, sort_keys=True) + "\n")
    rows = ",\n".join(f"{json.dumps(key)}: {value}" for key, value in values.items())
    TRAINED.write_text(f'{{"result_version": {RESULT_VERSION}, "values": {{\n{rows}\n}}}}\n')


def numbers_changed(changed: list[str]) -> str:
    """What to do where trained runs give other numbers."""
    return (
        f"{len(changed)} numbers of trained runs changed and RESULT_VERSION is still {RESULT_VERSION}; "
        "if that is meant, raise it (secateur/results/identity.py), then "
        "python -m benchmarks.golden --trained; "
        f"first: {', '.join(changed[:3])}"
    )


def changed_values(before: Stored, after: Stored) -> list[str]:
    """What differs by more than processors make; a number that is new, or gone, is no change of one."""
    return [
        f"{name} {value}, was {before[name]}"
        for name, value in after.items()
        if name in before and not abs(before[name] - value) <= TRAINED_TOLERANCE
    ]


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


def trained_results(folder: Path) -> Stored:
    """Results of a run, a ladder and a study on small cohorts; their files are left in `folder`."""
    cohort = write_cohort(folder / "six", subjects=6)
    settings = write_settings(folder / "run.toml", TINY_SETTINGS)
    out = folder / "run"
    secateur(["run", "--data", str(cohort), "--out", str(out), "--config", str(settings)])
    result = json.loads((out / "result.json").read_text())
    return {"run": result, **other_trained_results(folder)}


def other_trained_results(folder: Path) -> Stored:
    """Those of the ladder and of the study, on subjects whose seizures are hard enough to see.

    With a cache of their own: an earlier certification on equal recordings would make the bound stricter.
    """
    with mock.patch.dict(os.environ, SECATEUR_CACHE=str(folder / "cache")):
        return _other_trained_results(folder)


def _other_trained_results(folder: Path) -> Stored:
    cohort = write_cohort(folder / "eight", subjects=8, seconds=50, rhythm=6)
    settings = write_settings(
        folder / "ladder.toml", {**TINY_SETTINGS, "training.windows_per_epoch": 160}
    )
    ladder = "--certify folds:3 --repeats 1 --rungs 0.5,0.75 --margin accuracy=0.9 --controls none"
    ladder += " --workers 1"
    data = ["--data", str(cohort), "--out"]
    secateur(["prune", *data, str(folder / "ladder"), "--config", str(settings), *ladder.split()])
    (folder / "study.toml").write_text(STUDY)
    secateur(["study", str(folder / "study.toml"), *data, str(folder / "study"), "--workers", "1"])
    return {
        "ladder": json.loads((folder / "ladder" / "result.json").read_text()),
        "study": list(study_results(folder / "study")),
    }


def write_settings(path: Path, settings: Stored) -> Path:
    """A file of settings with dotted names."""
    path.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items()))
    return path


def trained_values(results: Stored) -> dict[str, float]:
    """Numbers by path: of models, rungs and pruning, without intervals and sizes of files."""
    values = {}
    for name, leaf in leaves(results):
        parts = name.split(".")
        held = {"models", "ladder", "pruning", "certificate", "split"}.intersection(parts)
        if held and not NOT_HELD.intersection(parts):
            value = json.loads(leaf)
            if isinstance(value, int | float) and not isinstance(value, bool):
                values[name] = value
    return values
