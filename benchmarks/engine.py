"""Our engine as the benchmarks use it: the one place that knows its interface."""

from __future__ import annotations

import time
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from edge.catalogue import DEFAULT_MODEL, find_model
from edge.detector import Detector, load_detector
from edge.pipeline import ScanOptions, ScanResult, scan
from edge.scene import SceneOptions, open_scene

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """How our engine is to scan a scene; None leaves the choice to the engine."""

    gsd_m: float | None = None
    threshold: float | None = None
    tile_px: int | None = None
    overlap_px: int | None = None
    max_length_m: float | None = None
    min_length_m: float = 0.0
    threads: int = 0
    exhaustive: bool = False
    """Every tile at full resolution, as the peers do it."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """A scene's answer, and how long it took from the file's path on."""

    result: ScanResult
    seconds: float
    pixels: int
    """Of the scene."""


def load(model: str = DEFAULT_MODEL, provider: str = "cpu", precision: str = "fp32") -> Detector:
    """The finder without the second look, which the peers do not have.

    Raises:
        TankerEdgeError: the model, the provider or the precision is not there.
    """
    return replace(load_detector(find_model(model), provider=provider, precision=precision), teller=None)


def describe(detector: Detector) -> dict[str, Any]:
    """What runs: model, provider and precision."""
    card = detector.card
    return {"model": f"{card.name} {card.version}", "provider": detector.provider, "precision": detector.precision}


def _options(job: Job) -> ScanOptions:
    """The engine's options for a job."""
    given = {f.name: getattr(job, f.name) for f in fields(job) if f.name != "gsd_m"}
    if job.max_length_m is None:
        del given["max_length_m"]  # the engine's own
    return ScanOptions(**given)


def scan_file(path: Path, detector: Detector, job: Job) -> Scanned:
    """Open and scan a scene.

    Raises:
        TankerEdgeError: it cannot be read, or the network fails.
    """
    begun = time.perf_counter()
    with open_scene(path, SceneOptions(gsd_m=job.gsd_m)) as scene:
        result = scan(scene, detector, _options(job))
        return Scanned(result, time.perf_counter() - begun, scene.width * scene.height)


def raw_run(detector: Detector, batch: NDArray[np.uint8]) -> None:
    """The network alone on a batch (n, h, w, 3) RGB, as the engine's workers call it."""
    detector.finder.run(batch)
