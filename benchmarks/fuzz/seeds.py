"""Files that are right, to be spoilt: EDF, BDF, BrainVision, event tables, CHB-MIT summaries, Siena lists.

Where the folder with real headers lies beside the checkout, some of its files too.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence
from functools import cache
from pathlib import Path

LAYOUTS = Path(__file__).resolve().parents[3] / "shared" / "data" / "layouts"
BDF_FORMS = ("24BIT", "BDF+C", "BDF+D")
"""What stands in the reserved field of a BDF."""
WIDTHS = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)
"""Bytes of each field of a signal's header, in order: label to reserved."""
_REAL = (
    "chbmit/chb05/chb05_01.edf",
    "chbmit/chb08/chb08_02.edf",
    "siena/PN00/PN00-1.edf",
    "siena/PN16/PN16-1.edf",
)

TABLE = (
    "onset\tduration\teventType\tconfidence\tchannels\tdateTime\trecordingDuration\n"
    "10.00\t20.00\tsz\tn/a\tall\t2016-11-06 13:43:04\t3600.00\n"
    "1000.50\t31.00\tsz_foc_ia\t0.87\tall\t2016-11-06 13:43:04\t3600.00\n"
    "3000.00\t2.00\tbckg\tn/a\tall\t2016-11-06 13:43:04\t3600.00\n"
)
SUMMARY = (
    "Data Sampling Rate: 256 Hz\n*************************\n\nChannels in EDF Files:\n"
    "Channel 1: FP1-F7\nChannel 2: F7-T7\n\n"
    "File Name: chb99_01.edf\nFile Start Time: 11:42:54\nFile End Time: 12:42:54\n"
    "Number of Seizures in File: 0\n\n"
    "File Name: chb99_02.edf\nFile Start Time: 12:42:57\nFile End Time: 13:42:57\n"
    "Number of Seizures in File: 2\nSeizure 1 Start Time: 130 seconds\n"
    "Seizure 1 End Time: 212 seconds\nSeizure 2 Start Time: 2972 seconds\n"
    "Seizure 2 End Time: 3053 seconds\n"
)
HEADER = """Brain Vision Data Exchange Header File Version 1.0
; noise
[Common Infos]
Codepage=UTF-8
DataFile=case.eeg
MarkerFile=case.vmrk
DataFormat=BINARY
DataOrientation={orientation}
DataType=TIMEDOMAIN
NumberOfChannels=3
DataPoints=250
SamplingInterval=4000
[Binary Infos]
BinaryFormat={binary_format}
[Channel Infos]
Ch1=Fp1,,0.1,µV
Ch2=Fp2,,0.1,µV
Ch3=ECG,,0.5,mV
[Comment]
Winterbottom\n"""
MARKERS = """Brain Vision Data Exchange Marker File, Version 1.0
[Common Infos]
Codepage=UTF-8
DataFile=case.eeg
[Marker Infos]
"""
LIST = (
    "Number of PN99\n\nData Sampling Rate: 512 Hz\n\nChannels in EDF files:\nChannel 1: Fp1\n\n"
    "Seizure n 1\nFile name: PN99-1.edf\nRegistration start time: 19.39.33\n"
    "Registration end time:  20.22.58\nSeizure start time: 19.58.36\nSeizure end time: 19.59.46\n\n"
    "Seizure n 2\nFile name: PN99-2.edf\nRegistration start time: 22.18.17\n"
    "Registration end time: 02.56.19\nSeizure start time: 23.59.37\nSeizure end time: 00.00.31\n"
)


def edf(
    per_record: Sequence[int],
    records: int,
    duration: str = "1",
    *,
    units: Sequence[str] = ("uV",),
    reserved: str = "",
    annotations: int = 0,
) -> bytes:
    """An EDF file of noise: samples a record of each signal; `annotations`: bytes of its TALs a record.

    Where `reserved` is one of `BDF_FORMS` the file is a BDF.
    """
    noise = random.Random(len(per_record))
    bdf = reserved in BDF_FORMS
    width = 3 if bdf else 2
    count = len(per_record) + bool(annotations)
    rows: list[list[str]] = [[] for _ in WIDTHS]
    for k, samples in enumerate(per_record):
        unit = units[k % len(units)]
        values = (f"EEG {k}", "AgAgCl", unit, "-800", "800", "-2048", "2047", "", str(samples), "")
        for row, value in zip(rows, values, strict=True):
            row.append(value)
    if annotations:
        room = str(annotations // width)
        label = "BDF Annotations" if bdf else "EDF Annotations"
        values = (label, "", "", "-1", "1", "-32768", "32767", "", room, "")
        for row, value in zip(rows, values, strict=True):
            row.append(value)
    fixed = (
        ("\xffBIOSEMI" if bdf else "0").ljust(8)
        + "X X X Winterbottom_Ludmilla".ljust(80)
        + "Startdate 02-MAR-2002 X X X".ljust(80)
        + "02.03.0213.43.04"
        + str(256 * (count + 1)).ljust(8)
        + reserved.ljust(44)
        + str(records).ljust(8)
        + duration.ljust(8)
        + str(count).ljust(4)
    )
    fields = (v.ljust(wide) for row, wide in zip(rows, WIDTHS, strict=True) for v in row)
    parts = [(fixed + "".join(fields)).encode("latin-1")]
    for record in range(records):
        onset = record * float(duration)
        for samples in per_record:
            parts += [noise.randint(-900, 900).to_bytes(width, "little", signed=True) * samples]
        tal = f"+{onset:g}\x14\x14\x00+{onset + 0.5:g}\x150.25\x14sz\x14\x00".encode()
        parts.append(tal.ljust(annotations, b"\0") if annotations else b"")
    return b"".join(parts)


def brainvision(orientation: str, binary_format: str, *segments: str) -> dict[str, bytes]:
    """Header, data and markers of a second of three channels; `segments`: New Segments by position."""
    size = 4 if "32" in binary_format else 2
    noise = random.Random(binary_format)
    if binary_format == "IEEE_FLOAT_32":
        data = b"".join(struct.pack("<f", noise.gauss(0, 30)) for _ in range(3 * 250))
    else:
        data = b"".join(noise.randrange(2000).to_bytes(size, "little") for _ in range(3 * 250))
    header = HEADER.format(orientation=orientation, binary_format=binary_format)
    markers = [f"New Segment,,{place}" for place in segments] + ["Comment,sz,120,1,0"]
    listed = "".join(f"Mk{k}={marker}\n" for k, marker in enumerate(markers, start=1))
    return {
        "case.vhdr": header.encode(),
        "case.eeg": data,
        "case.vmrk": (MARKERS + listed).encode(),
    }


@cache
def seeds() -> dict[str, list[tuple[str, bytes]]]:
    """Name and content of every file that is right and stands alone, by kind."""
    files = {
        "edf": [
            ("plain", edf([128] * 3, 8)),
            ("units", edf([64, 64, 64, 8], 6, units=("mV", "", "µV", "%"))),
            ("tenths", edf([25, 25], 40, "0.1")),
            ("annotated", edf([100] * 4, 10, reserved="EDF+C", annotations=60)),
            ("interrupted", edf([100] * 2, 10, reserved="EDF+D", annotations=60)),
            ("remarks", edf([32], 4, reserved="EDF+D", annotations=8000)),
            ("nineteen", edf([50] * 19, 3, reserved="EDF+C", annotations=114)),
        ],
        "bdf": [
            ("bdf", edf([128] * 3, 8, reserved="24BIT")),
            ("bdf units", edf([64, 64, 64, 8], 6, units=("mV", "", "µV", "%"), reserved="24BIT")),
            ("bdf annotated", edf([100] * 4, 10, reserved="BDF+C", annotations=60)),
            ("bdf interrupted", edf([100] * 2, 10, reserved="BDF+D", annotations=60)),
            ("bdf tenths", edf([25, 25], 40, "0.1", reserved="24BIT")),
        ],
        "tsv": [("table", TABLE.encode())],
        "summary": [("summary", SUMMARY.encode())],
        "list": [("list", LIST.encode())],
    }
    if LAYOUTS.is_dir():
        files["edf"] += [(name, (LAYOUTS / name).read_bytes()) for name in _REAL]
        for kind, pattern in (("summary", "chbmit/*/*-summary.txt"), ("list", "siena/*/*.txt")):
            files[kind] += [
                (path.relative_to(LAYOUTS).as_posix(), path.read_bytes())
                for path in sorted(LAYOUTS.glob(pattern))
            ]
    return files


@cache
def brainvision_seeds() -> dict[str, dict[str, bytes]]:
    """Recordings of BrainVision that are right, by name."""
    first, later = "1,1,0,20200203040506000000", "101,1,0,20200203040507000000"
    return {
        "multiplexed": brainvision("MULTIPLEXED", "INT_16", first),
        "vectorized": brainvision("VECTORIZED", "INT_16", first),
        "floats": brainvision("MULTIPLEXED", "IEEE_FLOAT_32", first),
        "two segments": brainvision("MULTIPLEXED", "INT_16", first, later),
        "many segments": brainvision("VECTORIZED", "INT_32", first, "11,1,0", "12,1,0", later),
    }
