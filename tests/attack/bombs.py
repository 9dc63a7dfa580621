"""Files that are small, and huge once somebody believes them: made by hand, for the attacks with scenes."""

from __future__ import annotations

import struct
import zlib
from functools import cache

MIB = 2**20
SIDE = 4400
"""Side of a square that is just allowed in a request, px."""


@cache
def deflated(size: int) -> bytes:
    """So many zeros, compressed."""
    machine = zlib.compressobj(9)
    pieces = [machine.compress(bytes(min(MIB, size - at))) for at in range(0, size, MIB)]
    return b"".join([*pieces, machine.flush()])


def chunk(name: bytes, data: bytes) -> bytes:
    """One of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, bits: int, colour: int, rows: bytes, *extra: bytes) -> bytes:
    """A PNG whose rows are compressed already."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(extra) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def gif(width: int, height: int, frame: tuple[int, int], frames: int = 1) -> bytes:
    """A GIF of such a size, with such frames, none of which is whole."""
    one = b"," + struct.pack("<HHHHB", 0, 0, *frame, 0) + b"\x02\x02\x4c\x01\x00"
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0xF0, 0, 0) + bytes(6) + one * frames + b";"


def bmp(width: int, height: int, packed: int = 0) -> bytes:
    """A BMP without its rows."""
    head = struct.pack("<IHHI", 2000, 0, 0, 54 + 1024)
    return b"BM" + head + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, packed, 0, 0, 0, 256, 0) + bytes(1026)


def webp(bits: int) -> bytes:
    """A lossless WebP; `bits` are width - 1 and height - 1, 14 each."""
    return (
        b"RIFF"
        + struct.pack("<I", 100)
        + b"WEBPVP8L"
        + struct.pack("<I", 20)
        + b"\x2f"
        + struct.pack("<I", bits)
        + bytes(90)
    )


def jpeg(width: int, height: int, scans: int = 0) -> bytes:
    """A progressive JPEG; each scan goes over all of it and has a few bytes."""
    tables = b"\xff\xdb\x00\x43\x00" + bytes([1] * 64)
    for place, symbol in ((0x00, b"\x00"), (0x10, b"\xe0")):
        tables += b"\xff\xc4" + struct.pack(">HB", 20, place) + bytes([1] + [0] * 15) + symbol
    frame = b"\xff\xc2" + struct.pack(">HBHHB", 11, 8, height, width, 1) + b"\x01\x11\x00"
    blocks = -(-width // 8) * -(-height // 8)
    first = b"\xff\xda\x00\x08\x01\x01\x00\x00\x00\x00" + bytes(-(-blocks // 8) if scans else 0)
    more = b"\xff\xda\x00\x08\x01\x01\x00\x01\x3f\x00" + bytes(2 * (blocks // 2**14 + 2))
    return b"\xff\xd8" + tables + frame + first + more * scans + b"\xff\xd9"


def tiff(entries: dict[int, tuple[int, int]], *, next_page: int = 0, tail: bytes = b"", pages: int = 1) -> bytes:
    """A little-endian TIFF; entries by tag: (count, value or place), all of type LONG but text."""
    plain = {
        256: (1, 1),
        257: (1, 1),
        258: (1, 8),
        259: (1, 1),
        262: (1, 1),
        273: (1, 8),
        277: (1, 1),
        278: (1, 1),
        279: (1, 1),
    }
    every = {**plain, **entries}
    rows = b"".join(struct.pack("<HHII", tag, 2 if tag in (270, 42112) else 4, *every[tag]) for tag in sorted(every))
    page = struct.pack("<H", len(every)) + rows
    whole = b"".join(
        page + struct.pack("<I", next_page if n == pages else 8 + n * (len(page) + 4)) for n in range(1, pages + 1)
    )
    return b"II*\x00" + struct.pack("<I", 8) + whole + tail
