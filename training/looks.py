"""How the same vessel looks on another day and to another sensor: haze, dusk, blur, coarse pixels, noise, JPEG."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

MIN_COARSE_PX = 6.0
"""A vessel is never degraded to fewer effective px of length than this: nobody could find it."""


def degrade(rng: Generator, picture: NDArray[np.uint8], min_vessel_px: float) -> NDArray[np.uint8]:
    """Coarser pixels, blur or JPEG blocks on a picture (h, w, 3); `min_vessel_px` is its shortest vessel's length."""
    height, width = picture.shape[:2]
    coarsest = min(4.0, min_vessel_px / MIN_COARSE_PX) if min_vessel_px else 4.0
    draw = rng.random()
    if draw < 0.25 and coarsest > 1.2:  # noqa: PLR2004 - shares of the effects
        factor = rng.uniform(1.2, coarsest)
        small = cv2.resize(
            picture, (max(1, round(width / factor)), max(1, round(height / factor))), interpolation=cv2.INTER_AREA
        )
        how = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST)[rng.choice(3, p=[0.45, 0.45, 0.1])]
        picture = np.asarray(cv2.resize(small, (width, height), interpolation=how), np.uint8)
    elif draw < 0.4:  # noqa: PLR2004
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 1.3)), np.uint8)
    elif draw < 0.5:  # noqa: PLR2004
        soft = cv2.GaussianBlur(picture, (0, 0), 1.5)
        picture = np.asarray(cv2.addWeighted(picture, 1.7, soft, -0.7, 0), np.uint8)
    if rng.random() < 0.2:  # noqa: PLR2004
        _, packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 85))])
        picture = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
    return picture


def recolour(rng: Generator, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Gamma, gain, tint, haze, greyness and noise, in one look-up table a channel where that is possible."""
    level = np.arange(256) / 255.0
    gamma = np.exp(rng.normal(0, 0.3))
    gain, haze = np.exp(rng.normal(0, 0.15)), max(0.0, rng.normal(0, 0.08))
    if rng.random() < 0.12:  # noqa: PLR2004 - dusk and dark water
        gain *= rng.uniform(0.3, 0.7)
    if rng.random() < 0.4:  # noqa: PLR2004
        grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)[:, :, None].astype(np.float32)
        share = rng.choice([1.0, rng.uniform(0, 0.8)], p=[0.3, 0.7])
        picture = (picture * (1 - share) + grey * share).astype(np.uint8)
    table = np.empty((256, 1, 3), np.uint8)
    for channel in range(3):
        tint = np.exp(rng.normal(0, 0.07))
        curve = haze + (1 - haze) * gain * tint * level ** (gamma * np.exp(rng.normal(0, 0.05)))
        table[:, 0, channel] = np.clip(curve * 255, 0, 255)
    picture = np.asarray(cv2.LUT(picture, table), np.uint8)
    if rng.random() < 0.3:  # noqa: PLR2004
        noise = (rng.standard_normal(picture.shape, np.float32) * rng.uniform(1.5, 9)).astype(np.int16)
        picture = np.clip(picture + noise, 0, 255).astype(np.uint8)
    return picture
