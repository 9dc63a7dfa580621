"""Members of archives as scenes: read where they lie, or unpacked to a copy."""

from __future__ import annotations

import hashlib
import lzma
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from edge.bulk.archive_bytes import MEND
from edge.bulk.ranged import Reader
from edge.errors import SceneError
from edge.scene_copy import copied

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path
    from typing import BinaryIO

    from edge.bulk.archive_bytes import ArchiveBytes
    from edge.bulk.entry import Place
    from edge.bulk.store_file import Check
    from edge.scene_copy import Copy

_PIECE = 2**20
_WRONG = "its checksum is wrong"
DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError)
"""What unpacking raises, beside OSErrors that no system has given."""


@dataclass(frozen=True, slots=True)
class Found:
    """What an archive's index says of a member that is wanted."""

    archive: ArchiveBytes
    place: Place
    name: str
    """Of the scene."""
    size: int
    """Bytes, unpacked."""

    def mark(self) -> str | None:
        """What the store tells it apart by; None where that is its bytes."""
        mark = self.archive.mark()
        if mark is None:
            return None
        return f"etag:{hashlib.sha256(f'{mark}{chr(10)}{self.place.member}'.encode()).hexdigest()}"

    def damage(self, what: object) -> SceneError:
        """What is wrong with its bytes."""
        return SceneError(self.place, f"is damaged in its archive ({what})", MEND)


class Member:
    """Bytes that lie in an archive as they are; see `edge.scene_file.SceneFile`."""

    ranged = True

    def __init__(self, found: Found, start: int, crc: int | None = None) -> None:
        """A member that begins at a byte; its CRC-32 is checked where all of it is read, from first to last."""
        self._found, self._start, self._crc = found, start, crc
        self.name, self.size = found.name, found.size

    @property
    def trouble(self) -> OSError | None:
        """Of any part of the archive."""
        return self._found.archive.trouble

    def local(self) -> None:
        """There is none."""

    def open(self) -> BinaryIO:
        """Its bytes."""
        part = self._found.archive.part(self._start, self.size)
        return cast("BinaryIO", part if self._crc is None else _Checked(part, self._found, self._crc))

    def fingerprint(self) -> str:
        """Hash of its bytes; in a store, of what that says of the archive: nothing is fetched for it."""
        mark = self._found.mark()
        if mark:
            return mark
        digest = hashlib.sha256()
        with self.open() as stream:
            while piece := stream.read(_PIECE):
                digest.update(piece)
        return f"sha256:{digest.hexdigest()}"

    def close(self) -> None:
        """Nothing is open."""

    def __str__(self) -> str:
        """Its place."""
        return str(self._found.place)


class _Checked(Reader):
    """Tells of a damaged member once all bytes up to the last one have been read."""

    def __init__(self, part: Reader, found: Found, crc: int) -> None:
        super().__init__(found.size, part.get, part.close)
        self._found, self._crc, self._sum, self._seen = found, crc, 0, 0

    def read(self, size: int | None = -1) -> bytes:
        start = self.tell()
        data = super().read(size)
        if start <= self._seen < start + len(data):
            self._sum = zlib.crc32(data[self._seen - start :], self._sum)
            self._seen = start + len(data)
            if self._seen == self._found.size and self._sum != self._crc:
                raise self._found.damage(_WRONG)
        return data


class Unpacked:
    """Bytes that an archive has in another form: they are unpacked once, to a copy. See `edge.scene_file.SceneFile`."""

    ranged = True

    def __init__(self, found: Found, unpack: Callable[[], AbstractContextManager[BinaryIO]], check: Check) -> None:
        """Nothing is unpacked yet.

        Args:
            found: the member.
            unpack: gives its bytes from the first one on.
            check: is asked before a copy is made.
        """
        self._found, self._unpack, self._check = found, unpack, check
        self.name, self.size = found.name, found.size
        self._copy: Copy | None = None
        self._digest = hashlib.sha256()

    @property
    def trouble(self) -> OSError | None:
        """Of any part of the archive."""
        return self._found.archive.trouble

    def local(self) -> Path:
        """The copy.

        Raises:
            SceneError: the member is damaged, or not to be copied, or there is no room for it.
            OSError: it cannot be read.
        """
        if self._copy is None:
            self._copy = self._copied()
        return self._copy.path

    def _copied(self) -> Copy:
        self._digest = hashlib.sha256()
        try:
            with self._unpack() as stream:
                head = stream.read(_PIECE)
                self._check(self._found.place, head, self.size)
                return copied(stream, self.size, self._found.place, head, self._digest.update)
        except DAMAGE as error:
            raise self._found.damage(error) from error
        except OSError as error:
            if error.errno is None and type(error).__module__ in ("builtins", "gzip"):  # bz2 and gzip speak so of bytes
                raise self._found.damage(error) from error
            raise

    def open(self) -> BinaryIO:
        """Its bytes."""
        return self.local().open("rb")

    def fingerprint(self) -> str:
        """Hash of its bytes; in a store, of what that says of the archive: nothing is unpacked for it."""
        mark = self._found.mark()
        if mark:
            return mark
        self.local()
        return f"sha256:{self._digest.hexdigest()}"

    def close(self) -> None:
        """Let go of the copy."""
        if self._copy:
            self._copy.close()
            self._copy = None

    def __str__(self) -> str:
        """Its place."""
        return str(self._found.place)
