"""A table for people: a line a scene, warnings below. Plain ASCII but for the names, as wide as it is told."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge.write import phrases

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WIDTH = 100
"""Columns, where nobody says."""
_GAP = "  "
_NAME_WIDTH = 16
"""Columns to which a name of a scene is shortened before a column is left out."""
_NAME_WIDTH_MIN = 8


@dataclass(frozen=True, slots=True)
class _Column:
    title: str
    cell: Callable[[dict[str, Any]], str]
    total: Callable[[Sequence[dict[str, Any]]], str] | None = None
    """Cell of the last line, under several scenes."""
    rank: int = 0
    """Where the terminal is narrow, the highest goes first; 0 never goes."""


def _number(kind: str) -> _Column:
    """Column of the count of one kind."""
    return _Column(kind, lambda d: str(d["counts"][kind]), lambda ds: str(sum(d["counts"][kind] for d in ds)))


def _spread(kind: str, rank: int) -> _Column:
    """Column of the interval of a count, right of it. Intervals do not add up: no total."""
    return _Column("interval", lambda d: phrases.spread(d["interval"][kind]), rank=rank)


_COLUMNS = (
    _Column("size px", lambda d: f"{d['width']} x {d['height']}", rank=4),
    _Column("GSD m", lambda d: phrases.gsd(d["gsd_m"]), rank=3),
    _number("tanker"),
    _spread("tanker", rank=1),
    _Column(
        "sizes",
        lambda d: phrases.sizes(d["detections"]),
        lambda ds: phrases.sizes([row for d in ds for row in d["detections"]]),
        rank=7,
    ),
    _number("other"),
    _number("unknown"),
    _number("vessel"),
    _spread("vessel", rank=2),
    _Column("coverage", lambda d: phrases.percent(d["coverage"])),
    _Column("tiles", lambda d: phrases.tiles(d["tiles"]), rank=5),
    _Column(
        "seconds",
        lambda d: f"{d['seconds']['total']:.1f}",
        lambda ds: f"{sum(d['seconds']['total'] for d in ds):.1f}",
        rank=6,
    ),
)


def table(documents: Sequence[dict[str, Any]], width: int = WIDTH) -> str:
    """The documents as text of at most `width` columns, without the last end of line, for `print`.

    Where that is narrow, names are shortened, then columns left out: sizes of tankers, seconds, tiles, size, GSD,
    intervals. Counts and coverage always show; where even they do not fit side by side, they are listed one below the
    other.
    """
    if not documents:
        return "no scenes"
    names = ["scene", *(phrases.name(d) for d in documents), *(["all scenes"] if len(documents) > 1 else [])]
    longest = max(phrases.columns(n) for n in names)
    cells = _chosen(documents, width - min(longest, _NAME_WIDTH)) or _chosen(documents, width - _NAME_WIDTH_MIN)
    if cells is None:
        text = _listed(documents, width)
    else:
        taken = sum(len(_GAP) + len(column[0]) for column in cells)
        text = _side_by_side(names, cells, min(longest, width - taken))
    return (text + _warnings(documents, width)).removesuffix("\n")


def _chosen(documents: Sequence[dict[str, Any]], room: int) -> list[list[str]] | None:
    """As many padded columns as fit into `room`, each a list of cells from the title down; None if too few do."""
    for limit in range(max(c.rank for c in _COLUMNS), -1, -1):
        cells = [_cells(column, documents) for column in _COLUMNS if column.rank <= limit]
        if sum(len(_GAP) + len(column[0]) for column in cells) <= room:
            return cells
    return None


def _cells(column: _Column, documents: Sequence[dict[str, Any]]) -> list[str]:
    """Title, a cell a scene, and the total under several; all of the same width."""
    texts = [column.title, *(column.cell(d) for d in documents)]
    if len(documents) > 1:
        texts.append(column.total(documents) if column.total else "")
    width = max(len(text) for text in texts)
    return [text.rjust(width) for text in texts]


def _side_by_side(names: Sequence[str], cells: Sequence[Sequence[str]], name_width: int) -> str:
    lines = []
    for i, full in enumerate(names):
        name = phrases.shorten(full, name_width)
        padded = name + " " * (name_width - phrases.columns(name))
        lines.append(_GAP.join([padded, *(column[i] for column in cells)]).rstrip() + "\n")
    return "".join(lines)


def _listed(documents: Sequence[dict[str, Any]], width: int) -> str:
    """A line a number; one that is too long for a line is left out where its column may be."""
    blocks = []
    for document in documents:
        name = phrases.shorten(phrases.name(document), width)
        numbers = ((f"  {c.title:<9}{c.cell(document)}", c.rank) for c in _COLUMNS)
        lines = [name, *(text for text, rank in numbers if not rank or len(text) <= width)]
        blocks.append("\n".join(lines) + "\n")
    return "".join(blocks)


def _warnings(documents: Sequence[dict[str, Any]], width: int) -> str:
    """Each warning with its scene, wrapped."""
    lines = []
    for document in documents:
        for warning in document["warnings"]:
            text = f"warning: {phrases.name(document)}: {phrases.printable(warning)}"
            lines += textwrap.wrap(text, max(width, 20), subsequent_indent=" " * 9, break_on_hyphens=False)
    return "".join(f"{text}\n" for text in lines)
