"""`secateur export`: a detector for other machines."""

from __future__ import annotations

from pathlib import Path

import typer


def export(
    detector: Path = typer.Argument(..., help="A detector's file (.onnx)."),
    to: str = typer.Option(
        ..., help="c: one C99 file. openvino: .xml and .bin. litert: a .tflite file."
    ),
    out: Path = typer.Option(
        ..., help="A file that ends in .c, .xml or .tflite, or a folder for DETECTOR's name."
    ),
    weights: str | None = typer.Option(
        None, help="With c: float, or int8 (a quarter of the flash). Else: as in the detector."
    ),
) -> None:
    """Write a detector in a form that needs neither Python nor ONNX Runtime.

    **c** holds everything: the filters, the scaling, the network, the alarm. It takes one sample of each
    channel at a time, keeps its state in one struct, allocates nothing, and gives the probabilities that
    `secateur detect` gives. It takes networks of unpadded convolutions (such as `valid`); a detector that
    `secateur quantise` made is computed in integers. Try it on a PC:

    `secateur export pruned.onnx --to c --out seizure.c && gcc -std=c99 -O2 -DSEIZURE_MAIN seizure.c -lm`

    **openvino** and **litert** hold the network alone, in floats (openvino: also in 8 bits); they need
    `pip install '.[openvino]'` or `'.[litert]'`, and are compared with ONNX Runtime as they
    are written.
    """
    from secateur.cli.arguments import file_in
    from secateur.detectors.exporting import SUFFIXES
    from secateur.detectors.exporting import export as write
    from secateur.errors import SettingsError

    if to not in SUFFIXES:
        raise SettingsError(f"--to {to}: wanted one of {', '.join(SUFFIXES)}")
    suffix = SUFFIXES[to]
    done = write(detector, to, file_in(out, suffix, f"{detector.stem}{suffix}"), weights)
    print(f"written: {', '.join(map(str, done.paths))} ({done.bytes} bytes)")
    for note in done.notes:
        print(note)
    if done.difference is not None:
        print(
            f"largest difference in probability from ONNX Runtime on random windows: {done.difference:.1e}"
        )
