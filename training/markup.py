"""HTML and SVG as strings that cannot be broken by what is put into them: all text is escaped but our own elements."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

VOID = frozenset({"img", "meta", "br"})
"""Elements without an end tag."""


class Markup(str):
    """Text that is HTML already; only this file makes it out of anything else."""

    __slots__ = ()


def text(value: object) -> Markup:
    """A value as text in HTML; what is HTML already stays."""
    return value if isinstance(value, Markup) else Markup(html.escape(str(value)))


def join(parts: Iterable[object]) -> Markup:
    """Parts one after the other."""
    return Markup("".join(text(part) for part in parts))


def tag(name: str, attributes: Mapping[str, object] | None = None, *children: object) -> Markup:
    """An element; numbers in attributes have two digits."""
    words = "".join(f' {key}="{html.escape(_short(value))}"' for key, value in (attributes or {}).items())
    if name in VOID:
        return Markup(f"<{name}{words}>")
    return Markup(f"<{name}{words}>{join(children)}</{name}>")


def raw(name: str, content: str) -> Markup:
    """A style element: its content is ours, and is not escaped."""
    return Markup(f"<{name}>{content}</{name}>")


def table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> Markup:
    """A table that scrolls sideways on a narrow screen; the first cell of a row is its name."""
    names = tag("tr", None, *(tag("th", {"scope": "col"}, cell) for cell in head))
    lines = [
        tag("tr", None, tag("th", {"scope": "row"}, row[0]), *(tag("td", None, cell) for cell in row[1:]))
        for row in rows
    ]
    whole = tag("table", None, tag("thead", None, names), tag("tbody", None, *lines))
    return tag("div", {"class": "wide", "tabindex": 0}, whole)


def section(title: str, *parts: object) -> Markup:
    """A part of a page under a title."""
    return tag("section", None, tag("h2", None, title), *parts)


def _short(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
