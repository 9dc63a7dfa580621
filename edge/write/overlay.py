"""The scene with its vessels drawn in: a PNG or JPEG for people.

Large scenes are drawn at reduced size, read square by square, so that memory does not grow with the scene. The caption
is a strip of its own below the picture; labels are put only where they cover no vessel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from edge.errors import OutputError, SceneError, UsageError
from edge.geometry import Window
from edge.scale import MAX_UP, Scale
from edge.write.atomic import write_bytes
from edge.write.caption import BACKGROUND, COLOURS, FONT, MARKS, Colour, caption
from edge.write.hatching import hatching

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.geometry import Floats
    from edge.scale import Pixels
    from edge.scene import Scene

LONGEST_PX = 4096
"""Longest side of the drawn picture, unless told otherwise."""
_SMALL_PX = 800
"""Scenes shorter than this are enlarged, by a whole factor, until they reach it."""
_NARROWEST_PX = 560
"""The caption needs this; a narrower picture gets a margin."""
_SQUARE_PX = 1024
"""Side of what is read at once, source px."""
_LABELLED_PX = 26
"""Shortest vessel, in drawn px, that gets a label; it has to be half as long as its label, too."""
_RIMMED_PX = 16
"""Narrowest vessel that has room for a thick outline on a dark rim."""
_DASH_PX = 7
_SUBPX = 4
"""Bits of a px that OpenCV draws to."""
_JPEG_QUALITY = 92
_ENCODERS: dict[str, list[int]] = {
    ".png": [cv2.IMWRITE_PNG_COMPRESSION, 4],
    ".jpg": [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY],
    ".jpeg": [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY],
}


def draw(document: dict[str, Any], scene: Scene, longest_px: int = LONGEST_PX) -> Pixels:
    """The picture with boxes, and the caption below: BGR (h, w, 3).

    A box is as thick as the size of the picture asks for, and never so thick that it hides the vessel. Boxes near the
    threshold are dashed. Parts that the file does not give are hatched.
    """
    scale = fitting_scale(scene.width, scene.height, longest_px)
    picture, unread = _read(scene, scale)
    boxes = [_Box(row, scale.factor, max(picture.shape[:2])) for row in document["detections"]]
    for box in sorted(boxes, key=lambda b: (not b.dashed, b.score)):  # the surest on top
        box.draw(picture)
    _Labels(picture, boxes).draw()
    notes = ["hatched: this part of the file cannot be read"] if unread else []
    drawn = "1:1" if scale.factor == 1 else f"{scale.up}:1" if scale.up > 1 else f"1:{scale.down}"
    strip = caption(document, max(picture.shape[1], _NARROWEST_PX), drawn, notes)
    if picture.shape[1] < strip.shape[1]:
        margin = strip.shape[1] - picture.shape[1]
        picture = cv2.copyMakeBorder(picture, 0, 0, 0, margin, cv2.BORDER_CONSTANT, value=BACKGROUND).astype(np.uint8)
    return np.concatenate([picture, strip])


def encode(picture: Pixels, suffix: str) -> memoryview:
    """BGR (h, w, 3) -> bytes of a PNG or JPEG.

    Raises:
        UsageError: the suffix is that of neither.
    """
    options = _options(suffix)
    done, data = cv2.imencode(suffix.lower(), picture, options)
    if not done:
        msg = f"OpenCV cannot encode {picture.shape} as {suffix}"
        raise RuntimeError(msg)
    return data.reshape(-1).data


def write(document: dict[str, Any], path: Path, *, scene: Scene | None = None) -> None:
    """Write the overlay; the suffix of the path says whether PNG or JPEG.

    Raises:
        UsageError: the suffix is that of neither.
        OutputError: there is no scene to draw on, or the file cannot be written.
    """
    _options(path.suffix)
    if scene is None:
        raise OutputError(path, "an overlay needs the pixels of the scene", "choose another format")
    write_bytes(path, encode(draw(document, scene), path.suffix))


def fitting_scale(width: int, height: int, longest_px: int) -> Scale:
    """The scale at which a scene of so many px is drawn."""
    longest = max(width, height)
    down = -(-longest // longest_px)
    if down > 1:
        return Scale(down=down)
    return Scale(up=min(MAX_UP, -(-_SMALL_PX // longest), max(1, longest_px // longest)))


def _options(suffix: str) -> list[int]:
    if suffix.lower() not in _ENCODERS:
        subject = f"overlay{suffix}"
        raise UsageError(subject, "is neither PNG nor JPEG", f"end its name in {', '.join(_ENCODERS)}")
    return _ENCODERS[suffix.lower()]


def _read(scene: Scene, scale: Scale) -> tuple[Pixels, bool]:
    """The whole scene, BGR (h, w, 3), and whether some of it cannot be read. Squares suit tiles and strips alike."""
    width, height = scene.working_size(scale)
    picture = np.empty((height, width, 3), np.uint8)
    unread = False
    side = max(1, _SQUARE_PX // scale.down)
    for y in range(0, height, side):
        for x in range(0, width, side):
            window = Window(x, y, min(side, width - x), min(side, height - y))
            part = picture[y : window.bottom, x : window.right]
            try:
                part[:] = scene.read(window, scale)[0][..., ::-1]
            except SceneError:  # the document says so already, by tiles that failed
                part[:] = hatching(window)
                unread = True
    return picture, unread


class _Box:
    """One vessel in drawn px."""

    def __init__(self, row: dict[str, Any], factor: float, longest: int) -> None:
        self.corners: Floats = np.array(row["corners"], np.float64) * factor
        self.colour: Colour = COLOURS[row["kind"]]
        self.score: float = row["score"]
        self.dashed: bool = row["near_threshold"]
        self.text = f"{MARKS[row['kind']]}{row['id']} {self.score:.2f}"
        edges = self.corners - np.roll(self.corners, 1, 0)
        beam, self.length = np.sort(np.hypot(*edges.T))[[0, -1]]
        self._rim = beam >= _RIMMED_PX
        self.line = int(np.clip(min(longest / 700, beam / 6), 2 if self._rim else 1, 5))
        """Thickness, px."""

    def draw(self, picture: Pixels) -> None:
        """Four edges in the colour of the kind, on a dark rim where there is room for one."""
        if self._rim:
            self._stroke(picture, (0, 0, 0), self.line + 2)
        self._stroke(picture, self.colour, self.line)

    def points(self) -> NDArray[np.int32]:
        """Corners (4, 2) in fractions of a px; OpenCV has (0, 0) at the centre of the first px."""
        return _fixed(self.corners)

    def _stroke(self, picture: Pixels, colour: Colour, thickness: int) -> None:
        if not self.dashed:
            cv2.polylines(picture, [self.points()], True, colour, thickness, cv2.LINE_AA, _SUBPX)  # noqa: FBT003
            return
        for start, end in zip(self.corners, np.roll(self.corners, -1, 0), strict=True):
            for first, last in _fixed(_dashes(start, end)).tolist():
                cv2.line(picture, first, last, colour, thickness, cv2.LINE_AA, _SUBPX)


def _fixed(points: Floats) -> NDArray[np.int32]:
    """Continuous px -> OpenCV's fixed point."""
    return np.round((points - 0.5) * (1 << _SUBPX)).astype(np.int32)


def _dashes(start: Floats, end: Floats) -> Floats:
    """Dashes (n, 2, 2) along an edge, from corner to corner: an odd number of dashes and gaps, at least three."""
    pieces = max(3, int(np.hypot(*(end - start)) / _DASH_PX) // 2 * 2 + 1)
    stops = start + (end - start) * np.linspace(0, 1, pieces + 1)[:, None]
    return np.stack([stops[0::2], stops[1::2]], 1)


class _Labels:
    """Mark of the kind, number and score beside each vessel that is large enough, where there is room."""

    def __init__(self, picture: Pixels, boxes: list[_Box]) -> None:
        self._picture, self._boxes = picture, boxes
        self._taken: NDArray[np.uint8] = np.zeros(picture.shape[:2], np.uint8)
        """Px of vessels and labels, which no other label may cover."""
        self._scale = float(np.clip(max(picture.shape[:2]) / 3200, 0.4, 0.9))
        for box in boxes:
            cv2.fillPoly(self._taken, [box.points()], (1,), cv2.LINE_8, _SUBPX)
            cv2.polylines(self._taken, [box.points()], True, (1,), box.line + 2, cv2.LINE_8, _SUBPX)  # noqa: FBT003

    def draw(self) -> None:
        """All labels, the surest vessels first."""
        for box in sorted(self._boxes, key=lambda b: -b.score):
            if box.length >= _LABELLED_PX:
                self._draw(box)

    def _draw(self, box: _Box) -> None:
        """One label, where it is no clutter."""
        (width, height), below = cv2.getTextSize(box.text, FONT, self._scale, 1)
        width, height = width + 6, height + below + 4
        if box.length < width / 2:
            return
        place = self._place(box, width, height)
        if place is None:
            return
        x, y = place
        self._taken[y : y + height, x : x + width] = 1
        plate = self._picture[y : y + height, x : x + width]
        plate[:] = BACKGROUND
        at = (x + 3, y + height - below - 2)
        cv2.putText(self._picture, box.text, at, FONT, self._scale, box.colour, 1, cv2.LINE_AA)

    def _place(self, box: _Box, width: int, height: int) -> tuple[int, int] | None:
        """Upper left px of a free place: at the uppermost, rightmost, lowest or leftmost corner of the vessel."""
        rows, columns = self._taken.shape
        gap = box.line + 2
        left, top = box.corners[box.corners.argmin(0)]
        right, bottom = box.corners[box.corners.argmax(0)]
        places = (
            (top[0] - width / 2, top[1] - height - gap),
            (right[0] + gap, right[1] - height / 2),
            (bottom[0] - width / 2, bottom[1] + gap),
            (left[0] - width - gap, left[1] - height / 2),
        )
        for place in places:
            x, y = round(float(place[0])), round(float(place[1]))
            inside = 0 <= x <= columns - width and 0 <= y <= rows - height
            if inside and not self._taken[y : y + height, x : x + width].any():
                return x, y
        return None
