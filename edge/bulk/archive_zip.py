"""The index of a zip: where its members lie, and how they are packed."""

from __future__ import annotations

import io
import struct
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from edge.bulk.archive_bytes import MEND
from edge.bulk.archive_member import DAMAGE, Found, Member, Unpacked
from edge.errors import SceneError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from edge.bulk.archive_bytes import ArchiveBytes
    from edge.bulk.entry import Place
    from edge.bulk.store_file import Check

_ENCRYPTED = 1
"""Flag of a member."""
_HEADER = struct.Struct("<4s22xHH")
"""Before each member: a magic number, and how long its name and another field are."""
_MAGIC = b"PK\x03\x04"
_NOT_THERE = "it is not where the index says"


@dataclass(frozen=True, slots=True)
class _Packed:
    """What the index says of a member."""

    header: int
    """Where its own header is."""
    method: int
    length: int
    """Bytes, packed."""
    size: int
    """Bytes, unpacked."""
    crc: int
    flags: int


class ZipArchive:
    """A zip, whose index has been read."""

    def __init__(self, archive: ArchiveBytes, subject: str) -> None:
        """Read the index.

        Raises:
            SceneError: it is damaged.
            OSError: it cannot be read.
        """
        self._archive = archive
        try:
            with archive.part(0, archive.size) as part, zipfile.ZipFile(cast("BinaryIO", part)) as index:
                self._members = {
                    info.filename: _Packed(
                        info.header_offset, info.compress_type, info.compress_size, info.file_size, info.CRC,
                        info.flag_bits,
                    )
                    for info in index.infolist()
                }  # fmt: skip
        except (*DAMAGE, ValueError, struct.error) as error:
            raise SceneError(subject, f"is a damaged archive ({error})", MEND) from error

    def find(self, place: Place, name: str, check: Check) -> Member | Unpacked | None:
        """A member as a scene of that name; None where there is no such member.

        Raises:
            SceneError: it is encrypted, or not where the index says.
            OSError: the archive cannot be read.
        """
        packed = self._members.get(place.member)
        if packed is None:
            return None
        found = Found(self._archive, place, name, packed.size)
        if packed.flags & _ENCRYPTED:
            raise SceneError(place, "is encrypted", "unpack the archive, and name the folder")
        if packed.method == zipfile.ZIP_STORED:
            return Member(found, self._start(packed, found), packed.crc)
        return Unpacked(found, lambda: self._unpacked(packed, found), check)

    def _start(self, packed: _Packed, found: Found) -> int:
        """Where the bytes of a member begin: behind a header of its own."""
        with self._archive.part(packed.header, min(_HEADER.size, self._archive.size - packed.header)) as part:
            header = part.read(_HEADER.size)
        if len(header) < _HEADER.size or not header.startswith(_MAGIC):
            raise found.damage(_NOT_THERE)
        _, name, extra = _HEADER.unpack(header)
        return packed.header + _HEADER.size + int(name) + int(extra)

    @contextmanager
    def _unpacked(self, packed: _Packed, found: Found) -> Iterator[BinaryIO]:
        """The bytes of a member, unpacked; its checksum is checked at the end."""
        info = zipfile.ZipInfo("member")
        info.compress_type, info.compress_size, info.flag_bits = packed.method, packed.length, packed.flags
        info.file_size, info.CRC = packed.size, packed.crc
        part = self._archive.part(self._start(packed, found), packed.length)
        # Reads ahead of what it needs, in pieces that are small for a store.
        with io.BufferedReader(part, 2**20) as raw, zipfile.ZipExtFile(raw, "r", info) as stream:
            yield cast("BinaryIO", stream)

    def close(self) -> None:
        """Nothing is open."""
