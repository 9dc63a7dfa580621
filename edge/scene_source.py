"""What the readers of the file formats share: the options, and the shape of what they give to `edge.scene`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from edge.errors import UsageError

if TYPE_CHECKING:
    from edge.geometry import Window
    from edge.georef import Georef
    from edge.scale import Pixels, Valid
    from edge.stretch import Stretch

GREY, COLOUR = 1, 3
"""How many bands a picture is made of."""
PER_CENT = 100
GSD_M = (1e-3, 1e6)
"""Metres a px can be; anything else is a slip of whoever wrote it, and no frame could be made of it."""


@dataclass(frozen=True, slots=True)
class SceneOptions:
    """How to read scenes; checked when made, so that a bad option is told before any file is opened."""

    bands: tuple[int, ...] | None = None
    """One band (grey) or three (red, green, blue), from 1; None lets the file say."""
    gsd_m: float | None = None
    """Metres per source px, over what the file says; None lets the file say."""
    max_pixels: int = 400_000_000
    """Largest picture (JPEG, PNG, WebP, BMP, GIF) that is decoded: that is done at once. A TIFF is read by windows."""
    stretch: tuple[float, float] = (1.0, 99.0)
    """Percentiles of the scene's valid px that become 0 and 255, where px are not 8 bit. See edge.stretch."""

    def __post_init__(self) -> None:
        """Check each option by itself."""
        bands, gsd, (low, high) = self.bands, self.gsd_m, self.stretch
        checks = (
            ("--bands", bands is None or (len(bands) in (GREY, COLOUR) and min(bands) > 0), "one or three, from 1"),
            ("--gsd", gsd is None or GSD_M[0] <= gsd <= GSD_M[1], "metres per pixel, as in 0.5"),
            ("--max-pixels", self.max_pixels > 0, "a number above 0"),
            ("--stretch", 0 <= low < high <= PER_CENT, "two percentiles, the lower first, as in 1,99"),
        )
        for (option, fits, wanted), value in zip(checks, (bands, gsd, self.max_pixels, self.stretch), strict=True):
            if not fits:
                raise UsageError(option, f"{value} makes no sense", f"give {wanted}")


class PixelSource(Protocol):
    """Px that can be read by windows."""

    @property
    def width(self) -> int:
        """Px."""

    @property
    def height(self) -> int:
        """Px."""

    @property
    def grid(self) -> tuple[int, int] | None:
        """Rows and columns of the blocks that must be decoded as one; None where the px lie decoded already."""

    def read_into(self, window: Window, pixels: Pixels) -> Valid | None:
        """Fill RGB (h, w, 3), 0 where not valid, of a window inside the frame. Validity (h, w), None for all valid."""


class Source(PixelSource, Protocol):
    """One open file."""

    georef: Georef | None
    """Where the px lie on the ground."""
    stretch: Stretch | None
    """How px became 8 bit; None where they were."""
    synthetic: bool
    """The file says of itself that it was rendered (TIFF tag SYNTHETIC=YES), as our samples do."""
    warnings: list[str]
    """What a user should know about how the file was read."""

    def coarse(self, down: int) -> tuple[PixelSource, int] | None:
        """The same px reduced by a factor that divides `down`, if the file has them at less cost; and the factor."""

    def close(self) -> None:
        """Let go of the file; a second call does nothing."""
