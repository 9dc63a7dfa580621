from __future__ import annotations

import numpy as np
import pytest

from edge.detections import Kind
from edge.geometry import to_corners
from training.examples import PASTED, RENDERED, Example, components, pasted, reduced, rendered


def _example(ship: str, group: str, kind: Kind | None = Kind.OTHER) -> Example:
    """A bright hull of 60 px on smooth dark water."""
    pixels = np.full((120, 160, 3), 40, np.uint8)
    pixels[55:65, 50:110] = 180
    return Example(pixels, np.array([80.0, 60.0, 60.0, 10.0, 0.0]), kind, ship, group, "s")


def test_groups_that_show_one_ship_hang_together() -> None:
    examples = [_example(*names) for names in (("a", "1"), ("a", "2"), ("b", "2"), ("b", "3"), ("c", "4"))]
    together = components(examples)
    assert together["1"] == together["2"] == together["3"]
    assert together["4"] != together["1"]
    shuffled = components(examples[::-1])
    assert [together[g] == together["1"] for g in "1234"] == [shuffled[g] == shuffled["1"] for g in "1234"]


def test_a_pasted_hull_stays_an_example_of_its_own_ship() -> None:
    real = [_example("tanker", "1", Kind.TANKER), _example("other", "2", Kind.OTHER), _example("x", "3", Kind.UNKNOWN)]
    made = pasted(real, 6, 0)
    assert [e.kind for e in made] == [Kind.TANKER, Kind.OTHER] * 3
    assert {(e.ship, e.group) for e in made} == {("tanker", "1"), ("other", "2")}
    assert {e.source for e in made} == {PASTED}
    for e in made:
        inside = to_corners(e.box[None])[0]
        assert (inside >= 0).all()
        assert (inside <= np.array(e.pixels.shape[1::-1])).all()
        x, y = e.box[:2].astype(int)
        assert e.pixels[y, x].mean() > np.median(e.pixels) + 40, "the hull lies where the box says"


def test_without_both_kinds_nothing_is_pasted() -> None:
    assert pasted([_example("a", "1", Kind.OTHER)], 4, 0) == []


def test_rendered_examples_are_half_tankers_and_repeat() -> None:
    one, two = rendered(4, 7), rendered(4, 7)
    assert [e.kind for e in one] == [Kind.TANKER, Kind.OTHER] * 2
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(one, two, strict=True))
    assert {e.source for e in one} == {RENDERED}


@pytest.mark.parametrize("factor", [2.0, 3.7])
def test_a_reduced_example_shows_the_same_in_fewer_px(factor: float) -> None:
    e = _example("a", "1")
    pixels, box = reduced(e.pixels, e.box, factor)
    assert box[2] == pytest.approx(60 / factor)
    assert box[0] / pixels.shape[1] == pytest.approx(0.5)
    assert reduced(e.pixels, e.box, 1.0)[0] is e.pixels
