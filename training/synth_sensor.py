"""What a sensor and a publisher do to a picture: haze, tone, blur, sharpening, resampling, noise, JPEG."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from training.synth_chance import maybe

if TYPE_CHECKING:
    from training.synth_canvas import Image


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


def degrade(rng: np.random.Generator, image: Image, strength: float = 1.0) -> Image:
    """Degrade a picture, uint8 RGB (height, width, 3), into what a user may get; strength 0 to 1."""
    out = _tone(rng, image)
    if maybe(rng, 0.06 * strength):  # panchromatic
        out = np.asarray(cv2.cvtColor(cv2.cvtColor(out, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB), np.uint8)
    if maybe(rng, 0.35 * strength):
        out = _resample(rng, out, float(rng.uniform(1.1, 2.5)))
    if maybe(rng, 0.7 * strength):
        out = np.asarray(cv2.GaussianBlur(out, (0, 0), float(rng.uniform(0.3, 1.1))), np.uint8)
    if maybe(rng, 0.35 * strength):  # published imagery is often over-sharpened
        soft = cv2.GaussianBlur(out, (0, 0), float(rng.uniform(0.8, 1.6)))
        amount = float(rng.uniform(0.5, 2.0))
        out = np.asarray(cv2.addWeighted(out, 1 + amount, soft, -amount, 0), np.uint8)
    if maybe(rng, 0.7 * strength):
        noise = rng.standard_normal(out.shape, np.float32) * np.float32(rng.uniform(0.5, 6))
        out = np.clip(out + noise, 0, 255).astype(np.uint8)
    if maybe(rng, 0.7 * strength):
        quality = int(rng.integers(45, 96))
        _, coded = cv2.imencode(".jpg", out[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        out = np.asarray(cv2.cvtColor(np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR)), cv2.COLOR_BGR2RGB), np.uint8)
    return out
