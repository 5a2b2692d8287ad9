"""Spoilt files, the same for the same seed: what a disk, a program or a hand may do to a file.

Comes in: a seed and an index. Goes out: a `Case`: the file's bytes and what was done to them. Next:
`examining` reads them.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.fuzz.seeds import WIDTHS, seeds

FIXED = (8, 80, 80, 8, 8, 8, 44, 8, 8, 4)
"""Bytes of each field of an EDF file's own header, in order."""

NASTY = (
    "", " ", "0", "-0", "-1", "1", "2", "00000001", "99999999", "-9999999", "2147483648", "4294967296",
    "1e308", "-1e308", "1e39", "3.5e38", "1e-308", "1e-320", "1e400", "nan", "-nan", "inf", "-inf",
    "0x10", "1_0", "1,5", "1.", ".5", "+5", "--5", "1e", "٣", "½", "1 2", "1\t2", "1\r", "\x00", "\x1c",
    "32767", "32768", "-32769", "65536", "EDF+C", "EDF+D", "BIOSEMI", "EDF Annotations", "uV", "mV", "V",
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

KINDS = ("edf", "edf", "edf", "tsv", "edf", "edf", "summary", "list")
"""Kind of the file by index, over and over."""


@dataclass(frozen=True)
class Case:
    """A spoilt file. `how`: which file was spoilt, and by what, in order."""

    index: int
    kind: str
    content: bytes
    how: tuple[str, ...]


Spoiling = Callable[[bytearray, random.Random], bytearray]


def make_case(seed: int, index: int) -> Case:
    """Case `index` of `seed`: always the same where the same files are there to be spoilt."""
    draw = random.Random(f"{seed}/{index}")
    kind = KINDS[index % len(KINDS)]
    name, right = draw.choice(seeds()[kind])
    content, how = bytearray(right), [name]
    ways = EDF_WAYS if kind == "edf" else TEXT_WAYS
    for _ in range(draw.choice((1, 1, 1, 2, 2, 3))):
        way = draw.choice(ways)
        how.append(way.__name__.strip("_"))
        content = way(content, draw)
    return Case(index, kind, bytes(content), tuple(how))


def _signals_of(content: bytearray) -> int:
    """How many signals the header has room for, whatever it tells."""
    try:
        told = int(content[252:256])
    except ValueError:
        told = 1
    return min(max(1, told), max(1, len(content) // 256 - 1))


def _field(content: bytearray, draw: random.Random) -> tuple[int, int]:
    """Where a field of an EDF header begins and how wide it is."""
    if draw.random() < 0.4:
        k = draw.choice((0, 3, 4, 5, 6, 7, 7, 8, 8, 9))
        return sum(FIXED[:k]), FIXED[k]
    signals, k = _signals_of(content), draw.choice((0, 0, 2, 3, 3, 4, 4, 5, 5, 6, 6, 8, 8, 8, 9))
    one = draw.randrange(signals)
    return 256 + signals * sum(WIDTHS[:k]) + one * WIDTHS[k], WIDTHS[k]


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
    for one in range(signals):
        _put(content, 256 + signals * sum(WIDTHS[:k]) + one * WIDTHS[k], word, WIDTHS[k])
    return content


def _fields_swapped(content: bytearray, draw: random.Random) -> bytearray:
    (one, width), (other, other_width) = _field(content, draw), _field(content, draw)
    first, second = bytes(content[one : one + width]), bytes(content[other : other + other_width])
    return _put(_put(content, one, second, width), other, first, other_width)


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
    for one in range(signals):
        word = draw.choice((b"1", b"2", b"99999999", b"10000000", b"61440", b"0"))
        _put(content, 256 + signals * sum(WIDTHS[:8]) + one * 8, word, 8)
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


_ANY_WAYS: tuple[Spoiling, ...] = (
    _cut, _twice, _a_piece_lost, _bytes_flipped, _encoding, _signs_replaced,
)  # fmt: skip
EDF_WAYS: tuple[Spoiling, ...] = (
    _a_field, _a_field, _a_field, _a_field, _a_field_of_all_signals, _fields_swapped, _many_signals,
    _many_samples, _annotations, _annotations, _annotations_filled, *_ANY_WAYS,
)  # fmt: skip
TEXT_WAYS: tuple[Spoiling, ...] = (_a_cell, _a_cell, _a_cell, _a_cell, _lines, _lines, *_ANY_WAYS)
