"""The bytes of scenes, wherever they are: paths of files, SceneFiles for members of archives and for stores."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from edge.bulk.archives import Archives
from edge.bulk.inputs_base import is_url
from edge.bulk.retry import is_transient
from edge.bulk.sidecars import sidecars
from edge.bulk.store_file import StoreFile
from edge.bulk.stores import Stores
from edge.scene import HEAD, SceneOptions, check_kind
from edge.scene_picture import check_length

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.bulk.archive_member import Member, Unpacked
    from edge.bulk.entry import Place

    Stored = StoreFile | Member | Unpacked
    """SceneFiles that have a fingerprint."""

__all__ = ["Files", "is_transient"]

_PIECE = 2**20


class Files:
    """Opens scenes by their place; any thread may ask."""

    def __init__(self, stores: Stores | None = None, max_pixels: int | None = None) -> None:
        """Nothing is open yet.

        Args:
            stores: where URLs lead to; closed with this.
            max_pixels: of pictures, which bounds how long a copy of one may be; as by default in SceneOptions.
        """
        self.stores = stores or Stores()
        self._archives = Archives(self.stores)
        self._max_pixels = max_pixels or SceneOptions().max_pixels

    @contextmanager
    def open(self, place: Place, name: str) -> Iterator[Path | Stored]:
        """What `edge.scene.open_scene` takes: a path where there is one, else a SceneFile, open as long as the block.

        Raises:
            InputError: there is no such member, its archive is damaged, or a store says no.
            OSError: an archive or a store cannot be reached. Of a file on disk, opening it tells.
        """
        if place.member:
            with self._archives.member(place, name, self._check) as member:
                yield member
        elif is_url(place.base):
            file = StoreFile(self.stores, place.base, name, self._check)
            try:
                yield file
            finally:
                file.close()
        else:
            yield Path(place.base)

    def fingerprint(self, file: Path | Stored) -> str:
        """What the results of a scene are kept by.

        "sha256:" and the hash of the bytes, of files and of members of archives on disk. "etag:" and a hash of what a
        store tells of an object (its ETag and length; time of change, length and URL where it has no ETags), of objects
        and of members of archives in stores: nothing is fetched for it.

        Raises:
            OSError: the bytes cannot be had.
            SceneError: the member is damaged.
        """
        return _hash(file) if isinstance(file, Path) else file.fingerprint()

    def _check(self, subject: object, head: bytes, size: int) -> None:
        """Refuse to copy what is no scene, or is longer than any picture may be."""
        if check_kind(subject, Path(str(subject)).name, head[:HEAD]) != "TIFF":
            check_length(subject, size, self._max_pixels)

    def close(self) -> None:
        """Close archives and stores."""
        self._archives.close()
        self.stores.close()


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    for part in (path, *map(Path, sidecars(str(path)))):
        with part.open("rb", buffering=0) as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
    return f"sha256:{digest.hexdigest()}"
