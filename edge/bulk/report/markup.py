"""HTML and SVG as strings that cannot be broken by what is put into them: all text is escaped but our own elements."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from edge.write.phrases import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_VOID = frozenset({"img", "meta", "br", "line", "circle"})
"""Elements without content."""


class Markup(str):
    """Text that is HTML already; only this file makes it out of anything else."""

    __slots__ = ()


def text(value: object) -> Markup:
    """A value as text in HTML, without what does not print; what is HTML already stays."""
    return value if isinstance(value, Markup) else Markup(html.escape(printable(str(value))))


def join(parts: Iterable[object]) -> Markup:
    """Parts one after the other."""
    return Markup("".join(map(text, parts)))


def tag(name: str, attributes: Mapping[str, object] | None = None, *children: object) -> Markup:
    """An element."""
    words = "".join(f' {key}="{text(value)}"' for key, value in (attributes or {}).items())
    if name in _VOID:
        return Markup(f"<{name}{words}/>")
    return Markup(f"<{name}{words}>{join(children)}</{name}>")


def style(sheet: str) -> Markup:
    """A style element: its content is ours, and is not escaped."""
    return Markup(f"<style>{sheet}</style>")


def paragraph(*children: object, kind: str = "") -> Markup:
    """A paragraph, of a class of the style sheet."""
    return tag("p", {"class": kind} if kind else None, *children)


def table(label: str, head: Sequence[object], rows: Iterable[Sequence[object]], named: int = 0) -> Markup:
    """A table that scrolls sideways by itself where the screen is narrow.

    Args:
        label: what it is a table of, for those who do not see it.
        head: names of the columns.
        rows: cells. Strings are words, and stand at the left; Markup is taken for numbers, which stand at the right.
        named: the column that names its row.
    """
    lines = []
    left = [i == named for i in range(len(head))]
    for row in rows:
        left = [i == named or _are_words(cell) for i, cell in enumerate(row)]
        cells = (_cell(cell, words=left[i], named=i == named) for i, cell in enumerate(row))
        lines.append(tag("tr", None, *cells))
    names = (tag("th", {"scope": "col", **_aligned(words=left[i])}, cell) for i, cell in enumerate(head))
    whole = tag("table", None, tag("thead", None, tag("tr", None, *names)), tag("tbody", None, *lines))
    return tag("div", {"class": "wide", "role": "region", "aria-label": label, "tabindex": 0}, whole)


def _are_words(value: object) -> bool:
    return isinstance(value, str) and not isinstance(value, Markup)


def _cell(value: object, *, words: bool, named: bool) -> Markup:
    if named:
        return tag("th", {"scope": "row"}, value)
    return tag("td", _aligned(words=words), value)


def _aligned(*, words: bool) -> dict[str, str]:
    return {"class": "words"} if words else {}
