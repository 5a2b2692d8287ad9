"""A detector as one ONNX file: the network, and as JSON in its metadata all that is needed to run it.

Any ONNX tool opens the file. The checksum is SHA-256 over the file's bytes with its own 64 digits read as
zeros. It finds damage, not forgery: who changes a file on purpose can make the checksum right again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from unicodedata import category

from pydantic import Field, ValidationError, model_validator

from secateur.detectors.event_rules import PostProcessing
from secateur.detectors.network.costs import work_of
from secateur.detectors.network.model import Graph, bytes_field
from secateur.detectors.network.shapes import Sizes
from secateur.errors import DetectorError
from secateur.files import kind_of_content, write_whole
from secateur.scoring.certificate import Certificate
from secateur.scoring.earlier_rules import certificate_of_1
from secateur.settings import Settings
from secateur.windows import ChainSettings, Scale, SignalChain, WindowSettings, window_samples
from secateur.windows.scaling import LEAST

SCHEMA = 3
"""Raised whenever a file may hold something that earlier versions don't know. 2: `release`, `smoothing`,
`refractory` and `quantised`. 3: `adapted`, and certificates against a parent.
"""
_MOST_PARTS = 1 << 16
"""The most that a rate in Hz may have above its line as a fraction; filters that resample grow with it."""
_SMOOTHED = 1 << 20
_WORK_A_SECOND = 1 << 37
"""Multiplications for one second of signal; no core gets through them in the time."""
_LARGEST_SCALE = 1e9
"""µV: far above any EEG, even where volts were read as microvolts."""


AdaptingMethod = Literal["threshold", "bn", "head", "full"]
"""What of a detector is fitted to other recordings: the threshold, BatchNorm's statistics, the last layer,
every weight."""


class Adaptation(Settings):
    """How a detector was fitted to other recordings. `parent`: the fingerprint of the file that it was
    before.

    `minutes`: of recording that it learned from, `data` and `subjects` whose they are; `epochs`: over them.
    """

    parent: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    method: AdaptingMethod
    minutes: Annotated[float, Field(gt=0)]
    data: str = ""
    subjects: tuple[str, ...] = ()
    epochs: Annotated[int, Field(ge=0)] = 0


class Provenance(Settings):
    """Where a detector comes from. Holds no local path and nobody's name.

    `subjects`: those that trained it, as data set name and label. `quantised`: in 8 bits, and after the
    networks of its run had been judged. `adapted`: how it was fitted to other recordings since, the last at
    the end.
    """

    model: str = ""
    network: dict[str, Any] = Field(default_factory=dict)
    data: str = ""
    simulated: bool = False
    subjects: tuple[str, ...] = ()
    validation_subjects: tuple[str, ...] = ()
    seed: int = 0
    run: str = ""
    pruning: dict[str, Any] | None = None
    parameters: int = 0
    macs: int = 0
    quantised: bool = False
    adapted: tuple[Adaptation, ...] = ()


class DetectorInfo(Settings):
    """All of a detector but its network. `certificate`: None where none was made."""

    schema_: Annotated[int, Field(alias="schema", ge=1, le=SCHEMA)] = SCHEMA
    secateur: str
    post_processing: PostProcessing
    chain: ChainSettings
    scale: Scale
    windows: WindowSettings
    provenance: Provenance = Provenance()
    certificate: Certificate | None = None

    @cached_property
    def window_and_hop(self) -> tuple[int, int]:
        """Samples of a window, and from the beginning of one to that of the next."""
        return window_samples(self.windows, self.chain.sampling_rate)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        window_samples(self.windows, self.chain.sampling_rate)
        if len(self.scale.mean) != len(self.scale.spread):
            raise ValueError("the scale needs a mean and a spread for each channel")
        if not all(LEAST <= spread <= _LARGEST_SCALE for spread in self.scale.spread):
            raise ValueError(f"the scale's spreads lie from {LEAST:g} to {_LARGEST_SCALE:g} µV")
        if not all(abs(mean) <= _LARGEST_SCALE for mean in self.scale.mean):
            raise ValueError(f"the scale's means lie within {_LARGEST_SCALE:g} µV of zero")
        certificate = self.certificate
        if self.provenance.quantised and certificate is not None and certificate.certified:
            raise ValueError(
                "the network was quantised after its ladder had been judged, so its certificate can only "
                "be exploratory"
            )
        adapted = self.provenance.adapted
        parent = adapted[-1].parent if adapted else ""
        if certificate is not None and certificate.circumstances.parent != parent:
            raise ValueError(
                "its certificate does not compare it with the detector that it was adapted from"
                if adapted
                else "its certificate is of a detector that was adapted, and it is none"
            )
        return self


INFO_KEY = "secateur"
CHECKSUM_KEY = "secateur.sha256"
_LARGEST = 1 << 28
_LONGEST_INFO, _DEEPEST_INFO = 1 << 22, 16
_STEERING = ("Cc", "Cf", "Cs", "Zl", "Zp")
_ZEROS = b"0" * 64
# ModelProto.metadata_props is field 14; a StringStringEntryProto has key = 1, value = 2. A message may
# be extended by appending fields, so no ONNX library is needed to add metadata.
_PROPERTY = 14


def _entry(key: str, value: bytes) -> bytes:
    return bytes_field(_PROPERTY, bytes_field(1, key) + bytes_field(2, value))


_CHECKSUM_MARK = _entry(CHECKSUM_KEY, _ZEROS)[2:-64]
"""What stands before the digits; unlike the key alone it can't occur in JSON."""


def pack(model: bytes, info: DetectorInfo) -> bytes:
    """`model` (an ONNX model without our metadata) with `info` and the checksum: a detector's file."""
    content = model + _info_entry(info) + _entry(CHECKSUM_KEY, _ZEROS)
    at = _digits_at(content, "new detector")
    digest = hashlib.sha256(content).hexdigest().encode()
    return content[:at] + digest + content[at + 64 :]


def _info_entry(info: DetectorInfo) -> bytes:
    text = json.dumps(
        info.model_dump(mode="json", by_alias=True), sort_keys=True, ensure_ascii=True
    )
    return _entry(INFO_KEY, text.encode())


def repack(content: bytes, before: DetectorInfo, after: DetectorInfo) -> bytes:
    """A detector's file `content`, whose info is `before`, with `after` in its place; the same network.

    Raises `DetectorError` where `content` was not packed with `before` by this version.
    """
    tail = len(_info_entry(before)) + len(_entry(CHECKSUM_KEY, _ZEROS))
    model = content[:-tail]
    if content[len(model) : len(model) + len(_info_entry(before))] != _info_entry(before):
        raise DetectorError("the detector's file does not hold the info that it should")
    return pack(model, after)


def write_detector(path: Path, model: bytes, info: DetectorInfo) -> None:
    """Write a detector's file, whole or not at all."""
    write_whole(path, pack(model, info))


def read_bytes(path: Path | str) -> bytes:
    """The bytes of what should be a detector's file. Raises `DetectorError` where there are none to read."""
    path = Path(path)
    if path.is_dir():
        inside = path / "pruned.onnx"
        file = f"its {inside}" if inside.is_file() else "such as pruned.onnx of a run"
        raise DetectorError(f"{path}: is a folder, wanted a detector's file, {file}")
    try:
        if path.stat().st_size > _LARGEST:
            raise DetectorError(f"{path}: larger than {_LARGEST >> 20} MiB, no detector is")
        return path.read_bytes()
    except FileNotFoundError:
        raise DetectorError(f"{path}: there is no such file") from None
    except OSError as error:
        raise DetectorError(f"{path}: cannot be read ({error.strerror})") from None


def read_verified(path: Path | str) -> bytes:
    """A detector's bytes, once their checksum has been recomputed.

    Raises `DetectorError` where the file isn't there, is no detector, or has changed.
    """
    content = read_bytes(path)
    at = _digits_at(content, path)
    zeroed = content[:at] + _ZEROS + content[at + 64 :]
    if hashlib.sha256(zeroed).hexdigest().encode() != content[at : at + 64]:
        raise DetectorError(
            f"{path}: its checksum does not hold; the file is damaged or was changed"
        )
    return content


def _digits_at(content: bytes, path: Path | str) -> int:
    at = content.find(_CHECKSUM_MARK)
    if at < 0 or at + len(_CHECKSUM_MARK) + 64 > len(content):
        kind = kind_of_content(content[:1024], Path(path).suffix.lower())
        raise DetectorError(
            f"{path}: is {kind}, not a detector of Secateur (it holds no checksum); wanted such as "
            "pruned.onnx of a run"
        )
    if content.find(_CHECKSUM_MARK, at + 1) >= 0:
        raise DetectorError(f"{path}: holds two checksums; the file was changed")
    return at + len(_CHECKSUM_MARK)


def parse_info(metadata: Mapping[str, str], path: Path | str) -> DetectorInfo:
    """The info in an ONNX model's metadata; what a file of an earlier schema lacks is at its default.

    Raises `DetectorError` naming the field that is wrong.
    """
    fields = _read_info(metadata.get(INFO_KEY, ""), path)
    schema = fields.get("schema")
    if type(schema) is not int or not 1 <= schema <= SCHEMA:
        raise DetectorError(
            f"{path}: written by schema {_short(schema)}; this version reads schemas 1 to {SCHEMA}"
        )
    try:
        if fields.get("certificate"):
            fields["certificate"] = certificate_of_1(fields["certificate"])
        return DetectorInfo.model_validate({**fields, "schema": SCHEMA})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "metadata"
        raise DetectorError(
            f"{path}: {where[:80]}: {' '.join(first['msg'].split())[:300]}"
        ) from None


def _read_info(text: str, path: Path | str) -> dict[str, Any]:
    """JSON from anybody: an object not too long or deep, no name twice, plain numbers and text."""
    if len(text) > _LONGEST_INFO:
        raise DetectorError(f"{path}: its metadata is longer than {_LONGEST_INFO >> 20} MiB")
    try:
        fields = json.loads(text, parse_constant=_refused, object_pairs_hook=_once)
        _check_info(fields, _DEEPEST_INFO)
    except (ValueError, RecursionError):
        raise DetectorError(f"{path}: not a detector of Secateur (no readable metadata)") from None
    if not isinstance(fields, dict):
        raise DetectorError(f"{path}: not a detector of Secateur (its metadata is no object)")
    return fields


def _refused(word: str) -> None:
    raise ValueError(word)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError
    return fields


def _check_info(value: Any, depth: int) -> None:
    """Text is printed on terminals later: no signs there that steer them, nor halves of signs."""
    if depth == 0:
        raise ValueError
    if isinstance(value, str) and any(category(sign) in _STEERING for sign in value):
        raise ValueError
    if isinstance(value, dict):
        for name, part in value.items():
            _check_info(name, depth)
            _check_info(part, depth - 1)
    elif isinstance(value, list):
        for part in value:
            _check_info(part, depth - 1)


def _short(value: object) -> str:
    """A value from a file, for a line of an error."""
    text = repr(value) if isinstance(value, str | int | float | None) else type(value).__name__
    return text if len(text) <= 60 else f"{text[:60]}…"


def check_demands(info: DetectorInfo, graph: Graph, sizes: Sizes) -> None:
    """Whether what the file says beside its network fits it and can be done. Raises `DetectorError`."""
    rate, (length, hop) = info.chain.sampling_rate, info.window_and_hop
    channels = len(SignalChain(info.chain, info.scale).channel_names)
    if channels != len(info.scale.mean):
        raise DetectorError(
            f"its montage gives {channels} channels, its scale is of {len(info.scale.mean)}"
        )
    (shape,), (out,) = graph.inputs.values(), graph.outputs.values()
    if shape != (None, channels, length) or out != (None, 2):
        raise DetectorError(
            f"its network does not take windows of {channels} channels × {length} samples, as its "
            "metadata says"
        )
    if Fraction(rate).limit_denominator(10_000).numerator > _MOST_PARTS:
        raise DetectorError(f"a sampling rate of {rate!r} Hz can't be reached by resampling")
    work = sum(work_of(node, sizes) for node in graph.nodes)
    if work * rate / hop > _WORK_A_SECOND:
        raise DetectorError(
            f"a second of signal takes {work * rate / hop:.1e} multiplications; its hop is too short"
        )
    if info.post_processing.smoothing * rate / hop > _SMOOTHED:
        raise DetectorError(
            f"smoothing over {info.post_processing.smoothing:g} s is over too many hops"
        )
