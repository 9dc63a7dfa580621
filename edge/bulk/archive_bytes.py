"""The bytes of an archive, on disk or in a store."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Protocol

from edge.bulk.ranged import Cache, Reader
from edge.errors import SceneError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.bulk.ranged import Span
    from edge.bulk.store_file import StoreFile

MEND = "make the archive anew, or copy it again"


class ArchiveBytes(Protocol):
    """Where an archive lies."""

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def trouble(self) -> OSError | None:
        """See `edge.scene_file.SceneFile`."""

    def part(self, start: int, size: int) -> Reader:
        """A part of it, with a position of its own."""

    def stamp(self) -> str | None:
        """Another one when it is another archive; None where that is told when it is read."""

    def mark(self) -> str | None:
        """Of its content, where a store tells it; None where the bytes must be read for that."""

    def close(self) -> None:
        """Let go of what is open; parts that are being read stay so."""


class LocalArchive:
    """A file."""

    trouble: OSError | None = None

    def __init__(self, path: str) -> None:
        """Raises an OSError where it is not there."""
        self._path = path
        self._stamp = self.stamp()
        self.size = os.stat(path).st_size  # noqa: PTH116 - names need not be Unicode, and are not parsed

    def part(self, start: int, size: int) -> Reader:
        """A part of it; raises an OSError where it cannot be opened, or is another file by now."""
        descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        if _stamp_of(os.fstat(descriptor)) != self._stamp:
            os.close(descriptor)
            raise OSError(errno.ESTALE, "has changed while it was being read", self._path)

        def fetch(spans: Sequence[Span]) -> list[bytes]:
            return [_read(descriptor, start + a, start + b, self._path) for a, b in spans]

        return Reader(size, fetch, lambda: os.close(descriptor))

    def stamp(self) -> str:
        """Time of change and size."""
        return _stamp_of(os.stat(self._path))  # noqa: PTH116

    def mark(self) -> None:
        """Nobody knows."""

    def close(self) -> None:
        """Nothing is kept open."""


class StoredArchive:
    """An object."""

    def __init__(self, file: StoreFile) -> None:
        """Its first bytes are asked for; raises an OSError where that fails."""
        self._file = file
        self.size = file.size

    @property
    def trouble(self) -> OSError | None:
        """Of any of its parts."""
        return self._file.trouble

    def part(self, start: int, size: int) -> Reader:
        """A part of it, with a cache of its own: members do not wait for one another."""

        def fetch(spans: Sequence[Span]) -> list[bytes]:
            return self._file.fetch([(start + a, start + b) for a, b in spans])

        return Reader(size, Cache(size, fetch).read)

    def stamp(self) -> None:
        """Its reads tell."""

    def mark(self) -> str:
        """The store's."""
        return self._file.mark()

    def close(self) -> None:
        """Let go of a copy, if there had to be one."""
        self._file.close()


def _read(descriptor: int, start: int, stop: int, path: str) -> bytes:
    """A span of an open file."""
    parts = []
    while start < stop:
        part = os.pread(descriptor, stop - start, start)
        if not part:
            raise SceneError(path, f"ends before byte {stop:,}, where its index says there is more", MEND)
        parts.append(part)
        start += len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _stamp_of(info: os.stat_result) -> str:
    """Time of change and size."""
    return f"{info.st_mtime_ns}-{info.st_size}"
