"""Which scenes of a run are shown, and what their pictures need: a few of many, evenly over time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edge.detections import Kind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from typing import Any

    from numpy.typing import NDArray

    from edge.bulk.row import Rows, SceneRow

NO_TERMINAL = "(no terminal)"
_KINDS = {kind.label: int(kind) for kind in Kind}


class Order(NamedTuple):
    """Where a scene stands among those of its terminal: by time, then by name; those without time come last."""

    untimed: bool
    time: datetime | None
    """UTC."""
    name: str
    number: int
    """Of its row."""


@dataclass(frozen=True, slots=True)
class Shot:
    """What the picture of a scene needs; small, though the scene may have thousands of vessels."""

    row: SceneRow
    """Its document has no detections any more."""
    corners: NDArray[np.float32]
    """Shape (n, 4, 2), px of the scene."""
    kinds: NDArray[np.uint8]
    """Shape (n,), values of Kind."""


def order_of(row: SceneRow) -> Order:
    """Where a row stands."""
    time = row.acquired.time.astimezone(timezone.utc) if row.acquired else None
    return Order(time is None, time, row.name, row.number)


def by_name(terminals: Iterable[str | None]) -> list[str | None]:
    """Terminals in the order in which they are told, that without a name at the end."""
    return sorted(terminals, key=lambda name: (name is None, (name or "").casefold(), name or ""))


def evenly(total: int, most: int) -> list[int]:
    """Indices of at most so many of `total` things in a row, evenly spread, the first and the last among them."""
    if total <= most:
        return list(range(total))
    if most == 1:
        return [total // 2]
    return [i * (total - 1) // (most - 1) for i in range(most)]


def gather(rows: Rows, numbers: Collection[int]) -> dict[int, Shot]:
    """The rows of these numbers, which may be all over the run; those that are gone are left out."""
    return {row.number: shot_of(row) for row in rows() if row.number in numbers}


def shot_of(row: SceneRow) -> Shot:
    """A row whose detections are arrays."""
    found: list[dict[str, Any]] = row.document["detections"] if row.document else []
    corners = np.array([each["corners"] for each in found], np.float32).reshape(-1, 4, 2)
    kinds = np.array([_KINDS[each["kind"]] for each in found], np.uint8)
    slim = None if row.document is None else {**row.document, "detections": []}
    return Shot(replace(row, document=slim), corners, kinds)
