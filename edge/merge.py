"""Tiles' detections -> the scene's, each vessel once.

Tiles overlap, so neighbours see the same vessel, each a little off. Which boxes are one vessel is decided between tiles
and never within one: two boxes of the same tile are two vessels. So rafted hulls stay two, even where one tile's box of
the one lies on another tile's box of the other. A hull that a tile's edge cuts is also compared on the ground that both
tiles see, with what is left of it.

A box is a detection of a vessel where it overlaps it by an IoU of 0.5 or more. Then two tiles' boxes of one vessel
overlap by 0.2 or more, and their boxes of two vessels by less than 0.5. So from 0.5 on two boxes are one vessel, and
below they are paired so that as few vessels as possible explain what all tiles say.

A tile owns the vessels whose centre lies in its core, or in a band round it as wide as two tiles' centres differ. A
vessel is kept where a tile owns one of its boxes; what only the margins of tiles say is not. Of its boxes the best
whole one stays. Where vessels may be longer than the overlap (the GSD is not known) no tile may have seen the whole:
then the parts are joined.

Nearly all vessels are told apart by a few steps on whole arrays (edge.merge_groups); edge.merge_rules, which decides
box by box, is asked only where there is something to decide. Time grows with the number of boxes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.detections import Detections
from edge.merge_choice import one_each
from edge.merge_groups import vessel_of
from edge.merge_offers import gather

if TYPE_CHECKING:
    from edge.tiling import Tile


class SeamMerger:
    """Collects tiles' detections in any order; the result does not depend on that order."""

    def __init__(self, width: int, height: int) -> None:
        """For a frame of width x height px, the one that was tiled."""
        self._frame = width, height
        self._parts: dict[int, tuple[Tile, Detections]] = {}

    def add(self, tile: Tile, detections: Detections) -> None:
        """Take one tile's detections, px of the tile."""
        self._parts[tile.index] = tile, detections

    def finish(self) -> Detections:
        """The frame's vessels, ordered by centre y, then x."""
        parts = [self._parts[i] for i in sorted(self._parts) if len(self._parts[i][1])]
        if not parts:
            return Detections.empty()
        offers = gather(parts, self._frame)
        return one_each(offers, vessel_of(offers))
