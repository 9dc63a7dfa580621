"""Text in OpenCV's fonts: what fits into a line, and what needs several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2

from edge.bulk.wording import latin
from edge.write.caption import FONT, Colour
from edge.write.phrases import shorten

if TYPE_CHECKING:
    from edge.scale import Pixels

INK: Colour = (236, 238, 240)
DIM: Colour = (172, 176, 180)
ALARM: Colour = (0, 200, 255)


@dataclass(frozen=True, slots=True)
class Hand:
    """How text is written."""

    scale: float
    """1 is capitals of 22 px."""
    colour: Colour = INK
    weight: int = 1
    """Of the strokes, px."""

    def width(self, text: str) -> int:
        """Px that a text takes."""
        return int(cv2.getTextSize(text, FONT, self.scale, self.weight)[0][0])

    def fitted(self, text: str, width: int) -> str:
        """The text in the font's characters, shortened in its middle until it fits into so many px."""
        text = latin(text)
        size = len(text)
        fitting = text
        while size > 1 and self.width(fitting) > width:
            size = min(size - 1, size * width // max(self.width(fitting), 1) + 1)
            fitting = shorten(text, size)
        return fitting

    def wrapped(self, text: str, width: int, most: int) -> list[str]:
        """The text in at most so many lines; the last one says "..." where more would follow."""
        lines: list[str] = []
        rest = latin(text).strip()
        while rest and len(lines) < most:
            size = self._fitting(rest, width)
            lines.append(rest[:size].rstrip())
            rest = rest[size:].lstrip()
        if rest:
            last = lines[-1]
            while last and self.width(f"{last}...") > width:
                last = last[:-1]
            lines[-1] = f"{last}..."
        return lines

    def put(self, picture: Pixels, text: str, at: tuple[int, int]) -> int:
        """Write a line from a point (x, y) of its baseline on; where it ends, px."""
        cv2.putText(picture, text, at, FONT, self.scale, self.colour, self.weight, cv2.LINE_AA)
        return at[0] + self.width(text)

    def _fitting(self, text: str, width: int) -> int:
        """How many characters go into a line: whole words, or as much of a long one as there is room for."""
        size = len(text)
        while size > 1 and self.width(text[:size]) > width:
            size -= 1
        if size == len(text):
            return size
        return text.rfind(" ", 1, size + 1) if " " in text[1 : size + 1] else size
