"""What longer evidence before an alarm is worth: smoothing and least duration, judged at equal false alarms.

    python -m benchmarks.quality.longer_evidence --data CLIPS --background EEGMAT [--seeds 0-5]

For networks trained with ordinary EEG among their background, each on another split: the rules that
`choose_by_froc` takes on the validation side, and every rule of its grid, on the test side at equal false
alarms. Every finished seed leaves a row (numbers, no EEG) in longer-evidence.jsonl beside this file; a
seed that has one is not done again. The table goes to benchmarks/quality/longer-evidence.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quality.repeats import has_row, keep_row, rows_of, seeds_of
from secateur.detectors import PostProcessing
from secateur.detectors.choosing import choose_by_froc, choose_rules, froc_curves, rules_of
from secateur.detectors.evaluation import WindowTable
from secateur.detectors.sweeping import RecordingWindows, recording_windows
from secateur.files import write_whole
from secateur.recordings import data_set_of
from secateur.runs import RunFolder, Source, resolve
from secateur.runs.data import RunData, gather
from secateur.runs.plan import Stage
from secateur.runs.run import run_name
from secateur.runs.stages import StageContext, run_stage
from secateur.scoring import compare_all
from secateur.scoring.froc import Froc, OperatingPoint, hull, mean_sensitivity
from secateur.windows import Cache

HERE = Path(__file__).parent
KEPT = HERE / "longer-evidence.jsonl"
WAYS = ("plain", "by F1", "by FROC")
Tables = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--background", required=True)
    parser.add_argument("--seeds", default="0-5", help="a range such as 0-4, or a list such as 0,3")
    parser.add_argument("--scratch", type=Path, default=Path("runs/longer-evidence"))
    parser.add_argument("--table-only", action="store_true", help="of the seeds there are")
    words = parser.parse_args()
    seeds = seeds_of(words.seeds)
    if not words.table_only:
        source = Source.of([f"clips={words.data}"], [f"ordinary={words.background}"])
        for seed in seeds:
            _judge_seed(source, seed, words.scratch)
    known = [row for row in rows_of(KEPT) if row["seed"] in seeds]
    table = _table(known)
    write_whole(HERE / "longer-evidence.md", table)
    print(table)


def _judge_seed(source: Source, seed: int, scratch: Path) -> None:
    if has_row(KEPT, seed=seed):
        return
    settings = resolve(None, {"seed": seed})
    material = gather(source, settings, Cache())
    name = run_name(settings, material)
    folder = RunFolder(scratch / f"seed-{seed}", name)
    run_stage(Stage("baseline", "baseline"), StageContext(material, settings, folder))
    record, arrays = folder.finished("baseline") or {}, folder.arrays("baseline")
    plain = settings.post_processing.moved_to(float(record["threshold"]))
    sides = {side: _windows(material, side, arrays[side]) for side in ("validation", "test")}
    validation = material.sides["validation"]
    by_f1 = choose_rules(
        [one.entry for one in validation.prepared],
        WindowTable.of(validation),
        arrays["validation"],
        validation.hop / validation.rate,
        plain,
    )
    curves = {side: froc_curves(windows, plain) for side, windows in sides.items()}
    by_froc = choose_by_froc(curves["validation"], plain)
    ways = dict(zip(WAYS, (plain, by_f1.rules, by_froc.rules), strict=True))
    result = {
        "run": name,
        "seed": seed,
        "hours": curves["test"][0][1].hours,
        "ways": {way: _as_chosen(sides["test"], rules) for way, rules in ways.items()},
        "grid": _grid(curves, plain),
    }
    keep_row(KEPT, result, ("seed",))
    print(f"seed {seed}: done", flush=True)


def _windows(material: RunData, side: str, probability: Any) -> list[RecordingWindows]:
    windows = material.sides[side]
    entries = [one.entry for one in windows.prepared]
    return recording_windows(
        entries, WindowTable.of(windows), probability, windows.hop / windows.rate
    )


def _as_chosen(recordings: list[RecordingWindows], rules: PostProcessing) -> Tables:
    """At the threshold that was chosen on validation: seizures found, false alarms by set, delay."""
    pairs = [(each.entry.events.clipped(), each.events(rules)) for each in recordings]
    total = compare_all(pairs)
    alarms: dict[str, int] = {}
    for each, pair in zip(recordings, pairs, strict=True):
        name = data_set_of(each.entry.subject)
        alarms[name] = alarms.get(name, 0) + compare_all([pair]).events.fp
    return {
        "rules": rules_of(rules.model_dump()).model_dump(mode="json"),
        "found": total.events.tp,
        "seizures": total.events.ref,
        "alarms": alarms,
        "delay": total.delay(0.5),
    }


def _grid(
    curves: dict[str, list[tuple[PostProcessing, Froc]]], plain: PostProcessing
) -> list[Tables]:
    """Each rule's area on validation and, on the test side, what it finds at equal false alarms."""
    most = {
        side: next(p.alarms.alarms for p in each[0][1].points() if p.threshold == plain.threshold)
        for side, each in curves.items()
    }
    rows = []
    for (rules, before), (_, after) in zip(curves["validation"], curves["test"], strict=True):
        rows.append(
            {
                "smoothing": rules.smoothing,
                "shortest": rules.shortest,
                "validation_area": mean_sensitivity(before.points(), most["validation"]),
                "test_area": mean_sensitivity(after.points(), most["test"]),
                "equal": found_within(after.points(), most["test"]),
                "none": found_within(after.points(), 0),
                "none_on_ordinary": found_within(after.points("ordinary"), 0),
            }
        )
    return rows


def found_within(points: tuple[OperatingPoint, ...], most: int) -> float:
    """The largest sensitivity with at most so many alarms."""
    return max(
        ((p.sensitivity or 0.0) for p in hull(points) if p.alarms.alarms <= most), default=0.0
    )


def _table(results: list[Tables]) -> str:
    lines = [
        "# Longer evidence before an alarm",
        "",
        f"CHB-MIT clips with the ordinary EEG of eegmat as background, {len(results)} baselines, each "
        "of another "
        "seed and split; on the test side there are some five people with seizures and four without. "
        "*Plain*: "
        "no smoothing, events under 3 s dropped. *By F1*: the default, `choose_rules`. *By FROC*: "
        "`--post-processing froc`, smoothing of 0 to 60 s, least durations of 1 to 30 s, and the "
        "threshold, by "
        "the area under the FROC curve on the validation side.",
        "",
        "    python -m benchmarks.quality.longer_evidence --data CLIPS --background EEGMAT",
        "",
        "At the threshold that was chosen on validation, on the test side: seizures found, false "
        "alarms on the "
        "clips and on ordinary EEG, median delay.",
        "",
        f"| seed | {' | '.join(WAYS)} | rules by FROC |",
        "|---|---|---|---|---|",
    ]
    for result in results:
        cells = " | ".join(_way(result["ways"][way]) for way in WAYS)
        rules = result["ways"]["by FROC"]["rules"]
        lines.append(
            f"| {result['seed']} | {cells} | smoothing {rules['smoothing']:g} s, shortest "
            f"{rules['shortest']:g} s |"
        )
    lines.append(f"| all | {' | '.join(_sum(results, way) for way in WAYS)} | |")
    lines += [
        "",
        "At equal false alarms on the test side, each rule at its own best threshold there: sensitivity by "
        "event with as many false alarms as the plain rules raise, with none, and with none on ordinary EEG "
        "(however many on the clips); means over networks, in brackets the plain rules' subtracted. *Area*: "
        "mean sensitivity from no false alarm to as many as the plain rules raise.",
        "",
        "| smoothing | shortest | area, validation | area, test | as many | none | none on ordinary EEG |",
        "|---|---|---|---|---|---|---|",
    ]
    keys = ("validation_area", "test_area", "equal", "none", "none_on_ordinary")
    grid = np.array([[[row[key] for key in keys] for row in result["grid"]] for result in results])
    means = grid.mean(axis=0)
    for row, values in zip(results[0]["grid"], means, strict=True):
        cells = " | ".join(
            f"{value:.3f} ({value - plain:+.3f})"
            for value, plain in zip(values, means[0], strict=True)
        )
        lines.append(f"| {row['smoothing']:g} s | {row['shortest']:g} s | {cells} |")
    lines += ["", _picked(results, grid[:, :, 0], grid[:, :, 1]), ""]
    return "\n".join(lines)


def _picked(results: list[Tables], validation: Any, test: Any) -> str:
    """What the choice on validation is worth at equal false alarms on the test side."""
    best = validation.argmax(axis=1)
    gains = test[np.arange(len(results)), best] - test[:, 0]
    hindsight = test.max(axis=1) - test[:, 0]
    each = ", ".join(f"{gain:+.3f}" for gain in gains)
    return (
        f"The rules that validation chooses change the area on the test side by {gains.mean():+.3f} "
        "in the mean "
        f"(by seed: {each}); the best in hindsight would by {hindsight.mean():+.3f}."
    )


def _way(way: Tables) -> str:
    delay = "–" if way["delay"] is None else f"{way['delay']:.0f} s"
    alarms = way["alarms"]
    return f"{way['found']} of {way['seizures']}; {alarms['clips']} + {alarms['ordinary']}; {delay}"


def _sum(results: list[Tables], way: str) -> str:
    rows = [result["ways"][way] for result in results]
    delays = [row["delay"] for row in rows if row["delay"] is not None]
    total = {
        "found": sum(row["found"] for row in rows),
        "seizures": sum(row["seizures"] for row in rows),
        "alarms": {
            name: sum(row["alarms"][name] for row in rows) for name in ("clips", "ordinary")
        },
        "delay": float(np.mean(delays)) if delays else None,
    }
    return f"**{_way(total)}**"


if __name__ == "__main__":
    main()
