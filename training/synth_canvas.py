"""A small supersampled canvas that draws in metres: flat shapes, raised shapes and the shadows they cast.

The frame of a drawing: x ahead (towards the bow), y to the right (starboard), metres from the middle of the object.
Drawing happens on `ss` x `ss` subpixels a pixel; `Canvas.sprite` area-reduces to pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from edge.geometry import Floats

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]

_SHIFT = 4  # OpenCV takes corners in 1/16 px
_SHADE = 0.45
_FAINTEST = 0.2  # a line that covers less of a subpixel than this is not drawn


@dataclass(frozen=True, slots=True)
class Sun:
    """Where shadows fall."""

    towards_rad: float
    """Direction in which shadows point, from +x towards +y (down) of the image."""
    per_m: float
    """Length of a shadow, metres a metre of height (1 / tan of the sun's elevation)."""

    @property
    def offset(self) -> Floats:
        """Displacement (2,) in metres, image axes, of the shadow of a point one metre up."""
        return np.array([np.cos(self.towards_rad), np.sin(self.towards_rad)]) * self.per_m

    @classmethod
    def random(cls, rng: np.random.Generator) -> Sun:
        """A sun 28 to 75 degrees up, as over pictures taken around noon."""
        return cls(float(rng.uniform(0, 2 * np.pi)), float(1 / np.tan(np.deg2rad(rng.uniform(28, 75)))))


@dataclass(frozen=True, slots=True, eq=False)
class Sprite:
    """What a canvas drew, in whole pixels."""

    rgb: Image
    """Colour with shape (height, width, 3), already multiplied by alpha."""
    alpha: Image
    """Coverage of the object with shape (height, width), 0 to 255."""
    cast: Image
    """Coverage of its shadow on the surroundings with shape (height, width), 0 to 255."""

    def paste(self, image: Image, left: int, top: int) -> None:
        """Lay the shadow and then the object over an image (h, w, 3), the sprite's corner at (left, top) px."""
        height, width = self.alpha.shape
        x0, y0 = max(left, 0), max(top, 0)
        x1, y1 = min(left + width, image.shape[1]), min(top + height, image.shape[0])
        if x1 <= x0 or y1 <= y0:
            return
        part = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
        alpha = self.alpha[part].astype(np.float32)[..., None] / 255
        cast = self.cast[part].astype(np.float32)[..., None] / 255
        under = image[y0:y1, x0:x1].astype(np.float32) * ((1 - (1 - _SHADE) * cast) * (1 - alpha))
        image[y0:y1, x0:x1] = np.minimum(under + self.rgb[part] + 0.5, 255).astype(np.uint8)

    def weathered(self, rng: np.random.Generator, amount: float) -> Sprite:
        """The same, its surfaces uneven: dirt and wear as smooth noise, `amount` the relative strength."""
        height, width = self.alpha.shape
        coarse = rng.normal(1, amount, (height // 12 + 2, width // 12 + 2)).astype(np.float32)
        fine = rng.normal(0, amount, (height // 2 + 1, width // 2 + 1)).astype(np.float32)
        gain = cv2.resize(coarse, (width, height)) + cv2.resize(fine, (width, height))
        worn = np.clip(self.rgb * gain[..., None], 0, self.alpha[..., None]).astype(np.uint8)
        return Sprite(worn, self.alpha, self.cast)


class Canvas:
    """Draws one object; its middle lies at `centre` px and its bow points along `heading`."""

    def __init__(
        self,
        size: tuple[int, int],
        centre: tuple[float, float],
        heading: float,
        gsd_m: float,
        sun: Sun,
        ss: int = 3,
    ) -> None:
        """Prepare an empty canvas of `size` (width, height) px with pixels of `gsd_m`; heading in radians."""
        width, height = size[0] * ss, size[1] * ss
        self.ss = ss
        self.scale = ss / gsd_m  # subpixels a metre
        cos, sin = np.cos(heading), np.sin(heading)
        self._turn = np.array([[cos, sin], [-sin, cos]]) * self.scale  # row vectors: p @ turn
        self._centre = np.array(centre, np.float64) * ss - 0.5  # OpenCV counts from the middle of a pixel
        self._sun = sun.offset * self.scale
        self.sun_ahead = float(sun.per_m * np.cos(sun.towards_rad - heading))
        self.sun_right = float(sun.per_m * np.sin(sun.towards_rad - heading))
        self.rgb: Image = np.zeros((height, width, 3), np.uint8)
        self.alpha: Image = np.zeros((height, width), np.uint8)
        self.cast: Image = np.zeros((height, width), np.uint8)
        self.under: Colour = (128, 128, 128)
        self.base_m = 0.0

    def _subpixels(self, points: Floats) -> Floats:
        """Points (..., 2) m -> subpixels."""
        return np.asarray(points, np.float64) @ self._turn + self._centre

    @staticmethod
    def _fixed(points: Floats) -> NDArray[np.int32]:
        """Subpixels -> OpenCV's fixed point."""
        return np.rint(points * (1 << _SHIFT)).astype(np.int32)

    def _swept(self, outline: Floats, height_m: float) -> Floats:
        """Ground (k, 2) subpixels that a prism and its shadow cover."""
        both = np.concatenate([outline, outline + self._sun * height_m])
        return np.asarray(cv2.convexHull(both.astype(np.float32))[:, 0], np.float64)

    def _darken(self, outline: Floats, height_m: float) -> None:
        """Shadow of a prism (outline (k, 2) subpixels, height above what it stands on) on what is drawn already."""
        if height_m * float(np.hypot(*self._sun)) < 0.5:  # noqa: PLR2004 - half a subpixel cannot be seen
            return
        swept = self._swept(outline, height_m)
        low = np.maximum(np.floor(swept.min(0)).astype(int) - 1, 0)
        high = np.minimum(np.ceil(swept.max(0)).astype(int) + 2, self.alpha.shape[::-1])
        if (high <= low).any():
            return
        mask = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
        cv2.fillConvexPoly(mask, self._fixed(swept - low), 255, cv2.LINE_8, _SHIFT)
        region = self.rgb[low[1] : high[1], low[0] : high[0]]
        cv2.copyTo(cv2.convertScaleAbs(region, alpha=_SHADE), mask, region)

    def _cast(self, outline: Floats, height_m: float) -> None:
        """Shadow of a prism that stands on the surroundings, on the surroundings."""
        swept = self._swept(outline, height_m)
        cv2.fillConvexPoly(self.cast, self._fixed(swept), 255, cv2.LINE_8, _SHIFT)

    def solid(self, outline: Floats, colour: Colour, height_m: float) -> None:
        """Draw a shape (k, 2) m that stands on the surroundings; what comes next stands on its top."""
        points = self._subpixels(outline)
        self._cast(points, height_m)
        fixed = [self._fixed(points)]
        cv2.fillPoly(self.rgb, fixed, colour, cv2.LINE_8, _SHIFT)
        cv2.fillPoly(self.alpha, fixed, 255, cv2.LINE_8, _SHIFT)
        self.under, self.base_m = colour, height_m

    def fill(self, outline: Floats, colour: Colour, height_m: float = 0.0) -> None:
        """Draw a convex shape (k, 2) m on top of what is there; with a height it casts a shadow."""
        points = self._subpixels(outline)
        if height_m > 0:
            self._darken(points, height_m)
            self._cast(points, height_m + self.base_m)
        cv2.fillPoly(self.rgb, [self._fixed(points)], colour, cv2.LINE_8, _SHIFT)

    def box(self, x0: float, x1: float, y0: float, y1: float, colour: Colour, height_m: float = 0.0) -> None:
        """Draw one rectangle, metres; see `boxes`."""
        self.boxes(np.array([[x0, x1, y0, y1]]), np.array([colour]), height_m)

    def boxes(self, spans: Floats, colours: NDArray[np.integer], height_m: float = 0.0) -> None:
        """Draw rectangles (n, 4): x0, x1, y0, y1 m, of colours (n, 3); thin ones are as faint as they are narrow."""
        spans = np.asarray(spans, np.float64).reshape(-1, 4)
        spare = 0.35 / self.scale  # OpenCV fills the pixels that an edge touches: draw a little smaller
        for axis in (0, 2):
            middle = (spans[:, axis] + spans[:, axis + 1]) / 2
            half = np.maximum(np.abs(spans[:, axis + 1] - spans[:, axis]) / 2 - spare, 0.05 / self.scale)
            spans = spans.copy()
            spans[:, axis], spans[:, axis + 1] = middle - half, middle + half
        narrow = np.minimum(spans[:, 1] - spans[:, 0], spans[:, 3] - spans[:, 2]) + 2 * spare
        cover = np.minimum(narrow * self.scale, 1.0)
        paint = np.rint(np.array(self.under) + (np.asarray(colours) - self.under) * cover[:, None]).astype(int)
        points = self._subpixels(spans[:, [0, 2, 0, 3, 1, 3, 1, 2]].reshape(-1, 4, 2))
        seen = np.flatnonzero(cover >= _FAINTEST)
        if height_m > 0:
            for i in seen:
                self._darken(points[i], height_m)
                self._cast(points[i], height_m + self.base_m)
        fixed = self._fixed(points)
        for i in seen:
            cv2.fillConvexPoly(self.rgb, fixed[i], paint[i].tolist(), cv2.LINE_8, _SHIFT)

    def disc(self, x: float, y: float, radius_m: float, colour: Colour, height_m: float = 0.0) -> None:
        """Draw a filled circle."""
        turns = np.linspace(0, 2 * np.pi, 8 if radius_m * self.scale < 4 else 24, endpoint=False)  # noqa: PLR2004
        radius = max(radius_m - 0.35 / self.scale, 0.3 / self.scale)
        self.fill(np.stack([x + radius * np.cos(turns), y + radius * np.sin(turns)], 1), colour, height_m)

    def line(self, start: Floats, end: Floats, width_m: float, colour: Colour, height_m: float = 0.0) -> None:
        """Draw a bar between two points (2,) m."""
        along = np.asarray(end, np.float64) - start
        side = np.array([-along[1], along[0]]) / max(float(np.hypot(*along)), 1e-9) * width_m / 2
        cover = min(width_m * self.scale, 1.0)
        if cover >= _FAINTEST:
            paint = tuple(int(u + (c - u) * cover) for u, c in zip(self.under, colour, strict=True))
            self.fill(np.array([start + side, end + side, end - side, start - side]), paint, height_m)  # type: ignore[arg-type]

    def mute(self, share: float) -> None:
        """Bring all that is drawn so far closer to the colour underneath, 0 to 1: fittings painted like their deck."""
        flat = np.full_like(self.rgb, self.under)
        self.rgb = np.asarray(cv2.addWeighted(self.rgb, 1 - share, flat, share, 0), np.uint8)

    def sprite(self) -> Sprite:
        """Reduce to pixels by area means."""
        size = (self.alpha.shape[1] // self.ss, self.alpha.shape[0] // self.ss)
        masked = np.asarray(cv2.bitwise_and(self.rgb, self.rgb, mask=self.alpha), np.uint8)

        def reduce(plane: Image) -> Image:
            return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.uint8)

        return Sprite(reduce(masked), reduce(self.alpha), reduce(self.cast))
