"""A terminal's site: the picture being made, the frame of its shore, and what has been built on it.

The frame of the shore: u along it, v towards the sea, metres from the middle of the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from training.synth_canvas import Canvas, Colour, Image, Sun
from training.synth_water import ground

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.geometry import Floats


@dataclass(slots=True, eq=False)
class Site:
    """A picture with its ground; drawing changes `image` and `blocked` in place."""

    image: Image
    """Uint8 RGB with shape (height, width, 3)."""
    blocked: Image
    """Nonzero with shape (height, width) where no vessel can lie: land, quays, jetties."""
    gsd_m: float
    """Metres a pixel."""
    turn: float
    """Direction of the shore's u axis, radians from +x towards +y (down)."""
    sun: Sun
    """Light of the whole picture."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, px."""
        return self.image.shape[1], self.image.shape[0]

    @property
    def extent_m(self) -> tuple[float, float]:
        """Reach of the picture along u and along v, metres, its corners included."""
        (width, height), cos, sin = self.size, abs(np.cos(self.turn)), abs(np.sin(self.turn))
        return float(width * cos + height * sin) * self.gsd_m, float(width * sin + height * cos) * self.gsd_m

    def px(self, uv: Floats) -> Floats:
        """Points (..., 2) m of the shore's frame -> px."""
        cos, sin = np.cos(self.turn), np.sin(self.turn)
        turned = np.asarray(uv, np.float64) @ np.array([[cos, sin], [-sin, cos]]) / self.gsd_m
        return np.asarray(turned + np.array(self.size) / 2)

    def uv(self, px: Floats) -> Floats:
        """Points (..., 2) px -> m of the shore's frame."""
        cos, sin = np.cos(self.turn), np.sin(self.turn)
        return np.asarray(
            (np.asarray(px, np.float64) - np.array(self.size) / 2) @ np.array([[cos, -sin], [sin, cos]]) * self.gsd_m
        )

    def sees(self, uv: tuple[float, float], margin_m: float = 0.0) -> bool:
        """Whether a point of the shore's frame lies in the picture, or within a margin of it."""
        x, y = self.px(np.array(uv)).tolist()
        reach = margin_m / self.gsd_m
        return bool(-reach <= x < self.size[0] + reach and -reach <= y < self.size[1] + reach)

    def area(self, rng: np.random.Generator, outline: Floats, colour: Colour, *, blocks: bool = True) -> None:
        """Cover a polygon (k, 2) m with ground of a colour."""
        points = self.px(outline)
        low = np.maximum(np.floor(points.min(0)).astype(int) - 1, 0)
        high = np.minimum(np.ceil(points.max(0)).astype(int) + 2, self.size)
        if (high <= low).any():
            return
        width, height = (high - low).tolist()
        mask = np.zeros((height, width), np.uint8)
        cv2.fillPoly(mask, [np.rint((points - low - 0.5) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
        region = self.image[low[1] : high[1], low[0] : high[0]]
        surface = ground(rng, width, height, self.gsd_m, colour)
        share = mask[..., None].astype(np.uint16)
        region[:] = ((region * (255 - share) + surface * share) // 255).astype(np.uint8)
        if blocks:
            np.maximum(
                self.blocked[low[1] : high[1], low[0] : high[0]],
                mask,
                out=self.blocked[low[1] : high[1], low[0] : high[0]],
            )

    def stamp(
        self, at: tuple[float, float], half_m: tuple[float, float], tall_m: float, paint: Callable[[Canvas], None]
    ) -> None:
        """Draw a structure about the point `at` (u, v): `paint` gets a canvas that reaches `half_m` each way."""
        cos, sin = abs(np.cos(self.turn)), abs(np.sin(self.turn))
        reach = 2 * (tall_m * self.sun.per_m + 3)
        width = int((2 * (half_m[0] * cos + half_m[1] * sin) + reach) / self.gsd_m) + 4
        height = int((2 * (half_m[0] * sin + half_m[1] * cos) + reach) / self.gsd_m) + 4
        x, y = self.px(np.array(at)).tolist()
        left, top = int(x) - width // 2, int(y) - height // 2
        if left >= self.size[0] or top >= self.size[1] or left + width <= 0 or top + height <= 0:
            return
        canvas = Canvas((width, height), (x - left, y - top), self.turn, self.gsd_m, self.sun, 3)
        paint(canvas)
        sprite = canvas.sprite()
        sprite.paste(self.image, left, top)
        x0, y0 = max(left, 0), max(top, 0)
        x1, y1 = min(left + width, self.size[0]), min(top + height, self.size[1])
        part = self.blocked[y0:y1, x0:x1]
        np.maximum(part, sprite.alpha[y0 - top : y1 - top, x0 - left : x1 - left], out=part)


def rectangle(u0: float, u1: float, v0: float, v1: float) -> Floats:
    """Corners (4, 2) of a rectangle."""
    return np.array([[u0, v0], [u1, v0], [u1, v1], [u0, v1]], np.float64)
