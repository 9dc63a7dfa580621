"""Pictures of the report, in the page itself: a few a terminal, so that the file stays of bounded size."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from edge.bulk import wording
from edge.bulk.picked import evenly, gather, order_of
from edge.bulk.pictures import jpeg, thumbnail
from edge.bulk.report.markup import Markup, tag
from edge.write.phrases import percent, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edge.bulk.picked import Shot
    from edge.bulk.pictures import Opened
    from edge.bulk.report.survey import Terminal
    from edge.bulk.row import Rows
    from edge.scale import Pixels

MOST_OF_ALL = 240
"""Pictures of a report."""
MOST = 12
"""Pictures of a terminal; fewer where terminals are many."""
MOST_BYTES = 22_000
"""Of a picture; one that has more is made again with less detail."""
_QUALITIES = (82, 60, 35, 15)
_NAME_COLUMNS = 60


def galleries(terminals: Sequence[Terminal], rows: Rows, opened: Opened) -> list[Markup]:
    """Pictures of each terminal, in the order of time; empty where nothing was counted."""
    most = max(1, min(MOST, MOST_OF_ALL // max(len(terminals), 1)))
    numbers = [[terminal.lines[i].order.number for i in evenly(len(terminal.lines), most)] for terminal in terminals]
    shots = gather(rows, {number for some in numbers for number in some})
    return [_gallery([shots[number] for number in some if number in shots], opened) for some in numbers]


def _gallery(shots: list[Shot], opened: Opened) -> Markup:
    return tag("div", {"class": "gallery"}, *_figures(shots, opened)) if shots else Markup()


def _figures(shots: list[Shot], opened: Opened) -> Iterator[Markup]:
    for shot in shots:
        document = shot.row.document
        if document is None:
            continue
        picture = thumbnail(shot, opened)
        height, width = picture.shape[:2]
        name = shorten(wording.shown_name(shot.row), _NAME_COLUMNS)
        time, counts = wording.when(order_of(shot.row).time), wording.counts(document["counts"])
        if document["coverage"] < 1:
            counts += f" ({percent(document['coverage'])} seen)"
        data = base64.b64encode(_small(picture)).decode("ascii")
        image = {
            "src": f"data:image/jpeg;base64,{data}",
            "alt": f"Scene {name} with its vessels outlined",
            "width": width,
        }
        words = (tag("b", None, time), tag("span", None, counts), tag("span", {"class": "name"}, name))
        yield tag("figure", None, tag("img", {**image, "height": height}), tag("figcaption", None, *words))


def _small(picture: Pixels) -> bytes:
    """A JPEG of bounded size: noise takes several times the bytes of water."""
    data = b""
    for quality in _QUALITIES:
        data = jpeg(picture, quality)
        if len(data) <= MOST_BYTES:
            break
    return data
