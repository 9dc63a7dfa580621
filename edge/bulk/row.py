"""A scene as the tables and the report see it, once it has been scored or has failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from edge.bulk.entry import Acquired, Place
    from edge.bulk.task import Failure

State = Literal["waiting", "running", "done", "partial", "failed"]
"""Of a scene in the ledger. partial: it has a document, but a part of it could not be read."""


@dataclass(frozen=True, slots=True)
class SceneRow:
    """One scene of a run, by its place."""

    number: int
    """From 1, in the order of places: the same for the same scenes, whatever the order in which they were scored."""
    place: Place
    name: str
    terminal: str | None
    acquired: Acquired | None
    content: str | None
    """Hash of the bytes."""
    state: State
    document: dict[str, Any] | None
    """As `count` gives it, but for "seconds"; None where it failed."""
    failure: Failure | None


Rows = Callable[[], Iterator[SceneRow]]
"""Gives all rows anew, in their order, one in memory at a time: an archive may not fit there."""
