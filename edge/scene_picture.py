"""Read JPEG, PNG, WebP, BMP and GIF: decoded by OpenCV when they are opened, once their header says that this is wise.

A large JPEG or PNG is decoded to a temporary file, any other picture to memory; windows can be read in any order. Px
are brought to RGB of 8 bit as they are read.

The px grid is the stored one. An EXIF orientation is not applied (a warning says so): coordinates in the results are
those of the file, the same that any other tool finds in it. Of an animation the first picture is read, with a warning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from edge.errors import SceneError
from edge.scene_decode import AGAIN, decode
from edge.scene_header import Header, read_header
from edge.scene_source import COLOUR, GREY
from edge.stretch import SAMPLE_SIDE, Stretch, Stretcher, fit

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.geometry import Window
    from edge.georef import Georef
    from edge.scale import Pixels, Valid
    from edge.scene_source import SceneOptions

_BYTES_PER_PX = 16
"""No picture of so many px needs a longer file than 4 bands of 16 bits, twice over."""
_BESIDES = 64 * 2**20
"""Bytes of a file that are not px: profiles, previews, notes. OpenCV gets all of it into memory."""
SPILLED = ("JPEG", "PNG")
"""Formats that are decoded to a file where they are large; what they are decoded to is known before."""
MOST_HELD = 100_000_000
"""Px of a picture of another format: all of it is in memory while it is open."""
_ALPHA = 3
_ROWS = 256
"""That are looked at at once."""


class Picture:
    """A decoded picture."""

    georef: Georef | None = None
    grid: tuple[int, int] | None = None

    def __init__(self, path: Path, kind: str, options: SceneOptions) -> None:
        """Check the header, decode, choose bands, fit the stretch.

        Raises:
            SceneError: too large, not whole, or not decodable.
        """
        self.synthetic = False
        self.warnings: list[str] = []
        size = path.stat().st_size
        check_length(path, size, options.max_pixels)
        with path.open("rb") as file:
            header = read_header(kind, file)
        _check(path, kind, header, options.max_pixels if kind in SPILLED else min(options.max_pixels, MOST_HELD))
        if size > header.width * header.height * _BYTES_PER_PX + _BESIDES:
            cause = f"is {size:,} bytes long, far more than {header.width:,} x {header.height:,} pixels need"
            raise SceneError(path, cause, "save the picture anew, without what else is in the file")
        self._stored, self._spill = decode(path, kind, header)
        self.height, self.width = self._stored.shape[:2]
        if (self.width, self.height) != (header.width, header.height):
            cause = f"its header says {header.width} x {header.height} px, its data {self.width} x {self.height}"
            raise SceneError(path, cause, AGAIN)
        self._bands = _choose(path, self._stored.shape[2], options.bands)
        shows = self._opacity()
        self._masked = not all(shows)
        self._stretcher = None if self._stored.dtype == np.uint8 else self._fit(options.stretch)
        self.stretch: Stretch | None = self._stretcher.stretch if self._stretcher else None
        self._warn(path, kind, header)
        if not any(shows):
            self.warnings.append("every pixel is transparent: there is nothing to score")

    def _warn(self, path: Path, kind: str, header: Header) -> None:
        """What a user should know."""
        if header.frames > 1:
            self.warnings.append(f"an animated {kind}: only its first picture is read")
        if header.orientation > 1:
            self.warnings.append(
                f"EXIF orientation {header.orientation} is not applied: coordinates are those of the stored pixels"
            )
        if _has_world_file(path):
            self.warnings.append("its world file is not used: convert both to a GeoTIFF, by gdal_translate -a_srs")

    def _opacity(self) -> set[bool]:
        """Whether there are px that an alpha channel shows, and whether there are px that it hides."""
        if self._stored.shape[2] <= _ALPHA:
            return {True}
        shows: set[bool] = set()
        for y in range(0, self.height, _ROWS):
            alpha = self._stored[y : y + _ROWS, :, _ALPHA]
            shows |= {bool(alpha.max() > 0), bool(alpha.min() > 0)}
            self._touch(_ROWS)
        return shows

    def _fit(self, percentiles: tuple[float, float]) -> Stretcher:
        """The stretch of px that are not 8 bit."""
        step = max(1, -(-max(self.width, self.height) // SAMPLE_SIDE))
        rows = []
        for y in range(0, self.height, step):
            rows.append(self._stored[y, ::step].copy())
            self._touch(1)
        sample = np.concatenate(rows)
        shown = sample[sample[:, _ALPHA] > 0] if self._masked else sample
        return Stretcher(fit([shown[:, band] for band in self._bands], percentiles), self._stored.dtype)

    def _touch(self, rows: int) -> None:
        """Let go of rows that have been read, where they lie in a file. The system brings in whole rows, and more."""
        if self._spill:
            self._spill.touch(rows * self._stored.strides[0])

    def read_into(self, window: Window, pixels: Pixels) -> Valid | None:
        """Fill RGB (h, w, 3) of a window inside the frame; validity (h, w), None where all are valid."""
        part = self._stored[window.y : window.bottom, window.x : window.right]
        for y in range(0, window.height, _ROWS):
            rows = slice(y, y + _ROWS)
            self._convert(part[rows], pixels[rows])
            self._touch(_ROWS)
        if not self._masked:
            return None
        valid: Valid = part[..., _ALPHA] > 0
        if valid.all():
            return None
        pixels[~valid] = 0
        return valid

    def _convert(self, part: NDArray[Any], pixels: Pixels) -> None:
        """Stored px (h, w, channels) -> RGB (h, w, 3)."""
        if self._stretcher is None and self._bands == [2, 1, 0]:
            code = cv2.COLOR_BGR2RGB if part.shape[2] == COLOUR else cv2.COLOR_BGRA2RGB
            if pixels.strides[0] >= 0 and pixels.strides[1:] == (COLOUR, 1):
                cv2.cvtColor(part, code, pixels)
            else:  # no array that OpenCV can write to
                pixels[:] = cv2.cvtColor(part, code)
            return
        for c, band in enumerate(self._bands):
            pixels[..., c] = self._stretcher(part[..., band], c) if self._stretcher else part[..., band]
        if len(self._bands) == GREY:
            pixels[..., GREY:] = pixels[..., :GREY]

    def coarse(self, down: int) -> None:
        """Nothing: its px are decoded already."""

    def close(self) -> None:
        """Let go of the px."""
        self._stored = np.empty((0, 0, self._stored.shape[2]), self._stored.dtype)
        self._spill = None


def _has_world_file(path: Path) -> bool:
    """Whether a file beside it would place it on the ground: scene.jgw, scene.jpgw or scene.wld for scene.jpg."""
    suffix = path.suffix
    return any(path.with_suffix(s).exists() for s in (suffix[:2] + suffix[-1:] + "w", suffix + "w", ".wld") if suffix)


def _too_large(path: object, cause: str, limit: int) -> SceneError:
    mend = (
        "convert the scene to a tiled TIFF, which is read piecewise; or raise --max-pixels (JPEG, PNG) if memory allows"
    )
    return SceneError(path, f"{cause}, over the limit of {limit:,} pixels", mend)


def check_length(subject: object, size: int, max_pixels: int) -> None:
    """Refuse a picture by its length in bytes, before anything else is known of it.

    Raises:
        SceneError: it is longer than any picture of so many px needs.
    """
    if size > max_pixels * _BYTES_PER_PX + 2**20:
        raise _too_large(subject, f"is {size:,} bytes long", max_pixels)


def _check(path: Path, kind: str, header: Header, limit: int) -> None:
    """Refuse what must not be decoded."""
    if header.width * header.height > limit:
        raise _too_large(path, f"is {header.width:,} x {header.height:,} pixels", limit)
    if header.fault:
        raise SceneError(path, f"the {kind} {header.fault}", AGAIN)
    if header.width * header.height == 0:
        raise SceneError(path, f"is {header.width} x {header.height} pixels: there is nothing in it", AGAIN)


def _choose(path: Path, channels: int, bands: tuple[int, ...] | None) -> list[int]:
    """The stored channels to read: one, or three in RGB order. Bands count from 1 in RGB order, alpha last."""
    stored = [2, 1, 0, *range(COLOUR, channels)] if channels >= COLOUR else [0]
    wanted = bands or range(1, min(channels, COLOUR) + 1)
    if max(wanted) > channels:
        raise SceneError(path, f"has {channels} bands, not {max(wanted)}", "choose others by --bands")
    return [stored[b - 1] for b in wanted]
