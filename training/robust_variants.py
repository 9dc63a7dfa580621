"""Pictures made from pictures: turned, mirrored, reduced, hazy, darkened. The changes of light are no physics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from training.scans import Variant

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

HAZE_GREY = 205.0
"""Grey value of what thick haze looks like."""


def _turned(quarters: int) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]]:
    return lambda pixels: np.rot90(pixels, quarters)


TURNS = (
    Variant("turned-90", _turned(1)),
    Variant("turned-180", _turned(2)),
    Variant("turned-270", _turned(3)),
    Variant("left-right", lambda pixels: pixels[:, ::-1]),
    Variant("up-down", lambda pixels: pixels[::-1]),
)
"""All ways to lay a picture down but its transposes; angles anticlockwise."""


def reduced(factor: int) -> Variant:
    """Every factor x factor px become one, their mean; what is left over at the right and lower edge is cut off."""

    def change(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        width, height = pixels.shape[1] // factor, pixels.shape[0] // factor
        whole = np.ascontiguousarray(pixels[: height * factor, : width * factor])
        small = np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        if small.shape[2] > 3:  # noqa: PLR2004 - a px that is not known in part is not known
            small[:, :, 3] = np.where(small[:, :, 3] == 255, 255, 0)  # noqa: PLR2004
        return small

    return Variant(f"reduced-{factor}", change, factor)


def _relit(name: str, gain: float, haze: float) -> Variant:
    """Values times `gain`, then a share `haze` of HAZE_GREY in their place; alpha stays."""

    def change(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        out = pixels.copy()
        lit = pixels[:, :, :3].astype(np.float32) * gain * (1 - haze) + HAZE_GREY * haze
        out[:, :, :3] = np.clip(np.round(lit), 0, 255).astype(np.uint8)
        return out

    return Variant(name, change)


LIGHTS = (_relit("haze-0.3", 1.0, 0.3), _relit("haze-0.5", 1.0, 0.5), _relit("darkened-0.5", 0.5, 0.0))
