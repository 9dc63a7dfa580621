"""Locks between processes (flock): the system lets go of them when their holder ends, however that comes about."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING

from edge.errors import OutputError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType


class LockFile:
    """An open file that can be locked."""

    def __init__(self, path: Path, flags: int) -> None:
        """Open it, as os.open does.

        Raises:
            OSError: it cannot be opened.
        """
        self.handle = os.open(path, flags | os.O_CLOEXEC, 0o666)
        _OPEN.add(self)

    def lock(self, how: int) -> bool:
        """Lock it, as fcntl.flock does; False where another has the lock and LOCK_NB was given.

        Raises:
            OSError: the file system has no locks.
        """
        try:
            fcntl.flock(self.handle, how)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Close it, and let go of the lock."""
        if self in _OPEN:
            _OPEN.discard(self)
            os.close(self.handle)

    @staticmethod
    def close_all() -> None:
        """Close all in a forked child: it would keep their locks when its parent has ended."""
        for file in list(_OPEN):
            with contextlib.suppress(OSError):
                file.close()


_OPEN: set[LockFile] = set()
os.register_at_fork(after_in_child=LockFile.close_all)


class Exclusive:
    """A lock of one holder at a time, across processes and threads."""

    def __init__(self, path: Path) -> None:
        """Not taken yet.

        Args:
            path: a file for nothing else, in a folder that is there; it is made, and stays.
        """
        self._path = path
        self._file: LockFile | None = None

    def take(self, *, wait: bool = True) -> bool:
        """Take it, which must not be done twice.

        Args:
            wait: until whoever has it lets go of it.

        Returns:
            Whether this object has it now.

        Raises:
            OutputError: the file cannot be made, or has no locks.
        """
        file = None
        try:
            file = LockFile(self._path, os.O_RDWR | os.O_CREAT)
            if file.lock(fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB):
                self._file, file = file, None
        except OSError as error:
            raise no_locks(self._path, error) from error
        finally:
            if file:
                file.close()
        return self._file is not None

    def give(self) -> None:
        """Let go of it, where it was taken."""
        if self._file:
            self._file.close()
        self._file = None

    def __enter__(self) -> Exclusive:  # noqa: PYI034 - Self is of Python 3.11
        """Wait for it, and take it."""
        self.take()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of it."""
        self.give()


def no_locks(path: Path, error: OSError) -> OutputError:
    """The error of a lock in the user's words."""
    cause = f"cannot be locked ({error.strerror or error})"
    return OutputError(path, cause, "choose a folder that you may write to, on a disk of this machine, with room left")
