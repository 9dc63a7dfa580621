"""Open a scene and read windows of it at a working scale; never the whole scene where the format allows it.

The source frame is the file's own px grid: continuous px, (0, 0) the outer corner of the first one. The working frame
is the source frame resampled by a whole factor, see edge.scale. A px outside the scene, under a mask, transparent,
nodata or NaN is not valid and reads as black; it takes no part in means.
"""

from __future__ import annotations

import math
import os
import stat
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.errors import SceneError
from edge.geometry import Window
from edge.scale import Scale, choose_scale, enlarge
from edge.scene_cache import CellCache
from edge.scene_copy import copied
from edge.scene_file import unreadable
from edge.scene_frame import CellFrame, Frame, join
from edge.scene_gdal import GdalFile
from edge.scene_geotiff import GeoTiff, tiff_size
from edge.scene_header import PICTURES, READABLE, kind_of, read_header
from edge.scene_picture import Picture, check_length
from edge.scene_source import COLOUR, GSD_M, SceneOptions, Source
from edge.scene_tiff import tiff_fault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import BinaryIO

    from edge.geometry import Floats
    from edge.scale import Pixels, Valid
    from edge.scene_copy import Copy
    from edge.scene_file import SceneFile

__all__ = ["Scale", "Scene", "SceneOptions", "choose_scale", "open_scene", "scene_size"]

HEAD = 32
"""Bytes that tell the format."""
_PIECE_PX = 4 * 2**20
"""Working px that are enlarged at once: bounds memory."""
_DISAGREE = 0.05
_NOT_SQUARE = 1.05


def open_scene(path: Path | str | SceneFile, options: SceneOptions | None = None) -> Scene:
    """Open a scene by what it contains, whatever its name says.

    A SceneFile must stay open as long as the scene. What it holds is read as a file with the same bytes would be: the
    blocks of a TIFF where they can be had one by one; anything else is copied first.

    Raises:
        SceneError: the file is not there, cannot be read, or is not a picture.
    """
    options, begun = options or SceneOptions(), time.perf_counter()
    file = Path(path) if isinstance(path, (str, Path)) else path
    with _told(file):
        source = _open_path(file, options) if isinstance(file, Path) else _open_file(file, options)
    scene = Scene(file, source, options.gsd_m)
    scene.opening_s = time.perf_counter() - begun
    return scene


def _open_path(path: Path, options: SceneOptions) -> Source:
    kind = _kind(path)
    return GeoTiff(GdalFile(path), options) if kind == "TIFF" else Picture(path, kind, options)


def _open_file(file: SceneFile, options: SceneOptions) -> Source:
    """By its blocks, or by a copy."""
    local = file.local()
    if local is not None:
        return _open_local(file, local, options)
    with file.open() as stream:
        head = stream.read(HEAD)
        kind = check_kind(file, file.name, head)
        if kind == "TIFF" and file.ranged:
            _check_tiff(file, stream)
            return GeoTiff(GdalFile(file), options)
        if kind != "TIFF":
            check_length(file, file.size, options.max_pixels)
        copy = copied(stream, file.size, file, head)
    return _open_local(file, copy.path, options, copy)


def _open_local(file: SceneFile, path: Path, options: SceneOptions, copy: Copy | None = None) -> Source:
    """A file that holds the bytes of another one; a copy is closed when it is no longer needed."""
    with ExitStack() as stack:
        if copy:
            stack.enter_context(copy)
        try:
            kind = _kind(path, file)
            if kind != "TIFF":  # it is decoded at once
                return Picture(path, kind, options)
            stack.pop_all()
            return GeoTiff(GdalFile(file, path, copy), options)
        except SceneError as error:
            raise SceneError(file, error.cause, error.mend) from error


def scene_size(path: Path) -> tuple[int, int]:
    """Width and height of a scene, px, by what its file says of itself: nothing is decoded.

    Raises:
        SceneError: the file is not there, cannot be read, or is not a picture; a picture that is cut off has a size.
    """
    with _told(path):
        kind = _kind(path)
        if kind == "TIFF":
            return tiff_size(path)
        with path.open("rb") as file:
            header = read_header(kind, file)
    return header.width, header.height


@contextmanager
def _told(file: Path | SceneFile) -> Iterator[None]:
    """What the system refuses, as an error that names the file."""
    try:
        yield
    except OSError as error:
        raise unreadable(file, error) from error


def _kind(path: Path, subject: Path | SceneFile | None = None) -> str:
    """TIFF or one of PICTURES; errors name `subject`, if it is not the path."""
    try:
        info = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SceneError(path, "does not exist", "check the path") from error
    except ValueError as error:
        raise SceneError(repr(str(path)), "is no file name", "check the path") from error
    if stat.S_ISDIR(info.st_mode):
        raise SceneError(path, "is a folder, not an image", f"give the images in it, as in {path}{os.sep}*.tif")
    if not stat.S_ISREG(info.st_mode):
        raise SceneError(path, "is not a regular file", "save the image to a file first")
    subject = subject or path
    with path.open("rb") as file:
        kind = check_kind(subject, subject.name, file.read(HEAD))
        if kind == "TIFF":
            _check_tiff(subject, file)
    return kind


def check_kind(subject: object, name: str, head: bytes) -> str:
    """TIFF or one of PICTURES.

    Args:
        subject: what errors name.
        name: without folders.
        head: the first HEAD bytes.

    Raises:
        SceneError: none of these.
    """
    if not head:
        raise SceneError(subject, "is empty (0 bytes)", "copy or download it again")
    kind = kind_of(head)
    if kind == "TIFF" or kind in PICTURES:
        return kind
    if kind:
        mend = f"convert it to TIFF, for example: gdal_translate {name} {PurePath(name).stem}.tif"
        raise SceneError(subject, f"is a {kind} file, which is not read", mend)
    raise SceneError(subject, "is not an image, by its content", f"give {READABLE} files")


def _check_tiff(subject: object, file: BinaryIO) -> None:
    """Refuse a TIFF that would keep GDAL busy for ever."""
    fault = tiff_fault(file)
    if fault:
        raise SceneError(subject, fault, "write it anew with less of that, for example by gdal_translate")


class Scene:
    """One open scene. Reads may come from several threads; they take turns.

    Any order of reads gives the same px. Row by row, top to bottom, is the cheap one for TIFFs: each block is then
    decoded once, whatever the overlap of the windows. Going back up costs the blocks that are touched, once more.
    """

    def __init__(self, path: Path | SceneFile, source: Source, gsd_m: float | None = None) -> None:
        """Wrap an open source; `gsd_m` metres per px overrules what the source says."""
        self.path = path
        self.name = path.name
        self.width = source.width
        """Source px."""
        self.height = source.height
        """Source px."""
        self.opening_s = 0.0
        """How long it took to open, s; a picture is decoded in it."""
        self.warnings = list(source.warnings)
        self.stretch: dict[str, Any] | None = source.stretch.record() if source.stretch else None
        """How px became 8 bit, for the document; None where they were."""
        self.georef = source.georef
        self._on_earth = self.georef is not None and self.georef.covers(self.width, self.height)
        if self.georef and not self._on_earth:
            self.warnings.append("its CRS does not lead to longitude and latitude: positions are left out")
        self._source = source
        self._lock = threading.Lock()
        self._caches = {False: CellCache(), True: CellCache()}
        self._frames: dict[tuple[int, bool], Frame] = {}
        self.gsd_m = self._settle_gsd(gsd_m)
        """Metres per source px, the geometric mean of both sides; None where nobody knows."""

    @property
    def synthetic(self) -> bool:
        """Whether the file says of itself that it was rendered."""
        return self._source.synthetic

    @property
    def crs(self) -> str | None:
        """Coordinate reference system as "EPSG:32610", or WKT where it has no number; None without."""
        return self.georef.crs if self.georef else None

    def _settle_gsd(self, given: float | None) -> float | None:
        """The user's word over the file's, with a warning where they differ."""
        sides = self.georef.pixel_size_m(self.width, self.height) if self.georef else None
        if sides is None:
            return given
        if max(sides) > _NOT_SQUARE * min(sides):
            self.warnings.append(
                f"pixels are not square on the ground ({sides[0]:.3g} m x {sides[1]:.3g} m): lengths in metres depend"
                " on the heading; warp the scene to square pixels, for example to its UTM zone"
            )
        gsd = math.sqrt(sides[0] * sides[1])
        if not GSD_M[0] <= gsd <= GSD_M[1]:
            self.warnings.append(f"its georeferencing makes pixels of {gsd:.3g} m, which cannot be meant: not used")
            return given
        if given is None:
            return gsd
        if abs(given - gsd) > _DISAGREE * gsd:
            self.warnings.append(f"--gsd {given:g} m is used, though the file's georeferencing says {gsd:.4g} m")
        return given

    def working_size(self, scale: Scale) -> tuple[int, int]:
        """Width and height of the working frame, px."""
        return scale.size(self.width, self.height)

    def read(self, window: Window, scale: Scale, *, quick: bool = False) -> tuple[Pixels, Valid]:
        """RGB with shape (h, w, 3) and validity (h, w) of a window in working px, which may reach beyond the frame.

        See `read_into`, which saves the copy and the validity of scenes that are valid throughout.
        """
        pixels = np.empty((window.height, window.width, COLOUR), np.uint8)
        valid = self.read_into(window, scale, pixels, quick=quick)
        return pixels, np.ones(pixels.shape[:2], np.bool_) if valid is None else valid

    def read_into(self, window: Window, scale: Scale, pixels: Pixels, *, quick: bool = False) -> Valid | None:
        """Fill a caller's array with a window in working px, which may reach beyond the frame.

        A working px has the same value in whichever window it is read, and in whichever order.

        Args:
            window: working px.
            scale: which working px; those of a scale that goes down are exact means, rounded half up.
            pixels: RGB, shape (h, w, 3) uint8, of any strides; all of it is written.
            quick: for a scale that goes down, take means that the file brings along (overviews that stand the test of
                edge.scene_overview) as far as they go. These are not the exact means, but the same in all windows.
                Where there are none, or they are damaged, this is the exact read.

        Returns:
            Validity, shape (h, w); None where all px are valid. Where they are not, `pixels` is 0.

        Raises:
            SceneError: the file is cut off or damaged there.
        """
        width, height = self.working_size(scale)
        left, right = max(window.x, 0), min(window.right, width)
        top, bottom = max(window.y, 0), min(window.bottom, height)
        if left >= right or top >= bottom:
            pixels[:] = 0
            return np.zeros(pixels.shape[:2], np.bool_)
        inside = Window(left, top, right - left, bottom - top)
        if inside == window:
            return self._fill(inside, scale, pixels, quick=quick)
        pixels[:] = 0
        valid = np.zeros(pixels.shape[:2], np.bool_)
        at = np.s_[top - window.y : bottom - window.y, left - window.x : right - window.x]
        seen = self._fill(inside, scale, pixels[at], quick=quick)
        valid[at] = True if seen is None else seen
        return valid

    def _fill(self, window: Window, scale: Scale, pixels: Pixels, *, quick: bool) -> Valid | None:
        """Fill RGB (h, w, 3) of a window inside the working frame."""
        if scale.up == 1:
            return self._read_frame(window, scale.down, pixels, quick=quick)
        valid, rows = None, max(1, _PIECE_PX // window.width)
        for y in range(window.y, window.bottom, rows):
            piece = Window(window.x, y, window.width, min(rows, window.bottom - y))
            at = np.s_[y - window.y : piece.bottom - window.y, :]
            pixels[at], seen = self._read_enlarged(piece, scale.up)
            valid = join(valid, pixels, at, seen)
        return valid

    def _read_enlarged(self, piece: Window, up: int) -> tuple[Pixels, Valid | None]:
        """A window in working px, with as much of one source px of margin as the scene has."""
        left, top = piece.x // up, piece.y // up
        right, bottom = -(-piece.right // up), -(-piece.bottom // up)
        pixels = np.zeros((bottom - top + 2, right - left + 2, COLOUR), np.uint8)
        valid = np.zeros(pixels.shape[:2], np.bool_)
        x, y = max(left - 1, 0), max(top - 1, 0)
        source = Window(x, y, min(right + 1, self.width) - x, min(bottom + 1, self.height) - y)
        dx, dy = x - (left - 1), y - (top - 1)
        target = np.s_[dy : dy + source.height, dx : dx + source.width]
        seen = self._read_frame(source, 1, pixels[target])
        valid[target] = True if seen is None else seen
        large, large_valid = enlarge(pixels, valid, up)
        dx, dy = piece.x - left * up, piece.y - top * up
        crop = np.s_[dy : dy + piece.height, dx : dx + piece.width]
        return large[crop], None if seen is None else large_valid[crop]

    def _read_frame(self, window: Window, down: int, pixels: Pixels, *, quick: bool = False) -> Valid | None:
        """Fill RGB (h, w, 3) of a window inside the frame at 1 / down."""
        with self._lock:
            if quick and down > 1:
                try:
                    return self._frame(down, quick=True).read_into(window, pixels)
                except SceneError:  # of an overview
                    pass
            return self._frame(down).read_into(window, pixels)

    def _frame(self, down: int, *, quick: bool = False) -> Frame:
        """The frame at 1 / down, from the px themselves or from what the file offers instead."""
        if (down, quick) not in self._frames:
            coarse = self._source.coarse(down) if quick else None
            if quick and coarse is None:
                self._frames[down, quick] = self._frame(down)
            else:
                source, rest = (coarse[0], down // coarse[1]) if coarse else (self._source, down)
                frame = CellFrame(source, rest, self._caches[quick]) if source.grid else Frame(source, rest)
                self._frames[down, quick] = frame
        return self._frames[down, quick]

    def to_lonlat(self, xy: Floats) -> Floats | None:
        """Source px (n, 2) -> WGS 84 longitude and latitude (n, 2), degrees; None where not georeferenced."""
        return self.georef.to_lonlat(xy) if self.georef and self._on_earth else None

    def to_ground(self, xy: Floats) -> Floats | None:
        """Source px (n, 2) -> coordinates (n, 2) of the scene's CRS; None where not georeferenced."""
        return self.georef.to_ground(xy) if self.georef else None

    def from_lonlat(self, lonlat: Floats) -> Floats | None:
        """WGS 84 degrees (n, 2) -> source px (n, 2); None where not georeferenced."""
        return self.georef.from_lonlat(lonlat) if self.georef and self._on_earth else None

    def close(self) -> None:
        """Close the file. A read under way ends first."""
        with self._lock:
            for cache in self._caches.values():
                cache.clear()
            self._source.close()

    def __enter__(self) -> Scene:  # noqa: PYI034 - Self is in typing from Python 3.11 on
        """Give the scene itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()
