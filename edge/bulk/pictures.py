"""Thumbnails of scenes with their vessels marked; a card of words where there is no picture.

A TIFF of many gigapixels is read at a reduced scale, out of its overviews where it has any that can be trusted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.bulk.lettering import DIM, INK, Hand
from edge.bulk.wording import cause
from edge.detections import Kind
from edge.errors import SceneError, TankerEdgeError
from edge.geometry import Window
from edge.scale import MAX_UP, Scale
from edge.write.caption import COLOURS, Colour
from edge.write.hatching import hatching

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray

    from edge.bulk.picked import Shot
    from edge.bulk.row import SceneRow
    from edge.geometry import Floats
    from edge.scale import Pixels
    from edge.scene import Scene

    Opened = Callable[[SceneRow], AbstractContextManager[Scene]]
    """Opens a scene once more; may raise."""

SIDE = 256
"""Longest side of a thumbnail, px."""
THICKNESS = {Kind.UNKNOWN: 1, Kind.OTHER: 1, Kind.TANKER: 2}
"""Of outlines, px, in the order in which they are drawn: tankers stand out for colour-blind eyes too, and on top."""
_SMALLEST_PX = 4.0
"""Side of an outline: a vessel that has less is still marked."""
_SMALL_PX = 8.0
"""Beam of a vessel that a thick outline would hide."""
_TESTED_PX = 16 * 32**2
"""Px of an overview that edge.scene_overview compares with the scene's own before it trusts it."""
_MOST_PX = 8 * 2**20
"""Working px that are read at once: bounds memory."""
_SQUARE_PX = 64
"""Side of what is tried by itself, working px, where a part of the scene cannot be read."""
_CARD: Colour = (78, 74, 70)
_MARGIN_PX, _LINE_PX = 18, 19
_SUBPX = 4
"""Bits of a px that OpenCV draws to."""


def thumbnail(shot: Shot, opened: Opened, side: int = SIDE) -> Pixels:
    """A scene with outlines of its vessels, BGR (h, w, 3), the longer side `side` px; or a square card.

    Args:
        shot: what to show.
        opened: how the scene is opened. Where that fails, whatever the error, the card says so: the counts stand.
        side: px.
    """
    if shot.row.document is None:
        return card("not counted", cause(shot.row), side)
    try:
        with opened(shot.row) as scene:
            return _drawn(shot, scene, side)
    except (TankerEdgeError, OSError) as error:
        return card("no picture", _reason(error), side)
    except Exception as error:  # noqa: BLE001 - libraries of stores have errors of their own
        return card("no picture", f"it cannot be opened again ({type(error).__name__})", side)


def card(title: str, words: str, side: int = SIDE) -> Pixels:
    """A grey card (side, side, 3), BGR, that says why there is no picture."""
    picture: Pixels = np.full((side, side, 3), _CARD, np.uint8)
    width = side - 2 * _MARGIN_PX
    most = max(1, side // _LINE_PX - 3)
    Hand(0.5, INK).put(picture, title, (_MARGIN_PX, _MARGIN_PX + _LINE_PX))
    hand = Hand(0.42, DIM)
    for i, line in enumerate(hand.wrapped(words, width, most)):
        hand.put(picture, line, (_MARGIN_PX, _MARGIN_PX + _LINE_PX * (i + 2) + 4))
    return picture


def jpeg(picture: Pixels, quality: int) -> bytes:
    """BGR (h, w, 3) -> bytes of a JPEG."""
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        message = f"OpenCV cannot encode {picture.shape} as JPEG"
        raise RuntimeError(message)
    return data.tobytes()


def down_for(width: int, height: int, side: int = SIDE) -> int:
    """The factor, a power of two as those of overviews are, by which a scene of so many px is read for a thumbnail.

    To trust an overview takes px of the scene, the more the coarser it is; so the coarsest is not the quickest.
    """
    most = max(width, height) // side
    best = (width * height / _TESTED_PX) ** 0.25
    down = 1
    while 2 * down <= most and (2 * down <= best or width * height > _MOST_PX * down**2):
        down *= 2
    return down


def _drawn(shot: Shot, scene: Scene, side: int) -> Pixels:
    longest = max(scene.width, scene.height)
    factor = min(side / longest, MAX_UP)
    size = (max(1, round(scene.width * factor)), max(1, round(scene.height * factor)))
    pixels = _read(scene, down_for(scene.width, scene.height, side), longest / side)
    smooth = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    picture = np.ascontiguousarray(cv2.resize(pixels, size, interpolation=smooth)[..., ::-1], np.uint8)
    for kind, thickness in THICKNESS.items():
        corners = shot.corners[shot.kinds == int(kind)].astype(np.float64) * factor
        small = np.hypot(*(corners - np.roll(corners, 1, 1)).transpose(2, 0, 1)).min(1) < _SMALL_PX
        for some, line in ((corners[small], 1), (corners[~small], thickness)):
            cv2.polylines(picture, list(_outlines(some)), True, COLOURS[kind.label], line, cv2.LINE_AA, _SUBPX)  # noqa: FBT003
    return picture


def _read(scene: Scene, down: int, reduction: float) -> Pixels:
    """The whole scene at 1 / down, RGB (h, w, 3); hatched where it cannot be read, as on the overlay."""
    scale = Scale(down=down)
    width, height = scene.working_size(scale)
    try:
        return scene.read(Window(0, 0, width, height), scale, quick=True)[0]
    except SceneError:  # the document says so already, by tiles that failed
        pixels = np.empty((height, width, 3), np.uint8)
    for y in range(0, height, _SQUARE_PX):
        for x in range(0, width, _SQUARE_PX):
            window = Window(x, y, min(_SQUARE_PX, width - x), min(_SQUARE_PX, height - y))
            part = pixels[y : window.bottom, x : window.right]
            try:
                part[:] = scene.read(window, scale, quick=True)[0]
            except SceneError:
                part[:] = hatching(window, int(4 * max(1.0, reduction / down)))
    return pixels


def _outlines(corners: Floats) -> NDArray[np.int32]:
    """Corners (n, 4, 2) in fractions of a px, none too small to be seen; OpenCV has (0, 0) at the first px's centre."""
    middle = corners.mean(1, keepdims=True)
    across, along = ((corners[:, [k]] - corners[:, [k - 1]]) / 2 for k in (1, 2))
    half = [np.hypot(*each.transpose(2, 0, 1))[..., None] for each in (across, along)]
    grown = [
        each * np.maximum(1, _SMALLEST_PX / 2 / np.maximum(size, 1e-6))
        for each, size in zip((across, along), half, strict=True)
    ]
    signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])[None, :, :, None]
    outline = middle + signs[:, :, 0] * grown[0] + signs[:, :, 1] * grown[1]
    return np.asarray(np.round((outline - 0.5) * (1 << _SUBPX)), np.int32)


def _reason(error: TankerEdgeError | OSError) -> str:
    """Why, without the place: the caption has the name."""
    if isinstance(error, TankerEdgeError):
        return error.cause
    return f"it cannot be read again ({error.strerror or type(error).__name__})"
