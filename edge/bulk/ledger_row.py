"""Entries, results and scenes as rows of the ledger."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from edge.bulk.entry import Acquired, Place
from edge.bulk.ledger_file import raw_of
from edge.bulk.row import SceneRow
from edge.bulk.task import Failure
from edge.write.document_json import plain

if TYPE_CHECKING:
    from edge.bulk.entry import Entry
    from edge.bulk.row import State
    from edge.bulk.task import Done

Cell = str | bytes | float | None
LISTED = ("base", "member", "name", "terminal", "acquired", "source", "gsd_m", "size", "stamp")
"""Columns of a scene that its listing fills."""
ROW = """
    SELECT base, member, name, terminal, scenes.acquired, scenes.source, scenes.content, state, cause, mend, transient,
        results.acquired, results.source, document
    FROM scenes INDEXED BY by_place LEFT JOIN results ON results.key = scenes.key
    WHERE scenes.run = ? AND state IN ('done', 'partial', 'failed') ORDER BY base, member
"""
"""Asks for the rows of a run that `row_of` reads."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A document as the ledger holds it."""

    document: bytes
    """JSON, compressed."""
    coverage: float
    partial: bool
    """A part of the scene could not be read."""


def listed_cells(entry: Entry) -> tuple[Cell, ...]:
    """The cells of an entry, as LISTED has them; texts are raw."""
    place = entry.place
    texts = raw_of(place.base), raw_of(place.member), raw_of(entry.name), raw_of(entry.terminal)
    return (*texts, *acquired_cells(entry.acquired), entry.gsd_m, entry.size, raw_of(entry.stamp))


def acquired_cells(acquired: Acquired | None) -> tuple[str | None, str | None]:
    """Time and source."""
    return (acquired.time.isoformat(), acquired.source) if acquired else (None, None)


def acquired_of(time: str | None, source: str | None) -> Acquired | None:
    """What such cells say."""
    return None if time is None or source is None else Acquired(datetime.fromisoformat(time), source)


def failure_of(cause: str | None, mend: str | None, transient: int | None) -> Failure | None:
    """What such cells say."""
    return None if cause is None else Failure(cause, mend or "", bool(transient))


def pack(done: Done) -> Packed | None:
    """The document of what is done; None where there is none.

    "seconds" is left out, as other runs have other ones; so is "scene": another scene may have the same bytes.
    """
    if done.document is None:
        return None
    kept = plain({key: part for key, part in done.document.items() if key not in {"seconds", "scene"}})
    text = json.dumps(kept, sort_keys=True, separators=(",", ":"), allow_nan=False)
    partial = done.failure is not None or kept.get("tiles", {}).get("failed", 0) > 0
    return Packed(zlib.compress(text.encode()), kept.get("coverage", 1.0), partial)


def unpack(document: bytes) -> dict[str, Any]:
    """A document without "scene" and "seconds", its keys sorted.

    Raises:
        zlib.error: it is damaged.
        ValueError: likewise.
    """
    told: dict[str, Any] = json.loads(zlib.decompress(document))
    return told


def row_of(number: int, cells: tuple[Any, ...]) -> SceneRow:
    """A scene of cells that ROW asked for."""
    base, member, name, terminal, when, source, content, state, *failure, own_when, own_source, document = cells
    told: State = state
    return SceneRow(
        number=number,
        place=Place(base, member),
        name=name,
        terminal=terminal,
        acquired=acquired_of(when, source) or acquired_of(own_when, own_source),
        content=content,
        state=told,
        document=None if document is None else {"scene": name, **unpack(document)},
        failure=failure_of(*failure),
    )
