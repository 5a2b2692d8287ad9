"""`secateur verify`: any changed byte is found, a certificate is judged again, its claim put in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from secateur.cli import main
from secateur.detectors import DetectorInfo, PostProcessing, pack, read_verified
from secateur.detectors.file import CHECKSUM_KEY, INFO_KEY
from secateur.errors import DetectorError
from secateur.networks import NetworkSettings, build_network, to_onnx
from secateur.scoring import Certificate, Circumstances, Constraint, make_certificate
from secateur.windows import ChainSettings, Scale, WindowSettings

MODEL = to_onnx(build_network(NetworkSettings(widths=(2, 2, 2)), 18, 1024, 1).eval())


def info(certificate: Certificate | None) -> DetectorInfo:
    return DetectorInfo(
        secateur="0",
        chain=ChainSettings(),
        scale=Scale(mean=(0.0,) * 18, spread=(20.0,) * 18),
        windows=WindowSettings(),
        post_processing=PostProcessing(),
        certificate=certificate,
    )


def certificate() -> Certificate:
    generator = np.random.default_rng(1)
    baseline = {f"s{k:02d}": {"auroc": 0.9 + 0.001 * k} for k in range(12)}
    pruned = {
        name: {"auroc": row["auroc"] - float(generator.normal(0, 0.005))}
        for name, row in baseline.items()
    }
    return make_certificate(
        Constraint(margins={"auroc": 0.02}),
        [baseline],
        [("0.5", [pruned])],
        Circumstances(ladder=("0.5", "0.75")),
    )


CERTIFIED = pack(MODEL, info(certificate()))


@pytest.fixture
def certified(tmp_path: Path) -> Path:
    path = tmp_path / "pruned.onnx"
    path.write_bytes(CERTIFIED)
    return path


def refused(capsys: pytest.CaptureFixture[str], path: Path) -> str:
    assert main(["verify", str(path)]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert len(told.err.splitlines()) == 1
    return told.err


def test_a_certificate_is_judged_again_and_put_in_words(
    certified: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(certified)]) == 0
    told = capsys.readouterr().out
    assert "pruned.onnx: the checksum holds" in told
    assert "finds damage, not forgery" in told
    assert "made by rules 2, was judged again by them from its own numbers" in told
    assert "Certified: 95 % confidence" in told
    assert "Not claimed" in told


def test_machines_get_json(certified: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(certified), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["checksum"], told["verdict"], told["certified"]) == ("holds", "passed", True)
    assert Certificate.model_validate(told["certificate"]) == certificate()


def test_one_of_earlier_rules_is_judged_by_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = Path(__file__).parents[1] / "scoring" / "files" / "certified-rules-1.onnx"
    assert main(["verify", str(file)]) == 0
    printed = capsys.readouterr().out
    assert "made by rules 1, was judged again by them" in printed
    assert "Certified: 95 % confidence that on patients like the 16 examined" in printed
    assert "rules 1, which Secateur has since replaced" in printed
    assert main(["verify", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rules"] == 1


def test_inspect_tells_of_it_in_a_line(certified: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(certified)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert f"certificate: detector, rung 0.5 passed; in words: secateur verify {certified}" in told


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_a_detector_without_a_certificate_is_no_error(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "baseline.onnx"
    path.write_bytes(pack(MODEL, info(None)))
    assert main(["verify", str(path), *words]) == 0
    told = capsys.readouterr().out
    if words:
        assert json.loads(told)["certificate"] is None
    else:
        assert "It has no certificate: nothing is claimed" in told


def test_every_byte_counts(tmp_path: Path) -> None:
    """One bit in each byte of the metadata and in every fiftieth of the network, another each time."""
    path = tmp_path / "changed.onnx"
    for at in (*range(0, len(MODEL), 50), *range(len(MODEL), len(CERTIFIED))):
        content = bytearray(CERTIFIED)
        content[at] ^= 1 << (at % 8)
        path.write_bytes(content)
        with pytest.raises(DetectorError):
            read_verified(path)


PLACES = {
    "the network": 40,
    "the key of the metadata": CERTIFIED.rindex(INFO_KEY.encode() + b"\x12"),
    "the certificate": CERTIFIED.index(b'"verdict": "passed"') + 14,
    "a score": CERTIFIED.index(b'"baseline": [{"auroc": [0.9') + 27,
    "the key of the checksum": CERTIFIED.index(CHECKSUM_KEY.encode()),
    "the checksum": len(CERTIFIED) - 40,
    "the last byte": len(CERTIFIED) - 1,
}


@pytest.mark.parametrize("at", PLACES.values(), ids=PLACES.keys())
def test_a_changed_byte_is_told_in_one_line(
    at: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = bytearray(CERTIFIED)
    content[at] ^= 1
    path = tmp_path / "changed.onnx"
    path.write_bytes(content)
    assert "changed.onnx: " in refused(capsys, path)


@pytest.mark.parametrize("content", [CERTIFIED[:-1], CERTIFIED + b"\0", b""])
def test_a_longer_or_shorter_file_is_refused(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "changed.onnx"
    path.write_bytes(content)
    refused(capsys, path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rungs": [{"label": "0.5", "verdict": "failed", "pruned": None}]}, "by its own numbers"),
        ({"statements": []}, "0 statements, 1 follow"),
        ({"kind": "recipe"}, "of the kind recipe"),
    ],
)
def test_a_certificate_that_disagrees_with_itself_is_refused(
    change: dict[str, Any], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Forged with a checksum that is right again: the numbers still don't lead to the verdict."""
    told = certificate().model_dump(mode="json") | change
    path = tmp_path / "forged.onnx"
    path.write_bytes(pack(MODEL, info(Certificate.model_validate(told))))
    line = refused(capsys, path)
    assert "its certificate disagrees with its own numbers" in line
    assert said in line


def test_what_is_not_there_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "there is no such file" in refused(capsys, tmp_path / "none.onnx")
