"""A whole copy of a scene's bytes, for decoders that take nothing but a file: in memory, or on the disk if it is long.

A copy has no name that anybody could find: it is gone when it is closed, or the program ends, however that happens.
"""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from edge.errors import SceneError
from edge.scene_spill import temporary_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import BinaryIO

IN_MEMORY = 16 * 2**20
"""Bytes up to which a copy is held in memory, where the system has files there (Linux does)."""
MOST_BYTES = 64 * 2**30
"""Of any copy."""
_PIECE = 2**20
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_OPEN_FILES = Path("/proc/self/fd")
"""Where Linux gives a path to files that have no name."""


class Copy:
    """The room for a copy, with a path that this process can open."""

    def __init__(self, size: int) -> None:
        """Claim it, bytes.

        Raises:
            OSError: there is no room, or no folder to write to.
        """
        self._file, self.path = _in_memory() if size <= IN_MEMORY and _has_memory_files() else _on_disk(size)

    def write(self, piece: bytes) -> None:
        """Add bytes at the end."""
        rest = memoryview(piece)
        while rest:
            rest = rest[self._file.write(rest) :]

    def close(self) -> None:
        """Let go of it; a second call does nothing."""
        self._file.close()

    def __enter__(self) -> Copy:  # noqa: PYI034 - Self is in typing from Python 3.11 on
        """Give the copy itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of it."""
        self.close()


def copied(
    source: BinaryIO, size: int, subject: object, head: bytes = b"", on_piece: Callable[[bytes], object] | None = None
) -> Copy:
    """Read a source to its end.

    Args:
        source: at its start, or behind the `head`.
        size: bytes that it is said to have.
        subject: what errors name.
        head: what was read of it already.
        on_piece: is given each piece, in order.

    Raises:
        SceneError: it has more bytes than that, or fewer, or too many; or there is no room for it.
        OSError: it cannot be read.
    """
    if size > MOST_BYTES:
        raise SceneError(subject, f"is {size:,} bytes long, more than {MOST_BYTES:,}", "unpack it, and name the file")
    with _told_of_room(size, subject):
        copy = Copy(size)
    try:
        _fill(copy, source, size, subject, head, on_piece)
    except BaseException:
        copy.close()
        raise
    return copy


def _fill(
    copy: Copy, source: BinaryIO, size: int, subject: object, head: bytes, on_piece: Callable[[bytes], object] | None
) -> None:
    """See `copied`."""
    done = 0
    while piece := head or source.read(_PIECE):
        head = b""
        done += len(piece)
        if done > size:
            raise _other_length(subject, "more", size)
        with _told_of_room(size, subject):
            copy.write(piece)
        if on_piece:
            on_piece(piece)
    if done < size:
        raise _other_length(subject, f"only {done:,}", size)


def _other_length(subject: object, bytes_: str, size: int) -> SceneError:
    return SceneError(subject, f"has {bytes_} bytes, where {size:,} were announced", "copy or download it again")


@contextmanager
def _told_of_room(size: int, subject: object) -> Iterator[None]:
    """A full disk, as an error that says so; a memory that is full may have room again soon."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        cause = f"needs {size:,} bytes of room in {temporary_folder()} ({error.strerror or error})"
        raise SceneError(subject, cause, "free some, or let TMPDIR name another folder") from error


def _has_memory_files() -> bool:
    return hasattr(os, "memfd_create") and _OPEN_FILES.is_dir()


def _in_memory() -> tuple[IO[bytes], Path]:
    file = os.fdopen(os.memfd_create("scene"), "wb", buffering=0)
    return file, _OPEN_FILES / str(file.fileno())


def _on_disk(size: int) -> tuple[IO[bytes], Path]:
    has_paths = _OPEN_FILES.is_dir()
    make = tempfile.TemporaryFile if has_paths else tempfile.NamedTemporaryFile
    file = make(buffering=0, dir=temporary_folder())
    try:
        if size and hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)  # claimed now: others that look for room see it
    except BaseException:
        file.close()
        raise
    return file, _OPEN_FILES / str(file.fileno()) if has_paths else Path(file.name)
