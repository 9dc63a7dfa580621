"""The short way through the seam rules says what the rules say, box by box."""

from __future__ import annotations

import numpy as np
import pytest
from fleet import PerfectDetector, fit, random_fleet, seen
from hypothesis import given, settings
from hypothesis import strategies as st

from edge import merge_groups
from edge.detections import Detections
from edge.geometry import Floats, Window
from edge.merge import SeamMerger
from edge.merge_bounds import judge
from edge.merge_choice import one_each
from edge.merge_groups import components, vessel_of
from edge.merge_offers import Offers, gather
from edge.merge_rules import LEAST_IOU, best_iou, vessels_by_rule
from edge.tiling import Tile, plan_tiles

SEEDS = st.integers(0, 2**32 - 1)


def _by_rule_alone(offers: Offers) -> np.ndarray:
    return vessels_by_rule(offers.claims(np.arange(len(offers))))


def _sets(numbers: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(numbers == k).tolist()) for k in np.unique(numbers)}


def _fleet(rng: np.random.Generator, seed: int, longest: float, missed: float, off: float) -> Offers | None:
    """Rafted, cut and long vessels, several tiles at a corner, some boxes missed."""
    overlap = int(rng.choice([10, longest, longest / 2])) + 1
    tile = overlap + int(rng.uniform(0.1, 1.5) * overlap) + 20
    width, height = (int(v) for v in rng.integers(tile // 2 + 1, 4 * tile, 2))
    tiles = plan_tiles(width, height, tile, overlap)
    seams = [sorted({getattr(t.core, axis) for t in tiles} - {0}) for axis in "xy"]
    fleet = random_fleet(rng, (width, height), (10.0, longest), 14, (seams[0], seams[1]))
    parts = [(t, PerfectDetector(fleet, off, seed).find(t)) for t in tiles]
    parts = [(t, rows[rng.random(len(rows)) >= missed]) for t, rows in parts]
    parts = [(t, rows) for t, rows in parts if len(rows)]
    return gather(parts, (width, height)) if parts else None


def _crowd(rng: np.random.Generator) -> tuple[list[tuple[Tile, Detections]], Floats]:
    """What no sane detector says: heaps of boxes that differ by more than any rule allows, and reach out of tiles."""
    tiles = plan_tiles(300, 200, 100, int(rng.choice([20, 50, 80])))
    places = np.column_stack(
        [rng.uniform(0, (300, 200), (25, 2)), np.exp(rng.uniform(2, 4.5, (25, 2))), rng.random(25)]
    )
    parts = []
    for tile in tiles:
        boxes = places[rng.random(25) < 0.8] + rng.normal(0, 1, 5) * [3, 3, 1, 1, 0.1]
        middle = np.array([tile.window.x, tile.window.y]) + 50
        boxes = boxes[(np.abs(boxes[:, :2] - middle) < 60).all(1)]
        boxes[:, :2] += rng.normal(0, 2, (len(boxes), 2))
        boxes[:, 2:4] = np.abs(boxes[:, 2:4]) * rng.uniform(0.3, 1.2, (len(boxes), 1)) + 1
        rows = Detections.of(boxes, rng.choice([0.5, 0.6, 0.7], len(boxes)))
        parts.append((tile, rows.moved(-tile.window.x, -tile.window.y)))
    return parts, places


@settings(deadline=None, max_examples=100)
@given(seed=SEEDS, longest=st.floats(10, 300), missed=st.sampled_from([0.0, 0.1, 0.5]), off=st.sampled_from([0.0, 2.0]))
def test_the_short_way_is_the_long_way_on_fleets(seed: int, longest: float, missed: float, off: float) -> None:
    offers = _fleet(np.random.default_rng(seed), seed, longest, missed, off)
    if offers is not None:
        assert _sets(vessel_of(offers)) == _sets(_by_rule_alone(offers))


@settings(deadline=None, max_examples=40)
@given(seed=SEEDS)
def test_the_short_way_is_the_long_way_on_crowds(seed: int) -> None:
    parts, _ = _crowd(np.random.default_rng(seed))
    offers = gather([(tile, rows) for tile, rows in parts if len(rows)], (300, 200))
    vessel, expected = vessel_of(offers), _by_rule_alone(offers)
    assert _sets(vessel) == _sets(expected)
    found, again = one_each(offers, vessel), one_each(offers, expected)
    assert np.array_equal(found.xywhr, again.xywhr)


@settings(deadline=None, max_examples=20)
@given(seed=SEEDS, data=st.data())
def test_the_order_of_the_tiles_does_not_matter_in_crowds(seed: int, data: st.DataObject) -> None:
    parts, _ = _crowd(np.random.default_rng(seed))
    answers = []
    for order in (range(len(parts)), data.draw(st.permutations(range(len(parts))))):
        merger = SeamMerger(300, 200)
        for k in order:
            merger.add(*parts[k])
        found = merger.finish()
        answers.append((found.xywhr.tobytes(), found.score.tobytes()))
    assert answers[0] == answers[1]


def test_the_rules_are_not_asked_about_vessels_that_lie_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    tiles = plan_tiles(1000, 1000, 256, 128)
    xx, yy = np.meshgrid(np.arange(20.0, 990, 40), np.arange(20.0, 990, 40))
    boxes = np.column_stack([xx.ravel(), yy.ravel(), *rng.uniform([[12], [6]], [[30], [12]], (2, xx.size)), xx.ravel()])
    asked: list[int] = []

    def rules(claims: merge_groups.Claims) -> np.ndarray:
        asked.append(len(claims.tile))
        return vessels_by_rule(claims)

    monkeypatch.setattr(merge_groups, "vessels_by_rule", rules)
    merger = SeamMerger(1000, 1000)
    for tile in tiles:
        _, shown = seen(Detections.of(boxes, xx.ravel()).xywhr, tile.window)
        merger.add(tile, Detections.of(shown, np.full(len(shown), 0.5)).moved(-tile.window.x, -tile.window.y))
    assert len(merger.finish()) == len(boxes)
    assert sum(asked) < 0.05 * len(boxes)


@settings(deadline=None, max_examples=25)
@given(seed=SEEDS, least=st.sampled_from([0.05, LEAST_IOU, 0.5, 0.8]))
def test_bounds_of_the_iou_hold(seed: int, least: float) -> None:
    parts, _ = _crowd(np.random.default_rng(seed))
    offers = gather([(tile, rows) for tile, rows in parts if len(rows)], (300, 200))
    i, j = np.triu_indices(len(offers), 1)
    apart = offers.tile[i] != offers.tile[j]
    i, j = i[apart], j[apart]
    sure, open_ = judge(offers, i, j, least)
    iou = best_iou(offers.claims(np.arange(len(offers))), i, j)
    assert (iou[sure] >= least).all()
    assert (iou[~sure & ~open_] < least).all()
    assert not (sure & open_).any()


@settings(deadline=None, max_examples=40)
@given(seed=SEEDS)
def test_the_iou_is_that_of_shapely_on_all_ground_or_on_common_ground(seed: int) -> None:
    parts, _ = _crowd(np.random.default_rng(seed))
    offers = gather([(tile, rows) for tile, rows in parts if len(rows)], (300, 200))
    claims = offers.claims(np.arange(len(offers)))
    pairs = np.random.default_rng(seed).integers(0, len(offers), (40, 2))
    pairs = pairs[claims.tile[pairs[:, 0]] != claims.tile[pairs[:, 1]]]
    for (a, b), iou in zip(pairs, best_iou(claims, *pairs.T), strict=True):
        boxes = claims.xywhr[[a, b]]
        expected = fit(boxes[:1], boxes[1:])[0, 0]
        w, v = claims.window[a], claims.window[b]
        left, top, right, bottom = *np.maximum(w[:2], v[:2]), *np.minimum(w[2:], v[2:])
        if claims.cut[[a, b]].any() and left < right and top < bottom:
            shows, shown = seen(boxes, Window(left, top, right - left, bottom - top))
            expected = max(expected, fit(shown[:1], shown[1:])[0, 0] if len(shows) == 2 else 0.0)
        assert iou == pytest.approx(expected, abs=1e-5)


@given(n=st.integers(1, 40), data=st.data())
def test_components_are_those_of_a_graph(n: int, data: st.DataObject) -> None:
    links = data.draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=60))
    a, b = np.array(links, np.intp).reshape(-1, 2).T
    half = len(links) // 2
    label = components(components(np.arange(n), a[:half], b[:half]), a[half:], b[half:])
    sets = [{k} for k in range(n)]
    for i, j in links:
        one, other = (next(s for s in sets if k in s) for k in (i, j))
        if one is not other:
            sets.remove(other)
            one |= other
    assert label.tolist() == [min(next(s for s in sets if k in s)) for k in range(n)]
