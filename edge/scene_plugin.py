"""TIFFs without a path: GDAL asks for ranges of their bytes, through rasterio's plugin for openers written in Python.

The plugin is used in one form only, for reasons that do not meet the eye:

- It is installed once a process, and not once a dataset, as `rasterio.open(..., opener=...)` does it: GDAL has no lock
  on its list of plugins, and looks through it on other threads all the time.
- All calls run in a context that is kept: rasterio has its register of openers in a context variable, and on a thread
  that lacks it an exception would be raised inside of GDAL.
- No callback raises, as nobody in C would look at the exception. A read that fails gives nothing, or zeros. Its error
  is kept, and raised by this use of the file and by all later ones: GDAL may have kept px that it made of the zeros.

Files beside a scene are not found. GDAL's own /vsisubfile/ would find those beside an archive, and take them for the
member's.
"""

from __future__ import annotations

import atexit
import io
import itertools
import re
import struct
import threading
import warnings
from contextvars import Context
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakSet, WeakValueDictionary

import rasterio
from rasterio.abc import FileContainer, MultiByteRangeResourceContainer
from rasterio.errors import NotGeoreferencedWarning

from edge.errors import SceneError, TankerEdgeError
from edge.scene_blocks import GDAL
from edge.scene_file import unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import BinaryIO, Protocol

    from edge.scene_file import SceneFile

    class Open(Protocol):
        """What must be closed before the plugin is removed."""

        def close(self) -> None:
            """A second call does nothing."""


T = TypeVar("T")
_OPENING, _INSTALLING = threading.Lock(), threading.Lock()
"""The first because Python's warning filters are one list for all threads."""
_ANCHOR = "scenes/0.tif"
"""A TIFF that stays open for good, and keeps the plugin installed."""
_NUMBERS = itertools.count(1)
_FILES: WeakValueDictionary[str, Ranges] = WeakValueDictionary()
"""By their keys."""
_USUAL = re.compile(r"[\w. ()+=@~-]+", re.ASCII)
OPEN: WeakSet[Open] = WeakSet()
"""Datasets."""


def opened(name: str, **how: Any) -> Any:  # noqa: ANN401 - rasterio has no types
    """A dataset. Opening is what warns of missing georeferencing; reading does not."""
    with rasterio.Env(**GDAL), _OPENING, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        return rasterio.open(name, driver="GTiff", **how)


class Ranges:
    """The bytes of one TIFF, as GDAL asks for them."""

    def __init__(self, file: SceneFile) -> None:
        """Nothing is read yet. GDAL finds them for as long as this object is there."""
        self.file = file
        self.size = file.size
        name = file.name if _USUAL.fullmatch(file.name) else "scene.tif"
        self.key = f"{next(_NUMBERS)}/{name}"
        """The end of the path under which GDAL finds them; it says the name in its errors."""
        self.cut_off = False
        """Bytes beyond the end have been asked for."""
        self.error: BaseException | None = None
        """Why a read failed."""
        _FILES[self.key] = self

    def check(self) -> None:
        """Do nothing, as long as all reads went well.

        Raises:
            SceneError: what the first one that failed has told.
        """
        error = self.error or self.file.trouble
        if isinstance(error, TankerEdgeError) and not isinstance(error, OSError):
            raise SceneError(self.file, error.cause, error.mend) from error
        if isinstance(error, OSError):
            raise unreadable(self.file, error) from error
        if error is not None:  # the user ends the program, or the program is wrong
            raise error


class _Handle:
    """A file as GDAL has it open. No method raises."""

    def __init__(self, ranges: Ranges) -> None:
        self._ranges, self._at = ranges, 0
        self._stream: BinaryIO | None = None
        self._get(self._open)

    def _open(self) -> None:
        self._stream = self._ranges.file.open()

    def _get(self, get: Callable[[], T]) -> T | None:
        """What a function gives; None where it fails, or another one has."""
        if self._ranges.error is None:
            try:
                return get()
            except BaseException as error:  # noqa: BLE001 - GDAL called this: nobody would catch it
                self._ranges.error = error
        return None

    def read(self, size: int) -> bytes:
        data = self._get(lambda: self._read(self._at, size)) or b""
        self._at += len(data)
        return data

    def _read(self, at: int, size: int) -> bytes:
        assert self._stream is not None  # noqa: S101 - opening it has not failed
        self._stream.seek(at)
        return self._stream.read(size)

    def get_byte_ranges(self, offsets: Sequence[int], sizes: Sequence[int]) -> list[bytes]:
        """As long as asked for, whatever happens: GDAL takes the rest from memory that nobody has written to."""
        data = self._get(lambda: self._read_ranges(offsets, sizes)) or [b""] * len(sizes)
        return [piece[:size].ljust(size, b"\0") for piece, size in zip(data, sizes, strict=True)]

    def _read_ranges(self, offsets: Sequence[int], sizes: Sequence[int]) -> list[bytes]:
        if any(at + size > self._ranges.size for at, size in zip(offsets, sizes, strict=True)):
            self._ranges.cut_off = True
            return []
        read: Callable[[Sequence[int], Sequence[int]], list[bytes]] | None
        read = getattr(self._stream, "read_ranges", None)
        return read(offsets, sizes) if read else [self._read(at, n) for at, n in zip(offsets, sizes, strict=True)]

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> None:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._ranges.size}[whence]

    def tell(self) -> int:
        return self._at

    def __enter__(self) -> _Handle:  # noqa: PYI034 - Self is in typing from Python 3.11 on
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream is not None:
            self._stream.close()


class _Named(FileContainer):  # type: ignore[misc]  # rasterio has no types
    """Leads from a path to the bytes. Files beside a scene are not there: none is looked for in a store."""

    def open(self, path: str, mode: str = "r", **_: Any) -> _Handle | io.BytesIO:  # noqa: ANN401, ARG002 - as rasterio calls it
        key = _key(path)
        if key == _ANCHOR:
            return io.BytesIO(_smallest_tiff())
        try:
            return _Handle(_FILES[key])
        except KeyError:
            raise FileNotFoundError(path) from None

    def isfile(self, path: str) -> bool:
        return _key(path) == _ANCHOR or _key(path) in _FILES

    def isdir(self, path: str) -> bool:  # noqa: ARG002
        return False

    def ls(self, path: str) -> list[str]:  # noqa: ARG002
        return []

    def mtime(self, path: str) -> int:  # noqa: ARG002
        return 0

    def rm(self, path: str) -> None:
        raise PermissionError(path)

    def size(self, path: str) -> int:
        if _key(path) == _ANCHOR:
            return len(_smallest_tiff())
        try:
            return _FILES[_key(path)].size
        except KeyError:
            raise FileNotFoundError(path) from None


class _NamedRanges(_Named, MultiByteRangeResourceContainer):  # type: ignore[misc]  # rasterio has no types
    """Tells rasterio that several ranges may be asked for at once."""


class Plugin:
    """Installed in GDAL."""

    def __init__(self, names: FileContainer) -> None:
        """Install it; `names` lead to the bytes."""
        self.context = Context()
        anchor = self.context.run(opened, _ANCHOR, opener=names)
        self.folder = str(anchor.name).rpartition("/")[0]
        atexit.register(self._remove, anchor)

    def _remove(self, anchor: Any) -> None:  # noqa: ANN401 - rasterio has no types
        """GDAL would call it when Python has ended already."""
        for dataset in list(OPEN):
            dataset.close()
        self.context.run(anchor.close)


@lru_cache
def _installed(*, one_by_one: bool) -> Plugin:
    return Plugin(_Named() if one_by_one else _NamedRanges())


def plugin(*, one_by_one: bool) -> Plugin:
    """The plugin of this process; one that asks for one range at a time, or for as many as a window needs."""
    with _INSTALLING:
        return _installed(one_by_one=one_by_one)


def _key(path: str) -> str:
    return "/".join(path.split("/")[-2:])


@lru_cache
def _smallest_tiff() -> bytes:
    """One px of 8 bits."""
    tags = ((256, 1), (257, 1), (258, 8), (259, 1), (262, 1), (273, 0), (278, 1), (279, 1))
    records = b"".join(struct.pack("<HHII", tag, 3, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + records + bytes(4)
