"""What is handed to an engine, and what it gives back; both travel between processes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge.bulk.entry import Acquired, Place


@dataclass(frozen=True, slots=True)
class Task:
    """A scene to be scored."""

    number: int
    """Of its row in the ledger."""
    place: Place
    name: str
    gsd_m: float | None = None
    """m/px, of this input alone."""
    size: int | None = None
    """Bytes, where they are known."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a scene has no count, or not all of one."""

    cause: str
    """What is wrong with the input, one clause."""
    mend: str
    transient: bool = False
    """Of a kind that may be gone at the next try."""


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a task: a document, a failure, or both where a part of the scene could not be read."""

    number: int
    content: str | None = None
    """Hash of the input's bytes, or what its store says instead; None where it could not be had."""
    document: dict[str, Any] | None = None
    """As `count` gives it; None where there is none, or where the ledger has it already."""
    known: bool = False
    """The ledger had the document of this content already."""
    acquired: Acquired | None = None
    """What the file says of its time; an Entry's goes first."""
    failure: Failure | None = None
    px: int = 0
    """Of the scene."""
    seconds: float = 0.0
    """From the first look at the input to its document, waiting included."""
    tries: int = 1
