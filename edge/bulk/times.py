"""Times of acquisition in text: in manifests and metadata, and in the names of files.

A name is read with care, as a time that was never there moves a tanker to another day: what may as well be a counter,
an identifier or the place of a tile is none.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from edge.bulk.entry import Acquired
from edge.bulk.time_pattern import times_by_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

YEARS = (1960, 2100)
"""The first reconnaissance satellite flew in 1960; cameras whose clock was never set write 0000 or 1904."""
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_THIS_CENTURY = 70
"""Years of two digits below it are of the 2000s."""
_LAST_SECOND = 60
"""ISO 8601 has leap seconds."""

_TEXT = re.compile(
    r"""(?P<year>\d{4})(?:([-/:])(?P<month>\d\d)\2(?P<day>\d\d)|(?P<month_>\d\d)(?P<day_>\d\d))
    (?:(?:T|\s+)(?P<hour>\d\d)(?::?(?P<minute>\d\d))(?::?(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?
    \s*(?P<zone>Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)?)?""",
    re.VERBOSE | re.ASCII | re.IGNORECASE,
)
_ZONE = r"(?P<zone>\+\d\d:?\d\d(?!\d))?"
"""-0200 may be a counter."""
_DATE = re.compile(
    r"""(?<!\d)(?P<year>19[6-9]\d|20\d\d|2100)
    (?:(?P<month>\d\d)(?P<day>\d\d)|(?P<between>[-_.])(?P<month_>\d\d)(?P=between)(?P<day_>\d\d))
    (?=(?:\d{6}(?:\d{3})?)?(?!\d))  # the time may follow without a stop; other digits make it a number""",
    re.VERBOSE | re.ASCII,
)
_EITHER = re.ASCII | re.IGNORECASE
_TIMES = (
    re.compile(
        rf"[T_\s-]?(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)(?:\.?(?P<fraction>\d{{3}}))?(?!\d){_ZONE}", _EITHER
    ),
    re.compile(rf"T(?P<hour>\d\d)(?P<minute>\d\d)(?!\d){_ZONE}", _EITHER),  # _1015 may be a counter
    re.compile(rf"[T_\s](?P<hour>\d\d)([-:])(?P<minute>\d\d)\2(?P<second>\d\d)(?!\d){_ZONE}", _EITHER),
    re.compile(r"[T\s](?P<hour>\d\d)[-:.](?P<minute>\d\d)(?![-:.]?\d)", _EITHER),  # _10-15 may be a tile
)
_STOPPED_TIME = re.compile(rf"[T_\s.-](?P<hour>\d\d)([-_.])(?P<minute>\d\d)\2(?P<second>\d\d)(?!\d){_ZONE}", _EITHER)
"""Only after a date with stops: 20240131_10_15_11 may be a tile."""
_MAKERS = (
    re.compile(  # Airbus: tenths of a second, without a stop
        r"(?:PHR\d[AB]|SPOT\d|PNEO\d)_(?:[A-Z]+_)*(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)"
        r"(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)\d(?!\d)",
        re.ASCII,
    ),
    re.compile(  # Maxar: 24JAN31101511
        rf"(?<!\d)(?P<short>\d\d)(?P<named>{'|'.join(_MONTHS)})(?P<day>\d\d)"
        r"(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)(?!\d)",
        re.ASCII | re.IGNORECASE,
    ),
)


def time_in_name(name: str, pattern: str | None) -> Acquired | None:
    """When a picture was taken, as the name of its file has it; the first time in it, UTC where it names no zone.

    Args:
        name: of the file.
        pattern: --time-pattern: a format of strptime, which may begin anywhere in the name, with * for anything; None
            knows the usual forms of dates, and those of Sentinel, Landsat, Planet, Maxar and Airbus. A date alone is
            midnight.

    Returns:
        None where the name has no time, or where that makes no sense, or is not between YEARS.

    Raises:
        UsageError: the pattern makes no sense.
    """
    found = _usual(name) if pattern is None else times_by_pattern(name, pattern)
    time = next((utc for utc in map(_as_utc, found) if utc and plausible(utc)), None)
    return Acquired(time, "name") if time else None


def parse_time(text: str) -> datetime:
    """A time as people and programs write it in manifests and metadata, in UTC.

    Args:
        text: ISO 8601 (2024-01-31T10:15:00Z, 20240131T101500+0200), a date alone (midnight), a blank in place of the T,
            or EXIF's 2024:01:31 10:15:00. Without a zone it is UTC.

    Raises:
        ValueError: it is none of these, or there is no such time.
    """
    match = _TEXT.fullmatch(text.strip())
    time = _built(match) if match else None
    if time is None:
        message = f"{text!r} is no time"
        raise ValueError(message)
    return time


def plausible(time: datetime) -> bool:
    """Whether pictures were taken from above in that year."""
    return YEARS[0] <= time.year <= YEARS[1]


def _usual(name: str) -> Iterator[datetime | None]:
    """Times in a name, by the usual forms; None for what looks like one."""
    for maker in _MAKERS:
        yield from map(_built, maker.finditer(name))
    for date in _DATE.finditer(name):
        forms = (*_TIMES, _STOPPED_TIME) if date["between"] else _TIMES
        times = (form.match(name, date.end()) for form in forms)
        whole = (_built(date, time) for time in times if time)
        yield next((time for time in whole if time), None) or (None if _digit_at(name, date.end()) else _built(date))


def _digit_at(name: str, at: int) -> bool:
    """Whether a digit stands there."""
    return name[at : at + 1].isdecimal()


def _built(*matches: re.Match[str]) -> datetime | None:
    """The time of named groups (a "_" at their end does not matter), in UTC; None where there is no such time."""
    part = {name.rstrip("_"): value for match in matches for name, value in match.groupdict().items() if value}
    second = int(part.get("second", 0))
    try:
        minute = datetime(
            int(part["year"]) if "year" in part else _century(int(part["short"])),
            int(part["month"]) if "month" in part else _MONTHS.index(part["named"].upper()) + 1,
            int(part["day"]),
            int(part.get("hour", 0)),
            int(part.get("minute", 0)),
            tzinfo=_zone(part.get("zone", "")),
        )
        moment = timedelta(seconds=second, microseconds=int(part.get("fraction", "0")[:6].ljust(6, "0")))
        return _as_utc(minute + moment) if second <= _LAST_SECOND else None
    except (ValueError, OverflowError):
        return None


def _century(short: int) -> int:
    """A year of two digits in full."""
    return short + (2000 if short < _THIS_CENTURY else 1900)


def _zone(text: str) -> timezone:
    """Of +02:00, +0200, -02 or Z; ValueError for more than a day."""
    if text[:1] not in ("+", "-"):
        return timezone.utc
    digits = text[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if text[0] == "-" else offset)


def _as_utc(time: datetime | None) -> datetime | None:
    """The same moment in UTC; None where that is before the year 1 or after 9999."""
    try:
        return time and (time.astimezone(timezone.utc) if time.tzinfo else time.replace(tzinfo=timezone.utc))
    except OverflowError:
        return None
