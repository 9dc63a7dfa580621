"""Readers of bytes that are fetched by ranges, and of a part of other bytes."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Span = tuple[int, int]
    """From a byte up to another one, which does not belong to it."""
    Fetch = Callable[[Sequence[Span]], list[bytes]]
    """Gives the bytes of spans; raises an OSError where it cannot."""

UNIT = 64 * 2**10
"""Bytes that are fetched and kept as one."""
MOST_AHEAD = 4 * 2**20
"""Bytes that are fetched at once where reading goes forward."""
CACHED = 16 * 2**20
"""Bytes that are kept of one object."""
_LARGE = CACHED // 2
"""From here on, what is asked for is fetched as it is, and not kept."""


class Cache:
    """What was read last of an object, and a bit ahead; for any number of readers and threads, one at a time."""

    def __init__(self, size: int, fetch: Fetch, head: bytes = b"") -> None:
        """Bytes of the object, where they come from, and its first ones, if there are any yet."""
        self.size = size
        self._fetch = fetch
        self._units = OrderedDict[int, bytes]()
        self._lock = threading.Lock()
        self._ahead, self._next = 2 * UNIT, 0
        if len(head) == size or len(head) >= UNIT:
            self._keep(0, head)
            self._ahead, self._next = len(head), len(head)

    def read(self, spans: Sequence[Span]) -> list[bytes]:
        """The bytes of spans inside the object.

        Raises:
            OSError: they cannot be fetched.
        """
        if sum(stop - start for start, stop in spans) > _LARGE:
            return self._fetch(spans)
        with self._lock:
            wanted = sorted({unit for start, stop in spans for unit in range(start // UNIT, -(-stop // UNIT))})
            found = {unit: self._units[unit] for unit in wanted if unit in self._units}
            missing = [unit for unit in wanted if unit not in found]
            if missing:
                found |= self._load(missing, forward=len(spans) == 1)
            for unit in wanted:
                if unit in self._units:
                    self._units.move_to_end(unit)
        return [_cut(found, start, stop) for start, stop in spans]

    def _load(self, missing: Sequence[int], *, forward: bool) -> dict[int, bytes]:
        """Fetch units, and more where reading goes forward."""
        runs = _runs(missing)
        start, stop = runs[-1][0] * UNIT, min(runs[-1][1] * UNIT, self.size)
        if forward and self._next <= start <= self._next + self._ahead:
            self._ahead = min(2 * self._ahead, MOST_AHEAD)
            stop = min(max(stop, (start + self._ahead) // UNIT * UNIT), self.size)
        elif forward:
            self._ahead = UNIT
        self._next = stop
        spans = [(a * UNIT, min(b * UNIT, self.size)) for a, b in runs[:-1]] + [(start, stop)]
        loaded = dict[int, bytes]()
        for (at, _), data in zip(spans, self._fetch(spans), strict=True):
            loaded |= self._keep(at, data)
        return loaded

    def _keep(self, start: int, data: bytes) -> dict[int, bytes]:
        """Cut into units; the last one may be shorter only at the end of the object."""
        units = {
            (start + at) // UNIT: data[at : at + UNIT]
            for at in range(0, len(data), UNIT)
            if at + UNIT <= len(data) or start + len(data) == self.size
        }
        self._units.update(units)
        while len(self._units) * UNIT > CACHED:
            self._units.popitem(last=False)
        return units


def _runs(units: Sequence[int]) -> list[Span]:
    """Sorted numbers -> spans of neighbours."""
    runs: list[Span] = []
    for unit in units:
        if runs and runs[-1][1] == unit:
            runs[-1] = runs[-1][0], unit + 1
        else:
            runs.append((unit, unit + 1))
    return runs


def _cut(units: dict[int, bytes], start: int, stop: int) -> bytes:
    """A span out of the units that hold it."""
    parts = []
    for unit in range(start // UNIT, -(-stop // UNIT)):
        at = unit * UNIT
        parts.append(units[unit][max(start - at, 0) : stop - at])
    return parts[0] if len(parts) == 1 else b"".join(parts)


class Reader(io.RawIOBase):
    """A file whose bytes come from a function; not thread-safe, but any number of them may share the function."""

    def __init__(self, size: int, get: Fetch, close: Callable[[], None] | None = None) -> None:
        """Bytes of the file, where they come from, and what to do at the end."""
        self._size, self.get, self._close, self._at = size, get, close, 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """Where the next read begins."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Where the next read begins; beyond the end is allowed."""
        at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if at < 0:
            raise ValueError(at)
        self._at = at
        return at

    def read(self, size: int | None = -1) -> bytes:
        """So many bytes, fewer at the end only; all that are left by default.

        Raises:
            OSError: they cannot be had.
        """
        stop = self._size if size is None or size < 0 else min(self._at + size, self._size)
        if self.closed:
            raise ValueError("read of a closed file")  # noqa: TRY003 - as Python's own files say it
        if stop <= self._at:
            return b""
        data = self.get([(self._at, stop)])[0]
        self._at = stop
        return data

    def readall(self) -> bytes:
        """All that are left."""
        return self.read()

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # narrower than a Buffer, which has no name yet in 3.10
        """Fill a buffer; how many bytes were put there."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def read_ranges(self, offsets: Sequence[int], sizes: Sequence[int]) -> list[bytes]:
        """Several ranges inside the file, side by side; see `edge.scene_file.SceneFile.open`."""
        return self.get([(at, at + size) for at, size in zip(offsets, sizes, strict=True)])

    def close(self) -> None:
        """Let go of what is read."""
        if not self.closed and self._close:
            self._close()
        super().close()
