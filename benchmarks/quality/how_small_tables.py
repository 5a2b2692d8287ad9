"""Tables of how_small.py, and what they say, worked out from the JSONs that it leaves."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from secateur.scoring.comparing import resampled_interval

Kept = dict[str, Any]
ByStage = dict[str, dict[int, Kept]]
METRICS = {"auroc": "AUROC", "macro_f1": "macro-F1"}
MARGINS = {"auroc": 0.01, "macro_f1": 0.02}
RATIOS = (0.25, 0.5, 0.75, 0.9, 0.95, 0.98)
CRITERIA = ("l1", "l2", "random", "taylor", "taylor-by-class")
WAYS = ("global", "sensitivity", "cost", "dynamic", "iterative-3", "rewind", "distil")
FAR = (0.9, 0.95)


def table(kept: list[Kept], data: Path, seeds: str) -> str:
    """The whole page as Markdown."""
    stages: ByStage = defaultdict(dict)
    for one in kept:
        stages[one["stage"]][one["seed"]] = one
    some = kept[0]
    sides = ", ".join(f"{count} {side}" for side, count in some["sides"].items())
    commits = ", ".join(sorted({one["commit"] for one in kept}))
    lines = [
        "# How small a network may get",
        "",
        f"Command: `python -m benchmarks.quality.how_small --data {data} --seeds {seeds}`; "
        f"{len(kept)} trainings finished; commits {commits}.",
        "",
        f"Data: {some['data']}, `valid` with 32-64-128 kernels; each seed is another split by subject "
        f"({sides}). Scores are means over test subjects, then over seeds; thresholds come from "
        "validation. Times are medians in ONNX Runtime, one thread, one window, as a share of the baseline "
        "measured in turns with it. Intervals are 95 % over seeds, widened for the training data that splits "
        "share (Nadeau and Bengio); where two seeds or fewer are finished there is none. The same subjects "
        "recur in several seeds.",
        *_sizes(stages),
        *(line for metric in METRICS for line in _criteria(stages, metric)),
        *_ways(stages),
        *_classes(stages),
        *_smallest(stages),
        *_reading(stages),
    ]
    return "\n".join(lines) + "\n"


def _mean(stages: ByStage, name: str, *path: str) -> float:
    """Mean over the seeds that have finished both this stage and the baseline."""
    found = []
    for one in stages.get(name, {}).values():
        value: Any = one
        for key in path:
            value = None if value is None else value[key]
        if value is not None:
            found.append(float(value))
    return float(np.mean(found)) if found else float("nan")


def _apart(
    stages: ByStage, ours: str, theirs: str, metric: str
) -> tuple[float, tuple[float, float] | None, int]:
    """`ours` minus `theirs`, mean over common seeds, its interval, and how many seeds."""
    a, b = stages.get(ours, {}), stages.get(theirs, {})
    common = sorted(set(a) & set(b))
    gaps = [a[k]["by_subject"][metric] - b[k]["by_subject"][metric] for k in common]
    if not gaps:
        return float("nan"), None, 0
    sides = a[common[0]]["sides"]
    interval = None
    if len(gaps) > 2:
        interval = resampled_interval(gaps, sides["test"] / sides["training"])
    return float(np.mean(gaps)), interval, len(gaps)


def _told(gap: tuple[float, tuple[float, float] | None, int]) -> str:
    middle, interval, seeds = gap
    if not seeds:
        return "–"
    if interval is None:
        return f"{middle:+.3f}"
    return f"{middle:+.3f} ({interval[0]:+.3f} to {interval[1]:+.3f})"


def _number(value: float, digits: int = 3) -> str:
    return "–" if not np.isfinite(value) else f"{value:,.{digits}f}"


def _head(*names: str) -> list[str]:
    return ["", "| " + " | ".join(names) + " |", "|---" * len(names) + "|"]


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _shares(stages: ByStage, name: str) -> list[str]:
    """Parameters, MACs, bytes, and each as how many times fewer than the baseline; time as a ratio."""
    cells = []
    for key in ("parameters", "macs", "file_bytes"):
        ours, whole = _mean(stages, name, key), _mean(stages, "baseline", key)
        cells.append(f"{_number(ours, 0)} ({whole / ours:.1f}×)" if ours else "–")
    own = stages.get(name, {}).values()
    times = [one["ms_baseline"] / one["ms"] for one in own]
    fewer = [
        stages["baseline"][one["seed"]]["macs"] / one["macs"]
        for one in own
        if one["seed"] in stages["baseline"]
    ]
    faster = float(np.median(times)) if times else float("nan")
    cells.append(f"{faster:.1f}×" if times else "–")
    cells.append(f"{100 * faster / float(np.mean(fewer)):.0f} %" if times and fewer else "–")
    return cells


def _sizes(stages: ByStage) -> list[str]:
    lines = [
        "",
        "## Sizes, uniform allocation",
        *_head("ratio", "parameters", "MACs", "bytes", "time", "share of the MAC ratio realised"),
        _row("0", *_shares(stages, "baseline")),
    ]
    lines += [_row(f"{ratio:g}", *_shares(stages, f"rung-l1-{ratio:g}")) for ratio in RATIOS]
    return lines


def _criteria(stages: ByStage, metric: str) -> list[str]:
    lines = [
        "",
        f"## {METRICS[metric]} by subject: minus the baseline",
        "",
        f"Baseline {_number(_mean(stages, 'baseline', 'by_subject', metric))} over "
        f"{len(stages['baseline'])} seeds; merely retrained "
        f"{_told(_apart(stages, 'retrained', 'baseline', metric))}.",
        *_head("ratio", *CRITERIA, "from scratch", "seeds"),
    ]
    for ratio in RATIOS:
        names = [f"rung-{one}-{ratio:g}" for one in CRITERIA] + [f"rung-l1-{ratio:g}-scratch"]
        gaps = [_apart(stages, name, "baseline", metric) for name in names]
        counted = "/".join(str(count) for count in sorted({gap[2] for gap in gaps}))
        lines.append(_row(f"{ratio:g}", *map(_told, gaps), counted))
    return lines


def _ways(stages: ByStage) -> list[str]:
    undone = [way for way in WAYS if not any(f"rung-{way}-{ratio:g}" in stages for ratio in FAR)]
    left_out = (
        f" Left out, for no training of today's code is finished: {', '.join(undone)} (`--only "
        f"{','.join(f'{way}-*' for way in undone)}` does them)."
        if undone
        else ""
    )
    lines = [
        "",
        "## Allocation, schedule, retraining (L1)",
        "",
        "Minus from scratch: the same shape trained afresh, for ways that keep the uniform shape that one."
        + left_out,
        *_head(
            *("way", "parameters", "MACs", "bytes", "time", "realised"),
            *("AUROC minus baseline", "macro-F1 minus baseline", "AUROC minus from scratch"),
        ),
    ]
    for ratio in FAR:
        for way in ("l1", *WAYS):
            name = f"rung-{way}-{ratio:g}"
            if name not in stages:
                continue
            scratch = f"{name}-scratch"
            if scratch not in stages:
                scratch = f"rung-l1-{ratio:g}-scratch"
            lines.append(
                _row(
                    f"{'uniform, one-shot, finetune' if way == 'l1' else way} {ratio:g}",
                    *_shares(stages, name),
                    _told(_apart(stages, name, "baseline", "auroc")),
                    _told(_apart(stages, name, "baseline", "macro_f1")),
                    _told(_apart(stages, name, scratch, "auroc")),
                )
            )
        masked = f"rung-l1-{ratio:g}-unstructured"
        if masked in stages:
            lines.append(
                _row(
                    f"single weights, as many {ratio:g}",
                    *("as the baseline",) * 5,
                    _told(_apart(stages, masked, "baseline", "auroc")),
                    _told(_apart(stages, masked, "baseline", "macro_f1")),
                    "–",
                )
            )
    return lines


def _classes(stages: ByStage) -> list[str]:
    lines = [
        "",
        "## Which class pays",
        "",
        "Sensitivity and specificity by subject at the threshold from validation, minus the baseline's "
        f"({_number(_mean(stages, 'baseline', 'by_subject', 'sensitivity'))} and "
        f"{_number(_mean(stages, 'baseline', 'by_subject', 'specificity'))}).",
        *_head(
            "ratio",
            *(
                f"{name}, {metric}"
                for metric in ("sensitivity", "specificity")
                for name in ("l1", "taylor", "taylor-by-class")
            ),
        ),
    ]
    for ratio in RATIOS:
        cells = [
            _told(_apart(stages, f"rung-{name}-{ratio:g}", "baseline", metric))
            for metric in ("sensitivity", "specificity")
            for name in ("l1", "taylor", "taylor-by-class")
        ]
        lines.append(_row(f"{ratio:g}", *cells))
    return lines


def _within(stages: ByStage) -> list[tuple[float, str]]:
    """Networks that lost no more than both margins on average, by MACs, fewest first."""
    full = len(stages["baseline"])
    found = []
    for name in stages:
        gaps = {metric: _apart(stages, name, "baseline", metric) for metric in MARGINS}
        if name == "baseline" or any(gap[2] < full for gap in gaps.values()):
            continue
        if all(gap[0] >= -MARGINS[metric] for metric, gap in gaps.items()):
            found.append((_mean(stages, name, "macs"), name))
    return sorted(found)


def _smallest(stages: ByStage) -> list[str]:
    lines = [
        "",
        "## The smallest within 0.01 AUROC and 0.02 macro-F1",
        "",
        "Point estimates: means over seeds, of all networks above those that lost no more than both. The "
        "aim was 30 times fewer MACs and 50 times fewer parameters. Picking the best of many by the test "
        "side flatters it; the ladder of `secateur prune` is what certifies one.",
        *_head(
            *("network", "kernels (seed 0)", "parameters", "MACs", "bytes", "time", "realised"),
            *("AUROC minus baseline", "macro-F1 minus baseline"),
        ),
    ]
    for _, name in _within(stages)[:8]:
        first = next(iter(stages[name].values()))
        lines.append(
            _row(
                name.removeprefix("rung-"),
                "-".join(map(str, first["kernels"])),
                *_shares(stages, name),
                _told(_apart(stages, name, "baseline", "auroc")),
                _told(_apart(stages, name, "baseline", "macro_f1")),
            )
        )
    return lines


def _reading(stages: ByStage) -> list[str]:
    """What the numbers say, worked out from them."""
    lines = ["", "## What this says", ""]
    for ratio in RATIOS:
        scratch = f"rung-l1-{ratio:g}-scratch"
        beats, loses = [], []
        for name in CRITERIA:
            gap = _apart(stages, f"rung-{name}-{ratio:g}", scratch, "auroc")
            if gap[1] is not None and gap[1][0] > 0:
                beats.append(name)
            if gap[1] is not None and gap[1][1] < 0:
                loses.append(name)
        if scratch in stages:
            told = f"shown better: {', '.join(beats)}" if beats else "no criterion is shown better"
            told += f"; shown worse: {', '.join(loses)}" if loses else ", none is shown worse"
            l1 = _told(_apart(stages, f"rung-l1-{ratio:g}", scratch, "auroc"))
            lines.append(f"- At {ratio:g}, against the same size from scratch: {told} (L1 {l1}).")
    gaps = {ratio: _apart(stages, f"rung-l1-{ratio:g}", "baseline", "auroc") for ratio in RATIOS}
    broken = [f"{ratio:g}" for ratio, gap in gaps.items() if gap[1] is not None and gap[1][1] < 0]
    worst = min((gap[0], ratio) for ratio, gap in gaps.items() if gap[2])
    lines.append(
        f"- Where it breaks (L1): {'shown at ' + ', '.join(broken) if broken else 'nowhere shown'}, down to "
        f"{_mean(stages, f'rung-l1-{max(RATIOS):g}', 'parameters'):,.0f} parameters; the largest mean loss "
        f"of AUROC is {-worst[0]:.3f}, at {worst[1]:g}. Intervals are as wide as so few seeds make them."
    )
    smallest = _within(stages)
    if smallest:
        name = smallest[0][1]
        parameters = _mean(stages, "baseline", "parameters") / _mean(stages, name, "parameters")
        macs = _mean(stages, "baseline", "macs") / _mean(stages, name, "macs")
        lines.append(
            f"- The fewest MACs within both margins: {name.removeprefix('rung-')}, {macs:.1f} times fewer "
            f"MACs (aim 30) and {parameters:.1f} times fewer parameters (aim 50)."
        )
    else:
        lines.append("- No network lost as little as both margins allow.")
    by_class = [
        _apart(stages, f"rung-taylor-by-class-{r:g}", f"rung-taylor-{r:g}", "sensitivity")
        for r in RATIOS
    ]
    told = ", ".join(f"{r:g}: {_told(gap)}" for r, gap in zip(RATIOS, by_class, strict=True))
    lines.append(f"- Sensitivity, Taylor by class minus Taylor: {told}.")
    return lines
