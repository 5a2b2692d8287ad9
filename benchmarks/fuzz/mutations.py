"""Spoilt files, the same for the same seed: what a disk, a program or a hand may do to a file."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.fuzz.seeds import WIDTHS, brainvision_seeds, seeds

FIXED = (8, 80, 80, 8, 8, 8, 44, 8, 8, 4)
"""Bytes of each field of an EDF file's own header, in order."""

NASTY = (
    "", " ", "0", "-0", "-1", "1", "2", "00000001", "99999999", "-9999999", "2147483648", "4294967296",
    "1e308", "-1e308", "1e39", "3.5e38", "1e-308", "1e-320", "1e400", "nan", "-nan", "inf", "-inf",
    "0x10", "1_0", "1,5", "1.", ".5", "+5", "--5", "1e", "٣", "½", "1 2", "1\t2", "1\r", "\x00", "\x1c",
    "32767", "32768", "-32769", "65536", "EDF+C", "EDF+D", "BIOSEMI", "EDF Annotations", "BDF+C",
    "BDF+D", "24BIT", "BDF Annotations", "uV", "mV", "V",
    "\xb5V", "\xa0", "\xff" * 8, "A" * 80, "€",
)  # fmt: skip
"""Words that stand badly where another was expected."""

CELLS = (
    *NASTY, "9" * 400, "sz", "SZ_x", "bckg", "n/a", "N/A", '"', '"sz', "A" * 5000, "1e15", "1e18", "1e300",
    "-1e-9", "3600.000001", "9999-12-31 23:59:59", "0000-00-00 00:00:00", "24.00.00", "23.59.60",
    "18.28.29 opure 18.29.00", "999999999 seconds", "1" * 5000 + " seconds", "PN99.edf", "\u2028", "\x85",
    "\x0b", "\ud7ff", "\U0001f9e0",
)  # fmt: skip
"""The same for tables and lists."""

TALS = (
    b"", b"\0", b"+0", b"+0\x14", b"+0\x14\x14", b"+0\x14\x14\0", b"-5\x14\x14\0", b"+1e9\x14\x14\0",
    b"+" + b"9" * 300 + b"\x14\x14\0", b"+0.\x14\x14\0", b"+0\x15\x14\x14\0", b"+0\x15-1\x14x\x14\0",
    b"+0\x14\xff\xfe\x14\0", b"0\x14\x14\0", b"+nan\x14\x14\0", b"\x14" * 40, b"+3\x14\x14\0",
    b"+0\x14" * 30, b"+0" * 40, b"+0\x150\x14" * 20, b"+" * 60, b"+0\x14seizure\x14" * 8,
)  # fmt: skip
"""Annotations of EDF+ (time-stamped annotation lists), broken in ways of their own."""

HEADER_WORDS = (
    *NASTY, "VECTORIZED", "MULTIPLEXED", "IEEE_FLOAT_32", "INT_16", "UINT_16", "INT_32", "YES", "TIMEDOMAIN",
    "MARKERBASED", "ASCII", "$b.eeg", "..\\case.eeg", "../case.eeg", ".\\case.eeg", "/etc/passwd",
    "C:\\case.eeg", "CASE.EEG", "case.vhdr", "case.vmrk", ".", "..", "case.eeg\x00", "a" * 5000, "1e-9",
    "1e12", "1e5", "3.7", "Fp1", "Fp1,,1e300,µV", "Fp1,,nan,V", "Fp1,Cz", ",,,", "New Segment,,1,1,0",
    "New Segment,,1e12,1,0,20200203040506000000", "New Segment,,nan",
    "New Segment,,-5,1,0,99999999999999999999",
    "New Segment,,50,1,0,20200213040506000000", "New Segment,,51,1,0,00010101000000000000",
)  # fmt: skip
"""The same for BrainVision's headers and markers."""

KINDS = (
    "edf", "bdf", "edf", "tsv", "edf", "bdf", "brainvision", "summary", "brainvision", "list",
)  # fmt: skip
"""Kind of the file by index, over and over."""


@dataclass(frozen=True)
class Case:
    """A spoilt file. `files`: by name; the first is opened. `how`: what was spoilt, and by what, in order."""

    index: int
    kind: str
    files: Mapping[str, bytes]
    how: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(map(len, self.files.values()))


Spoiling = Callable[[bytearray, random.Random], bytearray]
ENDINGS = {
    "edf": ".edf",
    "bdf": ".bdf",
    "tsv": "_events.tsv",
    "summary": "-summary.txt",
    "list": ".txt",
}


def make_case(seed: int, index: int) -> Case:
    """Case `index` of `seed`: always the same where the same files are there to be spoilt."""
    draw = random.Random(f"{seed}/{index}")
    kind = KINDS[index % len(KINDS)]
    if kind == "brainvision":
        return _brainvision_case(draw, index)
    name, right = draw.choice(seeds()[kind])
    content, ways = _spoilt(right, EDF_WAYS if kind in ("edf", "bdf") else TEXT_WAYS, draw)
    return Case(index, kind, {f"case{ENDINGS[kind]}": content}, (name, *ways))


def _spoilt(
    right: bytes, ways: tuple[Spoiling, ...], draw: random.Random
) -> tuple[bytes, list[str]]:
    """A file's bytes after one to three ways of spoiling, and their names."""
    content, names = bytearray(right), []
    for _ in range(draw.choice((1, 1, 1, 2, 2, 3))):
        way = draw.choice(ways)
        names.append(way.__name__.strip("_"))
        content = way(content, draw)
    return bytes(content), names


def _brainvision_case(draw: random.Random, index: int) -> Case:
    """One of a recording's three files spoilt, or lost."""
    name = draw.choice(sorted(brainvision_seeds()))
    files = dict(brainvision_seeds()[name])
    spoilt = draw.choice(
        ("case.vhdr", "case.vhdr", "case.vhdr", "case.vmrk", "case.vmrk", "case.eeg")
    )
    if spoilt != "case.vhdr" and draw.random() < 0.05:
        del files[spoilt]
        return Case(index, "brainvision", files, (name, spoilt, "lost"))
    ways = ANY_WAYS if spoilt == "case.eeg" else HEADER_WAYS
    files[spoilt], names = _spoilt(files[spoilt], ways, draw)
    return Case(index, "brainvision", files, (name, spoilt, *names))


def _signals_of(content: bytearray) -> int:
    """How many signals the header has room for, whatever it says."""
    try:
        count = int(content[252:256])
    except ValueError:
        count = 1
    return min(max(1, count), max(1, len(content) // 256 - 1))


def _field(content: bytearray, draw: random.Random) -> tuple[int, int]:
    """Where a field of an EDF header begins and how wide it is."""
    if draw.random() < 0.4:
        k = draw.choice((0, 3, 4, 5, 6, 7, 7, 8, 8, 9))
        return sum(FIXED[:k]), FIXED[k]
    signals, k = _signals_of(content), draw.choice((0, 0, 2, 3, 3, 4, 4, 5, 5, 6, 6, 8, 8, 8, 9))
    signal = draw.randrange(signals)
    return 256 + signals * sum(WIDTHS[:k]) + signal * WIDTHS[k], WIDTHS[k]


def _put(content: bytearray, at: int, value: bytes, width: int) -> bytearray:
    content[at : at + width] = value[:width].ljust(width)
    return content


def _a_field(content: bytearray, draw: random.Random) -> bytearray:
    at, width = _field(content, draw)
    word = draw.choice(NASTY) if draw.random() < 0.8 else str(draw.randint(-(10**7), 10**8))
    return _put(content, at, word.encode(draw.choice(("utf-8", "utf-16"))), width)


def _a_field_of_all_signals(content: bytearray, draw: random.Random) -> bytearray:
    signals, k = _signals_of(content), draw.choice((0, 2, 3, 4, 5, 6, 8))
    word = draw.choice(NASTY).encode()
    for signal in range(signals):
        _put(content, 256 + signals * sum(WIDTHS[:k]) + signal * WIDTHS[k], word, WIDTHS[k])
    return content


def _fields_swapped(content: bytearray, draw: random.Random) -> bytearray:
    (at, width), (other, other_width) = _field(content, draw), _field(content, draw)
    first, second = bytes(content[at : at + width]), bytes(content[other : other + other_width])
    return _put(_put(content, at, second, width), other, first, other_width)


def _many_signals(content: bytearray, draw: random.Random) -> bytearray:
    """A count of signals that is absurd, and a header's length that agrees."""
    count = draw.choice((0, 2, 100, 1000, 4096, 4097, 9999))
    _put(content, 252, str(count).encode(), 4)
    _put(content, 184, str(256 * (count + 1)).encode(), 8)
    if draw.random() < 0.5:
        content[256:] = draw.choice((b" ", b"1", b"\0")) * (256 * count + draw.choice((0, 1, 4096)))
    return content


def _many_samples(content: bytearray, draw: random.Random) -> bytearray:
    """Samples a record, records and their duration, all absurd at once."""
    signals = _signals_of(content)
    for signal in range(signals):
        word = draw.choice((b"1", b"2", b"99999999", b"10000000", b"61440", b"0"))
        _put(content, 256 + signals * sum(WIDTHS[:8]) + signal * 8, word, 8)
    _put(content, 236, draw.choice((b"-1", b"0", b"1", b"99999999", b"1e8")), 8)
    return _put(content, 244, draw.choice((b"1e-300", b"1e300", b"1e-9", b"0", b"86400")), 8)


def _annotations(content: bytearray, draw: random.Random) -> bytearray:
    """Other words in the annotations: in the first place where some stand, or in all."""
    word = draw.choice(TALS)
    places = [at for at in range(256, len(content)) if content.startswith(b"\x14\x14\0", at)]
    for at in draw.sample(places, min(len(places), draw.choice((1, 1, 2, 1000)))):
        begin = max(content.rfind(b"+", 0, at), at - 20)
        content[begin : begin + len(word)] = word
    return content


def _annotations_filled(content: bytearray, draw: random.Random) -> bytearray:
    """The last part of the file, where the annotations are, filled with beginnings of them."""
    signals = _signals_of(content)
    room = len(content) - 256 * (signals + 1)
    if room > 0:
        word = draw.choice([word for word in TALS if word])
        size = draw.randint(1, room)
        content[-size:] = (word * (size // len(word) + 1))[:size]
    return content


def _cut(content: bytearray, draw: random.Random) -> bytearray:
    edge = draw.choice((0, 1, 8, 255, 256, 257, len(content) // 2, len(content) - 1))
    return content[: edge if draw.random() < 0.5 else draw.randint(0, len(content))]


def _twice(content: bytearray, draw: random.Random) -> bytearray:
    at = draw.randint(0, len(content))
    piece = content[at : at + draw.choice((1, 8, 256, 5000, len(content)))]
    return content[:at] + piece * draw.choice((2, 2, 3, 20)) + content[at:]


def _a_piece_lost(content: bytearray, draw: random.Random) -> bytearray:
    at = draw.randint(0, len(content))
    del content[at : at + draw.choice((1, 2, 7, 8, 16, 256, 1000))]
    return content


def _bytes_flipped(content: bytearray, draw: random.Random) -> bytearray:
    end = len(content) if draw.random() < 0.5 else min(len(content), 2048)
    for _ in range(draw.choice((1, 4, 40)) if end else 0):
        content[draw.randrange(end)] = draw.randrange(256)
    return content


def _encoding(content: bytearray, draw: random.Random) -> bytearray:
    text = bytes(content[:65536]).decode("latin-1")
    code = draw.choice(("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp500", "utf-7"))
    return bytearray(text.encode(code, "replace")) + content[65536:]


def _signs_replaced(content: bytearray, draw: random.Random) -> bytearray:
    old = draw.choice((b" ", b"\n", b"\t", b"0", b".", b":", b"\x14", b"+"))
    new = draw.choice(
        (b"\0", b"\r", b"\r\n", b"\xff", b"\xc2\xa0", b"", b"\xe2\x80\xa8", b",", b"9")
    )
    return content.replace(old, new, draw.choice((1, 5, -1)))


def _a_cell(content: bytearray, draw: random.Random) -> bytearray:
    """Another word in place of a word of the text."""
    spaces = [0, *(k for k, sign in enumerate(content) if sign in b"\t\n: "), len(content)]
    k = draw.randrange(len(spaces) - 1)
    word = draw.choice(CELLS) if draw.random() < 0.7 else str(draw.randint(-10, 10**6))
    encoded = word.encode(draw.choice(("utf-8", "utf-8", "latin-1")), "replace")
    return content[: spaces[k] + 1] + encoded + content[spaces[k + 1] :]


def _a_value(content: bytearray, draw: random.Random) -> bytearray:
    """Another value behind some name, or behind another name."""
    lines = content.split(b"\n")
    set_lines = [k for k, line in enumerate(lines) if b"=" in line]
    if set_lines:
        k = draw.choice(set_lines)
        key = lines[draw.choice(set_lines) if draw.random() < 0.1 else k].partition(b"=")[0]
        word = draw.choice(HEADER_WORDS) if draw.random() < 0.8 else str(draw.randint(-10, 10**6))
        lines[k] = bytearray(key + b"=" + word.encode(draw.choice(("utf-8", "cp1252")), "replace"))
    return bytearray(b"\n".join(lines))


def _a_part_of_a_value(content: bytearray, draw: random.Random) -> bytearray:
    """Another word between two commas."""
    places = [k for k, sign in enumerate(content) if sign in b",=\n"]
    if len(places) < 2:
        return content
    k = draw.randrange(len(places) - 1)
    word = draw.choice(HEADER_WORDS).encode("utf-8", "replace")
    return content[: places[k] + 1] + word + content[places[k + 1] :]


def _lines(content: bytearray, draw: random.Random) -> bytearray:
    """Lines repeated, lost, swapped, or far too long."""
    lines = content.split(b"\n")
    k, way = draw.randrange(len(lines)), draw.randrange(4)
    if way == 0:
        lines[k:k] = [lines[k]] * draw.choice((1, 2, 3000))
    elif way == 1:
        del lines[k]
    elif way == 2:
        draw.shuffle(lines)
    else:
        sign = draw.choice((b"\t", b" ", b"9", b":", b"sz\t"))
        lines[k] += sign * draw.choice((10, 3000, 140_000))
    return bytearray(b"\n".join(lines))


ANY_WAYS: tuple[Spoiling, ...] = (
    _cut, _twice, _a_piece_lost, _bytes_flipped, _encoding, _signs_replaced,
)  # fmt: skip
EDF_WAYS: tuple[Spoiling, ...] = (
    _a_field, _a_field, _a_field, _a_field, _a_field_of_all_signals, _fields_swapped, _many_signals,
    _many_samples, _annotations, _annotations, _annotations_filled, *ANY_WAYS,
)  # fmt: skip
HEADER_WAYS: tuple[Spoiling, ...] = (
    _a_value, _a_value, _a_value, _a_value, _a_part_of_a_value, _a_part_of_a_value, _a_part_of_a_value,
    _lines, *ANY_WAYS,
)  # fmt: skip
TEXT_WAYS: tuple[Spoiling, ...] = (_a_cell, _a_cell, _a_cell, _a_cell, _lines, _lines, *ANY_WAYS)
