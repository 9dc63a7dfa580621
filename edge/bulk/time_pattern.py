"""A --time-pattern: where the names of files hold the time of acquisition."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from edge.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

OPTION = "--time-pattern"
_PADDED = {
    "Y": r"19[6-9]\d|20\d\d|2100", "y": r"\d\d", "m": r"1[0-2]|0[1-9]", "d": r"3[01]|[12]\d|0[1-9]", "j": r"\d{3}",
    "H": r"2[0-3]|[01]\d", "I": r"1[0-2]|0[1-9]", "M": r"[0-5]\d", "S": r"[0-5]\d", "f": r"\d{1,6}",
}  # fmt: skip
"""Directives of strptime whose values are numbers, and what they match next to another of them."""
_SHORT = {"m": "[1-9]", "d": "[1-9]", "j": r"\d{1,2}", "H": r"\d", "I": "[1-9]", "M": r"\d", "S": r"\d"}
"""What they match besides where they stand alone."""
_WORDS = {"b": "[A-Z]{3}", "B": "[A-Z]{3,9}", "p": "[AP]M", "z": r"[+-]\d\d:?\d\d|Z"}
"""The other directives."""
_DATES = ({"m", "d"}, {"b", "d"}, {"B", "d"}, {"j"})
"""What makes a date of a year."""
_PIECES = re.compile(r"%(?P<field>.?)|(?P<anything>\*+)|(?P<text>[^%*]+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Pattern:
    """What a pattern looks for."""

    parts: tuple[re.Pattern[str], ...]
    """One after the other in a name, with anything between."""
    format: str
    """Of strptime, for what the groups of all parts have matched, with a blank between."""


def check_pattern(pattern: str) -> None:
    """Refuse what no time can be read by.

    Raises:
        UsageError: it has a directive that is not known, one twice, or none for the year, the month or the day.
    """
    _compiled(pattern)


def times_by_pattern(name: str, pattern: str) -> Iterator[datetime | None]:
    """Times in a name by a pattern, from the left; without a zone where it names none. None for what is no time.

    The pattern may begin anywhere, but with no digit before its first number unless it begins with a *.

    Raises:
        UsageError: the pattern makes no sense.
    """
    wanted = _compiled(pattern)
    first, *others = wanted.parts
    for start in first.finditer(name):
        values, end = start.groups(), start.end()
        for part in others:
            found = part.search(name, end)
            if not found:
                return
            values, end = values + found.groups(), found.end()
        try:
            yield datetime.strptime(" ".join(values), wanted.format)  # noqa: DTZ007 - the caller adds the zone
        except ValueError:
            yield None


@lru_cache(maxsize=8)
def _compiled(pattern: str) -> _Pattern:
    """A pattern, checked."""
    pieces = list(_PIECES.finditer(pattern))
    parts, fields = [r"(?<!\d)" if _is_number(pieces[:1]) else ""], list[str]()
    for at, piece in enumerate(pieces):
        field, text = piece["field"], piece["text"]
        if piece["anything"]:
            parts.append("")
        elif text or field == "%":
            parts[-1] += re.escape(text or field)
        else:
            _check_field(pattern, field, fields)
            fields.append(field)
            crowded = _is_number(pieces[max(at - 1, 0) : at]) or _is_number(pieces[at + 1 : at + 2])
            parts[-1] += f"({_value(field, crowded=crowded)})"
    _check_date(pattern, set(fields))
    kept = tuple(re.compile(part, re.ASCII | re.IGNORECASE) for part in parts if part)
    return _Pattern(kept, " ".join(f"%{field}" for field in fields))


def _value(field: str, *, crowded: bool) -> str:
    """What a directive matches, next to another number or not."""
    if field in _SHORT and not crowded:
        return f"{_PADDED[field]}|{_SHORT[field]}"
    return _PADDED.get(field) or _WORDS[field]


def _is_number(pieces: list[re.Match[str]]) -> bool:
    """Whether there is a piece, and a directive whose values are numbers."""
    return any(piece["field"] in _PADDED for piece in pieces)


def _check_field(pattern: str, field: str, before: list[str]) -> None:
    """Refuse a directive that there is not, or that there was already."""
    if field not in _PADDED and field not in _WORDS:
        known = " ".join(f"%{name}" for name in (*_PADDED, *_WORDS))
        raise UsageError(OPTION, f"{pattern} has the directive %{field}, which is not known here", f"use {known}")
    if field in before:
        raise UsageError(OPTION, f"{pattern} has the directive %{field} twice", "put a * where the name repeats it")


def _check_date(pattern: str, fields: set[str]) -> None:
    """Refuse what leaves the day open, or the half of it."""
    if not fields & {"Y", "y"} or not any(date <= fields for date in _DATES):
        raise UsageError(OPTION, f"{pattern} does not say year, month and day", "write it as in %Y%m%d_%H%M")
    if ("I" in fields) != ("p" in fields):
        raise UsageError(OPTION, f"{pattern} has one of %I and %p without the other", "use %H for hours to 24")
