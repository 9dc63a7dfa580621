from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import toy_model
from fleet import PerfectDetector, fit, random_fleet
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scene_files import write_tiff

import edge.scene
from edge.aoi import load_aoi
from edge.coarse import (
    EDGE_PX,
    SIDES,
    by_size,
    chips_round,
    coarse_scale,
    confirmed,
    long_enough,
    not_shown,
    whole,
)
from edge.detections import Detections
from edge.detector import Detector, load_detector
from edge.document import build_document
from edge.errors import SceneError, UsageError
from edge.geometry import envelopes
from edge.merge import SeamMerger
from edge.model_card import CoarseCard
from edge.pipeline import ScanOptions, scan
from edge.scale import Scale
from edge.scene import SceneOptions, open_scene

if TYPE_CHECKING:
    from pathlib import Path

    from edge.pipeline import ScanResult

SEEDS = st.integers(0, 2**32 - 1)
CARD = CoarseCard(gsd_m=2.0, score=0.05, sure_px=12, precisions=("fp32",), verdict="")


@pytest.mark.parametrize(
    ("working", "gsd", "expected"),
    [
        (Scale(), 1.0, Scale(down=2)),
        (Scale(down=2), 0.5, Scale(down=4)),
        (Scale(down=3), 0.4998, Scale(down=4)),
        (Scale(down=2), 0.5003, Scale(down=4)),
        (Scale(down=4), 0.3, Scale(down=6)),
        (Scale(down=3), 0.4, Scale(down=5)),
        (Scale(down=2), 0.7, None),
        (Scale(), 1.3, None),
        (Scale(up=2), 3.0, None),
        (Scale(), None, None),
        (Scale(), 2.0, None),
    ],
)
def test_the_coarse_scale(working: Scale, gsd: float | None, expected: Scale | None) -> None:
    assert coarse_scale(working, gsd, CARD, 24) == coarse_scale(working, gsd, CARD, 60) == expected
    assert coarse_scale(working, gsd, CARD, 0) is None, "who counts small craft too must look everywhere"


def test_the_coarse_scale_follows_the_shortest_vessel() -> None:
    working = Scale(down=2)
    assert [coarse_scale(working, 0.5, CARD, m) for m in (24, 20, 12)] == [Scale(down=4), Scale(down=3), None]


def _fleet(seed: int, n: int, frame: tuple[int, int]) -> Detections:
    rng = np.random.default_rng(seed)
    length = rng.uniform(8, 420, n)
    boxes = np.column_stack([rng.uniform(0, 1, (n, 2)) * frame, length, length * 0.2, rng.uniform(0, np.pi, n)])
    return Detections.of(boxes, rng.uniform(0.05, 1, n))


@given(seed=SEEDS, n=st.integers(0, 40), width=st.integers(30, 3000), height=st.integers(30, 3000))
def test_every_candidate_is_shown_whole_by_a_chip(seed: int, n: int, width: int, height: int) -> None:
    fleet = _fleet(seed, n, (width, height))
    chips = chips_round(fleet, (width, height))
    assert [c.index for c in chips] == list(range(len(chips)))
    assert len(chips) <= n
    for bound in envelopes(fleet.corners):
        left, top, right, bottom = np.clip(bound, 0, [width, height, width, height])
        assert any(
            c.window.x <= left and c.window.y <= top and c.window.right >= right and c.window.bottom >= bottom
            for c in chips
        )
    for chip in chips:
        assert chip.window.width == chip.window.height
        assert chip.window.x >= 0
        assert chip.window.y >= 0
        assert chip.core.x - chip.window.x in ({0} if chip.window.x == 0 else {EDGE_PX})
        assert chip.core.right <= width
        assert chip.core.bottom <= height
    assert not len(not_shown(fleet[fleet.xywhr[:, 2] < 100], chips, Detections.empty()))


def test_vessels_side_by_side_share_a_chip() -> None:
    raft = Detections.of(np.array([[1000, 1000, 180, 30, 0.3], [1010, 1035, 170, 30, 0.3]]), np.array([0.9, 0.4]))
    (chip,) = chips_round(raft, (4000, 4000))
    assert chip.window.width in SIDES
    assert chips_round(raft[::-1], (4000, 4000)) == [chip], "whatever their order"


@given(seed=SEEDS, n=st.integers(0, 30))
def test_groups_of_chips_have_one_size_each(seed: int, n: int) -> None:
    chips = chips_round(_fleet(seed, n, (2000, 2000)), (2000, 2000))
    groups = list(by_size(chips))
    assert sorted(c.index for g in groups for c in g) == list(range(len(chips)))
    for group in groups:
        assert len({c.window.width for c in group}) == 1
        assert [c.window.y for c in group] == sorted(c.window.y for c in group)


def test_what_nothing_hinted_at_is_not_believed() -> None:
    hinted = Detections.of(np.array([[100.0, 100, 60, 12, 0.5]]), np.array([0.3]))
    close_up = Detections.of(
        np.array([[103, 99, 64, 11, 0.52], [103, 130, 64, 11, 0.52], [100.0, 100, 6, 4, 0], [300, 300, 20, 6, 0]]),
        np.array([0.9, 0.8, 0.7, 0.6]),
    )
    assert confirmed(close_up, hinted).score.tolist() == [0.9, 0.7]
    alongside = hinted.moved(-6.0, 11.0)
    assert len(confirmed(alongside, hinted)) == 1, "hulls in a raft may be one candidate from further off"
    assert len(confirmed(close_up, Detections.empty())) == 0
    assert len(confirmed(Detections.empty(), hinted)) == 0


@settings(deadline=None, max_examples=40)
@given(seed=SEEDS, width=st.integers(200, 2500), height=st.integers(200, 2500), n=st.integers(1, 25))
def test_chips_count_every_vessel_once(seed: int, width: int, height: int, n: int) -> None:
    """A perfect detector close up, which sees cut what a chip cuts; each vessel was hinted at."""
    rng = np.random.default_rng(seed)
    fleet = random_fleet(rng, (width, height), (12.0, 380.0), n)
    assume(len(fleet.truth))
    hints = Detections.of(fleet.truth, np.full(len(fleet.truth), 0.3))
    chips = chips_round(hints, (width, height))
    detector = PerfectDetector(fleet, 1.0, seed)
    merger = SeamMerger(width, height)
    for chip in chips:
        merger.add(chip, whole(detector.find(chip), chip, (width, height)))
    found = confirmed(merger.finish(), hints)
    overlap = fit(found.xywhr, fleet.truth)
    assert len(found) == len(fleet.truth)
    assert sorted(overlap.argmax(1)) == list(range(len(fleet.truth)))


def test_candidates_that_are_far_too_short_get_no_chip() -> None:
    boxes = np.array([[50.0, 50, 20, 5, 0], [90, 90, 31, 8, 0]])
    assert long_enough(Detections.of(boxes, np.ones(2)), 50).xywhr[:, 2].tolist() == [31]


# Through scan().

VESSELS = {(5, 4): 255, (20, 4): 204, (35, 20): 153, (12, 27): 100}


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    """Its cells are 8 px: it sees at the coarse scale what is 16 px a side in the working frame."""
    folder = toy_model.model_folder(
        tmp_path_factory.mktemp("models") / "toy",
        coarse={"gsd_m": 2.0, "score": 0.05, "sure_px": 12.0, "precisions": ["fp32"], "verdict": "a toy"},
    )
    return load_detector(folder, "cpu")


@pytest.fixture(scope="module")
def harbour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2,048 x 1,600 px, vessels of 16 px cells in its upper left."""
    pixels = np.zeros((1600, 2048, 3), np.uint8)
    small = toy_model.picture(320, 240, VESSELS)
    pixels[:480, :640] = small.repeat(2, 0).repeat(2, 1)
    return write_tiff(tmp_path_factory.mktemp("scenes") / "harbour.tif", pixels.transpose(2, 0, 1))


def _scan(path: Path, toy: Detector, **options: Any) -> ScanResult:  # noqa: ANN401 - options of many types
    with open_scene(path, SceneOptions(gsd_m=1.0)) as scene:
        result = scan(scene, toy, ScanOptions(**{"max_length_m": 64, "min_length_m": 24, "threshold": 0.2, **options}))
        document = build_document(scene, toy, result)
    json.dumps(document)
    assert document["settings"]["min_length_m"] == result.min_length_m
    assert document["settings"]["exhaustive"] is result.exhaustive
    assert document["settings"]["found_at_scale"] == (result.coarse or result.scale).factor
    return result


def test_coarse_to_fine_finds_them_with_less_work(harbour: Path, toy: Detector) -> None:
    fine, coarse = _scan(harbour, toy, exhaustive=True), _scan(harbour, toy)
    assert (fine.coarse, coarse.coarse) == (None, Scale(down=2))
    assert coarse.coverage == fine.coverage == 1
    assert coarse.tiles.scored < fine.tiles.scored / 5
    assert coarse.tiles.planned == coarse.tiles.scored + coarse.tiles.skipped
    # The toy's boxes keep to cells of 8 px that begin at its tile: chips begin elsewhere than tiles do.
    for x, y in fine.found.xywhr[:, :2]:
        assert np.hypot(*(coarse.found.xywhr[:, :2] - [x, y]).T).min() < 24
    everything = _scan(harbour, toy, min_length_m=0)
    assert everything.coarse is None, "who counts all vessels must look everywhere"
    assert everything.candidates.xywhr[:, 2].min() < coarse.candidates.xywhr[:, 2].min() + 1


def test_coarse_to_fine_is_the_same_every_way(harbour: Path, toy: Detector) -> None:
    answers = {
        _scan(harbour, toy, threads=threads, batch=batch).candidates.xywhr.tobytes()
        for threads, batch in ((1, 1), (2, 3), (3, 8))
    }
    assert len(answers) == 1


def test_a_chip_that_cannot_be_read_takes_nothing_back(
    harbour: Path, toy: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = edge.scene.Scene.read_into

    def broken(self: edge.scene.Scene, window: Any, scale: Scale, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        if scale == Scale():
            raise SceneError(self.path, "is damaged there", "get it again")
        return plain(self, window, scale, *args, **kwargs)

    monkeypatch.setattr(edge.scene.Scene, "read_into", broken)
    result = _scan(harbour, toy)
    assert result.tiles.failed > 0
    assert len(result.found) == 4, "what was seen coarsely stands"
    assert any("could not be read" in w for w in result.warnings)


@pytest.mark.parametrize("exhaustive", [False, True])
def test_shorter_vessels_do_not_count(harbour: Path, toy: Detector, *, exhaustive: bool) -> None:
    """The toy's boxes are 24 px long; those of two cells, 48 px of the scene at 1 m."""
    assert len(_scan(harbour, toy, min_length_m=24, exhaustive=exhaustive).candidates) > 0
    assert len(_scan(harbour, toy, min_length_m=60, exhaustive=exhaustive).candidates) == 0


def test_without_a_gsd_no_vessel_is_too_short(harbour: Path, toy: Detector) -> None:
    with open_scene(harbour) as scene:
        result = scan(scene, toy, ScanOptions(min_length_m=60, threshold=0.2))
    assert result.coarse is None
    assert len(result.candidates) > 0
    assert any("--min-length has no effect" in w for w in result.warnings)


@pytest.mark.parametrize("length", [-1, 400, float("nan")])
def test_a_shortest_vessel_that_makes_no_sense(length: float) -> None:
    with pytest.raises(UsageError) as caught:
        ScanOptions(min_length_m=length)
    assert caught.value.subject == "--min-length"


def test_a_precision_that_was_not_judged_coarsely_looks_everywhere(harbour: Path, toy: Detector) -> None:
    other = replace(toy, finder=replace(toy.finder, precision="bf16"))
    assert _scan(harbour, toy).coarse
    assert _scan(harbour, other).coarse is None


def test_a_crowd_is_looked_at_tile_by_tile(tmp_path: Path, toy: Detector) -> None:
    """Chips of so many candidates would be more work than all tiles."""
    crowd = {(c, r): 255 for c in range(2, 38, 5) for r in range(2, 28, 3)}
    pixels = toy_model.picture(320, 240, crowd).repeat(2, 0).repeat(2, 1)
    path = write_tiff(tmp_path / "crowd.tif", pixels.transpose(2, 0, 1))
    usual, exhaustive = _scan(path, toy), _scan(path, toy, exhaustive=True)
    assert usual.coarse == Scale(down=2)
    assert np.array_equal(usual.candidates.xywhr, exhaustive.candidates.xywhr)
    assert usual.coverage == 1


def test_an_area_smaller_than_a_coarse_px_is_seen(harbour: Path, toy: Detector, tmp_path: Path) -> None:
    corner = [[83, 71], [84.4, 71], [84.4, 72.4], [83, 72.4], [83, 71]]
    area = {"type": "Polygon", "coordinates": [corner]}
    (tmp_path / "aoi.json").write_text(json.dumps(area))
    with open_scene(harbour, SceneOptions(gsd_m=1.0)) as scene:
        aoi = load_aoi(tmp_path / "aoi.json", scene)
        result = scan(scene, toy, ScanOptions(max_length_m=64, min_length_m=24, threshold=0.2), aoi)
    assert result.coverage == 1
