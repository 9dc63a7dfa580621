"""Members of tars: plain ones are read where they lie, those of compressed ones in turn."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import threading
from bisect import bisect_left
from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from edge.bulk.archive_bytes import MEND
from edge.bulk.archive_member import DAMAGE, Found, Member, Unpacked
from edge.bulk.inputs_base import is_image
from edge.errors import InputError, SceneError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import BinaryIO

    from edge.bulk.archive_bytes import ArchiveBytes
    from edge.bulk.entry import Place
    from edge.bulk.store_file import Check

PASSED = 64 * 2**20
"""Bytes of members that were passed over and are kept: whoever asks a bit late finds them there."""
_PIECE = 2**20
_MAGIC: Mapping[bytes, Callable[[Any], Any]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}


@dataclass(frozen=True, slots=True)
class _Lies:
    """Where a member lies, in the tar as it is when nothing compresses it."""

    start: int
    size: int
    """Bytes."""
    sparse: bool = False
    """Holes have been left out of it."""


def open_tar(archive: ArchiveBytes, subject: str) -> PlainTar | CompressedTar:
    """Read the index of a tar, whatever compresses it.

    Raises:
        SceneError: it is damaged.
        OSError: it cannot be read.
    """
    with archive.part(0, archive.size) as part:
        head = part.read(8)
    kind = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)
    try:
        return CompressedTar(archive, kind) if kind else PlainTar(archive)
    except (*DAMAGE, tarfile.TarError, ValueError, OverflowError, IndexError) as error:
        raise SceneError(subject, f"is a damaged archive ({error})", MEND) from error
    except OSError as error:
        if error.errno is None and not isinstance(error, InputError):  # bz2 and gzip speak so of what is not theirs
            raise SceneError(subject, f"is a damaged archive ({error})", MEND) from error
        raise


class PlainTar:
    """A tar that nothing compresses."""

    def __init__(self, archive: ArchiveBytes) -> None:
        """Read the index; see `open_tar`."""
        self._archive = archive
        with archive.part(0, archive.size) as part:
            self._members = dict(_members(cast("BinaryIO", part)))

    def find(self, place: Place, name: str, check: Check) -> Member | None:  # noqa: ARG002 - nothing is copied
        """A member as a scene of that name; None where there is no such member.

        Raises:
            SceneError: it is stored in a form that is not read.
        """
        lies = _whole(self._members.get(place.member), place)
        return Member(Found(self._archive, place, name, lies.size), lies.start) if lies else None

    def close(self) -> None:
        """Nothing is open."""


class CompressedTar:
    """A tar that can only be read from its start on. It is read once for its index, and once more for its members.

    Any thread may ask for any member; they take turns. Those that are passed over on the way are kept, up to a limit:
    as long as members are asked for roughly in the order in which they lie, nothing is unpacked more often. Going back
    further begins anew from the start of the archive, which takes as long as that.
    """

    def __init__(self, archive: ArchiveBytes, kind: Callable[[Any], Any]) -> None:
        """Read it through; see `open_tar`."""
        self._archive = archive
        self._lock = threading.Lock()
        self._kept = OrderedDict[int, bytes]()
        self._bytes_kept = 0
        self._part = io.BufferedReader(archive.part(0, archive.size), _PIECE)
        try:
            self._stream: BinaryIO = kind(self._part)
            self._members = self._index()
        except BaseException:
            self._part.close()
            raise
        self._images = sorted((lies.start, lies.size) for name, lies in self._members.items() if is_image(name))

    def _index(self) -> dict[str, _Lies]:
        """Where members lie; the first ones are kept at once."""
        found = {}
        for name, lies in _members(self._stream):
            found[name] = lies
            if is_image(name) and self._bytes_kept + lies.size <= PASSED:
                self._keep(lies.start, lies.size)
        while self._stream.read(_PIECE):  # behind the tar, to the checksum
            pass
        return found

    def find(self, place: Place, name: str, check: Check) -> Unpacked | None:
        """A member as a scene of that name; None where there is no such member.

        Raises:
            SceneError: it is stored in a form that is not read.
        """
        lies = _whole(self._members.get(place.member), place)
        if lies is None:
            return None
        return Unpacked(Found(self._archive, place, name, lies.size), lambda: self._unpacked(lies), check)

    @contextmanager
    def _unpacked(self, lies: _Lies) -> Iterator[BinaryIO]:
        """The bytes of a member; until they have been read, all others wait."""
        with self._lock:
            data = self._kept.pop(lies.start, None)
            if data is None:
                self._go_to(lies.start)
                yield cast("BinaryIO", _Limited(self._stream, lies.size))
                return
            self._bytes_kept -= len(data)
        yield io.BytesIO(data)

    def _go_to(self, start: int) -> None:
        """To a place in the tar; what is passed over is kept, at the cost of what was passed over long ago."""
        at = self._stream.tell()
        passed = self._images[bisect_left(self._images, (at, 0)) : bisect_left(self._images, (start, 0))]
        for place, size in passed:
            if size <= PASSED and place not in self._kept:
                while self._bytes_kept + size > PASSED:
                    self._bytes_kept -= len(self._kept.popitem(last=False)[1])
                self._keep(place, size)
        self._stream.seek(start)

    def _keep(self, start: int, size: int) -> None:
        self._stream.seek(start)
        self._kept[start] = self._stream.read(size)
        self._bytes_kept += len(self._kept[start])

    def close(self) -> None:
        """Close the archive."""
        with self._lock:
            self._stream.close()
            self._part.close()
            self._kept.clear()


class _Limited:
    """The next so many bytes of a stream."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream, self._left = stream, size

    def read(self, size: int) -> bytes:
        data = self._stream.read(min(size, self._left))
        self._left -= len(data)
        return data


def _members(file: BinaryIO) -> Iterator[tuple[str, _Lies]]:
    """All files in a tar, in its order, hard links too. Of those with one name the last is meant."""
    lies = dict[str, _Lies]()
    with tarfile.open(fileobj=file, mode="r:") as archive:
        while (info := archive.next()) is not None:
            cast("Any", archive).members.clear()  # it keeps all that it has seen
            target = lies.get(info.linkname) if info.islnk() else None
            if info.isreg():
                target = _Lies(info.offset_data, info.size, info.issparse())
            lies.pop(info.name, None)
            if target:
                lies[info.name] = target
                yield info.name, target


def _whole(lies: _Lies | None, place: Place) -> _Lies | None:
    """A member, unless it is one with holes."""
    if lies is not None and lies.sparse:
        raise SceneError(place, "is stored as a sparse file", "unpack the archive, and name the folder")
    return lies
