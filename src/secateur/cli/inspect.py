"""`secateur inspect`: what is in a recording, a cohort or a detector."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from secateur.cli.arguments import SeizureFree
from secateur.cli.flags import with_flags
from secateur.recordings.recording import ReadingSettings
from secateur.settings import checked


@with_flags(ReadingSettings, "rename", "gaps")
def inspect(
    overrides: dict[str, Any],
    path: Path = typer.Argument(..., help="A recording, a folder of recordings, or a detector."),
    background: SeizureFree = False,
    full: bool = typer.Option(False, "--full", help="All that a detector's file says."),
    as_json: bool = typer.Option(False, "--json", help="Print all as JSON instead of lines."),
) -> None:
    """Tell what is in a recording, a cohort or a detector. Patients' names are never shown.

    Of a detector it tells in short what it needs and does; `--full` and `--json` have everything.

    Example: `secateur inspect runs/first/pruned.onnx`
    """
    import json

    from secateur.errors import SettingsError
    from secateur.files import archive_of, kind_of
    from secateur.recordings.opening import READABLE, readable

    if not path.exists() and archive_of(path) is None:
        raise SettingsError(f"{path}: there is no such file or folder")
    reading = checked(ReadingSettings, overrides, None)
    if path.is_dir():
        description = _cohort(path, reading, background)
    elif path.suffix.lower() == ".onnx":
        description = _detector(path) if full or as_json else _detector_in_short(path)
    elif readable(path):
        description = _recording(path, reading)
    else:
        raise SettingsError(
            f"{path}: is {kind_of(path)}; wanted {READABLE}, an .onnx detector or a folder"
        )
    if as_json:
        print(json.dumps(description, indent=1, allow_nan=False))
        return
    for name, value in description.items():
        if name == "certificate" and isinstance(value, dict):
            rung = value["rungs"][-1]
            print(
                f"{name}: {value['kind']}, rung {rung['label']} {rung['verdict']}; "
                f"in words: secateur verify {path}"
            )
        elif isinstance(value, list):
            print(f"{name}: {len(value)}")
            for item in value:
                print(f"  {item if not isinstance(item, dict) else _line(item)}")
        elif isinstance(value, dict):
            print(f"{name}: {_line(value)}")
        else:
            print(f"{name}: {_readable(value)}")


def _line(values: dict[str, Any]) -> str:
    return ", ".join(f"{key} {_readable(value)}" for key, value in values.items())


def _readable(value: object) -> object:
    if value is None:
        return "not known"
    return f"{value:.6g}" if isinstance(value, float) else value


def _recording(path: Path, reading: ReadingSettings) -> dict[str, Any]:
    from secateur.errors import ChannelsError, RecordingError
    from secateur.events import read_tsv
    from secateur.recordings import MONTAGES, duration_of, open_recording
    from secateur.recordings.layouts.listing import beyond_the_end, events_path
    from secateur.recordings.montage import eeg_channels
    from secateur.windows import ChainSettings, SignalChain
    from secateur.windows.plausibility import amplitude_notes

    signal = open_recording(path, reading)
    montages: dict[str, str] = {}
    for montage in MONTAGES:
        try:
            source, montage_map = SignalChain(ChainSettings(montage=montage)).source(signal)
            montages[montage] = "; ".join(montage_map.notes) or "as recorded"
            if source.sampling_rate != signal.sampling_rate:
                montages[montage] += f", at {source.sampling_rate:g} Hz"
        except ChannelsError as error:
            montages[montage] = f"lacks {', '.join(error.missing)}"
        except RecordingError as error:
            montages[montage] = error.reason
    tsv = events_path(path)
    labels = eeg_channels(signal.channels)
    eeg = [signal.channels.index(label) for label in labels if label in signal.channels]
    description: dict[str, Any] = {
        "recording": path.name,
        "duration_s": duration_of(signal),
        "sampling_rate_hz": signal.sampling_rate,
        "begins": None if signal.start is None else signal.start.isoformat(sep=" "),
        "channels": list(signal.channels),
        "montages": montages,
        "notes": [*signal.notes, *amplitude_notes(signal, eeg)],
    }
    if tsv is None:
        description["notes"].append(
            "no TSV beside it; seizures of a data set's own list: inspect the folder"
        )
    else:
        events = read_tsv(tsv, duration_of(signal), cut=False)
        description["notes"] += beyond_the_end(events)
        description["seizures"] = [
            {"onset_s": event.onset, "duration_s": event.duration} for event in events
        ]
    return description


def _cohort(path: Path, reading: ReadingSettings, seizure_free: bool) -> dict[str, Any]:
    from secateur.detectors.evaluation import data_report
    from secateur.recordings import describe_background, load_cohort

    cohort = load_cohort(path, reading=reading, seizure_free=seizure_free)
    description = data_report(cohort, describe_background(cohort))
    description["subjects_known"] = cohort.subjects_known
    description["by_subject"] = []
    for subject in cohort.subjects:
        own = [entry for entry in cohort if entry.subject == subject]
        description["by_subject"].append(
            {
                "subject": subject,
                "recordings": len(own),
                "seizures": sum(len(entry.events) for entry in own),
                "hours": round(sum(entry.duration for entry in own) / 3600, 4),
                "ictal_s": round(sum(entry.events.seconds for entry in own), 2),
            }
        )
    description["recording_notes"] = [
        {"recording": entry.key, "note": note} for entry in cohort for note in entry.notes
    ]
    description["problems"] = [
        {"recording": problem.key, "reason": problem.reason} for problem in cohort.problems
    ]
    return description


def _detector_in_short(path: Path) -> dict[str, Any]:
    """What a user of a detector asks first."""
    from secateur.detectors import load_detector

    detector = load_detector(path)
    info, chain, windows = detector.info, detector.info.chain, detector.info.windows
    origin, rules = info.provenance, info.post_processing
    names, electrodes = detector.chain.channel_names, detector.electrodes
    adapted = [
        f"{each.method}, {each.minutes:.0f} minutes of {each.data}" for each in origin.adapted
    ]
    what = "adapting" if adapted else "pruning"
    certificate = f"none: nothing is claimed about what {what} cost"
    if info.certificate is not None:
        rung = info.certificate.rungs[-1]
        certificate = f"{info.certificate.kind}, rung {rung.label} {rung.verdict}"
        certificate += f"; in words: secateur verify {path}"
    held = f"; an event goes on down to {rules.release:.3g}" if rules.release is not None else ""
    notch = "" if chain.notch is None else f", notch at {chain.notch:g} Hz"
    kernels = "-".join(map(str, origin.network.get("widths", ())))
    kind = f"{origin.network.get('name', 'network')} {kernels}".strip()
    simulated = " (simulated EEG)" if origin.simulated else ""
    return {
        "detector": f"{path.name}, {detector.file_bytes / 1000:.1f} kB, its checksum holds",
        "network": f"{kind}{', 8 bits' if origin.quantised else ''}: {origin.parameters:,} parameters, "
        f"{origin.macs / 1e6:.2f} million multiply-accumulates a window",
        "channels": f"{len(names)} (montage {chain.montage}): {', '.join(names) or 'as recorded'}",
        "electrodes": f"{len(electrodes)}: {', '.join(electrodes)}" if electrodes else "any",
        "signal": f"{chain.sampling_rate:g} Hz, {chain.low:g} to {chain.high:g} Hz{notch}; windows of "
        f"{windows.length:g} s every {windows.hop:g} s",
        "events": f"where the probability reaches {rules.threshold:.3g}{held}; gaps of up to "
        f"{rules.merge_gap:g} s closed, those under {rules.shortest:g} s dropped",
        "made": f"as {origin.model or 'a detector'} of {origin.data or 'unknown data'}{simulated} by "
        f"{len(origin.subjects)} training and {len(origin.validation_subjects)} validation subjects, seed "
        f"{origin.seed}, secateur {info.secateur}",
        **({"adapted": "; then ".join(adapted)} if adapted else {}),
        "certificate": certificate,
        "all of it": f"secateur inspect {path} --full",
    }


def _detector(path: Path) -> dict[str, Any]:
    from secateur.detectors import load_detector

    detector = load_detector(path)
    info = detector.info.model_dump(mode="json", by_alias=True)
    provenance = info.pop("provenance")
    return {
        "detector": path.name,
        "bytes": detector.file_bytes,
        "checksum": "holds",
        "channels": list(detector.chain.channel_names),
        "electrodes": list(detector.electrodes),
        **info,
        **{f"provenance.{name}": value for name, value in provenance.items()},
    }
