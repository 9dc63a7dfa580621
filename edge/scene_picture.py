"""Read JPEG, PNG, WebP, BMP and GIF: decoded whole by OpenCV, once their header says that this is affordable.

The px grid is the stored one. An EXIF orientation is not applied (a warning says so): coordinates in the results are
those of the file, the same that any other tool finds in it. Of an animation the first picture is read, with a warning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from edge.errors import SceneError
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
_AGAIN = "copy or download it again, or save it anew"


class Picture:
    """A decoded picture, held as 8 bit."""

    georef: Georef | None = None

    def __init__(self, path: Path, kind: str, options: SceneOptions) -> None:
        """Check the header, decode, choose bands, bring to 8 bit.

        Raises:
            SceneError: too large, not whole, or not decodable.
        """
        self.synthetic = False
        self.warnings: list[str] = []
        self.stretch: Stretch | None = None
        if path.stat().st_size > options.max_pixels * _BYTES_PER_PX + 2**20:
            raise _too_large(path, f"is {path.stat().st_size:,} bytes long", options.max_pixels)
        data = path.read_bytes()
        header = read_header(kind, data)
        _check(path, kind, header, options.max_pixels)
        start, stop = header.control
        array = _decode(path, kind, data[:start] + data[stop:])
        self.height, self.width = array.shape[:2]
        if (self.width, self.height) != (header.width, header.height):
            cause = f"its header says {header.width} x {header.height} px, its data {self.width} x {self.height}"
            raise SceneError(path, cause, _AGAIN)
        self._valid = _opaque(array)
        self._pixels = self._eight_bit(_choose(path, array, options.bands), options)
        if header.frames > 1:
            self.warnings.append(f"an animated {kind}: only its first picture is read")
        if header.orientation > 1:
            self.warnings.append(
                f"EXIF orientation {header.orientation} is not applied: coordinates are those of the stored pixels"
            )
        if _has_world_file(path):
            self.warnings.append("its world file is not used: convert both to a GeoTIFF, by gdal_translate -a_srs")
        if self._valid is not None and not self._valid.any():
            self.warnings.append("every pixel is transparent: there is nothing to score")

    def _eight_bit(self, array: NDArray[Any], options: SceneOptions) -> Pixels:
        """Chosen bands (h, w, bands) as 8 bit."""
        if array.dtype == np.uint8:
            return array
        step = max(1, -(-max(array.shape[:2]) // SAMPLE_SIDE))
        keep = slice(None) if self._valid is None else self._valid[::step, ::step]
        bands = range(array.shape[2])
        self.stretch = fit([array[::step, ::step, c][keep].ravel() for c in bands], options.stretch)
        stretcher = Stretcher(self.stretch, array.dtype)
        return np.stack([stretcher(array[..., c], c) for c in bands], 2)

    def read(self, window: Window) -> tuple[Pixels, Valid]:
        """RGB (h, w, 3) and validity (h, w) of a window inside the frame."""
        rows, columns = slice(window.y, window.bottom), slice(window.x, window.right)
        part = self._pixels[rows, columns]
        pixels = np.repeat(part, COLOUR, axis=2) if part.shape[2] == GREY else part.copy()
        if self._valid is None:
            return pixels, np.ones(pixels.shape[:2], np.bool_)
        valid = self._valid[rows, columns].copy()
        pixels[~valid] = 0
        return pixels, valid

    def close(self) -> None:
        """Let go of the px."""
        self._pixels = np.empty((0, 0, 1), np.uint8)
        self._valid = None


def _has_world_file(path: Path) -> bool:
    """Whether a file beside it would place it on the ground: scene.jgw, scene.jpgw or scene.wld for scene.jpg."""
    suffix = path.suffix
    return any(path.with_suffix(s).exists() for s in (suffix[:2] + suffix[-1:] + "w", suffix + "w", ".wld") if suffix)


def _too_large(path: Path, cause: str, limit: int) -> SceneError:
    mend = "raise it by --max-pixels if memory allows, or convert the scene to a tiled TIFF, which is read piecewise"
    return SceneError(path, f"{cause}, over the limit of {limit:,} pixels", mend)


def _check(path: Path, kind: str, header: Header, limit: int) -> None:
    """Refuse what must not be decoded."""
    if header.width * header.height > limit:
        raise _too_large(path, f"is {header.width:,} x {header.height:,} pixels", limit)
    if header.fault:
        raise SceneError(path, f"the {kind} {header.fault}", _AGAIN)
    if header.width * header.height == 0:
        raise SceneError(path, f"is {header.width} x {header.height} pixels: there is nothing in it", _AGAIN)


def _decode(path: Path, kind: str, data: bytes) -> NDArray[Any]:
    """Px with shape (h, w, channels): grey, BGR or BGRA, as stored."""
    try:
        # UNCHANGED keeps alpha and 16 bits, and leaves the orientation alone.
        array = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except (cv2.error, MemoryError) as error:
        raise SceneError(path, f"OpenCV cannot decode it ({str(error).strip()})", _AGAIN) from error
    if array is None:
        raise SceneError(path, f"OpenCV {cv2.__version__} cannot decode this {kind}", _AGAIN)
    return array if array.ndim == COLOUR else array[..., None]


def _opaque(array: NDArray[Any]) -> Valid | None:
    """Which px (h, w) an alpha channel shows; None where it shows all, or there is none."""
    if array.shape[2] <= COLOUR:
        return None
    valid: Valid = array[..., COLOUR] > 0
    return None if valid.all() else valid


def _choose(path: Path, array: NDArray[Any], bands: tuple[int, ...] | None) -> NDArray[Any]:
    """A view of one band, or of three in RGB order. Bands count from 1 in RGB order, alpha last."""
    channels = array.shape[2]
    stored = [2, 1, 0, *range(COLOUR, channels)] if channels >= COLOUR else [0]
    wanted = bands or range(1, min(channels, COLOUR) + 1)
    if max(wanted) > channels:
        raise SceneError(path, f"has {channels} bands, not {max(wanted)}", "choose others by --bands")
    picked = [stored[b - 1] for b in wanted]
    if picked == [2, 1, 0]:
        return array[..., 2::-1]
    return array[..., picked]
