"""What `detect` needs is light: it is started anew for every recording of a container."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

HEAVY = ("scipy", "pandas", "torch", "matplotlib", "mne", "onnx", "sklearn", "edfio")
"""Top-level packages. SciPy alone would be a second of processor time."""

PROGRAM = """
import sys
import numpy as np
import secateur.cli
import secateur.detectors
from secateur.recordings import ArrayRecording, open_recording
from secateur.windows import ChainSettings, Scale, SignalChain

names = SignalChain(ChainSettings()).channel_names
scale = Scale(mean=(0.0,) * 18, spread=(1.0,) * 18)
for rate in (256.0, 250.0):
    for scaling in ("training-set", "running"):
        chain = SignalChain(ChainSettings(notch=50.0, scaling=scaling), scale)
        chain.run(ArrayRecording(np.zeros((18, 2000)), rate, names))
print([name for name in {heavy} if name in sys.modules])
"""


def test_what_detecting_imports_and_the_chain_run_load_nothing_heavy(tmp_path: Path) -> None:
    program = PROGRAM.replace("{heavy}", repr(HEAVY))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert ast.literal_eval(done.stdout.splitlines()[-1]) == []
