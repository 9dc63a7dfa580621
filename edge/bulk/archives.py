"""Scenes in zip and tar archives, which may lie in stores: read without unpacking them to where anybody sees it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from contextlib import contextmanager
from typing import TYPE_CHECKING

from edge.bulk.archive_bytes import LocalArchive, StoredArchive
from edge.bulk.archive_tar import CompressedTar, PlainTar, open_tar
from edge.bulk.archive_zip import ZipArchive
from edge.bulk.inputs_base import is_url, path_of
from edge.bulk.store_file import StoreFile
from edge.errors import SceneError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.bulk.archive_bytes import ArchiveBytes
    from edge.bulk.archive_member import Member, Unpacked
    from edge.bulk.entry import Place
    from edge.bulk.store_file import Check
    from edge.bulk.stores import Stores

MOST_OPEN = 8
"""Archives whose index is kept, beyond those in use."""


class _Slot:
    """One archive."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.users = 0
        self.dropped = False
        self._lock = threading.Lock()
        self._bytes: ArchiveBytes | None = None
        self._index: ZipArchive | PlainTar | CompressedTar | None = None
        self._stamp: str | None = None

    def index(self, stores: Stores) -> tuple[ArchiveBytes, ZipArchive | PlainTar | CompressedTar]:
        """Its index, which the first one who asks reads."""
        with self._lock:
            if self._bytes is None or self._index is None:
                found = StoredArchive(StoreFile(stores, self.base)) if is_url(self.base) else LocalArchive(self.base)
                self._stamp = found.stamp()
                opened = ZipArchive if path_of(self.base).lower().endswith(".zip") else open_tar
                self._bytes, self._index = found, opened(found, self.base)
            return self._bytes, self._index

    def is_old(self) -> bool:
        """Whether the archive is another one than that whose index was read."""
        return self._bytes is not None and self._bytes.stamp() != self._stamp

    def failed(self) -> bool:
        """Whether its bytes could not be had, once."""
        return self._bytes is None or self._bytes.trouble is not None

    def close(self) -> None:
        """Let go of what is open."""
        with self._lock:
            if self._index:
                self._index.close()
            if self._bytes:
                self._bytes.close()
            self._bytes = self._index = None


class Archives:
    """The archives that were asked for last; any thread may ask."""

    def __init__(self, stores: Stores) -> None:
        """Nothing is open yet; URLs lead to `stores`."""
        self._stores = stores
        self._lock = threading.Lock()
        self._slots = OrderedDict[str, _Slot]()

    @contextmanager
    def member(self, place: Place, name: str, check: Check) -> Iterator[Member | Unpacked]:
        """A member as a scene.

        Args:
            place: archive and member.
            name: of the scene.
            check: is asked before a member is copied.

        Raises:
            SceneError: the archive is damaged, or there is no such member in it.
            OSError: the archive cannot be had.
        """
        slot = self._take(place.base)
        try:
            found = slot.index(self._stores)[1].find(place, name, check)
            if found is None:
                raise SceneError(place, "is not in its archive", "list the inputs anew, by the same command")
            try:
                yield found
            finally:
                found.close()
        finally:
            self._give_back(slot)

    def _take(self, base: str) -> _Slot:
        with self._lock:
            slot = self._slots.get(base)
            if slot is not None and slot.is_old():
                self._drop(slot)
                slot = None
            slot = slot or _Slot(base)
            self._slots[base] = slot
            self._slots.move_to_end(base)
            slot.users += 1
            self._drop_old()
        return slot

    def _give_back(self, slot: _Slot) -> None:
        with self._lock:
            slot.users -= 1
            if slot.failed() and not slot.dropped:  # the next one begins anew
                self._drop(slot)
            elif slot.dropped and not slot.users:
                slot.close()
            self._drop_old()

    def _drop_old(self) -> None:
        """Those that were asked for long ago, but for what is in use."""
        for slot in list(self._slots.values())[:-MOST_OPEN]:
            if not slot.users:
                self._drop(slot)

    def _drop(self, slot: _Slot) -> None:
        slot.dropped = True
        if self._slots.get(slot.base) is slot:
            del self._slots[slot.base]
        if not slot.users:
            slot.close()

    def close(self) -> None:
        """Let go of all archives."""
        with self._lock:
            for slot in list(self._slots.values()):
                self._drop(slot)
