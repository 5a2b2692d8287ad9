"""Gradients of a detector in 8 bits: those of the float file that it was made from, and of no other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from secateur.detectors import pack
from secateur.detectors.eight_bits import quantise
from secateur.errors import DetectorError, SettingsError
from secateur.explaining import ExplainingDetector
from secateur.networks import to_onnx
from tests.support.explained import built, looking_at, noise, opened, recording_of

MODEL = to_onnx(built("valid", 4))


def named(model: bytes, name: str, run: str = "r", **chain: Any) -> ExplainingDetector:
    info = opened(model, **chain).info
    provenance = info.provenance.model_copy(update={"model": name, "run": run})
    return ExplainingDetector(
        pack(model, info.model_copy(update={"provenance": provenance})), f"{name}.onnx"
    )


@pytest.fixture(scope="module")
def quantised() -> ExplainingDetector:
    return named(quantise(MODEL, [noise(16, 4, 1024)]), "pruned-int8")


def test_the_float_file_is_explained_and_both_margins_are_told(
    quantised: ExplainingDetector,
) -> None:
    recording, origin = recording_of(60), named(MODEL, "pruned")
    why = quantised.explain(recording, 20.0, float_detector=origin)
    expected = origin.explain(recording, 20.0)
    assert np.array_equal(why.attribution, expected.attribution)  # type: ignore[arg-type]
    assert why.margin == expected.margin
    assert why.origin is not None
    assert why.origin.sha256 == origin.fingerprint
    in_8_bits = quantised.explain(recording, 20.0, method="contributions").margin
    assert why.origin.margin == pytest.approx(in_8_bits, abs=1e-5)
    assert in_8_bits != why.margin
    assert expected.origin is None


def test_another_float_file_is_refused_by_what_differs(quantised: ExplainingDetector) -> None:
    retrained: Any = built("valid", 4)
    with torch.no_grad():
        retrained.linear.weight[0, 0] *= 1.1
    other = to_onnx(retrained)
    for origin, reason in (
        (named(MODEL, "pruned", "s"), "it is of run r, this of s"),
        (named(MODEL, "baseline"), "it is 'pruned-int8', this 'baseline'"),
        (named(MODEL, "pruned", high=30), "another chain"),
        (named(other, "pruned"), "other weights"),
        (named(looking_at(1), "pruned"), "other weights"),
        (named(to_onnx(built("tcn", 4)), "pruned"), "other weights"),
    ):
        with pytest.raises(DetectorError, match=f"was made from: {reason}"):
            quantised.explain(recording_of(60), 20.0, float_detector=origin)


def test_where_no_float_file_is_needed_one_is_refused(quantised: ExplainingDetector) -> None:
    origin, recording = named(MODEL, "pruned"), recording_of(60)
    with pytest.raises(SettingsError, match="is not needed, bands looks at the file in 8 bits"):
        quantised.explain(recording, 20.0, float_detector=origin, method="bands")
    with pytest.raises(SettingsError, match=r"is not needed, pruned.onnx is in floats itself"):
        origin.explain(recording, 20.0, float_detector=origin)
    with pytest.raises(SettingsError, match="is in 8 bits itself; give the one that it was made"):
        quantised.explain(recording, 20.0, float_detector=quantised)
