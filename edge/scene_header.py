"""Tell what a file is from its first bytes, and walk a picture's structure without decoding it.

The walk finds the size before anything is decoded (a small file can claim a huge picture), and whether the file is
whole: decoders fill what a cut-off file lacks with grey, which would count as water without ships.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

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
_JPEG_END, _JPEG_APP1 = 0xD9, 0xE1
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


_CUT_OFF = "is cut off before its end"


def kind_of(head: bytes) -> str | None:
    """Name of the format of a file that starts with these bytes (32 are enough); None for an unknown one."""
    for magic, offset, name in _MAGIC:
        if head[offset : offset + len(magic)] == magic:
            return name
    return None


def read_header(kind: str, data: bytes) -> Header:
    """Walk a whole file of one of PICTURES. A size of 0 x 0 where the file ends before telling it."""
    walk = {"JPEG": _jpeg, "PNG": _png, "WebP": _webp, "BMP": _bmp, "GIF": _gif}[kind]
    try:
        return walk(data)
    except IndexError:
        return Header(0, 0, _CUT_OFF)


def _number(data: bytes, start: int, size: int, *, big: bool = False) -> int:
    """An unsigned integer at an offset; IndexError beyond the end."""
    part = data[start : start + size]
    if len(part) < size:
        raise IndexError(start)
    return int.from_bytes(part, "big" if big else "little")


def _jpeg(data: bytes) -> Header:
    """Segments up to the end marker; whatever follows that one (previews, maker's notes) is ignored."""
    width = height = 0
    orientation = _UPRIGHT
    found = _JPEG_MARKER.search(data, 2)
    while found:
        marker, at = data[found.end() - 1], found.end()
        if marker == _JPEG_END:
            return Header(width, height, None if width else "has no picture in it", orientation=orientation)
        length = int.from_bytes(data[at : at + 2], "big")
        if marker in _JPEG_FRAMES:
            height, width = (int.from_bytes(data[at + i : at + i + 2], "big") for i in (3, 5))
        elif marker == _JPEG_APP1 and data[at + 2 : at + 8] == b"Exif\x00\x00":
            orientation = _orientation(data[at + 8 : at + length])
        found = _JPEG_MARKER.search(data, at + length)
    return Header(width, height, _CUT_OFF, orientation=orientation)


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


def _png(data: bytes) -> Header:
    """Chunks up to IEND, with the checksums of those that make up the picture."""
    width, height = _number(data, 16, 4, big=True), _number(data, 20, 4, big=True)
    frames, orientation, control, at = 1, _UPRIGHT, (0, 0), 8
    view = memoryview(data)
    while at + 12 <= len(data):
        length, name = _number(data, at, 4, big=True), data[at + 4 : at + 8]
        end = at + 12 + length
        if end > len(data):
            break
        critical = name[:1].isupper()
        if critical and zlib.crc32(view[at + 4 : end - 4]) != _number(data, end - 4, 4, big=True):
            return Header(width, height, "is damaged (a checksum is wrong)", frames, orientation)
        if name == b"IEND":
            return Header(width, height, None, frames, orientation, control)
        if name == b"acTL":
            frames, control = max(2, _number(data, at + 8, 4, big=True)), (at, end)
        elif name == b"eXIf":
            orientation = _orientation(data[at + 8 : end - 4])
        at = end
    return Header(width, height, _CUT_OFF, frames, orientation)


def _webp(data: bytes) -> Header:
    """The first chunk tells the size; the container tells how long the file should be."""
    chunk, frames = data[12:16], 1
    if chunk == b"VP8X":
        width, height = _number(data, 24, 3) + 1, _number(data, 27, 3) + 1
        frames = 2 if _number(data, 20, 1) & 2 else 1
    elif chunk == b"VP8L":
        bits = _number(data, 21, 4)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        width, height = _number(data, 26, 2) & 0x3FFF, _number(data, 28, 2) & 0x3FFF
    whole = _number(data, 4, 4) + 8 <= len(data)
    return Header(width, height, None if whole else _CUT_OFF, frames)


def _bmp(data: bytes) -> Header:
    """Header fields; the length is known where the rows are not compressed."""
    offset, header = _number(data, 10, 4), _number(data, 14, 4)
    if header == 12:  # noqa: PLR2004 - the OS/2 header, with 16-bit fields
        width, height, bits, packed = _number(data, 18, 2), _number(data, 20, 2), _number(data, 24, 2), 0
    else:
        width, height = _number(data, 18, 4), abs(_signed(_number(data, 22, 4)))
        bits, packed = _number(data, 28, 2), _number(data, 30, 4)
    row = (width * bits + 31) // 32 * 4
    whole = packed in (1, 2, 4, 5) or offset + row * height <= len(data)
    return Header(width, height, None if whole else _CUT_OFF)


def _signed(value: int) -> int:
    """A 32-bit field as a signed number; BMP rows run downwards where the height is negative."""
    return value - 2**32 if value >= 2**31 else value


def _gif(data: bytes) -> Header:
    """Blocks up to the trailer."""
    width, height = _number(data, 6, 2), _number(data, 8, 2)
    at, frames = 13 + _colour_table(data[10]), 0
    try:
        while data[at] != ord(";"):
            if data[at] == ord(","):
                frames += 1
                at += 11 + _colour_table(data[at + 9])
            else:
                at += 2
            while data[at]:
                at += data[at] + 1
            at += 1
    except IndexError:
        return Header(width, height, _CUT_OFF, max(frames, 1))
    return Header(width, height, None if frames else "has no picture in it", frames)


def _colour_table(flags: int) -> int:
    """Bytes of the colour table that a GIF's flags announce."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0
