"""Tell what a file is from its first bytes, and walk a picture's structure without decoding it.

The walk finds the size before anything is decoded (a small file can claim a huge picture), and whether the file is
whole: decoders fill what a cut-off file lacks with grey, which would count as water without ships.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

PICTURES = ("JPEG", "PNG", "WebP", "BMP", "GIF")
READABLE = "JPEG, PNG, WebP, BMP, GIF, TIFF and GeoTIFF"

_MAGIC: tuple[tuple[bytes, int, str], ...] = (
    (b"II*\x00", 0, "TIFF"),
    (b"MM\x00*", 0, "TIFF"),
    (b"II+\x00", 0, "TIFF"),  # BigTIFF
    (b"MM\x00+", 0, "TIFF"),
    (b"\xff\xd8\xff", 0, "JPEG"),
    (b"\x89PNG\r\n\x1a\n", 0, "PNG"),
    (b"GIF87a", 0, "GIF"),
    (b"GIF89a", 0, "GIF"),
    (b"WEBP", 8, "WebP"),
    (b"BM", 0, "BMP"),
    # Not read, but named, so that the error can say what the file is.
    (b"\x00\x00\x00\x0cjP  ", 0, "JPEG 2000"),
    (b"\xff\x4f\xff\x51", 0, "JPEG 2000"),
    (b"\xff\x0a", 0, "JPEG XL"),
    (b"\x00\x00\x00\x0cJXL ", 0, "JPEG XL"),
    (b"ftyp", 4, "HEIF, AVIF or video"),
    (b"NITF", 0, "NITF"),
    (b"\x89HDF", 0, "HDF5 or netCDF"),
    (b"CDF", 0, "netCDF"),
    (b"EHFA_HEADER", 0, "Erdas Imagine"),
    (b"%PDF", 0, "PDF"),
    (b"PK\x03\x04", 0, "zip"),
    (b"\x1f\x8b", 0, "gzip"),
)
_JPEG_MARKER = re.compile(rb"\xff[^\x00\x01\xff\xd0-\xd8]", re.DOTALL)
"""Any marker but fill bytes, escaped data, restarts and the start of (embedded) pictures."""
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_END, _JPEG_APP1, _JPEG_SCAN = 0xD9, 0xE1, 0xDA
_JPEG_CHANNELS = {1: 1, 3: 3, 4: 3}
"""Components of a JPEG -> channels that it is decoded to; the four of CMYK become colours."""
_PNG_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 4, 6: 4}
"""Colour types of a PNG -> channels that it is decoded to."""
_PNG_COLOUR, _PNG_PALETTE = 2, 3
_PIECE = 2**20
"""Bytes of a file that are looked at at once."""
_HEAD = 64
"""Bytes that hold the header of a WebP or BMP."""
_MOST_PARTS, _PART = 20_000, 1024
"""A file may have so many chunks, segments or blocks, and as many more as there are _PART bytes in it: all of them are
walked over, and nobody who means well makes a picture of crumbs."""
_GIF_PART = 128
"""GIF writes its px in blocks of 255 bytes."""
_MOST_SCANS = 100
"""Of a JPEG: each is a pass over the whole picture, of however few bytes it is. libtiff has the same limit."""
_EXIF_NAME = b"Exif\x00\x00"
_MOST_EXIF, _MOST_NEAR = 2**20, 1000
"""Bytes of an EXIF block, and parts before it, where only the block is wanted."""
_ORIENTATION_TAG = 0x0112
_UPRIGHT = 1


@dataclass(frozen=True, slots=True)
class Header:
    """What a picture's structure says."""

    width: int
    """Px."""
    height: int
    """Px."""
    fault: str | None = None
    """Why the file is not whole, as a clause; None where it is."""
    frames: int = 1
    """Pictures in an animation; 2 may mean more."""
    orientation: int = _UPRIGHT
    """EXIF orientation; 1 is upright."""
    control: tuple[int, int] = (0, 0)
    """Start and end of the bytes that make a PNG an animation; all versions of OpenCV read the same picture without."""
    channels: int | None = None
    """That OpenCV decodes it to, as far as this can be told."""
    bits: int = 8
    """Of a sample."""


_CUT_OFF = "is cut off before its end"
_CRUMBS = "is made of too many parts"


def kind_of(head: bytes) -> str | None:
    """Name of the format of a file that starts with these bytes (32 are enough); None for an unknown one."""
    for magic, offset, name in _MAGIC:
        if head[offset : offset + len(magic)] == magic:
            return name
    return None


def read_header(kind: str, file: BinaryIO) -> Header:
    """Walk a whole file of one of PICTURES, in pieces. A size of 0 x 0 where the file ends before telling it."""
    walk = {"JPEG": _jpeg, "PNG": _png, "WebP": _webp, "BMP": _bmp, "GIF": _gif}[kind]
    try:
        return walk(file)
    except IndexError:
        return Header(0, 0, _CUT_OFF)


def _at(file: BinaryIO, start: int, size: int) -> bytes:
    """Bytes of a file; fewer at its end."""
    file.seek(start)
    return file.read(size)


def _length(file: BinaryIO) -> int:
    """Bytes of a file."""
    return file.seek(0, 2)


def _number(data: bytes, start: int, size: int, *, big: bool = False) -> int:
    """An unsigned integer at an offset; IndexError beyond the end."""
    part = data[start : start + size]
    if len(part) < size:
        raise IndexError(start)
    return int.from_bytes(part, "big" if big else "little")


def _jpeg(file: BinaryIO) -> Header:
    """Segments up to the end marker; whatever follows that one (previews, maker's notes) is ignored."""
    width = height = bits = components = 0
    orientation, scans, parts = _UPRIGHT, 0, _most_parts(file)
    found = _next_marker(file, 2)
    fault: str | None = _CUT_OFF
    while found:
        marker, at = found
        parts, scans = parts - 1, scans + (marker == _JPEG_SCAN)
        if parts < 0 or scans > _MOST_SCANS:
            fault = f"has more than {_MOST_SCANS} scans" if parts >= 0 else _CRUMBS
            break
        if marker == _JPEG_END:
            fault = None if width else "has no picture in it"
            break
        length = int.from_bytes(_at(file, at, 2), "big")
        if marker in _JPEG_FRAMES:
            frame = _at(file, at, 8).ljust(8, b"\x00")
            bits, components = frame[2], frame[7]
            height, width = (int.from_bytes(frame[i : i + 2], "big") for i in (3, 5))
        elif marker == _JPEG_APP1:
            exif = _exif_segment(file, at, length)
            orientation = _orientation(exif) if exif else orientation
        found = _next_marker(file, at + length)
    return Header(width, height, fault, orientation=orientation, channels=_JPEG_CHANNELS.get(components), bits=bits)


def exif_of(kind: str, file: BinaryIO) -> bytes:
    """The EXIF block of a JPEG, PNG or WebP, which is a TIFF without a picture; empty where there is none near.

    Looks at no more than the first _MOST_NEAR parts, of a JPEG only at those before its px.
    """
    parts = {"JPEG": _jpeg_exifs, "PNG": _png_exifs, "WebP": _webp_exifs}.get(kind)
    return next(filter(None, islice(parts(file), _MOST_NEAR)), b"") if parts else b""


def _jpeg_exifs(file: BinaryIO) -> Iterator[bytes]:
    """Of each segment before the px."""
    found = _next_marker(file, 2, near=True)
    while found and found[0] not in (_JPEG_SCAN, _JPEG_END):
        marker, at = found
        length = int.from_bytes(_at(file, at, 2), "big")
        yield _exif_segment(file, at, length) if marker == _JPEG_APP1 else b""
        found = _next_marker(file, at + length, near=True)


def _exif_segment(file: BinaryIO, at: int, length: int) -> bytes:
    """The EXIF block of a JPEG's segment; empty where it holds something else, as XMP does."""
    segment = _at(file, at + 2, max(length - 2, 0))
    return segment.removeprefix(_EXIF_NAME) if segment.startswith(_EXIF_NAME) else b""


def _png_exifs(file: BinaryIO) -> Iterator[bytes]:
    """Of each chunk."""
    at = 8
    while len(start := _at(file, at, 8)) == 8:  # noqa: PLR2004 - the length and the name
        length = int.from_bytes(start[:4], "big")
        yield file.read(min(length, _MOST_EXIF)) if start[4:] == b"eXIf" else b""
        at += 12 + length


def _webp_exifs(file: BinaryIO) -> Iterator[bytes]:
    """Of each chunk, where the first one says that there is one."""
    at = 12
    if not _has_exif(_at(file, at, 12)):
        return
    while len(start := _at(file, at, 8)) == 8:  # noqa: PLR2004 - the name and the length
        length = int.from_bytes(start[4:], "little")
        # Some writers put JPEG's name of the block before it.
        yield file.read(min(length, _MOST_EXIF)).removeprefix(_EXIF_NAME) if start[:4] == b"EXIF" else b""
        at += 8 + length + length % 2


def _has_exif(chunk: bytes) -> bool:
    """Whether the first chunk of a WebP announces an EXIF block."""
    return chunk[:4] == b"VP8X" and bool(chunk[8] & 8)


def _next_marker(file: BinaryIO, start: int, *, near: bool = False) -> tuple[int, int] | None:
    """The first marker from a place on, and where it ends; None where it is not `near`, if it must be."""
    size = _HEAD  # the next one is mostly near
    while len(piece := _at(file, start, size)) > 1:
        found = _JPEG_MARKER.search(piece)
        if found:
            return piece[found.end() - 1], start + found.end()
        if near:
            return None
        start += len(piece) - 1  # a marker may begin with the last byte
        size = _PIECE
    return None


def _most_parts(file: BinaryIO, part: int = _PART) -> int:
    """How many parts a file may have: some, and as many more as it has times `part` bytes."""
    return _MOST_PARTS + _length(file) // part


def _orientation(exif: bytes) -> int:
    """The orientation tag of an EXIF block; upright where it is missing or makes no sense."""
    big = exif[:2] == b"MM"
    try:
        directory = _number(exif, 4, 4, big=big)
        for i in range(_number(exif, directory, 2, big=big)):
            entry = directory + 2 + 12 * i
            if _number(exif, entry, 2, big=big) == _ORIENTATION_TAG:
                value = _number(exif, entry + 8, 2, big=big)
                return value if value in range(1, 9) else _UPRIGHT
    except IndexError:
        pass
    return _UPRIGHT


def _png(file: BinaryIO) -> Header:
    """Chunks up to IEND, with the checksums of those that make up the picture."""
    head, length = _at(file, 0, _HEAD), _length(file)
    width, height = _number(head, 16, 4, big=True), _number(head, 20, 4, big=True)
    bits, colour = _number(head, 24, 1), _number(head, 25, 1)
    frames, orientation, control, channels, at = 1, _UPRIGHT, (0, 0), _PNG_CHANNELS.get(colour), 8
    fault: str | None = _CUT_OFF
    parts = _most_parts(file)
    while at + 12 <= length:
        parts -= 1
        if parts < 0:
            fault = _CRUMBS
            break
        start = _at(file, at, 8)
        name, end = start[4:], at + 12 + int.from_bytes(start[:4], "big")
        if end > length:
            break
        if name[:1].isupper() and _checksum(file, at + 4, end - 4) != int.from_bytes(_at(file, end - 4, 4), "big"):
            fault = "is damaged (a checksum is wrong)"
            break
        if name == b"IEND":
            fault = None
            break
        if name == b"acTL":
            frames, control = max(2, int.from_bytes(_at(file, at + 8, 4), "big")), (at, end)
        elif name == b"eXIf":
            orientation = _orientation(_at(file, at + 8, end - at - 12))
        elif name == b"tRNS" and colour in (_PNG_COLOUR, _PNG_PALETTE):
            channels = 4
        at = end
    return Header(width, height, fault, frames, orientation, (0, 0) if fault else control, channels, bits)


def _checksum(file: BinaryIO, start: int, stop: int) -> int:
    """CRC-32 of a part of a file."""
    file.seek(start)
    checksum = 0
    while start < stop:
        piece = file.read(min(_PIECE, stop - start))
        checksum, start = zlib.crc32(piece, checksum), start + len(piece)
        if not piece:
            break
    return checksum


def _webp(file: BinaryIO) -> Header:
    """The first chunk tells the size; the container tells how long the file should be."""
    data = _at(file, 0, _HEAD)
    chunk, frames = data[12:16], 1
    if chunk == b"VP8X":
        width, height = _number(data, 24, 3) + 1, _number(data, 27, 3) + 1
        frames = 2 if _number(data, 20, 1) & 2 else 1
    elif chunk == b"VP8L":
        bits = _number(data, 21, 4)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        width, height = _number(data, 26, 2) & 0x3FFF, _number(data, 28, 2) & 0x3FFF
    whole = _number(data, 4, 4) + 8 <= _length(file)
    return Header(width, height, None if whole else _CUT_OFF, frames)


def _bmp(file: BinaryIO) -> Header:
    """Header fields; the length is known where the rows are not compressed."""
    data = _at(file, 0, _HEAD)
    offset, header = _number(data, 10, 4), _number(data, 14, 4)
    if header == 12:  # noqa: PLR2004 - the OS/2 header, with 16-bit fields
        width, height, bits, packed = _number(data, 18, 2), _number(data, 20, 2), _number(data, 24, 2), 0
    else:
        width, height = _number(data, 18, 4), abs(_signed(_number(data, 22, 4)))
        bits, packed = _number(data, 28, 2), _number(data, 30, 4)
    row = (width * bits + 31) // 32 * 4
    whole = packed in (1, 2, 4, 5) or offset + row * height <= _length(file)
    return Header(width, height, None if whole else _CUT_OFF)


def _signed(value: int) -> int:
    """A 32-bit field as a signed number; BMP rows run downwards where the height is negative."""
    return value - 2**32 if value >= 2**31 else value


def _gif(file: BinaryIO) -> Header:
    """Blocks up to the trailer."""
    head, data, parts = _at(file, 0, 13), _Bytes(file), _most_parts(file, _GIF_PART)
    width, height = _number(head, 6, 2), _number(head, 8, 2)
    at, frames = 13 + _colour_table(head[10]), 0
    try:
        while data[at] != ord(";"):
            if data[at] == ord(","):
                frames += 1
                at += 11 + _colour_table(data[at + 9])
            else:
                at += 2
            while data[at]:
                at, parts = at + data[at] + 1, parts - 1
            at, parts = at + 1, parts - 1
            if parts < 0:
                return Header(width, height, _CRUMBS, max(frames, 1))
    except IndexError:
        return Header(width, height, _CUT_OFF, max(frames, 1))
    return Header(width, height, None if frames else "has no picture in it", frames)


class _Bytes:
    """The bytes of a file, of which a piece is held at a time; IndexError beyond its end."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._start, self._piece = file, 0, b""

    def __getitem__(self, at: int) -> int:
        if not self._start <= at < self._start + len(self._piece):
            self._start, self._piece = at, _at(self._file, at, _PIECE)
        return self._piece[at - self._start]


def _colour_table(flags: int) -> int:
    """Bytes of the colour table that a GIF's flags announce."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0
