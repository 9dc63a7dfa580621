"""When a picture was taken, as its file says."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from edge.bulk.entry import Acquired
from edge.bulk.times import parse_time, plausible
from edge.scene_header import exif_of, kind_of
from edge.scene_tiff import tiff_tags

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from typing import BinaryIO

    from edge.scene_file import SceneFile

_HEAD = 32
"""Bytes that tell the format."""
_CHANGED, _TAKEN, _TAKEN_ZONE, _GDAL = 306, 36867, 36881, 42112
"""The tags DateTime, DateTimeOriginal and OffsetTimeOriginal, and GDAL's own metadata."""
_GDAL_TIME = re.compile(
    rb'<Item name="ACQUISITIONDATETIME"(?P<about>[^<>]*)>(?P<time>[^<>]{0,64})</Item>', re.IGNORECASE
)
_OF_BAND = b"sample="
_LONGEST = 64
"""Bytes of a time."""


def acquired(source: Path | SceneFile) -> Acquired | None:
    """When a picture was taken, as its file says.

    A TIFF says it by GDAL's item ACQUISITIONDATETIME, by EXIF's DateTimeOriginal, or by its DateTime, in this order:
    the last is often the time of processing. JPEG, PNG and WebP say it by EXIF's DateTimeOriginal. A time without a
    zone is UTC. What makes no sense, or is not between `edge.bulk.times.YEARS`, is taken as not said.

    Args:
        source: the file; few bytes of it are read.

    Raises:
        OSError: the bytes cannot be had.
    """
    if isinstance(source, Path):
        with source.open("rb") as file:
            return _told(file, os.fstat(file.fileno()).st_size)
    with source.open() as file:
        return _told(file, source.size)


def _told(file: BinaryIO, length: int) -> Acquired | None:
    """What a file of `length` bytes says."""
    kind = kind_of(file.read(_HEAD))
    if kind == "TIFF":
        tags = tiff_tags(file, (_CHANGED, _TAKEN, _TAKEN_ZONE, _GDAL), length)
        return _said("tiff", _gdal_time(tags)) or _taken(tags) or _said("tiff", tags.get(_CHANGED))
    exif = exif_of(kind, file) if kind else b""
    return _taken(tiff_tags(io.BytesIO(exif), (_TAKEN, _TAKEN_ZONE), len(exif))) if exif else None


def _taken(tags: Mapping[int, bytes]) -> Acquired | None:
    """EXIF's time, in its zone if it has one."""
    time, zone = tags.get(_TAKEN), tags.get(_TAKEN_ZONE)
    return (_said("exif", time, zone) if zone else None) or _said("exif", time)


def _gdal_time(tags: Mapping[int, bytes]) -> bytes | None:
    """Of GDAL's metadata: the item of the scene, not of one of its bands."""
    items = _GDAL_TIME.finditer(tags.get(_GDAL, b""))
    return next((item["time"] for item in items if _OF_BAND not in item["about"]), None)


def _said(source: str, time: bytes | None, zone: bytes = b"") -> Acquired | None:
    """A time as bytes that C would read; None where there is none, or it makes no sense."""
    if time is None:
        return None
    text = "".join(part[:_LONGEST].split(b"\x00")[0].decode("ascii", "replace").strip() for part in (time, zone))
    try:
        parsed: datetime = parse_time(text)
    except ValueError:
        return None
    return Acquired(parsed, source) if plausible(parsed) else None
