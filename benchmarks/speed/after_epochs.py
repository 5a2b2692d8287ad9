"""What looking at a pruned network in the middle of its retraining costs.

    python -m benchmarks.speed.after_epochs --data FOLDER [--epochs 5] [--rounds 3] [--write]

A baseline is cut to half and retrained, as `secateur run` does it, with the scores right after the cut and
after 1, 2 and 4 epochs; processor time of the stage and of the looks in it, and of all looks in a whole run
with the defaults. `--write` puts the table into benchmarks/speed/after_epochs.md.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks.speed.measuring import HERE, commit, machine, one_thread, spread, table, timed
from secateur.files import write_whole
from secateur.runs import Execution, RunFolder, Source, resolve
from secateur.runs.after_epochs import AfterEpochs
from secateur.runs.data import gather
from secateur.runs.plan import Stage
from secateur.runs.run import run
from secateur.runs.stages import StageContext, run_stage
from secateur.windows import Cache


def main() -> None:
    one_thread()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="put the table beside this file")
    words = parser.parse_args()
    changes = {"training.epochs": words.epochs, "training.patience": words.epochs}
    settings = resolve(None, changes)
    material = gather(Source(words.data), settings, Cache())
    seconds: dict[str, list[float]] = {"the rest of the stage": [], "looks": []}
    shares = []
    looks = {"call": (AfterEpochs, "__call__"), "init": (AfterEpochs, "__init__")}
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(words.rounds + 1):
            folder = RunFolder(Path(scratch) / str(number), "after-epochs")
            context = StageContext(material, settings, folder)
            run_stage(Stage("baseline", "baseline"), context)
            pruned = Stage("pruned", "pruned", ("baseline",), settings.pruning)
            began = time.process_time()
            with timed(looks) as took:
                run_stage(pruned, context)
            rest = time.process_time() - began - sum(took.values())
            if number == 0:
                continue  # torch and files are warm after it
            seconds["the rest of the stage"].append(rest)
            seconds["looks"].append(sum(took.values()))
            shares.append(100 * sum(took.values()) / rest)
        began = time.process_time()
        with timed(looks) as took:
            run(Source(words.data), Path(scratch) / "run", resolve(None, {}), Execution(workers=1))
        complete, looked = time.process_time() - began, sum(took.values())
    sides = ", ".join(f"{len(windows):,} {side}" for side, windows in material.sides.items())
    lines = [
        "# Scores right after the cut and after 1, 2 and 4 epochs: what they cost",
        "",
        f"Command: `python -m benchmarks.speed.after_epochs --data FOLDER --epochs {words.epochs} --rounds "
        f"{words.rounds}`; commit {commit()}; {machine()}. Windows: {sides}. Median of the rounds (quartiles "
        "in brackets), seconds of processor time.",
        "",
        *table(["", "seconds"], [[name, spread(took)] for name, took in seconds.items()]),
        "",
        f"The looks cost {spread(shares, 1)} % of cutting, retraining, choosing a threshold and testing. Of "
        f"a whole `secateur run` with its defaults, {complete:.0f} s with the controls, those at the pruned "
        f"network and at the one with random kernels are {looked:.2f} s, "
        f"{100 * looked / (complete - looked):.1f} % of the rest.",
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    if words.write:
        write_whole(HERE / "after_epochs.md", text)


if __name__ == "__main__":
    main()
