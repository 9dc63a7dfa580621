"""Ways to spoil a file, each by a random number generator, so that a seed tells what was sent."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

EDGES = (
    0,
    1,
    2,
    3,
    4,
    7,
    8,
    15,
    16,
    31,
    32,
    63,
    64,
    127,
    128,
    255,
    256,
    1000,
    32767,
    32768,
    65535,
    65536,
    2**24,
    2**31 - 1,
)
HUGE = (2**31, 2**32 - 1, 2**32 - 2, 2**31 + 1, 3_000_000_000)
HEAD = 256
"""Bytes that hold most of what a file says of itself."""
_TYPES = 19


def flip(rng: Random, data: bytearray, _: Sequence[bytes]) -> None:
    """Some bits."""
    for _ in range(rng.choice((1, 1, 2, 4, 16, 64))):
        at = rng.randrange(len(data))
        data[at] ^= 1 << rng.randrange(8)


def flip_head(rng: Random, data: bytearray, _: Sequence[bytes]) -> None:
    """Bytes near the start."""
    for _ in range(rng.choice((1, 2, 4))):
        data[rng.randrange(min(len(data), HEAD))] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))


def number(rng: Random, data: bytearray, _: Sequence[bytes]) -> None:
    """A number of 2 or 4 bytes, near the start or anywhere, at an edge of its range."""
    code = rng.choice(("<H", ">H", "<I", ">I"))
    size = struct.calcsize(code)
    if len(data) > size:
        at = rng.randrange(min(len(data), rng.choice((HEAD, len(data)))) - size + 1) if len(data) > HEAD else 0
        value = rng.choice(EDGES + HUGE) % 2 ** (8 * size)
        data[at : at + size] = struct.pack(code, value)


def cut(rng: Random, data: bytearray, _: Sequence[bytes]) -> None:
    """The end, or a piece."""
    at = rng.randrange(len(data))
    del data[at : rng.choice((len(data), at + 1, at + rng.randrange(1, 4000)))]


def insert(rng: Random, data: bytearray, _: Sequence[bytes]) -> None:
    """Bytes that do not belong there."""
    size = rng.choice((1, 2, 4, 16, 256, 4096))
    at = rng.randrange(len(data) + 1)
    data[at:at] = rng.choice((bytes(size), b"\xff" * size, rng.randbytes(size)))


def repeat(rng: Random, data: bytearray, _: Sequence[bytes]) -> None:
    """A piece, several times."""
    at = rng.randrange(len(data))
    piece = bytes(data[at : at + rng.choice((1, 4, 12, 20, 64, 1024))])
    data[at:at] = piece * rng.choice((1, 2, 10, 100))


def splice(rng: Random, data: bytearray, others: Sequence[bytes]) -> None:
    """The start of this file, the end of another one."""
    other = rng.choice(others)
    at = rng.randrange(len(data))
    data[at:] = other[rng.randrange(len(other)) :]


def entry(rng: Random, data: bytearray, others: Sequence[bytes]) -> None:
    """A tag of a TIFF: its number, type, count or value."""
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(bytes(data[:4]))
    if order is None or len(data) < 8:
        number(rng, data, others)
        return
    (at,) = struct.unpack_from(order + "I", data, 4)
    if at + 14 > len(data):
        return
    (count,) = struct.unpack_from(order + "H", data, at)
    where = at + 2 + 12 * rng.randrange(max(1, min(count, 40)))
    if where + 12 > len(data):
        return
    part = rng.choice(("tag", "type", "count", "value", "value"))
    if part == "tag":
        struct.pack_into(order + "H", data, where, rng.choice((*range(254, 340), 33550, 33922, 34735, 42112, 42113)))
    elif part == "type":
        struct.pack_into(order + "H", data, where + 2, rng.randrange(_TYPES))
    else:
        value = rng.choice((*EDGES, *HUGE, len(data), len(data) - 1, at))
        struct.pack_into(order + "I", data, where + (4 if part == "count" else 8), value)


def segment(rng: Random, data: bytearray, others: Sequence[bytes]) -> None:
    """A field of a JPEG's segment."""
    marks = [at for at in range(2, min(len(data) - 4, 2000)) if data[at] == 0xFF and data[at + 1] not in (0, 255)]
    if data[:2] != b"\xff\xd8" or not marks:
        flip_head(rng, data, others)
        return
    at = rng.choice(marks)
    if rng.random() < 0.3:
        data[at + 1] = rng.randrange(0xC0, 0xFF)
    else:
        where = min(at + 2 + rng.randrange(20), len(data) - 1)
        data[where] = rng.choice((0, 1, 2, 3, 4, 8, 16, 127, 128, 255))


def mend_png(data: bytearray) -> None:
    """Put right checksums into a PNG, so that its decoder gets to see what was spoiled."""
    at = 8
    while data[:8] == b"\x89PNG\r\n\x1a\n" and at + 12 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        end = at + 8 + size
        if end + 4 > len(data):
            return
        data[end : end + 4] = struct.pack(">I", zlib.crc32(data[at + 4 : end]))
        at = end + 4


WAYS: tuple[Callable[[Random, bytearray, Sequence[bytes]], None], ...] = (
    flip, flip_head, number, cut, insert, repeat, splice, entry, entry, segment,
)  # fmt: skip


def spoil(rng: Random, whole: bytes, others: Sequence[bytes]) -> bytes:
    """A file, spoiled in a few ways."""
    data = bytearray(whole)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        if data:
            rng.choice(WAYS)(rng, data, others)
    if rng.random() < 0.7:
        mend_png(data)
    return bytes(data)
