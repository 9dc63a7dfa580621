"""Tell tankers from other vessels on crops that are turned so that the vessel lies along the x axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.detections import Detections, Kind
from edge.errors import ModelError
from edge.geometry import Floats, Window
from edge.model_card import TELLER
from edge.scene import Scale

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.model_card import KindCard
    from edge.scene import Scene
    from edge.session import Session

CHIPS_AT_ONCE = 32


def aligned_chip(
    pixels: NDArray[np.uint8], box: Floats, chip_px: tuple[int, int], length_share: float
) -> NDArray[np.uint8]:
    """The crop (h, w, 3) uint8 round one box (5,) xywhr px of `pixels` (H, W, 3): the vessel lies along x.

    The vessel fills `length_share` of the crop's width. Pixels are averaged where the crop is coarser than the picture.
    """
    width, height = chip_px
    x, y, length, _, angle = box
    factor = length_share * width / max(float(length), 1.0)
    if factor < 0.5:  # noqa: PLR2004 - bilinear sampling skips pixels from here on
        pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), 0.4 / factor), np.uint8)
    cos, sin = np.cos(angle) * factor, np.sin(angle) * factor
    matrix = np.array([[cos, sin, 0.0], [-sin, cos, 0.0]])
    # cv2 counts from pixel centres, boxes from pixel corners.
    matrix[:, 2] = np.array([width, height]) / 2 - 0.5 - matrix[:, :2] @ (np.array([x, y]) - 0.5)
    return np.asarray(cv2.warpAffine(pixels, matrix, (width, height), flags=cv2.INTER_LINEAR), np.uint8)


def read_chip(scene: Scene, box: Floats, card: KindCard) -> NDArray[np.uint8]:
    """The crop round one box (5,) px of the scene, from the scene's own pixels (never more than the crop needs)."""
    width, height = card.chip_px
    diagonal = float(np.hypot(width, height)) * float(box[2]) / (card.length_share * width)
    # A huge vessel is read reduced: the crop has a few hundred px only.
    down = max(1, int(box[2] / (card.length_share * width)))
    # A px more on each side: a crop finer than the scene is mixed from px beyond its corners too.
    left, top = (int(np.floor((v - diagonal / 2) / down)) - 1 for v in box[:2])
    side = int(np.ceil(diagonal / down)) + 3
    pixels, _ = scene.read(Window(left, top, side, side), Scale(1, down))
    local = box.copy()
    local[:4] /= down
    local[:2] -= [left, top]
    return aligned_chip(pixels, local, card.chip_px, card.length_share)


@dataclass(frozen=True, slots=True)
class KindTeller:
    """The classifier and what its card says."""

    session: Session
    card: KindCard

    def tell(self, scene: Scene, found: Detections) -> Detections:
        """The same vessels (px of the scene) with kind and kind_score filled in where they are long enough to tell.

        Raises:
            ModelError: the network tells no kinds, though its hash is the card's.
            ProviderError: the network failed.
        """
        belief = np.full(len(found), np.nan)
        rows = np.flatnonzero(found.xywhr[:, 2] >= self.card.min_length_px)
        for start in range(0, len(rows), CHIPS_AT_ONCE):
            some = rows[start : start + CHIPS_AT_ONCE]
            chips = np.stack([read_chip(scene, found.xywhr[i], self.card) for i in some])
            # Which end is the bow is not known: both ways round have a say.
            both = self.session.run(np.concatenate([chips, np.ascontiguousarray(chips[:, ::-1, ::-1])]))
            if both.size != 2 * len(some):
                raise ModelError(
                    TELLER,
                    f"its network answers with shape {both.shape}, not with one belief a crop",
                    "make it anew with `python -m training.kinds`",
                )
            belief[some] = both.reshape(2, len(some)).mean(0)
        kind = np.full(len(found), Kind.UNKNOWN, np.int8)
        with np.errstate(invalid="ignore"):
            kind[belief >= self.card.tanker_above] = Kind.TANKER
            kind[belief <= self.card.other_below] = Kind.OTHER
        return Detections(found.xywhr, found.score, kind, belief)


__all__ = ["KindTeller", "aligned_chip", "read_chip"]
