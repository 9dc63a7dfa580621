"""Rows of a bulk run, made by hand for the tests of what is written of them."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from scene_documents import document, vessel

from edge.bulk.entry import Acquired, Place
from edge.bulk.row import SceneRow
from edge.bulk.task import Failure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from edge.bulk.row import Rows, State

START = datetime(2024, 3, 1, 10, 30, tzinfo=timezone.utc)
MODEL = {"name": "toy", "version": "1", "sha256": "0" * 64, "provider": "cpu", "precision": "fp32"}
SETTINGS = {
    "threshold": 0.25, "working_gsd_m": 1.0, "scale": 1.0, "tile_px": 640, "overlap_px": 400, "min_length_m": 0.0,
    "exhaustive": False, "found_at_scale": 1.0, "stretch": None,
}  # fmt: skip
CAUSE = Failure("the file is truncated", "get it again")


def scene_row(
    number: int,
    terminal: str | None = "a",
    time: datetime | None = START,
    tankers: int = 1,
    others: int = 2,
    *,
    georeferenced: bool = True,
    state: State = "done",
    **changes: Any,  # noqa: ANN401 - keys of the document
) -> SceneRow:
    """A scene as the ledger gives it; `changes` are keys of its document, for others use dataclasses.replace."""
    name = f"scene-{number:05}.tif"
    scored = scene_document(name, tankers, others, georeferenced=georeferenced)
    if state == "partial":
        scored |= {"coverage": 0.75, "tiles": {"planned": 4, "scored": 3, "skipped": 0, "failed": 1}}
    return SceneRow(
        number=number,
        place=Place(f"/archive/{terminal or 'none'}/{name}"),
        name=name,
        terminal=terminal,
        acquired=None if time is None else Acquired(time, "tiff"),
        content=f"{number:064x}",
        state=state,
        document=None if state == "failed" else scored | changes,
        failure=CAUSE if state in {"failed", "partial"} else None,
    )


def scene_document(name: str, tankers: int, others: int, *, georeferenced: bool) -> dict[str, Any]:
    """All that edge.document tells of a scene, but for the seconds."""
    corner = (-122.4, 37.8) if georeferenced else None
    kinds = ["tanker"] * tankers + ["other"] * others
    rows = [
        vessel(i + 1, (60.5 + 90 * (i % 8), 40.5 + 60 * (i // 8), 60 + i % 5, 12, 0.4), kind, north_west=corner)
        for i, kind in enumerate(kinds)
    ]
    full = document(rows, georeferenced=georeferenced, scene=name, model=MODEL, settings=SETTINGS, synthetic=False)
    return {key: value for key, value in full.items() if key != "seconds"}


def rows_of(scenes: Iterable[SceneRow]) -> Rows:
    """Rows, as the ledger gives them: an iterator anew at each call."""
    kept = list(scenes)

    def rows() -> Iterator[SceneRow]:
        return iter(kept)

    return rows
