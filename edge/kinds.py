"""A second look at each box, on a crop turned so that the vessel lies along x: is it a vessel, and is it a tanker?

The crop looks the same however the scene was turned, so the second look does too: all four views that leave the
vessel along x (as it is, turned half round, and both mirrored) have a say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.detections import Detections, Kind
from edge.errors import ModelError, SceneError
from edge.geometry import Floats, Window
from edge.model_card import TELLER
from edge.scene import Scale
from edge.workers import Lanes, own_lanes

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from edge.calibration import VesselScale
    from edge.model_card import KindCard
    from edge.scene import Scene
    from edge.session import Session

CHIPS_AT_ONCE = 4
"""Boxes of a task: few, so that all cores have something of a small scene, and scenes that share threads take turns."""
VIEWS, ANSWERS = 4, 2
BLIND = (0.0, np.nan)
"""What is said of a box that cannot be read: nothing for or against a vessel, and no kind."""


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


def views(chips: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Crops (n, h, w, 3) -> (VIEWS * n, h, w, 3): which end is the bow, and which side port, is not known."""
    return np.concatenate([chips, chips[:, ::-1, ::-1], chips[:, ::-1], chips[:, :, ::-1]])


@dataclass(frozen=True, slots=True)
class KindTeller:
    """The network of the second look and what its card says."""

    session: Session
    card: KindCard
    vessel: VesselScale | None = None
    """How the second look weighs in the score; None: the finder's score stands."""

    def look(
        self, scene: Scene, found: Detections, lanes: Lanes | None = None, check: Callable[[], None] | None = None
    ) -> Floats:
        """Log-odds (n, 2) that a vessel is in each box (px of the scene), and that it is a tanker if it is one.

        A box that cannot be read gets BLIND. `lanes` says where crops are looked at; None for one after the other.
        `check` is called before each few of them: what it raises ends the look.

        Raises:
            ModelError: the network answers something else, though its hash is the card's.
            ProviderError: the network failed.
        """
        parts = [found.xywhr[i : i + CHIPS_AT_ONCE] for i in range(0, len(found), CHIPS_AT_ONCE)]
        with (lanes or own_lanes(1, "look"))() as pool:
            said = pool.map(lambda boxes: self._look_at(scene, boxes, check), parts)
            return np.concatenate([np.empty((0, ANSWERS)), *said])

    def _look_at(self, scene: Scene, boxes: Floats, check: Callable[[], None] | None = None) -> Floats:
        """Log-odds (n, 2) of a few boxes (n, 5), the mean over all views of each."""
        if check:
            check()
        width, height = self.card.chip_px
        chips = np.zeros((len(boxes), height, width, 3), np.uint8)
        seen = np.array([self._read(scene, box, chip) for box, chip in zip(boxes, chips, strict=True)])
        said = self.session.run(views(chips))
        if said.shape != (VIEWS * len(boxes), ANSWERS):
            raise ModelError(
                TELLER,
                f"its network answers with shape {said.shape}, not with {ANSWERS} log-odds a crop",
                "make it anew with `python -m training.kinds`",
            )
        log_odds = said.reshape(VIEWS, len(boxes), ANSWERS).astype(np.float64).mean(0)
        log_odds[~seen] = BLIND
        return np.asarray(log_odds)

    def _read(self, scene: Scene, box: Floats, chip: NDArray[np.uint8]) -> bool:
        """Fill a crop; tell whether that was possible. What the crop shows more than its tile may be damaged."""
        try:
            chip[...] = read_chip(scene, box, self.card)
        except SceneError:
            return False
        return True

    def tell(
        self,
        scene: Scene,
        found: Detections,
        scale: float = 1.0,
        lanes: Lanes | None = None,
        check: Callable[[], None] | None = None,
    ) -> Detections:
        """The same vessels (px of the scene) with calibrated score, kind and kind_score.

        Args:
            scene: where the pixels come from.
            found: boxes with the finder's scores.
            scale: px of the working frame, in which the finder saw them, per px of the scene.
            lanes: where crops are looked at, side by side; it never changes the answer.
            check: called now and then; what it raises ends the look.
        """
        said = self.look(scene, found, lanes, check)
        belief = self.card.scale.probability(said[:, 1])
        belief[found.xywhr[:, 2] < self.card.min_length_px] = np.nan
        kind = np.full(len(found), Kind.UNKNOWN, np.int8)
        with np.errstate(invalid="ignore"):
            kind[belief >= self.card.tanker_above] = Kind.TANKER
            kind[belief <= self.card.other_below] = Kind.OTHER
        score = found.score
        if self.vessel:
            score = self.vessel.probability(score, said[:, 0], found.xywhr[:, 2] * scale)
        return Detections(found.xywhr, score, kind, belief)
