"""How scenes are put for people, on contact sheets and in the report alike."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from edge.write.caption import plain_ascii
from edge.write.phrases import printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from edge.bulk.row import SceneRow

NO_TIME = "no time"


def when(time: datetime | None) -> str:
    """A time (UTC) to the minute. Not strftime, whose years below 1000 differ from system to system."""
    return NO_TIME if time is None else time.replace(tzinfo=None).isoformat(" ", "minutes")


def day(time: datetime) -> str:
    """Its date."""
    return time.date().isoformat()


def days(first: datetime, last: datetime) -> str:
    """From which date to which; one that is both is told once."""
    return day(first) if first.date() == last.date() else f"{day(first)} to {day(last)}"


def number_of(count: float, one: str, many: str | None = None) -> str:
    """A count with its noun: "1 tanker", "1,200 tankers"."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def counts(numbers: Mapping[str, int]) -> str:
    """Counts of a document in short."""
    return f"{number_of(numbers['tanker'], 'tanker')}, {number_of(numbers['vessel'], 'vessel')}"


def shown_name(row: SceneRow) -> str:
    """Name of a scene, marked where it is synthetic."""
    marked = " (SYNTHETIC)" if row.document and row.document.get("synthetic") else ""
    return printable(row.name) + marked


def cause(row: SceneRow) -> str:
    """Why a scene has no count, or not all of one, without the place, which is told beside it."""
    if row.failure is None:
        return "" if row.document else "it has not been scored yet"
    return printable(row.failure.cause.removeprefix(f"{row.place}: "))


def latin(text: str) -> str:
    """The text in the characters that OpenCV's fonts have: without accents, "?" for what is not Latin."""
    parts = unicodedata.normalize("NFKD", text)
    return plain_ascii("".join(char for char in parts if not unicodedata.combining(char)))
