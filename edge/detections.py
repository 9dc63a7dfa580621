"""Detections: a struct of arrays, one frame, one row each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from edge.geometry import Floats, canonical, to_corners

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class Kind(IntEnum):
    """What a vessel is; the numbers are those of the label files."""

    TANKER = 0
    OTHER = 1
    UNKNOWN = 2

    @property
    def label(self) -> str:
        """Lower-case name, as written in documents."""
        return self.name.lower()


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """Oriented vessels found in one frame (a tile, or the whole scene)."""

    xywhr: Floats
    """Canonical boxes with shape (n, 5): centre x, y, length, beam in px; r in radians. See edge.geometry."""
    score: Floats
    """Belief that a vessel is there, shape (n,), 0 to 1."""
    kind: NDArray[np.int8]
    """Kind of each vessel, shape (n,), values of `Kind`."""
    kind_score: Floats
    """Belief that the vessel is a tanker, shape (n,), 0 to 1; NaN where nothing judged it."""

    def __post_init__(self) -> None:
        """Check shapes: a wrong one here would become a wrong count later."""
        n = len(self.score)
        if self.xywhr.shape != (n, 5) or any(a.shape != (n,) for a in (self.score, self.kind, self.kind_score)):
            shapes = [a.shape for a in (self.xywhr, self.score, self.kind, self.kind_score)]
            msg = f"columns do not fit each other: {shapes}"
            raise ValueError(msg)

    @classmethod
    def of(
        cls, xywhr: Floats, score: Floats, kind: NDArray[np.int8] | None = None, kind_score: Floats | None = None
    ) -> Detections:
        """Build from boxes (n, 5) of any form and scores (n,); without kinds all are unknown."""
        n = len(score)
        return cls(
            canonical(xywhr),
            np.asarray(score, np.float64),
            np.full(n, Kind.UNKNOWN, np.int8) if kind is None else np.asarray(kind, np.int8),
            np.full(n, np.nan) if kind_score is None else np.asarray(kind_score, np.float64),
        )

    @classmethod
    def empty(cls) -> Detections:
        """No detections."""
        return cls.of(np.empty((0, 5)), np.empty(0))

    @classmethod
    def concat(cls, parts: Sequence[Detections]) -> Detections:
        """All rows of the parts, in order."""
        if not parts:
            return cls.empty()
        return cls(
            np.concatenate([p.xywhr for p in parts]),
            np.concatenate([p.score for p in parts]),
            np.concatenate([p.kind for p in parts]),
            np.concatenate([p.kind_score for p in parts]),
        )

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.score)

    def __getitem__(self, rows: NDArray[np.bool_] | NDArray[np.intp] | slice) -> Detections:
        """Pick rows by mask, indices or slice."""
        return Detections(self.xywhr[rows], self.score[rows], self.kind[rows], self.kind_score[rows])

    @property
    def corners(self) -> Floats:
        """Corners with shape (n, 4, 2) px, clockwise from the bow-left."""
        return to_corners(self.xywhr)

    def moved(self, dx: float, dy: float) -> Detections:
        """The same vessels in a frame whose origin lies (dx, dy) px up-left of this one's."""
        boxes = self.xywhr.copy()
        boxes[:, 0] += dx
        boxes[:, 1] += dy
        return Detections(boxes, self.score, self.kind, self.kind_score)

    def scaled(self, factor: float) -> Detections:
        """The same vessels in a frame of `factor` times as many px a side."""
        boxes = self.xywhr.copy()
        boxes[:, :4] *= factor
        return Detections(boxes, self.score, self.kind, self.kind_score)
