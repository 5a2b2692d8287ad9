"""What 8 bits change: the main job's baseline and pruned network, over its seeds.

    python -m benchmarks.quality.int8 --data FOLDER [--seeds 0-4] [--scratch DIR]

Baseline and pruned network are trained as `secateur run` does it, or taken from where an earlier call left
them. Each detector is quantised as `secateur quantise --post-processing fixed` does it: calibrated on its own
training subjects, threshold fitted again on its validation ones, judged on its test subjects. Its rules
stay, so that what changes is the 8 bits' doing. The table goes to benchmarks/quality/int8.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quality.repeats import seeds_of
from benchmarks.speed.measuring import commit
from secateur.detectors import load_detector
from secateur.detectors.eight_bits import in_eight_bits, reduces_range, sides_of
from secateur.files import write_whole
from secateur.recordings import load_cohort
from secateur.runs import RunFolder, Source, resolve
from secateur.runs.data import gather
from secateur.runs.plan import stages_of_run
from secateur.runs.run import run_name
from secateur.runs.stages import StageContext, run_stage
from secateur.windows import Cache

HERE = Path(__file__).parent
NAMES = ("baseline", "pruned")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", default="0-4", help="a range such as 0-4, or a list such as 0,3")
    parser.add_argument("--scratch", type=Path, default=Path("runs/main-job"))
    words = parser.parse_args()
    begun_at = commit()  # the page itself, written after each seed, is no change of the code
    cohort = load_cohort(words.data)
    reports: dict[str, list[dict[str, Any]]] = {name: [] for name in NAMES}
    for seed in seeds_of(words.seeds):
        folder = _trained(words.data, words.scratch, seed)
        for name in NAMES:
            path = folder.detector(name)
            sides = sides_of(load_detector(path).info, cohort)
            report = in_eight_bits(path, cohort, sides, choose=False).report
            reports[name].append({"seed": str(seed), **report})
            print(seed, name, report["events"], flush=True)
        write_whole(HERE / "int8.md", _table(reports, begun_at))
    print(_table(reports, begun_at))


def _trained(data: Path, scratch: Path, seed: int) -> RunFolder:
    """The folder of the main job's run by `seed`, with its baseline and its pruned network."""
    settings = resolve(None, {"seed": seed})
    material = gather(Source(data), settings, Cache())
    folder = RunFolder(scratch / f"seed-{seed}", run_name(settings, material))
    for stage in stages_of_run(settings.pruning):
        if stage.name in NAMES:
            run_stage(stage, StageContext(material, settings, folder))
    return folder


def _table(found: dict[str, list[dict[str, Any]]], begun_at: str) -> str:
    seeds = ", ".join(one["seed"] for one in found["baseline"])
    lines = [
        "# Float against 8 bits",
        "",
        f"Commit {begun_at}. CHB-MIT clips, main job, seeds {seeds}: each network is quantised as "
        "`secateur quantise --post-processing fixed` does it and judged on test subjects whom neither "
        "it nor its threshold has seen. Float, then 8 bits; ms "
        "for one window, ONNX Runtime, one thread, both measured in turns on this machine"
        + (", which lacks VNNI, so weights have 7 bits." if reduces_range() else " (with VNNI)."),
        "",
        f"    python -m benchmarks.quality.int8 --data FOLDER --seeds {seeds.replace(' ', '')}",
        "",
        "| network | seed | bytes | ms | AUROC | macro-F1 | AUROC by subject | macro-F1 by subject "
        "| events: same / moved / lost / new |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, rows in found.items():
        for one in rows:
            lines.append(_row(name, one))
    lines += ["", *_differences(found), ""]
    return "\n".join(lines)


def _row(name: str, one: dict[str, Any]) -> str:
    whole, small = one["models"]["float"], one["models"]["int8"]
    pairs = [
        f"{whole['file_bytes']:,} → {small['file_bytes']:,}",
        f"{whole['latency_ms']['median']:.3f} → {small['latency_ms']['median']:.3f}",
        *(f"{whole[key]:.4f} → {small[key]:.4f}" for key in ("auroc", "macro_f1")),
        *(
            f"{whole['by_subject'][key]:.4f} → {small['by_subject'][key]:.4f}"
            for key in ("auroc", "macro_f1")
        ),
    ]
    events = " / ".join(str(one["events"][key]) for key in ("same", "moved", "lost", "new"))
    return f"| {name} | {one['seed']} | {' | '.join(pairs)} | {events} |"


def _differences(found: dict[str, list[dict[str, Any]]]) -> list[str]:
    """8 bits minus float, over all networks: mean and the worst."""
    lines = []
    rows = [one for many in found.values() for one in many]
    for key, words in (("auroc", "AUROC"), ("macro_f1", "macro-F1")):
        apart = np.array([one["models"]["int8"][key] - one["models"]["float"][key] for one in rows])
        lines.append(
            f"- {words}, 8 bits minus float: mean {apart.mean():+.4f}, from {apart.min():+.4f} to "
            f"{apart.max():+.4f} over {len(apart)} networks."
        )
    total = {key: sum(one["events"][key] for one in rows) for key in rows[0]["events"]}
    before = total["same"] + total["moved"] + total["lost"]
    lines.append(
        f"- Of {before} events {total['same']} stay as they were, {total['moved']} begin or end elsewhere, "
        f"{total['lost']} are lost; {total['new']} are new."
    )
    share = np.array(
        [one["models"]["int8"]["file_bytes"] / one["models"]["float"]["file_bytes"] for one in rows]
    )
    lines.append(
        f"- Files shrink to {100 * share.min():.0f} to {100 * share.max():.0f} %: metadata and the "
        "quantisers' own nodes weigh more, the smaller the network."
    )
    return lines


if __name__ == "__main__":
    main()
