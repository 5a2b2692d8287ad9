"""`secateur verify`: whether a detector's file is whole, and what its certificate claims."""

from __future__ import annotations

from pathlib import Path

import typer


def verify(
    detector: Path = typer.Argument(..., help="A detector's file (.onnx)."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON instead of words."),
) -> None:
    """Check a detector's file, judge its certificate again, and say what that claims and what not.

    The checksum finds damage, not forgery. Exit code 1 where the file was changed by any byte, or where
    the certificate's numbers don't lead to its verdict; a detector without a certificate is no error.

    Example: `secateur verify runs/first/pruned.onnx`
    """
    import json

    from secateur.detectors import load_detector
    from secateur.errors import DetectorError
    from secateur.scoring import in_words, recompute

    info = load_detector(detector).info
    certificate = info.certificate
    wrong = [] if certificate is None else recompute(certificate)
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise DetectorError(
            f"{detector}: its certificate disagrees with its own numbers: {wrong[0]}{more}"
        )
    words = [] if certificate is None else in_words(certificate)
    if as_json:
        report = {
            "detector": detector.name,
            "checksum": "holds",
            "certificate": None if certificate is None else certificate.model_dump(mode="json"),
            "rules": None if certificate is None else certificate.rules,
            "verdict": None if certificate is None else certificate.verdict,
            "certified": certificate is not None and certificate.certified,
            "words": words,
        }
        print(json.dumps(report, allow_nan=False))
        return
    print(
        f"{detector.name}: the checksum holds, the file is as it was written. That finds damage, not "
        "forgery: who changes a file on purpose can make the checksum right again."
    )
    if certificate is None:
        what = "adapting" if info.provenance.adapted else "pruning"
        print(f"\nIt has no certificate: nothing is claimed about what {what} cost.")
        return
    print(
        f"\nIts certificate, made by rules {certificate.rules}, was judged again by them from its own "
        "numbers, which lead to the same verdict."
    )
    for paragraph in words:
        print(f"\n{paragraph}")
