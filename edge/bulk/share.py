"""How many large scenes are open side by side: each takes memory, and disk where it is decoded."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGE_BYTES = 8 * 2**20
"""From this size of file on a scene counts as large: a JPEG of 8192 x 8192 px has twice that."""
LARGE_AT_ONCE = 2
"""One keeps the networks busy while the next is decoded."""


class Share:
    """Lets all small scenes in, and a few large ones."""

    def __init__(self, large_at_once: int = LARGE_AT_ONCE) -> None:
        """So many large ones at once."""
        self._free = large_at_once
        self._change = threading.Condition()
        self._wide = False

    @contextmanager
    def of(self, size: int | None) -> Iterator[None]:
        """Wait until there is room for a file of so many bytes, and keep it during the block; unknown is large."""
        large = size is None or size >= LARGE_BYTES
        if large:
            with self._change:
                self._change.wait_for(lambda: self._free > 0 or self._wide)
                self._free -= 1
        try:
            yield
        finally:
            if large:
                with self._change:
                    self._free += 1
                    self._change.notify()

    def open_wide(self) -> None:
        """Let all in: they end at once."""
        with self._change:
            self._wide = True
            self._change.notify_all()
