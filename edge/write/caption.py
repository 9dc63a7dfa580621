"""The strip below an overlay: legend, counts, interval, coverage and where they come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from edge.count import LEVEL
from edge.detections import Kind
from edge.write import phrases

if TYPE_CHECKING:
    from edge.scale import Pixels

Colour = tuple[int, int, int]
"""Blue, green, red, as OpenCV has it."""

COLOURS: dict[str, Colour] = {
    Kind.TANKER.label: (40, 80, 255),
    Kind.OTHER.label: (233, 180, 86),
    Kind.UNKNOWN.label: (140, 245, 255),
}
"""Vermilion, sky blue and pale yellow: colour-blind eyes tell them apart too, which a test computes."""
MARKS: dict[str, str] = {Kind.TANKER.label: "T", Kind.OTHER.label: "", Kind.UNKNOWN.label: "?"}
"""Before the number of a vessel, so that its kind does not hang on colour alone."""
BACKGROUND: Colour = (32, 28, 24)
_TEXT: Colour = (240, 240, 240)
_DIM: Colour = (180, 180, 180)
_ALARM: Colour = (0, 200, 255)
FONT = cv2.FONT_HERSHEY_SIMPLEX
_WIDTH_FOR_FULL_SIZE = 1750
_SIZES = (0.5, 2.0)
"""Smallest and largest font scale; 1 is capitals of 22 px."""
_BOLD_FROM = 0.6
"""Font scale: bold strokes of smaller letters run into each other in OpenCV 4."""


@dataclass(frozen=True, slots=True)
class _Chunk:
    """A few words that stay together."""

    text: str
    colour: Colour = _TEXT
    swatch: Colour | None = None
    """Colour of a box drawn before the words."""
    bold: bool = False


def caption(document: dict[str, Any], width: int, drawn: str, notes: list[str]) -> Pixels:
    """The strip, BGR (h, width, 3), as high as its words need.

    Args:
        document: the scene's.
        width: px.
        drawn: how large the picture is drawn.
        notes: what else a reader of this picture has to know, in a colour that alarms.
    """
    layout = _Layout(width, float(np.clip(width / _WIDTH_FOR_FULL_SIZE, *_SIZES)))
    lines = layout.wrapped(_paragraphs(document, drawn, notes))
    strip = np.empty((layout.line * len(lines) + layout.line // 2, width, 3), np.uint8)
    strip[:] = BACKGROUND
    for i, chunks in enumerate(lines):
        layout.draw(strip, chunks, layout.line * (i + 1))
    return strip


def plain_ascii(text: str) -> str:
    """The text in the characters that OpenCV's fonts have."""
    return phrases.printable(text).encode("ascii", "replace").decode("ascii")


def _paragraphs(document: dict[str, Any], drawn: str, notes: list[str]) -> list[list[_Chunk]]:
    counts, bounds = document["counts"], document["interval"]
    title = [_Chunk(plain_ascii(document["scene"]), bold=True)]
    if document.get("synthetic"):
        title.append(_Chunk("SYNTHETIC: a rendered scene, not a real place", _ALARM, bold=True))
    legend = []
    for label, mark in MARKS.items():
        marked = f"{label} ({mark})" if mark else label
        legend.append(_Chunk(f"{marked} {counts[label]}", swatch=COLOURS[label], bold=True))
    legend.append(_Chunk(f"vessels {counts['vessel']}", bold=True))
    likely = ", ".join(f"{kind}s {phrases.spread(bounds[kind])}" for kind in ("tanker", "vessel"))
    share, failed = document["coverage"], document["tiles"]["failed"]
    covered = f"coverage {phrases.percent(share)}" + (f", {failed} tile(s) failed" if failed else "")
    metres = document["gsd_m"]
    model = document["model"]
    source = [
        _Chunk(f"{LEVEL:.0%} interval: {likely}".replace("%", " %")),
        _Chunk(covered, _TEXT if share >= 1 else _ALARM),
        _Chunk(f"GSD {phrases.gsd(metres)} m" if metres else "GSD not known", _DIM),
        _Chunk(f"{document['width']} x {document['height']} px, drawn {drawn}", _DIM),
        _Chunk(f"model {plain_ascii(model['name'])} ({plain_ascii(model['provider'])})", _DIM),
    ]
    near = sum(row["near_threshold"] for row in document["detections"])
    if near:
        source.append(_Chunk(f"dashed: near the threshold ({near})", _DIM))
    return [title, legend, source, *([_Chunk(note, _ALARM)] for note in notes)]


class _Layout:
    """Puts chunks side by side on lines."""

    def __init__(self, width: int, scale: float) -> None:
        self._width, self._scale = width, scale
        self._gap = round(28 * scale)
        self.line = round(38 * scale)
        """Px from one line of text to the next."""

    def wrapped(self, paragraphs: list[list[_Chunk]]) -> list[list[_Chunk]]:
        """Each paragraph in as many lines as it needs; what is longer than a line is shortened."""
        lines = []
        for chunks in paragraphs:
            line: list[_Chunk] = []
            for chunk in map(self._fitted, chunks):
                if line and sum(self._advance(c) for c in [*line, chunk]) > self._width - self._gap:
                    lines.append(line)
                    line = []
                line.append(chunk)
            lines.append(line)
        return lines

    def draw(self, strip: Pixels, chunks: list[_Chunk], baseline: int) -> None:
        """One line of chunks from the left."""
        x = self._gap
        for chunk in chunks:
            if chunk.swatch:
                side = self._swatch()
                cv2.rectangle(strip, (x, baseline - side), (x + side, baseline), chunk.swatch, -1)
            at = (x + (self._swatch() * 3 // 2 if chunk.swatch else 0), baseline)
            cv2.putText(strip, chunk.text, at, FONT, self._scale, chunk.colour, self._weight(chunk), cv2.LINE_AA)
            x += self._advance(chunk)

    def _fitted(self, chunk: _Chunk) -> _Chunk:
        text = chunk.text
        while self._advance(chunk) > self._width - self._gap and len(text) > 4:  # noqa: PLR2004 - "a..."
            text = phrases.shorten(chunk.text, len(text) - 1)
            chunk = _Chunk(text, chunk.colour, chunk.swatch, chunk.bold)
        return chunk

    def _advance(self, chunk: _Chunk) -> int:
        """Px from the start of a chunk to that of the next."""
        (width, _), _ = cv2.getTextSize(chunk.text, FONT, self._scale, self._weight(chunk))
        return int(width) + self._gap + (self._swatch() * 3 // 2 if chunk.swatch else 0)

    def _swatch(self) -> int:
        return round(20 * self._scale)

    def _weight(self, chunk: _Chunk) -> int:
        """Thickness of the strokes, px."""
        return max(1, round(self._scale * 1.2)) + (chunk.bold and self._scale >= _BOLD_FROM)
