"""How numbers and names are put for people, in the table and on the overlay alike."""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from typing import Any

from edge.sizes import SIZE_CLASSES

UNKNOWN = "-"
_ELLIPSIS = "..."


def percent(share: float) -> str:
    """A share as "100 %" or "99.9 %": cut, never rounded up, so that 100 % means all of it."""
    if share >= 1:
        return "100 %"
    tenths = math.floor(share * 1000 + 1e-9)  # 0.29 * 1000 is 289.99...
    return f"{min(tenths, 999) / 10:.1f} %"


def gsd(metres: float | None) -> str:
    """Metres a pixel, as many digits as matter."""
    return UNKNOWN if metres is None else f"{metres:.3g}"


def spread(bounds: list[int]) -> str:
    """Interval of a count."""
    return f"{bounds[0]}-{bounds[1]}"


def sizes(rows: list[dict[str, Any]]) -> str:
    """How many of the vessels are of which size class, the smallest first; those of none are left out."""
    order = [c.name for c in SIZE_CLASSES]
    counts = Counter(row["size_class"] for row in rows if row["size_class"])
    by_size = sorted(counts, key=lambda text: [order.index(part) for part in text.split("/")])
    return ", ".join(f"{counts[text]} {text}" for text in by_size) or UNKNOWN


def tiles(counts: dict[str, int]) -> str:
    """Tiles that were scored, of those that were not skipped; those that failed are named."""
    failed = f", {counts['failed']} failed" if counts["failed"] else ""
    return f"{counts['scored']}/{counts['planned'] - counts['skipped']}{failed}"


def name(document: dict[str, Any]) -> str:
    """Name of the scene, marked where it is synthetic."""
    marked = " (SYNTHETIC)" if document.get("synthetic") else ""
    return printable(document["scene"]) + marked


def printable(text: str) -> str:
    """The text with "?" for what would move the cursor, colour the terminal or not print at all."""
    return "".join(char if char.isprintable() else "?" for char in text)


def columns(text: str) -> int:
    """How many columns of a terminal a printable text takes."""
    wide = sum(unicodedata.east_asian_width(char) in {"W", "F"} for char in text)
    return len(text) + wide - sum(unicodedata.combining(char) > 0 for char in text)


def shorten(text: str, width: int) -> str:
    """At most `width` columns: the middle makes place, for names differ at their ends."""
    if columns(text) <= width:
        return text
    room = max(width - len(_ELLIPSIS), 0)
    head, tail = text[: room - room // 2], text[len(text) - room // 2 :]
    while columns(head) + columns(tail) > room:
        head, tail = (head[:-1], tail) if columns(head) > columns(tail) else (head, tail[1:])
    return (head + _ELLIPSIS + tail)[:width]
