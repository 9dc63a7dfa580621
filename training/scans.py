"""Scans pictures the way users do, each once: answers are kept by model, settings and picture."""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from edge import __version__
from edge.document import build_document
from edge.geometry import Window
from edge.pipeline import ScanOptions, scan
from edge.scene import Scale, SceneOptions, open_scene
from training.matching import Said
from training.steps import write_atomic

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from edge.detector import Detector
    from edge.geometry import Floats

FORMAT = 3
"""Of the kept answers; older ones are not read."""
NOT_SAID = ("metrics", "training", "kind_training", "calibration", "notes", "precisions", "coarse")
"""Parts of a card that change no answer, or not that of every way to run the model."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A picture made from another one."""

    name: str
    """Goes into the name of the kept answer: no two variants share one."""
    change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
    """RGB or RGBA (h, w, 3 or 4) -> the same, perhaps of other size; alpha is 0 where nothing is known."""
    shrink: int = 1
    """How many px of the picture are as long as one of this."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The candidates of a picture, those below the threshold too."""

    corners: Floats
    """Shape (n, 4, 2) px of the picture that was scanned."""
    score: Floats
    """Shape (n,)."""
    kinds: NDArray[np.int64]
    """Shape (n,)."""
    kind_score: Floats
    """Shape (n,); NaN where there is none."""
    said: Said
    """Counts and intervals at the card's threshold."""


def predict(detector: Detector, picture: Path, gsd_m: float | None, options: ScanOptions) -> dict[str, Any]:
    """One picture's candidates, and what its document says of their number."""
    with open_scene(picture, SceneOptions(gsd_m=gsd_m)) as scene:
        result = scan(scene, detector, options)
        document = build_document(scene, detector, result)
    rows = result.candidates
    return {
        "corners": np.round(rows.corners, 3).tolist(),
        "score": rows.score.tolist(),
        "kind": rows.kind.tolist(),
        "kind_score": np.nan_to_num(rows.kind_score, nan=-1.0).tolist(),
        "counts": document["counts"],
        "interval": {of: document["interval"][of] for of in ("tanker", "vessel")},
    }


def _found(row: dict[str, Any]) -> Found:
    """A kept answer, as arrays."""
    told = np.array(row["kind_score"], np.float64)
    low_high = {of: (int(low), int(high)) for of, (low, high) in row["interval"].items()}
    counts = row["counts"]
    return Found(
        np.array(row["corners"], np.float64).reshape(-1, 4, 2),
        np.array(row["score"], np.float64),
        np.array(row["kind"], np.int64),
        np.where(told < 0, np.nan, told),
        Said(counts["vessel"], counts["tanker"], low_high["vessel"], low_high["tanker"]),
    )


def read_whole(picture: Path, gsd_m: float | None, down: int = 1) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """All pixels of a picture as the runtime sees them, RGB (h, w, 3), and where they are valid (h, w)."""
    scale = Scale(1, down)
    with open_scene(picture, SceneOptions(gsd_m=gsd_m)) as scene:
        width, height = scene.working_size(scale)
        return scene.read(Window(0, 0, width, height), scale)


def write_variant(picture: Path, gsd_m: float | None, variant: Variant, path: Path) -> None:
    """Write a variant of a picture as PNG, which loses nothing; what is not valid stays so."""
    pixels, valid = read_whole(picture, gsd_m)
    if not valid.all():
        pixels = np.dstack([pixels, np.where(valid, np.uint8(255), np.uint8(0))])
    made = variant.change(pixels)
    order = [2, 1, 0, 3][: made.shape[2]]  # OpenCV wants BGR
    done, data = cv2.imencode(".png", np.ascontiguousarray(made[:, :, order]), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not done:
        msg = f"OpenCV cannot encode {made.shape} as PNG"
        raise RuntimeError(msg)
    path.write_bytes(data.tobytes())


def picture_key(picture: Path, source: str, gsd_m: float | None) -> str:
    """Name of the kept answer about a picture of a set: it changes with the pixels and with the GSD."""
    content = hashlib.sha256(picture.read_bytes() + repr(gsd_m).encode()).hexdigest()[:12]
    return f"{source}__{picture.stem}__{content}"


def kept(path: Path, answer: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The answer in a file, which is made where it is not there."""
    if not path.exists():
        write_atomic(path, json.dumps(answer()))
    return dict(json.loads(path.read_text()))


@dataclass(frozen=True, slots=True)
class Scanner:
    """A model that remembers its answers."""

    detector: Detector
    cache: Path
    """Folder of the kept answers."""
    scale: Scale | None = None
    """Resampling; None to choose it by the GSD."""
    exhaustive: bool = False
    """Look at every tile at the working scale."""
    min_length_m: float = 0.0
    """Shortest vessel to count, m."""

    def __call__(self, picture: Path, source: str, gsd_m: float | None, variant: Variant | None = None) -> Found:
        """The candidates of a picture of a set, or of a variant of it: px of what was scanned."""
        name = picture_key(picture, source, gsd_m) + (f"__{variant.name}" if variant else "")
        path = self.cache / self._stamp() / f"{name}.json"
        return _found(kept(path, lambda: self._scan(picture, gsd_m, variant)))

    def _stamp(self) -> str:
        """What of the model and the settings may change an answer, as a folder's name."""
        raw = self.detector.card.raw
        said = {k: v for k, v in raw.items() if k not in NOT_SAID}
        own = (raw.get("precisions") or {}).get(self.detector.precision, {})
        said |= {"own": [own.get("score"), own.get("sha256")], "coarse": self._coarse()}
        way = [self.detector.provider, self.detector.precision, self.exhaustive, self.min_length_m]
        key = hashlib.sha256(json.dumps([said, __version__, FORMAT, way], sort_keys=True).encode()).hexdigest()[:16]
        return f"{key}-{self.scale.factor if self.scale else 'auto'}"

    def _coarse(self) -> list[float | bool]:
        """What of the coarse way may change an answer."""
        card = self.detector.card.coarse
        return [card.gsd_m, card.score, card.sure_px, self.detector.precision in card.precisions] if card else []

    def _scan(self, picture: Path, gsd_m: float | None, variant: Variant | None) -> dict[str, Any]:
        options = ScanOptions(scale=self.scale, exhaustive=self.exhaustive, min_length_m=self.min_length_m)
        if variant is None:
            return predict(self.detector, picture, gsd_m, options)
        with open_scene(picture, SceneOptions(gsd_m=gsd_m)) as scene:
            gsd_m = scene.gsd_m  # the file's own, which a variant of it would not have
        with tempfile.TemporaryDirectory() as folder:
            made = Path(folder) / "variant.png"
            write_variant(picture, gsd_m, variant, made)
            return predict(self.detector, made, gsd_m * variant.shrink if gsd_m else None, options)
