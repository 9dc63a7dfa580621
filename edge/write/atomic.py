"""Write files whole or not at all: a temporary file in the same folder takes the place of the old one at the end.

A reader never sees half a file, and neither does the next start of a device that lost its power.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
from typing import TYPE_CHECKING, BinaryIO, cast

from edge.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typing_extensions import Buffer

_PREFIX, _SUFFIX = ".tanker-edge-", ".tmp"
"""Of the names of files that are being written."""
_ELSEWHERE = "choose a folder that you may write to"
_FULL = ("no space is left there", "free some space, or choose another folder")
_TROUBLE = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: ("is larger than a file may be there", "choose another folder"),
    errno.EACCES: ("may not be written there", _ELSEWHERE),
    errno.EPERM: ("may not be written there", _ELSEWHERE),
    errno.EROFS: ("its file system is read-only", _ELSEWHERE),
    errno.ENOENT: ("its folder does not exist", "create the folder first"),
    errno.ENOTDIR: ("what should be its folder is a file", "choose another folder"),
    errno.ENAMETOOLONG: ("its name is too long", "rename the scene, or choose another folder"),
}
"""Cause and mend of what commonly goes wrong."""


def write_text(path: Path, text: str) -> None:
    """Write a text as UTF-8, line ends as they are; half a surrogate pair, from an odd file name, becomes "?".

    Raises:
        OutputError: the file cannot be written; what was there before is still there.
    """
    write_bytes(path, text.encode("utf-8", "replace"))


def write_bytes(path: Path, data: bytes | memoryview) -> None:
    """Write a file, or leave everything as it was.

    Raises:
        OutputError: the file cannot be written; what was there before is still there.
    """
    with replacing(path) as file:
        file.write(data)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Write a file piece by piece: a new one, which takes the place of what was there when the block ends well.

    However the block ends otherwise, everything is left as it was. Errors of the block that are not of this file go
    through as they are.

    Raises:
        OutputError: the file cannot be written; `write` of the file raises it too.
    """
    temporary = path.parent / f"{_PREFIX}{secrets.token_hex(8)}{_SUFFIX}"
    try:
        with io.BufferedWriter(_opened(temporary, path)) as file:
            yield cast("BinaryIO", file)
            with _told_of(path):
                file.flush()
                os.fsync(file.fileno())
        with _told_of(path):
            temporary.replace(path)  # on POSIX the one step that others see
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    _settle(path.parent)


class _Raw(io.FileIO):
    """A new file whose trouble is told as that of the file whose place it takes."""

    def __init__(self, temporary: Path, path: Path) -> None:
        super().__init__(temporary, "xb")  # not tempfile: its files are readable by their owner only
        self._path = path

    def write(self, data: Buffer, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise _explained(self._path, error) from error


def _opened(temporary: Path, path: Path) -> _Raw:
    """The new file, where one could take the place of `path`."""
    with _told_of(path):
        if path.is_dir():
            raise OutputError(path, "is a folder, not a file", "choose another name")
        if path.exists() and not path.is_file():
            raise OutputError(path, "is a device or a pipe, not a file", "choose another name")
        return _Raw(temporary, path)


@contextlib.contextmanager
def _told_of(path: Path) -> Iterator[None]:
    """Tell the system's errors in the user's words."""
    try:
        yield
    except OSError as error:
        raise _explained(path, error) from error
    except ValueError as error:  # a null byte
        raise OutputError(repr(str(path)), f"is no file name ({error})", "choose another name") from error


def sweep(folder: Path) -> None:
    """Remove what killed processes were writing in a folder; the caller sees to it that nobody else writes there."""
    for left in folder.glob(f"{_PREFIX}*{_SUFFIX}"):
        with contextlib.suppress(OSError):
            left.unlink()


def make_folder(path: Path) -> None:
    """Create a folder and those above it, where they are not there yet.

    Raises:
        OutputError: it cannot be created.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise OutputError(path, "is a file, not a folder", "choose another folder") from error
    except OSError as error:
        raise _explained(path, error) from error
    except ValueError as error:
        raise OutputError(repr(str(path)), f"is no folder name ({error})", "choose another folder") from error


def _settle(folder: Path) -> None:
    """Get the new name itself onto the disk, where the system can do that."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _explained(path: Path, error: OSError) -> OutputError:
    """The error in the user's words."""
    cause, mend = _TROUBLE.get(
        error.errno or 0, (f"cannot be written ({error.strerror or error})", "choose another folder")
    )
    return OutputError(path, cause, mend)
