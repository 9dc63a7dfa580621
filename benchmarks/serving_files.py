"""What the benchmarks of the server ask for: files, and the mix in which they come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import rasterio

from benchmarks.common import say
from benchmarks.http_raw import TYPES
from benchmarks.memory import make_scene
from edge.assets import samples_dir

if TYPE_CHECKING:
    from pathlib import Path

EDITION = 1
"""Part of the files' names: to be raised where what is in them changes."""
QUALITY = 90
MIDDLE = (700, 600)
"""Px of the sample scene, x and y: two large vessels lie side by side."""
SMALL_PX, SMALL_WEIGHT = 1024, 4
LARGE_PX, LARGE_GSD_M = 20_000, 1.0
COUNT = "/v1/count"
JPEG_TARGET = f"{COUNT}?gsd=1"
"""A JPEG does not say its GSD; that of the sample scene is 1 m."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One kind of request."""

    target: str
    path: Path | None
    """The body; None for GET."""
    weight: int = 1

    @property
    def name(self) -> str:
        """As benchmarks.load and benchmarks.engine_alone call it."""
        return self.path.stem if self.path else self.target

    @property
    def body(self) -> tuple[bytes, str] | None:
        """What is sent, and its content type."""
        return (self.path.read_bytes(), TYPES[self.path.suffix]) if self.path else None

    @property
    def options(self) -> list[str]:
        """For the command line of both."""
        return ["--ask", self.target, str(self.path or "-"), str(self.weight)]


def sample_scene() -> Path:
    """The synthetic sample scene, 2400 x 1800 px, a GeoTIFF of 1 m."""
    return samples_dir() / "synthetic-terminal.tif"


def small_file(work: Path, side: int = SMALL_PX) -> Path:
    """A square part of the sample scene with vessels in it, as JPEG; made where it is not there yet."""
    path = work / f"tile-{side}px-{EDITION}.jpg"
    if not path.exists():
        work.mkdir(parents=True, exist_ok=True)
        with rasterio.open(sample_scene()) as scene:
            left, top = (max(0, middle - side // 2) for middle in MIDDLE)
            part = scene.read()[::-1, top : top + side, left : left + side].transpose(1, 2, 0)
        cv2.imwrite(str(path), np.ascontiguousarray(part), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return path


def mix(work: Path, scene: Path, side: int = SMALL_PX) -> list[Asked]:
    """Four small requests to one of a scene: with the sample scene about half of the px are in each kind."""
    return [Asked(JPEG_TARGET, small_file(work, side), SMALL_WEIGHT), Asked(COUNT, scene)]


def large_file(work: Path, side: int = LARGE_PX) -> Path:
    """A GeoTIFF of side x side px of 1 m, water with harbours in it; made where it is not there yet."""
    path = work / f"water-{side}px-{LARGE_GSD_M:g}m-{EDITION}.tif"
    if not path.exists():
        work.mkdir(parents=True, exist_ok=True)
        say(f"making {path}")
        make_scene(path.with_suffix(".part"), side, LARGE_GSD_M).replace(path)
    return path
