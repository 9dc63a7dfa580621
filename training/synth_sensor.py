"""What a sensor and a publisher do to a picture: haze, tone, blur, sharpening, resampling, noise, JPEG.

How much of each depends on the GSD. Pictures of 0.3 m come off aerial cameras or web maps: well sampled, sharpened,
packed hard as JPEG. Those of 3 to 10 m come as products of satellites: their pixels are about as wide as the optics'
blur, so they are never crisp; their bands see a moving ship at different times; they are stretched for display, noise
included.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from training.synth_chance import maybe

if TYPE_CHECKING:
    from training.synth_canvas import Image

_GSD_M = (0.3, 10.0)


@dataclass(frozen=True, slots=True)
class Sensor:
    """How pictures of one GSD are degraded."""

    blur_px: tuple[float, float]
    """Sigma of the blur: range."""
    blurred: float
    """Share of the pictures whose blur shows, 0 to 1."""
    noise: tuple[float, float]
    """Sigma of the noise, 8-bit steps: range."""
    quality: tuple[int, int]
    """JPEG quality: range."""
    packed: float
    """Share of the pictures that went through JPEG."""
    sharpened: float
    """Share that was over-sharpened."""
    resampled: float
    """Share that was published at a zoom above its own."""
    misaligned: float
    """Share whose bands do not meet."""
    stretched: float
    """Share that was stretched for display."""

    @classmethod
    def at(cls, gsd_m: float) -> Sensor:
        """What to expect of pixels of `gsd_m`: from 0.3 m to 10 m by the logarithm of the GSD, no further beyond."""
        coarse = float(np.clip(np.log(gsd_m / _GSD_M[0]) / np.log(_GSD_M[1] / _GSD_M[0]), 0, 1))

        def between(fine: float, rough: float) -> float:
            return fine + (rough - fine) * coarse

        return cls(
            blur_px=(between(0.3, 0.5), between(1.2, 0.9)),
            blurred=between(0.6, 1.0),
            noise=(between(0.5, 1.0), between(6.0, 4.5)),
            quality=(round(between(45, 70)), 96),
            packed=between(0.8, 0.35),
            sharpened=between(0.4, 0.15),
            resampled=between(0.4, 0.15),
            misaligned=between(0.02, 0.25),
            stretched=between(0.1, 0.5),
        )


def _tone(rng: np.random.Generator, image: Image) -> Image:
    """Haze, gain per band and gamma in one look-up table a band."""
    x = np.linspace(0, 1, 256)
    haze, air = float(rng.uniform(0, 0.3)) * (maybe(rng, 0.6)), rng.uniform(0.4, 0.8) + rng.normal(0, 0.03, 3)
    gain, gamma = rng.uniform(0.8, 1.25) * rng.normal(1, 0.025, 3), float(np.exp(rng.normal(0, 0.22)))
    table = np.stack([255 * np.clip(((1 - haze) * x**gamma + haze * air[i]) * gain[i], 0, 1) for i in range(3)], 1)
    return np.asarray(cv2.LUT(image, np.rint(table).astype(np.uint8)[:, None]), np.uint8)


def _resample(rng: np.random.Generator, image: Image, factor: float) -> Image:
    """Lose detail: down by a factor and up again, as imagery that was published at a zoom above its own."""
    height, width = image.shape[:2]
    small = max(int(width / factor), 8), max(int(height / factor), 8)
    how = int(rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4]))
    return np.asarray(
        cv2.resize(cv2.resize(image, small, interpolation=cv2.INTER_AREA), (width, height), interpolation=how), np.uint8
    )


def _misalign(rng: np.random.Generator, image: Image) -> Image:
    """Shift the first and the last band apart, by less than a pixel or so, as of a thing that moved in between."""
    out, size = image.copy(), (image.shape[1], image.shape[0])
    shift = rng.normal(0, 0.5, 2)
    for band, way in ((0, -1), (2, 1)):
        move = np.array([[1, 0, way * shift[0]], [0, 1, way * shift[1]]])
        out[..., band] = cv2.warpAffine(image[..., band], move, size, borderMode=cv2.BORDER_REPLICATE)
    return out


def _stretch(rng: np.random.Generator, image: Image) -> Image:
    """Spread the middle of the histogram over all values, as viewers and product chains do."""
    low, high = np.percentile(image[::2, ::2], [float(rng.uniform(0.2, 2)), float(rng.uniform(98, 99.8))])
    gain = min(235.0 / max(float(high - low), 1.0), 2.2)  # more would show nothing but noise
    return np.asarray(cv2.convertScaleAbs(np.maximum(image, low), alpha=gain, beta=10 - gain * float(low)), np.uint8)


def _jpeg(image: Image, quality: int) -> Image:
    """Pack and unpack."""
    _, coded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.cvtColor(np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR)), cv2.COLOR_BGR2RGB), np.uint8)


def degrade(rng: np.random.Generator, image: Image, gsd_m: float, strength: float = 1.0) -> Image:
    """Degrade a picture of pixels of `gsd_m`, uint8 RGB (height, width, 3), into what a user may get.

    `strength`, 0 to 1, scales how often, for pictures so small that little would be left of them.
    """
    sensor, out = Sensor.at(gsd_m), _tone(rng, image)
    if maybe(rng, 0.06 * strength):  # panchromatic
        out = np.asarray(cv2.cvtColor(cv2.cvtColor(out, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB), np.uint8)
    elif maybe(rng, sensor.misaligned * strength):
        out = _misalign(rng, out)
    if maybe(rng, sensor.resampled * strength):
        out = _resample(rng, out, float(rng.uniform(1.1, 2.5)))
    if maybe(rng, sensor.blurred * strength):
        out = np.asarray(cv2.GaussianBlur(out, (0, 0), float(rng.uniform(*sensor.blur_px))), np.uint8)
    if maybe(rng, sensor.sharpened * strength):
        soft = cv2.GaussianBlur(out, (0, 0), float(rng.uniform(0.8, 1.6)))
        amount = float(rng.uniform(0.5, 2.0))
        out = np.asarray(cv2.addWeighted(out, 1 + amount, soft, -amount, 0), np.uint8)
    if maybe(rng, 0.75 * strength):
        noise = rng.standard_normal(out.shape, np.float32) * np.float32(rng.uniform(*sensor.noise))
        out = np.clip(out + noise, 0, 255).astype(np.uint8)
    if maybe(rng, sensor.stretched * strength):
        out = _stretch(rng, out)
    if maybe(rng, sensor.packed * strength):
        out = _jpeg(out, int(rng.integers(*sensor.quality)))
    return out


def clear_day(rng: np.random.Generator, image: Image, gsd_m: float) -> Image:
    """A good picture of a clear day: the blur of its GSD, a little noise and haze."""
    low, high = Sensor.at(gsd_m).blur_px
    out = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(max(low, 0.45), 0.75 * high))).astype(np.float32)
    haze = float(rng.uniform(0.0, 0.08))
    out *= np.float32(1 - haze)
    out += np.float32(haze) * np.array([150, 160, 172], np.float32)
    out += rng.standard_normal(out.shape[:2], np.float32)[..., None] * np.float32(rng.uniform(0.8, 2.2))
    return np.asarray(np.clip(out + 0.5, 0, 255), np.uint8)
