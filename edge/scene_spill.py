"""Room for a decoded picture that is too large for memory: a temporary file without a name, mapped into memory.

Pages of the map are let go of as soon as they have been used. What was written to them stays in the operating system's
page cache while there is room, and goes to the disk when there is not: any window can be read again, in any order, and
nothing is decoded twice. The file is gone when the picture is closed, or the program ends, however that happens.
"""

from __future__ import annotations

import math
import mmap
import os
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_RESIDENT = 16 * 2**20
"""Bytes that may be touched before pages are let go of."""
_EVERY_S = 0.004
"""How often pages are let go of while others fill them: a decoder writes up to 1.5 GB a second."""
_IN_MEMORY, _ON_DISK = Path("/tmp"), Path("/var/tmp")  # noqa: S108 - the file has no name there
"""Without TMPDIR, temporary files go to the first, which may lie in memory; the second is on a disk by custom."""


class Spill:
    """A mapped temporary file that holds one array."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        """Claim the room.

        Raises:
            OSError: there is no room on the disk, or no folder to write to.
        """
        size = math.prod(shape) * dtype.itemsize
        with tempfile.TemporaryFile(dir=temporary_folder()) as file:
            # Claimed now: writing to a map of a full disk would end the program.
            os.posix_fallocate(file.fileno(), 0, size)
            self._map = mmap.mmap(file.fileno(), size)
        self.array: NDArray[Any] = np.frombuffer(self._map, dtype).reshape(shape)
        self._touched = 0

    def touch(self, size: int) -> None:
        """Count bytes that have been read, and let go of pages in time."""
        self._touched += size
        if self._touched > _RESIDENT:
            self.forget()

    def forget(self) -> None:
        """Let go of all pages. Their content stays."""
        self._touched = 0
        self._map.madvise(mmap.MADV_DONTNEED)

    @contextmanager
    def kept_small(self) -> Iterator[None]:
        """Let go of pages all the time, while somebody else reads or writes the array."""
        done = threading.Event()

        def work() -> None:
            while not done.wait(_EVERY_S):
                self.forget()

        thread = threading.Thread(target=work, name="spill", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            self.forget()


def can_spill() -> bool:
    """Whether this system has what it takes: Linux does."""
    return hasattr(os, "posix_fallocate") and hasattr(mmap, "MADV_DONTNEED")


def temporary_folder() -> Path:
    """Where temporary files go: as the user says by TMPDIR, else to a disk."""
    folder = Path(tempfile.gettempdir())
    return _ON_DISK if folder == _IN_MEMORY and os.access(_ON_DISK, os.W_OK) else folder
