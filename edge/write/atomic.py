"""Write files whole or not at all: a temporary file in the same folder takes the place of the old one at the end.

A reader never sees half a file, and neither does the next start of a device that lost its power.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from typing import TYPE_CHECKING

from edge.errors import OutputError

if TYPE_CHECKING:
    from pathlib import Path

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
    try:
        if path.is_dir():
            raise OutputError(path, "is a folder, not a file", "choose another name")
        if path.exists() and not path.is_file():
            raise OutputError(path, "is a device or a pipe, not a file", "choose another name")
        _replace(path, data)
    except OSError as error:
        raise _explained(path, error) from error
    except ValueError as error:  # a null byte
        raise OutputError(repr(str(path)), f"is no file name ({error})", "choose another name") from error


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


def _replace(path: Path, data: bytes | memoryview) -> None:
    """Write beside the file, then rename over it: on POSIX the one step that others see."""
    temporary = path.parent / f".tanker-edge-{secrets.token_hex(8)}.tmp"
    try:
        with temporary.open("xb") as file:  # not tempfile: its files are readable by their owner only
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    _settle(path.parent)


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
