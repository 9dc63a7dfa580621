"""Scenes and YOLO-OBB labels of several sets -> tiles.

    python -m training.dataset --data ../shared/data --out runs/dataset
    python -m training.dataset --folder my-imagery --out runs/dataset

The tiles are cut by the runtime's own tiler at the pictures' own resolution; scale, rotation and colour are drawn anew
for every training sample (training.compose). A vessel of which a tile shows less than `--min-visible` is neither vessel
nor background there: its part is listed as ignored. Pictures keep their group and their split.
Writes `index.jsonl` (a line a tile), `images/<split>/`, `labels/<split>/` (YOLO-OBB) and `data.yaml`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from edge.errors import InputError
from edge.geometry import Floats, Window, clip_polygon, from_corners, polygon_area, to_corners
from edge.tiling import plan_tiles
from training.sources import VAL_SHARE, LabelledScene, Source, gather_sources, read_picture, read_scenes
from training.steps import finish, progress, run_step, write_atomic

if TYPE_CHECKING:
    from collections.abc import Sequence

TILE_PX = 1024
OVERLAP_PX = 256
MIN_VISIBLE = 0.4


def tile_labels(
    corners: Floats, kinds: Sequence[int], window: Window, min_visible: float
) -> tuple[list[tuple[int, Floats]], list[Floats]]:
    """What a window shows of labelled vessels (n, 4, 2) px of the scene, in px of the window.

    Returns:
        Vessels (their entry of `kinds`, corners (4, 2)) of which at least `min_visible` of the area lies inside, boxed
        anew round the visible part; and the visible polygons of the others.
    """
    shown: list[tuple[int, Floats]] = []
    hidden: list[Floats] = []
    origin = np.array([window.x, window.y])
    for quad, kind in zip(corners, kinds, strict=True):
        part = clip_polygon(quad, window)
        area, whole = polygon_area(part), polygon_area(quad)
        if area <= 0:
            continue
        if area >= whole * (1 - 1e-9):
            shown.append((kind, quad - origin))
        elif area >= min_visible * whole:
            shown.append((kind, _box_round(part, quad) - origin))
        else:
            hidden.append(part - origin)
    return shown, hidden


def _box_round(part: Floats, quad: Floats) -> Floats:
    """The smallest box (4, 2) round what is left of a vessel (k, 2), along the vessel's own axes."""
    _, _, _, _, angle = from_corners(quad[None])[0]
    axes = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = part @ axes
    low, high = turned.min(0), turned.max(0)
    centre = axes @ ((low + high) / 2)
    length, beam = high - low
    return np.asarray(to_corners(np.array([[*centre, length, beam, angle]]))[0])


def _hull(polygon: Floats) -> Floats:
    """The convex hull (m, 2) of a polygon (k, 2)."""
    return np.asarray(cv2.convexHull(polygon.astype(np.float32)), np.float64).reshape(-1, 2)


def cut_scene(scene: LabelledScene, out: Path, tile_px: int, overlap: int, min_visible: float) -> list[dict[str, Any]]:
    """Write a scene's tiles and labels; returns their index rows."""
    pixels = read_picture(scene.image)
    rows = []
    for tile in plan_tiles(scene.width, scene.height, tile_px, overlap):
        w = tile.window
        window = Window(w.x, w.y, min(w.width, scene.width - w.x), min(w.height, scene.height - w.y))
        numbered, hidden = tile_labels(scene.corners, range(len(scene.kinds)), window, min_visible)
        shown = [(scene.kinds[i], quad) for i, quad in numbered]
        hidden += [
            part - [window.x, window.y]
            for polygon in scene.ignored
            for part in [clip_polygon(_hull(polygon), window)]
            if len(part)
        ]
        name = f"{scene.key}__{window.x}_{window.y}"
        picture = pixels[window.y : window.bottom, window.x : window.right]
        _, packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 96])
        write_atomic(out / "images" / scene.split / f"{name}.jpg", packed.tobytes())
        size = np.array([window.width, window.height])
        lines = [f"{k} " + " ".join(f"{v:.6f}" for v in (q / size).ravel()) for k, q in shown]
        write_atomic(out / "labels" / scene.split / f"{name}.txt", "\n".join(lines) + "\n")
        rows.append(
            {
                "image": f"images/{scene.split}/{name}.jpg",
                "source": scene.source.name,
                "split": scene.split,
                "group": scene.group,
                "scene": scene.image.name,
                "window": [window.x, window.y, window.width, window.height],
                "gsd_m": scene.source.gsd_m,
                "vessels": [[k, *np.round(q.ravel(), 3).tolist()] for k, q in shown],
                "ships": [scene.ships[i] for i, _ in numbered],
                "ignored": [np.round(p.ravel(), 1).tolist() for p in hidden],
            }
        )
    return rows


def build(sources: Sequence[Source], out: Path, tile_px: int, overlap: int, min_visible: float) -> dict[str, Any]:
    """Cut all scenes; a scene whose rows are there from an earlier run with the same settings is not cut again."""
    scenes = [scene for source in sources for scene in read_scenes(source)]
    settings = f"{tile_px}-{overlap}-{min_visible}"
    rows: list[dict[str, Any]] = []
    for scene in progress(scenes, len(scenes), "dataset"):
        stamp = out / "scenes" / settings / f"{scene.key}.json"
        key = _fingerprint(scene)
        known = json.loads(stamp.read_text()) if stamp.exists() else {}
        if known.get("key") != key:
            known = {"key": key, "rows": cut_scene(scene, out, tile_px, overlap, min_visible)}
            write_atomic(stamp, json.dumps(known))
        rows += known["rows"]
    if not any(r["split"] == "train" for r in rows):
        raise InputError(sources[0].folder, "has no picture to train on", "add pictures, or lower --val-share")
    index = "".join(json.dumps(row) + "\n" for row in rows)
    write_atomic(out / "index.jsonl", index)
    names = "\n".join(f"  {i}: {n}" for i, n in enumerate(("tanker", "other", "unknown")))
    write_atomic(out / "data.yaml", f"path: .\ntrain: images/train\nval: images/val\nnames:\n{names}\n")
    described = [{"name": s.name, "licence": s.licence, "weight": s.weight} for s in sources]
    digest = hashlib.sha256((settings + index).encode()).hexdigest()
    summary = {
        "tiles": len(rows),
        "train": sum(r["split"] == "train" for r in rows),
        "val": sum(r["split"] == "val" for r in rows),
        "vessels": sum(len(r["vessels"]) for r in rows),
        "data_sha256": digest,
    }
    write_atomic(out / "dataset.json", json.dumps({**summary, "sources": described}, indent=1) + "\n")
    return summary


def _fingerprint(scene: LabelledScene) -> str:
    """Changes with the picture, its labels or its side of the split."""
    digest = hashlib.sha256(scene.image.read_bytes())
    for part in (scene.corners, *scene.ignored):
        digest.update(np.ascontiguousarray(part).tobytes())
    digest.update(repr((scene.kinds, scene.ships, scene.split, scene.group, scene.source.gsd_m)).encode())
    return digest.hexdigest()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the step."""
    parser = argparse.ArgumentParser(prog="python -m training.dataset", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of the sets that --sources lists")
    parser.add_argument("--sources", type=Path, default=Path(__file__).with_name("sources.json"), help="list of sets")
    parser.add_argument("--folder", type=Path, action="append", default=[], help="a set of your own: images/, labels/")
    parser.add_argument(
        "--val-share", type=float, default=VAL_SHARE, help="share of your own pictures held back for val"
    )
    parser.add_argument("--gsd", type=float, help="ground sample distance of your own pictures, m/px")
    parser.add_argument("--out", type=Path, default=Path("runs/dataset"))
    parser.add_argument("--tile", type=int, default=TILE_PX)
    parser.add_argument("--overlap", type=int, default=OVERLAP_PX)
    parser.add_argument("--min-visible", type=float, default=MIN_VISIBLE, help="share of a vessel that makes it one")
    args = parser.parse_args(argv)
    sources = gather_sources(args.data, args.sources, args.folder, args.val_share, args.gsd)
    finish(step="dataset", out=str(args.out), **build(sources, args.out, args.tile, args.overlap, args.min_visible))
    return 0


if __name__ == "__main__":
    run_step(main)
