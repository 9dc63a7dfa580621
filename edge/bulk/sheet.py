"""Contact sheets: a picture a terminal with thumbnails of its scenes over time."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edge.bulk import wording
from edge.bulk.lettering import ALARM, DIM, INK, Hand
from edge.bulk.picked import NO_TERMINAL, Order, by_name, evenly, gather, order_of
from edge.bulk.pictures import SIDE, THICKNESS, jpeg, thumbnail
from edge.write import phrases
from edge.write.atomic import make_folder, write_bytes
from edge.write.caption import BACKGROUND, COLOURS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from edge.bulk.picked import Shot
    from edge.bulk.pictures import Opened
    from edge.bulk.row import Rows
    from edge.scale import Pixels

MOST = 48
"""Thumbnails on a sheet."""
COLUMNS = 8
_FEWEST_COLUMNS = 4
"""The title needs their width."""
_AT_ONCE = 4000
"""Scenes whose boxes are kept in memory at a time: rows are gone through once for each so many that are shown."""
_GAP, _HEAD, _CAPTION, _LINE = 20, 116, 66, 20
"""Px: between cells, of the title, below a thumbnail, from one line of a caption to the next."""
_QUALITY = 88
_LONGEST_NAME = 80
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""Names that Windows keeps for devices."""
_TITLE, _PLAIN, _QUIET, _LOUD = Hand(0.9, INK, 2), Hand(0.5, INK), Hand(0.45, DIM), Hand(0.45, ALARM)


class Plan(NamedTuple):
    """What a sheet shows."""

    terminal: str | None
    scenes: int
    """Of the terminal, shown or not."""
    untimed: int
    """Of them, without time."""
    span: str | None
    """First and last date; None where no scene has a time."""
    numbers: list[int]
    """Of the rows that are shown, in their order."""


def write_sheets(rows: Rows, folder: Path, opened: Opened) -> list[Path]:
    """Write a sheet a terminal, and tell where; what is there under the same names is replaced.

    Args:
        rows: of the run.
        folder: of the sheets; created where it is not there.
        opened: opens a scene once more; where it fails, a card takes the place of the picture.

    Raises:
        OutputError: a sheet cannot be written.
    """
    make_folder(folder)
    plans = _plans(rows)
    names = file_names(plan.terminal for plan in plans)
    written = []
    for some in _portions(plans):
        shots = gather(rows, {number for plan in some for number in plan.numbers})
        for plan in some:
            path = folder / f"{names[plan.terminal]}.jpg"
            shown = [shots[number] for number in plan.numbers if number in shots]
            write_bytes(path, jpeg(draw(plan, shown, opened), _QUALITY))
            written.append(path)
    return written


def file_names(terminals: Iterable[str | None]) -> dict[str | None, str]:
    """A stem for the sheet of each terminal, which every file system can hold, no two alike but for case.

    A name that has to be changed gets a hash of the whole name: so it does not depend on what else there is.
    """
    names: dict[str | None, str] = {}
    taken: set[str] = set()
    for terminal in sorted(set(terminals), key=lambda name: (name is None, name or "")):
        told = "no-terminal" if terminal is None else terminal
        parts = unicodedata.normalize("NFKD", told)
        plain = "".join(char for char in parts if not unicodedata.combining(char))
        stem = re.sub(r"[^A-Za-z0-9 ._,()+-]+", "-", plain)[:_LONGEST_NAME].lstrip(" .,()+-").rstrip(" .") or "terminal"
        if stem != told or _RESERVED.fullmatch(stem) or stem.casefold() in taken:
            stem += f"-{hashlib.sha256(told.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
        while _RESERVED.fullmatch(stem) or stem.casefold() in taken:
            stem = f"_{stem}"
        taken.add(stem.casefold())
        names[terminal] = stem
    return names


def draw(plan: Plan, shots: list[Shot], opened: Opened) -> Pixels:
    """A sheet, BGR (h, w, 3)."""
    columns = min(COLUMNS, max(_FEWEST_COLUMNS, len(shots)))
    width = _GAP + columns * (SIDE + _GAP)
    lines = (shots[first : first + columns] for first in range(0, len(shots), columns))
    return np.concatenate([_head(plan, len(shots), width), *(_strip(line, opened, width) for line in lines)])


def _strip(shots: list[Shot], opened: Opened, width: int) -> Pixels:
    """Scenes side by side, as high as the highest of them asks for."""
    pictures = [thumbnail(shot, opened) for shot in shots]
    bottom = max(len(picture) for picture in pictures)
    strip = _blank(bottom + _CAPTION + _GAP, width)
    for i, (shot, picture) in enumerate(zip(shots, pictures, strict=True)):
        height, wide = picture.shape[:2]
        x = _GAP + i * (SIDE + _GAP)
        strip[bottom - height : bottom, x : x + wide] = picture
        _caption(strip, shot, x, bottom)
    return strip


def _blank(height: int, width: int) -> Pixels:
    return np.full((height, width, 3), BACKGROUND, np.uint8)


def _plans(rows: Rows) -> list[Plan]:
    """Which scenes are shown, by one pass through all rows."""
    scenes: dict[str | None, list[Order]] = {}
    for row in rows():
        scenes.setdefault(row.terminal, []).append(order_of(row))
    return [_plan(terminal, scenes[terminal]) for terminal in by_name(scenes)]


def _plan(terminal: str | None, scenes: list[Order]) -> Plan:
    scenes.sort()
    times = [scene.time for scene in scenes if scene.time is not None]
    span = wording.days(times[0], times[-1]) if times else None
    numbers = [scenes[i].number for i in evenly(len(scenes), MOST)]
    return Plan(terminal, len(scenes), len(scenes) - len(times), span, numbers)


def _portions(plans: list[Plan]) -> Iterator[list[Plan]]:
    """Sheets that are made of one pass through the rows."""
    some: list[Plan] = []
    room = _AT_ONCE
    for plan in plans:
        if some and len(plan.numbers) > room:
            yield some
            some, room = [], _AT_ONCE
        some.append(plan)
        room -= len(plan.numbers)
    if some:
        yield some


def _head(plan: Plan, shown: int, wide: int) -> Pixels:
    """Name of the terminal, what is shown of it, and what the colours mean."""
    sheet, width = _blank(_HEAD, wide), wide - 2 * _GAP
    _TITLE.put(sheet, _TITLE.fitted(plan.terminal or NO_TERMINAL, width), (_GAP, 42))
    some = "" if shown == plan.scenes else f"{shown} of "
    words = f"{some}{wording.number_of(plan.scenes, 'scene')} shown"
    words += f", {plan.span}, times in UTC" if plan.span else ""
    words += f"; {plan.untimed:,} without time at the end" if plan.untimed and plan.span else ""
    _PLAIN.put(sheet, _PLAIN.fitted(words, width), (_GAP, 70))
    x = _GAP
    for kind, thickness in reversed(THICKNESS.items()):
        box = sheet[82:94, x : x + 20]
        box[:] = COLOURS[kind.label]
        box[thickness:-thickness, thickness:-thickness] = BACKGROUND
        x = _QUIET.put(sheet, kind.label, (x + 28, 93)) + 28
    return sheet


def _caption(sheet: Pixels, shot: Shot, x: int, y: int) -> None:
    """Date, counts and name below a thumbnail whose lower left corner is at (x, y)."""
    row, document = shot.row, shot.row.document
    end = _PLAIN.put(sheet, wording.when(order_of(row).time), (x, y + _LINE))
    if document is None:
        _LOUD.put(sheet, row.state, (x, y + 2 * _LINE))
    else:
        if document.get("synthetic"):
            _LOUD.put(sheet, "SYNTHETIC", (end + 10, y + _LINE))
        end = _PLAIN.put(sheet, wording.counts(document["counts"]), (x, y + 2 * _LINE))
        if document["coverage"] < 1:
            _LOUD.put(
                sheet,
                _LOUD.fitted(f"{phrases.percent(document['coverage'])} seen", x + SIDE - end - 8),
                (end + 8, y + 2 * _LINE),
            )
    _QUIET.put(sheet, _QUIET.fitted(row.name, SIDE), (x, y + 3 * _LINE))
