"""One scene through the shared engine: what all ways into the server call, and nothing else does the counting."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.aoi import load_aoi
from edge.count import recount
from edge.document import build_document
from edge.pipeline import Hooks, raise_if_unseen, scan
from edge.scene import open_scene

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from pathlib import Path

    from edge.detector import Detector
    from edge.pipeline import ScanResult
    from edge.scene import Scene
    from edge.server.options import CountOptions
    from edge.workers import Lanes

STEP = 0.01
"""Between the thresholds for which counts are made ready."""


@dataclass(frozen=True, slots=True)
class Work:
    """How the server does the work of one scene."""

    detector: Detector
    lanes: Lanes
    max_pixels: int
    """Largest picture that is decoded at once."""
    stop: threading.Event | None = None
    on_tile: Callable[[int, int], None] | None = None


def score(path: Path, options: CountOptions, work: Work, area: Path | None = None) -> dict[str, Any]:
    """The document of a scene in a file.

    Args:
        path: the scene; its name is the document's.
        options: how to count.
        work: with what.
        area: a GeoJSON file, the area of interest.

    Raises:
        UsageError: the options do not suit the scene.
        SceneError: the scene cannot be opened.
        AoiError: the area cannot be used.
        ProviderError: the network failed.
        StoppedError: `work.stop` was set.
    """
    with open_scene(path, options.reading(work.max_pixels)) as scene:
        return score_open(scene, options, work, area)[0]


def score_open(
    scene: Scene, options: CountOptions, work: Work, area: Path | None = None
) -> tuple[dict[str, Any], ScanResult]:
    """The document of an open scene, and what it was made of; see `score`.

    Raises:
        SceneError: no tile could be read: over HTTP a failure is no answer with a status of success.
    """
    aoi = load_aoi(area, scene) if area else None
    result = scan(scene, work.detector, options.scanning(), aoi, Hooks(work.on_tile, work.stop, work.lanes))
    raise_if_unseen(scene, result)
    return build_document(scene, work.detector, result), result


def candidates(scene: Scene, detector: Detector, result: ScanResult) -> dict[str, Any]:
    """What a page needs to count anew at another threshold at once.

    Keys: `threshold` of the document; `near`, within which a score is near a threshold; `floor`, the least score that
    is kept; `detections`, rows as in the document, of all scores from the floor on; `recounts`, rows of `threshold`,
    `counts` and `interval`, from the floor to 1.
    """
    floor = detector.card.score_floor
    everything = build_document(scene, detector, replace(result, threshold=floor))["detections"]
    steps = (round(float(t), 4) for t in np.arange(np.ceil(floor / STEP) * STEP, 1 + STEP / 2, STEP))
    thresholds = sorted({*steps, round(result.threshold, 4)})
    counts = recount(result.candidates, thresholds, detector.card.spread, result.scale.factor)
    rows = [
        {"threshold": threshold, "counts": numbers.counts, "interval": numbers.intervals}
        for threshold, numbers in zip(thresholds, counts, strict=True)
    ]
    return {
        "threshold": result.threshold,
        "near": detector.card.near,
        "floor": floor,
        "detections": everything,
        "recounts": rows,
    }
