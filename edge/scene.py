"""Open a scene and read windows of it at a working scale; never the whole scene where the format allows it.

The source frame is the file's own px grid: continuous px, (0, 0) the outer corner of the first one. The working frame
is the source frame resampled by a whole factor, see edge.scale. A px outside the scene, under a mask, transparent,
nodata or NaN is not valid and reads as black; it takes no part in means.
"""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.errors import SceneError
from edge.geometry import Window
from edge.scale import Scale, choose_scale, enlarge, shrink
from edge.scene_geotiff import GeoTiff
from edge.scene_header import PICTURES, READABLE, kind_of
from edge.scene_picture import Picture
from edge.scene_source import SceneOptions, Source

if TYPE_CHECKING:
    from types import TracebackType

    from edge.geometry import Floats
    from edge.scale import Pixels, Valid

__all__ = ["Scale", "Scene", "SceneOptions", "choose_scale", "open_scene"]

_PIECE_PX = 4 * 2**20
"""Source px that are read at once: bounds memory where a working px is made of many."""
_DISAGREE = 0.05
_NOT_SQUARE = 1.05


def open_scene(path: Path | str, options: SceneOptions | None = None) -> Scene:
    """Open a scene by what it contains, whatever its name says.

    Raises:
        SceneError: the file is not there, cannot be read, or is not a picture.
    """
    path, options = Path(path), options or SceneOptions()
    try:
        kind = _kind(path)
        source: Source = GeoTiff(path, options) if kind == "TIFF" else Picture(path, kind, options)
    except OSError as error:
        raise SceneError(path, f"cannot be read ({error.strerror or error})", "check its permissions") from error
    return Scene(path, source, options.gsd_m)


def _kind(path: Path) -> str:
    """TIFF or one of PICTURES."""
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
    if info.st_size == 0:
        raise SceneError(path, "is empty (0 bytes)", "copy or download it again")
    with path.open("rb") as file:
        kind = kind_of(file.read(32))
    if kind == "TIFF" or kind in PICTURES:
        return kind
    if kind:
        mend = f"convert it to TIFF, for example: gdal_translate {path.name} {path.stem}.tif"
        raise SceneError(path, f"is a {kind} file, which is not read", mend)
    raise SceneError(path, "is not an image, by its content", f"give {READABLE} files")


class Scene:
    """One open scene. Reads may come from several threads; they take turns."""

    def __init__(self, path: Path, source: Source, gsd_m: float | None = None) -> None:
        """Wrap an open source; `gsd_m` metres per px overrules what the source says."""
        self.path = path
        self.name = path.name
        self.width = source.width
        """Source px."""
        self.height = source.height
        """Source px."""
        self.warnings = list(source.warnings)
        self.stretch: dict[str, Any] | None = source.stretch.record() if source.stretch else None
        """How px became 8 bit, for the document; None where they were."""
        self.georef = source.georef
        self._on_earth = self.georef is not None and self.georef.covers(self.width, self.height)
        if self.georef and not self._on_earth:
            self.warnings.append("its CRS does not lead to longitude and latitude: positions are left out")
        self._source = source
        self._lock = threading.Lock()
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
        gsd: float = float(np.sqrt(sides[0] * sides[1]))
        if given is None:
            return gsd
        if abs(given - gsd) > _DISAGREE * gsd:
            self.warnings.append(f"--gsd {given:g} m is used, though the file's georeferencing says {gsd:.4g} m")
        return given

    def working_size(self, scale: Scale) -> tuple[int, int]:
        """Width and height of the working frame, px."""
        return scale.size(self.width, self.height)

    def read(self, window: Window, scale: Scale) -> tuple[Pixels, Valid]:
        """RGB with shape (h, w, 3) and validity (h, w) of a window in working px, which may reach beyond the frame.

        A working px has the same value in whichever window it is read.

        Raises:
            SceneError: the file is cut off or damaged there.
        """
        pixels = np.zeros((window.height, window.width, 3), np.uint8)
        valid = np.zeros((window.height, window.width), np.bool_)
        width, height = self.working_size(scale)
        left, right = max(window.x, 0), min(window.right, width)
        top, bottom = max(window.y, 0), min(window.bottom, height)
        if left >= right or top >= bottom:
            return pixels, valid
        rows = max(1, int(_PIECE_PX * scale.factor**2) // (right - left))
        for y in range(top, bottom, rows):
            piece = Window(left, y, right - left, min(rows, bottom - y))
            target = (slice(y - window.y, piece.bottom - window.y), slice(left - window.x, right - window.x))
            pixels[target], valid[target] = self._read_piece(piece, scale)
        return pixels, valid

    def _read_piece(self, piece: Window, scale: Scale) -> tuple[Pixels, Valid]:
        """A window in working px, inside the working frame."""
        if scale.up > 1:
            return self._read_enlarged(piece, scale.up)
        down = scale.down
        right, bottom = min(piece.right * down, self.width), min(piece.bottom * down, self.height)
        source = Window(piece.x * down, piece.y * down, right - piece.x * down, bottom - piece.y * down)
        pixels, valid = self._read_source(source)
        return (pixels, valid) if down == 1 else shrink(pixels, valid, down)

    def _read_enlarged(self, piece: Window, up: int) -> tuple[Pixels, Valid]:
        """A window in working px, with as much of one source px of margin as the scene has."""
        left, top = piece.x // up, piece.y // up
        right, bottom = -(-piece.right // up), -(-piece.bottom // up)
        pixels = np.zeros((bottom - top + 2, right - left + 2, 3), np.uint8)
        valid = np.zeros(pixels.shape[:2], np.bool_)
        x, y = max(left - 1, 0), max(top - 1, 0)
        source = Window(x, y, min(right + 1, self.width) - x, min(bottom + 1, self.height) - y)
        dx, dy = x - (left - 1), y - (top - 1)
        target = (slice(dy, dy + source.height), slice(dx, dx + source.width))
        pixels[target], valid[target] = self._read_source(source)
        pixels, valid = enlarge(pixels, valid, up)
        dx, dy = piece.x - left * up, piece.y - top * up
        crop = (slice(dy, dy + piece.height), slice(dx, dx + piece.width))
        return pixels[crop], valid[crop]

    def _read_source(self, window: Window) -> tuple[Pixels, Valid]:
        """A window of source px, inside the frame."""
        with self._lock:
            return self._source.read(window)

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
            self._source.close()

    def __enter__(self) -> Scene:  # noqa: PYI034 - Self is in typing from Python 3.11 on
        """Give the scene itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()
