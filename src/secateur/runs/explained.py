"""The stage of a run that explains its networks on the test side's seizures, and measures what that costs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from secateur.detectors import Detector, load_detector
from secateur.errors import RunError
from secateur.events import Event
from secateur.explaining import ExplainingSettings, StudiedSettings
from secateur.explaining.measuring import Measured, costs_of
from secateur.explaining.memory import peaks_of
from secateur.explaining.network import ExplainedNetwork
from secateur.explaining.segments import Background, EventWindows
from secateur.explaining.seizures import explained_seizures
from secateur.explaining.trials import Trial
from secateur.files import locked
from secateur.results import NetworkExplanations
from secateur.results.study_run import ModelName
from secateur.runs.data import RunData
from secateur.runs.folder import RunFolder


def explain_networks(
    folders: Mapping[ModelName, RunFolder], material: RunData, settings: StudiedSettings
) -> dict[ModelName, NetworkExplanations]:
    """Explanations of each network, and its costs, measured in turns with the others'.

    `folders`: where each network's file is. Maps stay in its folder: who comes later takes them from there.
    Raises `RunError` where no seizure of the test side can be explained.
    """
    records = {name: _maps(name, folder, material, settings) for name, folder in folders.items()}
    measured = {name: _on_window(name, folder, settings) for name, folder in folders.items()}
    costs = costs_of(measured, settings)
    return {
        name: NetworkExplanations(
            costs=costs[name],
            peak_bytes=record["peak_bytes"],
            events=record["events"],
            notes=record["notes"],
        )
        for name, record in records.items()
    }


def _maps(
    name: str, folder: RunFolder, material: RunData, settings: StudiedSettings
) -> dict[str, Any]:
    """The record of the stage of a network, which is done where it isn't there yet."""
    stage = _stage(name, settings)
    with locked(folder.path / f"{stage}.lock", wait=True):
        record = folder.finished(stage)
        if record is not None:
            return record
        detector = load_detector(folder.detector(name))
        tested = set(material.sides["test"].recordings)
        entries = [entry for entry in material.recordings if entry.path in tested]
        seizures = explained_seizures(detector, entries, settings)
        if seizures.trial is None:
            raise RunError(
                "no seizure of the test side can be explained: wanted one of a window's length, and two "
                f"windows of background, in the same recording ({'; '.join(seizures.notes[:1]) or 'none'})"
            )
        signal = seizures.trial.signal
        record = {
            "events": [event.model_dump(mode="json") for event in seizures.events],
            "notes": list(seizures.notes),
            "peak_bytes": peaks_of(folder.detector(name).read_bytes()),
            "channels": list(signal.channels),
        }
        arrays = {"segment": signal.segment, "background": seizures.trial.background.windows}
        folder.finish(stage, record, arrays)
        return record


def _stage(name: str, settings: StudiedSettings) -> str:
    """Other settings, another stage; how often costs are measured changes no map."""
    decisive = settings.model_dump_json(exclude={"rounds"})
    return f"{name}-explained-{hashlib.sha256(decisive.encode()).hexdigest()[:8]}"


def _on_window(name: str, folder: RunFolder, settings: StudiedSettings) -> Measured:
    """The network with the window that its stage has left."""
    stage = _stage(name, settings)
    record, arrays = folder.finished(stage) or {}, folder.arrays(stage)
    detector: Detector = load_detector(folder.detector(name))
    length, rate = detector.info.window_and_hop[0], detector.info.chain.sampling_rate
    signal = EventWindows(
        Event(0.0, length / rate),
        tuple(record["channels"]),
        arrays["segment"],
        0.0,
        np.zeros(1, dtype=np.int64),
        length,
        rate,
    )
    references = arrays["background"]
    background = Background(references, (0.0,) * len(references), 0.0)
    network = ExplainedNetwork(detector)
    return Measured(detector, Trial(network, signal, background, ExplainingSettings()))
