"""Walk the directories of a TIFF before GDAL does: a small file can keep it busy for minutes, or take all memory.

Only what is absurd is refused. Whether the file is whole, GDAL says better.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from typing import BinaryIO, Literal

MOST_PAGES = 4096
"""Directories: GDAL walks over all of them, and keeps a record of each."""
MOST_TAGS = 2048
"""In one directory."""
MOST_BANDS = 1024
"""Hyperspectral sensors have some hundreds; GDAL makes an object of each."""
MOST_METADATA = 512 * 2**10
"""Bytes of GDAL's own metadata: the time to read them grows with their square, and is a second here."""
_PHOTOMETRIC, _BANDS, _METADATA = 262, 277, 42112
_YCBCR, _YCBCR_BANDS = 6, 3
_EXIF, _MOST_POINTER = 34665, 8
"""The tag that says where the EXIF directory is, and the bytes of that."""
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 13: 4, 16: 8, 18: 8}
"""Bytes of a value by its type, as far as it matters here."""


def tiff_fault(file: BinaryIO) -> str | None:
    """Why a TIFF must not be opened, as a clause; None where nothing is known against it."""
    length = file.seek(0, 2)
    (walk, at), seen = _begun(file), set[int]()
    while 0 < at < length and at not in seen:
        if len(seen) == MOST_PAGES:
            return f"has more than {MOST_PAGES:,} pages"
        seen.add(at)
        fault, at = walk.directory(at)
        if fault:
            return fault
    return None


def tiff_tags(file: BinaryIO, wanted: Collection[int], length: int) -> dict[int, bytes]:
    """Values of tags in the first directory of a TIFF, and in the EXIF directory that it names.

    Args:
        file: a TIFF, or an EXIF block, which is made like one.
        wanted: the tags.
        length: bytes of the file.

    Returns:
        Tag -> its bytes as they lie in the file; without the tags that are not there, or lie beyond its end, or have
        more than MOST_METADATA bytes. The EXIF directory goes first where both have a tag.
    """
    walk, at = _begun(file)
    found = walk.values(at, {*wanted, _EXIF}, length)
    exif = found.pop(_EXIF, b"")[:_MOST_POINTER]
    return found | walk.values(walk.number(exif), wanted, length)


def _begun(file: BinaryIO) -> tuple[_Walk, int]:
    """A walk over a TIFF, and where its first directory is."""
    file.seek(0)
    head = file.read(16)
    walk = _Walk(file, "big" if head[:1] == b"M" else "little", big=b"+" in head[2:4])
    return walk, walk.number(head[8:16] if walk.big else head[4:8])


class _Walk:
    """Reads the directories of a TIFF."""

    def __init__(self, file: BinaryIO, order: Literal["big", "little"], *, big: bool) -> None:
        """With numbers in this order of bytes; `big` for a BigTIFF."""
        self.big = big
        self._file, self._order = file, order

    def number(self, data: bytes) -> int:
        """An unsigned integer."""
        return int.from_bytes(data, self._order)

    def directory(self, at: int) -> tuple[str | None, int]:
        """What is wrong with a directory, and where the next one is; 0 for nowhere."""
        count, entries = self._entries(at)
        if count > MOST_TAGS:
            return f"has a directory of {count:,} tags, more than {MOST_TAGS:,}", 0
        fault = next(filter(None, map(self._entry, entries)), None) or self._colours(entries)
        return fault, 0 if fault else self.number(self._file.read(8 if self.big else 4))

    def values(self, at: int, wanted: Collection[int], length: int) -> dict[int, bytes]:
        """Bytes of some tags of a directory; see `tiff_tags`. The file has `length` bytes."""
        found = dict[int, bytes]()
        for entry in self._entries(at)[1] if 0 < at < length else ():
            tag, size, count, _ = self._parts(entry)
            if tag in wanted and tag not in found and size * count <= MOST_METADATA:
                value = self._bytes(entry[12:] if self.big else entry[8:], size * count, length)
                if value is not None:
                    found[tag] = value
        return found

    def _bytes(self, value: bytes, size: int, length: int) -> bytes | None:
        """The bytes of a tag, which are in its record or where that says; None beyond the end of the file."""
        if size <= len(value):
            return value[:size]
        start = self.number(value)
        if start + size > length:
            return None
        self._file.seek(start)
        return self._file.read(size)

    def _entries(self, at: int) -> tuple[int, list[bytes]]:
        """How many tags a directory says it has, and their records; none of more than MOST_TAGS."""
        count_size, size = (8, 20) if self.big else (2, 12)
        self._file.seek(at)
        count = self.number(self._file.read(count_size))
        data = self._file.read(count * size) if count <= MOST_TAGS else b""
        return count, [data[at : at + size] for at in range(0, len(data) - size + 1, size)]

    def _entry(self, entry: bytes) -> str | None:
        """What is wrong with a tag."""
        tag, size, count, value = self._parts(entry)
        if tag == _BANDS and value > MOST_BANDS:
            return f"has {value:,} bands, more than {MOST_BANDS:,}"
        if tag == _METADATA and size * count > MOST_METADATA:
            return f"has {size * count:,} bytes of metadata, more than {MOST_METADATA:,}"
        return None

    def _colours(self, entries: Sequence[bytes]) -> str | None:
        """Whether its colours take another number of bands than it has: GDAL 3.10 reads beyond the end of memory."""
        found: dict[int, set[int]] = {}
        for entry in entries:
            tag, _, _, value = self._parts(entry)
            found.setdefault(tag, set()).add(value)
        if _YCBCR in found.get(_PHOTOMETRIC, ()) and found.get(_BANDS, {1}) != {_YCBCR_BANDS}:
            return "has the colours YCbCr in other than three bands"
        return None

    def _parts(self, entry: bytes) -> tuple[int, int, int, int]:
        """Tag, bytes of a value, how many values, and the first of them, if they are in the entry itself."""
        count, value = (entry[4:12], entry[12:]) if self.big else (entry[4:8], entry[8:])
        tag, size = self.number(entry[:2]), _SIZES.get(self.number(entry[2:4]), 1)
        return tag, size, self.number(count), self.number(value[:size])
