"""Rendered vessels, chips and terminal scenes, for what real labels lack: every one of them is SYNTHETIC.

    python -m training.synthesis --out scene.tif --seed 44 --width 2400 --height 1800 --gsd 1.0

writes a georeferenced GeoTIFF and `scene.truth.json`, and prints one JSON line. No picture, texture or model of anyone
else goes into it: all is drawn from random numbers. The same seed gives the same pixels.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.transform import Affine

from edge.detections import Kind
from training.synth_canvas import Image, Sun
from training.synth_chips import render_chip
from training.synth_fleet import FLEET
from training.synth_sensor import clear_day
from training.synth_shore import build_shore
from training.synth_site import Site
from training.synth_sky import HIDDEN, hidden, maybe_sky
from training.synth_terminal import quay_crane
from training.synth_traffic import Traffic, populate
from training.synth_vessels import draw, render_vessel
from training.synth_water import wake, water
from training.synth_works import build_works

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge.geometry import Floats

__all__ = ["FLEET", "Rendered", "render_chip", "render_scene", "render_vessel", "truth", "write_scene"]

NOTICE = "SYNTHETIC scene rendered by training/synthesis.py: an invented terminal, no real place, no real vessel"
_EPSG, _EASTING, _NORTHING = 32630, 400_000.0, 100_000.0  # UTM 30 N, 0.9 N 3.9 W: open sea in the Gulf of Guinea
_SHORE_FROM_M = 450.0  # smaller pictures are open water


@dataclass(frozen=True, slots=True, eq=False)
class Rendered:
    """A scene and all the vessels that can be seen in it."""

    image: Image
    """Uint8 RGB with shape (height, width, 3)."""
    corners: Floats
    """Boxes with shape (n, 4, 2) px: bow-left, bow-right, stern-right, stern-left; whole, inside, none on another."""
    kind: NDArray[np.int8]
    """Values of `Kind` with shape (n,): tanker or other."""
    names: tuple[str, ...]
    """Types, n keys of FLEET."""
    length_m: Floats
    """Lengths over all with shape (n,), metres."""
    gsd_m: float
    """Metres a pixel."""
    seed: int
    """What it was drawn from."""


def render_scene(
    seed: int, width: int, height: int, gsd_m: float, *, shore: bool | None = None, amount: float = 1.0
) -> Rendered:
    """Render a scene of `width` x `height` px; equal arguments give equal bytes.

    `shore`: with a terminal, or open water; None: with one where the picture is at least 450 m each way. `amount`
    scales the number of vessels at anchor and under way.

    Raises:
        ValueError: the size or the GSD makes no picture.
    """
    if width < 16 or height < 16 or not 0 < gsd_m < 100 or amount < 0:  # noqa: PLR2004 - limits of sense
        msg = f"cannot render {width} x {height} px at {gsd_m} m with amount {amount}"
        raise ValueError(msg)
    rng = np.random.default_rng(seed)
    sun = Sun.random(rng)
    turn = float(rng.choice([0, 0.5, 1, 1.5]) * np.pi + rng.uniform(-0.35, 0.35))
    site = Site(water(rng, width, height, gsd_m), np.zeros((height, width), np.uint8), gsd_m, turn, sun)
    with_shore = min(width, height) * gsd_m >= _SHORE_FROM_M if shore is None else shore
    built = build_shore(site, rng) if with_shore else None
    build_works(site, rng, built.line_v if built else -np.inf, built.seaward_v if built else -np.inf)
    traffic = Traffic(site, built.seaward_v if built else -np.inf)
    populate(rng, traffic, built, amount)
    for p in traffic.placed:
        if p.under_way:
            stern = (p.corners[2] + p.corners[3]) / 2
            size = p.vessel.length_m / gsd_m, p.vessel.beam_m / gsd_m
            wake(rng, site.image, (float(stern[0]), float(stern[1])), p.heading, *size, site.blocked)
    for p in traffic.placed:
        base = int(np.floor(p.centre[0])), int(np.floor(p.centre[1]))
        sprite, _ = draw(rng, p.vessel, gsd_m, p.heading, sun, (p.centre[0] - base[0], p.centre[1] - base[1]))
        rows, columns = sprite.alpha.shape
        sprite.paste(site.image, base[0] - columns // 2, base[1] - rows // 2)
    for foot in built.cranes if built else ():
        quay_crane(site, rng, foot, float(rng.choice([0.0, 34.0, 38.0])))
    return _seen(rng, traffic, sun, seed)


def _seen(rng: np.random.Generator, traffic: Traffic, sun: Sun, seed: int) -> Rendered:
    """The site as a sensor sees it through the air; vessels that clouds hide have no label."""
    site, placed = traffic.site, traffic.placed
    sky = maybe_sky(rng, site.size, site.gsd_m, sun)
    image = site.image
    if sky is not None and placed:
        covered = hidden(sky, np.array([p.corners for p in placed]))
        placed = [p for p, share in zip(placed, covered.tolist(), strict=True) if share <= HIDDEN]
    if sky is not None:
        image = sky.over(image)
    return Rendered(
        clear_day(rng, image, site.gsd_m),
        np.array([p.corners for p in placed]).reshape(-1, 4, 2),
        np.array([p.vessel.build.kind for p in placed], np.int8),
        tuple(p.vessel.name for p in placed),
        np.array([p.vessel.length_m for p in placed]),
        site.gsd_m,
        seed,
    )


def truth(scene: Rendered, name: str) -> dict[str, Any]:
    """The scene's truth as a document of the whole-scene scorer's form, with the types and the seed added."""
    height, width = scene.image.shape[:2]
    rows = zip(scene.corners, scene.kind.tolist(), scene.names, scene.length_m.tolist(), strict=True)
    return {
        "scene": name,
        "file": f"{name}.tif",
        "notice": NOTICE,
        "seed": scene.seed,
        "width": width,
        "height": height,
        "gsd_m_per_px": scene.gsd_m,
        "group": "synthetic",
        "classes": {"0": "tanker", "1": "other vessel", "2": "vessel, kind cannot be told"},
        "annotations": [
            {
                "corners": np.round(corners, 2).tolist(),
                "class": kind,
                "sure": True,
                "length_px": round(length / scene.gsd_m, 1),
                "type": kind_name,
                "length_m": round(length, 1),
            }
            for corners, kind, kind_name, length in rows
        ],
        "ignore": [],
    }


def write_scene(scene: Rendered, path: Path, quality: int = 88) -> Path:
    """Write a tiled JPEG-in-TIFF with georeference and `<stem>.truth.json` beside it; gives the truth's path."""
    height, width = scene.image.shape[:2]
    profile: dict[str, Any] = {
        "driver": "GTiff",
        "width": width,
        "height": height,
        "count": 3,
        "dtype": "uint8",
        "crs": CRS.from_epsg(_EPSG),
        "transform": Affine(scene.gsd_m, 0.0, _EASTING, 0.0, -scene.gsd_m, _NORTHING),
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
        "compress": "JPEG",
        "photometric": "YCBCR",
        "jpeg_quality": quality,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(path, "w", **profile) as file:
        file.write(np.moveaxis(scene.image, 2, 0))
        file.update_tags(
            TIFFTAG_IMAGEDESCRIPTION=NOTICE,
            TIFFTAG_SOFTWARE="tanker-edge training.synthesis",
            SYNTHETIC="YES",
            SEED=str(scene.seed),
        )
    document = truth(scene, path.stem)
    beside = path.with_suffix(".truth.json")
    beside.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return beside


def main(argv: Sequence[str] | None = None) -> int:
    """Render a scene from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m training.synthesis", description="Render a SYNTHETIC terminal scene with its truth."
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="GeoTIFF to write; its truth goes beside it as .truth.json"
    )
    parser.add_argument("--seed", type=int, default=44, help="same seed, same scene (default %(default)s)")
    parser.add_argument("--width", type=int, default=2400, help="px (default %(default)s)")
    parser.add_argument("--height", type=int, default=1800, help="px (default %(default)s)")
    parser.add_argument("--gsd", type=float, default=1.0, help="metres a pixel (default %(default)s)")
    parser.add_argument("--amount", type=float, default=1.0, help="scales the vessels afloat (default %(default)s)")
    args = parser.parse_args(argv)
    start = time.perf_counter()
    try:
        scene = render_scene(args.seed, args.width, args.height, args.gsd, amount=args.amount)
    except ValueError as error:
        parser.error(str(error))
    beside = write_scene(scene, args.out)
    report = {
        "out": str(args.out),
        "truth": str(beside),
        "synthetic": True,
        "seed": args.seed,
        "vessels": len(scene.names),
        "tankers": int((scene.kind == Kind.TANKER).sum()),
        "bytes": args.out.stat().st_size,
        "seconds": round(time.perf_counter() - start, 2),
    }
    sys.stdout.write(json.dumps(report) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
